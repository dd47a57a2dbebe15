"""Sections of the page on the task with an informative arm."""

import pandas as pd
from markupsafe import Markup, escape

from pipeline.report import figures_bandits, figures_training
from pipeline.report import figures_informative_arm as figures
from pipeline.report.blocks import Absent, Block, Cell, Figure, Note, Row, Table
from pipeline.report.figures_informative_arm import return_table
from pipeline.report.load import StudyResults
from pipeline.report.selection import selection
from pipeline.report.statistics import LEARNED, own_task
from pipeline.report.style import count, interval, listed, number

CLOSE = 0.15  # rewards per episode below the optimum: what the tables mark as close
SHARES = {"informative_trial_1": "Informative arm on trial 1", "optimal_episodes": "Episodes by the optimal policy"}
STAYS = "Does a network without the reward input do better than the best blind policy?"


def answer(results: StudyResults) -> str:
    """One sentence: the best networks' reward per episode beside the optimum, and how often they ask first."""
    table = return_table(results)
    networks = table[table["kind"] == "network"]
    if networks.empty:
        return "Not answered: no network has been evaluated."
    earned = [f"{number(r.mean, 2)} for {results.label(r.source)}" for r in networks.itertuples()]
    optimum = number(networks["optimum"].iloc[0], 2)
    text = f"The best networks earn {listed(earned)} of the {optimum} that the exact optimum earns"
    asked = [
        f"{number(share['value'], 2)} for {results.label(name)}"
        for name in networks["source"]
        if (share := _share(results, name, "informative_trial_1")) is not None
    ]
    if asked:
        text += f"; they take the informative arm first on this share of episodes: {listed(asked)}"
    thompson = table[table["source"] == "thompson_target"]
    if len(thompson):
        text += f"; Thompson sampling, which never takes it, earns {number(thompson['mean'].iloc[0], 2)}"
    return text + "."


def picture(results: StudyResults) -> Figure | Absent:
    """Reward per episode: the page's main figure."""
    return figures.returns(results)


def summary(results: StudyResults) -> list[Block]:
    """Reward per episode and the shares of optimal choices, source by source."""
    table = return_table(results, ablated=True)
    if table.empty:
        return [Absent("Reward per episode", results.why_absent("evaluation"))]
    first = table.iloc[0]
    references = {
        "Exact optimum": first["optimum"],
        "Best policy that sees no outcome": first["blind"],
        "Chance": first["chance"],
    }
    rows = [
        Row(
            [Cell(name), Cell(number(value, 2)), Cell(number(value - first["optimum"], 2)), *[Cell("–")] * 3],
            css="quiet",
        )
        for name, value in references.items()
    ]
    for r in table.itertuples():
        network = r.kind == "network"
        close = "close" if network and r.optimum - r.mean <= CLOSE else ""
        cells = [
            Cell(results.label(r.source)),
            Cell(number(r.mean, 2), interval(r.low, r.high, 2), close),
            Cell(number(r.mean - r.optimum, 2)),
            *(_share_cell(results, r.source, name) for name in SHARES),
            Cell(f"{r.learned} / {r.settings}" if network else "–"),
        ]
        rows.append(Row(cells, results.colour(r.source)))
    caption = (
        "Reward per episode of 5 trials [95 % interval], and its distance from the exact optimum. Networks: mean of "
        "the best settings by the ranking episodes, on other test episodes, which they share; learners: over the same "
        "test episodes (a learner, the exact one included, has the luck of their draw). Shares are over the kept test "
        "episodes, with a 95 % bootstrap interval over networks and episodes; an episode follows the optimal policy if "
        "the informative arm is chosen on trial 1 and the target on all later trials. Learned: settings whose regret "
        f"has gone {LEARNED} % of the way from chance to the optimum on the ranking episodes. {selection(results)} "
        f"Shaded: within {CLOSE} rewards of the optimum."
    )
    columns = ("Source", "Reward per episode", "− optimum", *SHARES.values(), "Learned")
    title = "Reward per episode, and who asks first"
    return [Table("returns", title, columns, rows, caption, frozenset(range(1, 6)))]


def returns(results: StudyResults) -> list[Block]:
    """Figure, and every network trained."""
    return [figures.returns(results), *every_network(results)]


def every_network(results: StudyResults) -> list[Block]:
    """Reward per episode of every network, best first, in one folded table per study."""
    frame = own_task(results)
    frame = frame[frame["source"].isin(results.names("network", None))]
    if frame.empty:
        return []
    table = return_table(results, ablated=True).set_index("source")
    rows = []
    for name in [s for s in results.names("network", None) if s in set(frame["source"])]:
        own = frame[frame["source"] == name].sort_values("rank", kind="stable")
        median = number(table.loc[name, "median"], 2)
        rows.append(Row([Cell(f"{results.label(name)}: median of all settings {median}", span=7)], heading=True))
        most = float(table.loc[name, "mean"] + _mean_regret(own))
        for r in own.itertuples():
            cells = [
                r.subject,
                count(r.rank),
                number(most - float(r.ranking_regret), 2),
                number(most - float(r.test_regret), 2),
            ]
            cells += [
                f"{float(v):.3g}" if not pd.isna(v) else "–" for v in (r.learning_rate, r.discount, r.entropy_cost)
            ]
            rows.append(Row([Cell(c) for c in cells], results.colour(name), css="" if r.best else "quiet"))
    caption = (
        "Reward per episode of single networks on the ranking and on the test episodes, best first; each has its own "
        "seed and, where they are not fixed, its own hyperparameters. Quiet: not among the best."
    )
    columns = ("Network", "Rank", "Ranking episodes", "Test episodes", "Learning rate", "Discount", "Entropy cost")
    return [
        Table("networks", "Every network trained", columns, rows, caption, frozenset(range(1, 7)), True, True, True)
    ]


def choices(results: StudyResults) -> list[Block]:
    """Choices by trial."""
    return [figures.choices(results)]


def settings(results: StudyResults) -> list[Block]:
    """Regret against learning rate, where the search varies it."""
    frame = own_task(results)
    rates = frame.loc[frame["source"].isin(results.names("network")), "learning_rate"].dropna().astype(float)
    if len(rates) and rates.min() == rates.max():
        text = (
            f"All networks were trained with the same learning rate, {rates.iloc[0]:g}: settings differ in their seed, "
            "and in what the table of training below names as a range. Their rewards are the ticks of the figure "
            "above, and stand in the table below it."
        )
        return [Note(Markup("<p>{}</p>").format(escape(text)))]
    return [figures_training.settings(results)]


def training(results: StudyResults) -> list[Block]:
    """Training curves."""
    return [figures_training.training(results, "When during training is the worth of asking discovered?")]


def ablation(results: StudyResults) -> list[Block]:
    """Reward input withheld."""
    if not results.names("network", True):
        return [
            Note(Markup("<p>{}</p>").format(escape("No network of this run was trained without its reward input.")))
        ]
    closing = (
        "The reward still trains the network, but never enters its input, so that it cannot be told the target. It can "
        "still learn to leave the informative arm alone, as the best blind policy does, whose regret is a little below "
        "that of chance. Look for the lower row there, far from the optimum."
    )
    return [figures_bandits.ablation(results, STAYS, closing)]


def _mean_regret(own: pd.DataFrame) -> float:
    best = own[own["best"].astype(bool)]
    return float(best["test_regret"].astype(float).mean())


def _share(results: StudyResults, source: str, statistic: str) -> pd.Series | None:
    """Row of the summary table of a source as a whole; None where there is none."""
    found = results.summary
    if found.empty:
        return None
    found = found[(found["source"] == source) & (found["subject"] == "all") & (found["statistic"] == statistic)]
    return found.iloc[0] if len(found) else None


def _share_cell(results: StudyResults, source: str, statistic: str) -> Cell:
    found = _share(results, source, statistic)
    if found is None:
        return Cell("–")
    return Cell(number(found["value"], 3), interval(found["low"], found["high"], 3))
