"""What the pipeline left on disk for one study, read once; what is not there is empty, and its absence has a reason."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from pipeline.plan import Plan, Source, Study
from pipeline.primates import DATASETS
from pipeline.report.columns import AGENTS, BADGE, EVALUATION, IDEALS, TEXT
from pipeline.report.style import Look, look, task_label


@dataclass(frozen=True)
class DatasetStatus:
    """Whether a dataset could be had, and what stands in for it."""

    name: str
    present: bool
    reason: str = ""
    rows: int = 0
    facts: pd.DataFrame | None = None  # resources/…_summary.csv


@dataclass
class StudyResults:
    """Everything a page shows of one study; tables are empty (with their columns) where nothing was found."""

    study: str
    plan: Study
    config: Mapping
    sources: tuple[Source, ...]
    looks: dict[str, Look]
    datasets: dict[str, DatasetStatus]
    evaluation: pd.DataFrame  # networks on their own task, learners on every task
    summary: pd.DataFrame
    curves: pd.DataFrame
    regressions: pd.DataFrame
    training: pd.DataFrame
    posterior: pd.DataFrame
    badges: pd.DataFrame
    predictive: pd.DataFrame
    groups: pd.DataFrame
    stacking: pd.DataFrame
    typicality: pd.DataFrame
    claims: pd.DataFrame
    transfer: pd.DataFrame = field(default_factory=pd.DataFrame)  # the best networks on every test task
    ideals: pd.DataFrame = field(default_factory=pd.DataFrame)  # ideal agent of each training prior on each test
    agents: pd.DataFrame = field(default_factory=pd.DataFrame)  # every trained network: hyperparameters, stopped
    volatility: pd.DataFrame = field(default_factory=pd.DataFrame)  # learning rates against volatility
    episodes: pd.DataFrame = field(default_factory=pd.DataFrame)  # learning rate of every episode
    mixed: pd.DataFrame = field(default_factory=pd.DataFrame)  # hierarchical regressions
    recovery: pd.DataFrame = field(default_factory=pd.DataFrame)  # of every model of the study: bias, coverage …
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)  # … ranks of simulation-based calibration
    confusion: pd.DataFrame = field(default_factory=pd.DataFrame)  # which model is taken for which
    planted: pd.DataFrame = field(default_factory=pd.DataFrame)  # effects that were planted, and what a fit finds
    absent: dict[str, list[str]] = field(default_factory=dict)  # kind of file → files that are not there

    def names(self, kind: str = "", ablated: bool | None = False, matched: bool | None = False) -> list[str]:
        """Names of the sources of one kind, in the order of the config.

        ``ablated``: networks without reward input; ``matched``: cores of equal parameter count, which stand apart from
        those of equal hidden size. None: with and without.
        """
        return [
            s.name
            for s in self.sources
            if s.kind == (kind or s.kind)
            and (ablated is None or s.reward_input != ablated)
            and (matched is None or s.matched == matched)
        ]

    def source(self, name: str) -> Source:
        """Look a source up by name."""
        return next(s for s in self.sources if s.name == name)

    def label(self, name: str) -> str:
        """Display name of a source; of one that is not in the plan, the name itself."""
        return self.looks[name].label if name in self.looks else name

    def described(self, name: str) -> str:
        """Display name of a source; of a network, with the task it was trained on."""
        source = next((s for s in self.sources if s.name == name), None)
        trained = f", trained on {task_label(source.task)}" if source is not None and source.task else ""
        return self.label(name) + trained

    def colour(self, name: str) -> str:
        """Colour of a source."""
        return self.looks[name].colour if name in self.looks else "#5f6b76"

    def missing_datasets(self) -> list[DatasetStatus]:
        """Datasets of this study that could not be had."""
        return [status for status in self.datasets.values() if not status.present]

    def why_absent(self, *kinds: str) -> str:
        """Say, in one sentence, why there are no rows of these kinds of file."""
        files = [name for kind in kinds for name in self.absent.get(kind, [])]
        if files:
            shown = ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
            return f"The pipeline has not written {shown}."
        return "The files are there, and hold no rows of this kind."


def load_study(results_dir: str | Path, study: str, config: Mapping | Plan) -> StudyResults:
    """Read the tidy results of one study.

    Parameters
    ----------
    results_dir : path
        ``results/{scale}``.
    study : str
        Name of the study.
    config : mapping or Plan
        The config as run (it names the sources and models to look for), or the plan already made from it.
    """
    root, plan = Path(results_dir), config if isinstance(config, Plan) else Plan(config)
    found = plan.studies[study]
    absent: dict[str, list[str]] = {}

    def read(kind: str, files: Iterable[tuple[Path, dict]]) -> pd.DataFrame:
        frames = []
        for path, extra in files:
            frame = read_table(path)
            if frame is None:
                absent.setdefault(kind, []).append(str(path.relative_to(root)))
            elif len(frame):
                frames.append(frame.assign(**extra))
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def per_source(kind: str, folder: str, suffix: str, kinds=("network", "learner", "primate")) -> pd.DataFrame:
        files = [
            (root / folder / study / f"{s.name}{suffix}", {"source": s.name}) for s in found.sources if s.kind in kinds
        ]
        return read(kind, files)

    fits = found.fits
    networks = [s.name for s in found.sources if s.kind == "network"]
    claims = read("claims", [(root / "claims" / f"{study}.csv", {})])
    evaluation = _with_columns(per_source("evaluation", "evaluation", ".csv", ("network", "learner")), EVALUATION)
    own, transfer = _split(evaluation, networks)
    volatile = "volatility" in found.analyses
    agents = read("agents", [(root / "training" / n / "agents.csv", {"source": n}) for n in networks])
    return StudyResults(
        study=study,
        plan=found,
        config=plan.config,
        sources=found.sources,
        looks={s.name: look(s) for s in found.sources},
        datasets={s.name: dataset_status(root, study, s.name) for s in found.sources if s.kind == "primate"},
        evaluation=own,
        summary=per_source("summary", "behaviour", ".summary.csv"),
        curves=per_source("curves", "behaviour", ".curves.csv"),
        regressions=per_source("regressions", "behaviour", ".regressions.csv"),
        training=read("training", [(root / "training" / n / "curve.csv", {"source": n}) for n in networks]),
        posterior=read(
            "posterior",
            [(root / "models" / study / f"{s}.{m}.posterior.csv", {"source": s, "model": m}) for s, m in fits],
        ),
        predictive=read(
            "predictive",
            [(root / "models" / study / f"{s}.{m}.predictive.csv", {"source": s, "model": m}) for s, m in fits],
        ),
        badges=_badges(root, study, fits, absent),
        groups=read("groups", [(root / "comparison" / f"{study}.groups.csv", {})]) if fits else pd.DataFrame(),
        stacking=read("stacking", [(root / "comparison" / f"{study}.stacking.csv", {})]) if fits else pd.DataFrame(),
        typicality=read("typicality", [(root / "comparison" / f"{study}.typicality.csv", {})])
        if fits
        else pd.DataFrame(),
        claims=claims[claims["study"] == study].reset_index(drop=True) if len(claims) else claims,
        transfer=transfer,
        ideals=_with_columns(
            read("ideals", [(root / "optimum" / f"{study}.ideals.csv", {})] if found.train_by_test else []), IDEALS
        ),
        agents=_with_columns(agents, AGENTS),
        volatility=per_source("volatility", "behaviour", ".volatility.csv") if volatile else pd.DataFrame(),
        episodes=per_source("episodes", "behaviour", ".episodes.csv") if volatile else pd.DataFrame(),
        mixed=read("mixed", [(root / "mixed" / study / f"{s.name}.csv", {"source": s.name}) for s in found.regressed]),
        **{
            kind: read(kind, [(root / "checks" / f"{study}.{m}.{kind}.csv", {"model": m}) for m in found.checked])
            for kind in ("recovery", "ranks")
        },
        confusion=read("confusion", [(root / "checks" / f"{study}.confusion.csv", {})] if found.checked else []),
        planted=read("planted", [(root / "checks" / f"{study}.planted.csv", {})] if found.planted else []),
        absent=absent,
    )


def _split(evaluation: pd.DataFrame, networks: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the evaluation: networks on their own task with all learners; and the best networks on every task."""
    trained = (
        evaluation["training_task"].astype("object").where(evaluation["training_task"].notna(), evaluation["task"])
    )
    network = evaluation["source"].isin(networks)
    best = evaluation["best"].astype(object).fillna(False).astype(bool)
    own = evaluation[~network | (trained == evaluation["task"])]
    return own.reset_index(drop=True), evaluation[network & best].reset_index(drop=True)


def read_table(path: Path) -> pd.DataFrame | None:
    """Read a tidy CSV file: identifiers as text, the rest as numbers where they are; None if there is no file."""
    try:
        frame = pd.read_csv(path, dtype={name: "object" for name in TEXT}, low_memory=False)
    except FileNotFoundError:
        return None
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    for name in frame.columns:
        if name in ("passed", "separated", "best", "learned"):
            frame[name] = frame[name].astype(str).str.lower().isin(("1", "1.0", "true"))
    return frame


def dataset_status(root: Path, study: str, name: str) -> DatasetStatus:
    """Whether a dataset's trial table has rows, and if not, the reason kept in the file."""
    import pyarrow.parquet

    from pipeline.primates.load import summary

    path = root / "trials" / study / f"{name}.parquet"
    facts = summary(name) if name in DATASETS else None
    try:
        file = pyarrow.parquet.read_metadata(path)
    except FileNotFoundError:
        return DatasetStatus(name, False, f"the pipeline has not written its trial table ({path.name})", 0, facts)
    kept = {k.decode(): v.decode() for k, v in (file.metadata or {}).items() if k != b"ARROW:schema"}
    reason = kept.get("reason", "") or ("" if file.num_rows else "its trial table has no rows")
    return DatasetStatus(name, file.num_rows > 0 and kept.get("status") != "missing", reason, file.num_rows, facts)


def _badges(root: Path, study: str, fits, absent) -> pd.DataFrame:
    rows = []
    for source, model in fits:
        path = root / "models" / study / f"{source}.{model}.json"
        try:
            rows.append(json.loads(path.read_text()) | {"source": source, "model": model})
        except FileNotFoundError:
            absent.setdefault("badges", []).append(str(path.relative_to(root)))
    return _with_columns(pd.DataFrame(rows), BADGE)


def _with_columns(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    lacking = [name for name in columns if name not in frame]
    return frame.assign(**{name: pd.Series(dtype="object") for name in lacking}) if lacking else frame
