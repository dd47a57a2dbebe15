"""Sections of the train-by-test matrix: the pictures, the published patterns beside them, and every number."""

from pipeline.report import figures_matrix as figures
from pipeline.report.blocks import Absent, Block, Cell, Row, Table
from pipeline.report.figures_bandits import core_label
from pipeline.report.load import StudyResults
from pipeline.report.statistics import matrix_table
from pipeline.report.style import count, interval, missing, number, prose, task_label

# The five patterns that Wang et al. 2017 state, and which rows of the claims decide each: patterns of their ids.
PATTERNS = (
    (
        "On D_i the network has less regret than Thompson sampling and UCB, and more than the Gittins index",
        r"w17-di-.*",
    ),
    (
        "Trained on dependent arms it is about as good there as the Gittins index, and better than the network trained "
        "on independent arms",
        r"w17-(matrix-)?d[uemh]-(gittins.*|specialist)",
    ),
    ("On D_i networks trained on dependent arms do worse than those trained on D_i", r"w17-structured-on-di.*"),
    (
        "Networks trained on D_e or D_m generalise to D_u and D_h, on D_h as well as those trained there or better",
        r"w17-easy-medium-on-.*",
    ),
    ("Networks trained on D_h do poorly on D_u, D_e and D_m", r"w17-hard-on-.*"),
)


def matrix(results: StudyResults) -> list[Block]:
    """Figures of all cores, the stated patterns, the full table."""
    return [*figures.matrices(results), *patterns(results), *full(results)]


def patterns(results: StudyResults) -> list[Block]:
    """Sum up what the claims say of each stated pattern, core by core."""
    claims, cores = results.claims, _cores(results)
    if claims.empty or not cores:
        return [Absent("The stated patterns of the matrix", results.why_absent("claims"))]
    rows = []
    for statement, ids in PATTERNS:
        own = claims[claims["id"].astype(str).str.fullmatch(ids)]
        if own.empty:
            continue
        cells = [Cell(prose(statement))]
        for core in cores:
            cells.append(_judged(own[own["source"].astype(str).map(lambda s, c=core: _core(results, s) == c)]))
        rows.append(Row(cells))
    if not rows:
        return [Absent("The stated patterns of the matrix", "The claims hold no row of these patterns.")]
    caption = (
        "Each cell sums up the rows of the published claims behind the pattern for one core (a row per training and "
        "test "
        "distribution): agrees, if all of them do; deviates, if the interval of one or more contradicts the claim; "
        "else "
        "undecided. Every row, with the published number, ours and its interval, stands under “Published claims”."
    )
    columns = ("Pattern (Wang et al. 2017)", *(core_label(results, core) for core in cores))
    return [Table("patterns", "The stated patterns of the matrix, judged", columns, rows, caption)]


def _judged(own) -> Cell:
    """One badge for some claims of one core, with the tally in small print."""
    verdicts = own["verdict"].astype(str).str.lower().tolist()
    open_ = [v == "deviates" and str(w).lower().startswith("undecided") for v, w in zip(verdicts, own["why"])]
    agree, undecided = verdicts.count("agrees"), sum(open_)
    against, absent = verdicts.count("deviates") - undecided, verdicts.count("not run")
    if not verdicts or absent == len(verdicts):
        return Cell("not run", badge="not-run")
    parts = ((agree, "agree"), (against, "contradicted"), (undecided, "undecided"), (absent, "not run"))
    said = ", ".join(f"{n} {word}" for n, word in parts if n)
    if against:
        return Cell("deviates", said, badge="deviates")
    return Cell("undecided", said, badge="undecided") if undecided else Cell("agrees", said, badge="agrees")


def _core(results: StudyResults, source: str) -> str:
    return next((s.agent for s in results.sources if s.name == source and not s.matched), "")


def _cores(results: StudyResults) -> list[str]:
    return list(dict.fromkeys(results.source(name).agent for name in results.names("network")))


def full(results: StudyResults) -> list[Block]:
    """Every number of the matrices, grouped by core and training."""
    table = matrix_table(results)
    if table.empty:
        return []
    rows = []
    for source in dict.fromkeys(table["source"]):
        own = table[table["source"] == source]
        rows.append(Row([Cell(results.described(source), span=8)], heading=True))
        for r in own.itertuples():
            ideal = not missing(r.ideal)
            rows.append(
                Row(
                    [
                        Cell(task_label(r.task)),
                        Cell(number(r.mean), interval(r.low, r.high)),
                        Cell(number(r.ideal)),
                        Cell(number(r.mean / r.ideal, 2) if ideal else "–"),
                        Cell(number(r.optimum)),
                        Cell(number(r.ratio, 2), interval(r.ratio_low, r.ratio_high, 2)),
                        Cell(count(r.n)),
                        Cell(count(r.episodes)),
                    ],
                    results.colour(source),
                )
            )
    caption = (
        "Expected cumulative regret per episode (unit: reward), mean of the best networks by the ranking episodes of "
        "their "
        "own training, with its 95 % interval over these networks and the test episodes that they share. Ideal of the "
        "training: the exact Bayes-optimal agent of the training prior, acting on the test; ideal of the test: the "
        "exact "
        "optimum. A network trained and tested on different distributions meets the same test episodes as those "
        "trained on "
        "the test."
    )
    columns = (
        "Tested on",
        "Regret [95 % interval]",
        "Ideal of the training",
        "÷ it",
        "Ideal of the test",
        "÷ it [95 % interval]",
        "n best",
        "Test episodes",
    )
    numeric = frozenset(range(1, 8))
    return [Table("matrix-full", "The matrices in full", columns, rows, caption, numeric, True, True, True)]
