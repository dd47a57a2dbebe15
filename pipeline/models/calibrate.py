"""Checks of every model on its study's reduced structure, as the workflow asks for them.

Recovery and simulation-based calibration by NUTS (`calibrate`), effects planted and looked for (`planted`), and which
model is taken for which (`pipeline.models.confusion`).
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.errors import UserError
from pipeline.models import model as by_name
from pipeline.models.calibration import ranked
from pipeline.models.card import ModelCard
from pipeline.models.confusion import confusion
from pipeline.models.progress import Progress
from pipeline.models.ranks import interval
from pipeline.models.simulated import Planted, Simulated
from pipeline.models.structures import REDUCED, TrialStructure, structure

PLANTED = ("model", "structure", "parameter", "value", "dataset", "mean", "low", "high", "covers", "failed")
VALUES = (0.0, 0.5, 1.0)  # planted slopes, per unit of the standardised covariate


def calibrate(
    card: ModelCard, structure: TrialStructure, datasets: int = 200, draws: int = 250, tune: int = 150, seed: int = 1,
    progress=None,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Check the fits of a model by simulation: recovery, coverage and ranks; see `pipeline.models.calibration.ranked`.

    Truths of all levels are drawn from the card's prior; each data set is fitted by one chain of NUTS on the posterior
    density of the hierarchical model, in its coordinates (`pipeline.models.density`).

    Returns
    -------
    recovery, ranks : DataFrame

    Raises
    ------
    UserError
        If the model does not suit the structure.
    """
    return ranked(Simulated(card, structure, draws, tune, seed), datasets, progress)


def planted(
    card: ModelCard, structure: TrialStructure, parameter: str, values: Sequence[float] = VALUES, datasets: int = 60,
    seed: int = 1, draws: int = 250, tune: int = 150, progress=None,
) -> pd.DataFrame:  # fmt: skip
    """Plant group means of one parameter and see what the fit makes of them.

    Truths are not from the prior here (see `pipeline.models.simulated.Planted`), so that the coverage of a planted
    value is about nominal, not exactly: the prior of the group mean draws estimates a little towards its own mean.

    Returns
    -------
    DataFrame
        `PLANTED`, a row per value and data set: posterior mean and central 94 % interval of the group mean on the scale
        of the link, whether it covers the value, and whether the fit was not sound even the second time.

    Raises
    ------
    UserError
        If the model has no such parameter or does not suit the structure.
    """
    if parameter not in structure.resolve(card).names:
        raise UserError(f"model {card.name!r} has no parameter {parameter!r} to plant; it has {', '.join(card.names)}")
    rows = []
    for value in values:
        problem = Planted(card, structure, draws, tune, seed, parameter, value)
        place = [(q.level, q.parameter) for q in problem.quantities].index(("group_mean", parameter))
        for number, (truth, data) in enumerate(problem.make(datasets)):
            found = problem.fit(data, number, False)
            if not found.sound():
                found = problem.fit(data, number, True)
            own = found.draws[:, place]
            low, high = interval(own)
            rows.append((problem.model, problem.structure, parameter, value, number + 1, own.mean(), low, high,
                         int(low <= truth[place] <= high), int(not found.sound())))  # fmt: skip
            if progress is not None:
                progress(len(rows), 0, sum(row[-1] for row in rows))
    return pd.DataFrame(rows, columns=PLANTED)


def check_study(study: str, model: str, numbers: Mapping, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check one model on the structure of a study: recovery and ranks, with progress on stderr.

    ``numbers`` are those of a scale's ``checks``: datasets, tune, draws; ``structure``, reduced unless it says full.
    """
    design, count = _structure(study, numbers), int(numbers["datasets"])
    told = Progress(f"calibrate {study} {model}", count)
    return calibrate(by_name(model), design, count, int(numbers["draws"]), int(numbers["tune"]), seed, told)


def confuse_study(study: str, models: Sequence[str], numbers: Mapping, seed: int) -> pd.DataFrame:
    """Tell a study's models apart on its structure; ``numbers["confusion"]`` data sets from each model."""
    count = int(numbers["confusion"])
    told = Progress(f"confuse {study}", count * len(models))
    return confusion([by_name(m) for m in models], structure(study), count, seed, told)


def plant_study(study: str, model: str, numbers: Mapping, seed: int, parameter: str = "a1") -> pd.DataFrame:
    """Plant effects of a covariate in one model, on the structure of a study; ``numbers["planted"]`` data sets each."""
    count = int(numbers["planted"])
    told = Progress(f"plant {study} {model}", count * len(VALUES))
    return planted(
        by_name(model), _structure(study, numbers), parameter, VALUES, count, seed, int(numbers["draws"]),
        int(numbers["tune"]), told,
    )  # fmt: skip


def _structure(study: str, numbers: Mapping) -> TrialStructure:
    return structure(study).at(str(numbers.get("structure", REDUCED)))
