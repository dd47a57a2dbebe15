"""Parameter recovery: parameters that are known, behaviour simulated from them, and what the fit makes of it."""

import numpy as np
import pandas as pd

from pipeline.models.card import ModelCard
from pipeline.models.data import pack
from pipeline.models.laplace import em
from pipeline.models.links import natural, transformed
from pipeline.models.simulate import ModelAgent
from pipeline.rollout import play, table
from pipeline.tasks import Task

WIDTH = 1.880793608  # of a normal 94 % interval, in SDs


def recover(card: ModelCard, task: Task, subjects: int, episodes: int, generator: np.random.Generator) -> pd.DataFrame:
    """Simulate subjects with parameters drawn between the card's low and high values, and fit them by EM–Laplace.

    Parameters
    ----------
    card : ModelCard
    task : Task
        A task of the registry (a `Schedule` read from data serves as well, with all its episodes).
    subjects, episodes : int
        How many are simulated, and episodes for each.
    generator : numpy Generator

    Returns
    -------
    DataFrame
        One row per parameter: correlation of true and fitted values and bias (fitted − true), both on the scale of the
        link, coverage of the 94 % interval with the share expected (.94) and n. The fit is the fast approximation, so
        that weakly identified parameters look worse here than under the sampler.
    """
    low, high = (transformed(card, np.array([getattr(p, side) for p in card.parameters])) for side in ("low", "high"))
    middle, spread = (low + high) / 2, (high - low) / 4  # about 95 % of the subjects between low and high
    true = middle + spread * generator.standard_normal((subjects, len(card.parameters)))
    agent = ModelAgent(
        card, natural(card, true), [f"sim{i:04d}" for i in range(subjects)], getattr(task, "covariates", None)
    )
    rows = table(play(agent, task, episodes, generator), f"{card.name}_simulated")
    if hasattr(task, "length"):
        rows = rows[rows["trial"].to_numpy(int) <= task.length[rows["episode"].to_numpy(int) - 1]]
    fit = em(card, pack(rows, card))
    found = []
    for i, parameter in enumerate(card.parameters):
        error = fit.unit[:, i] - true[:, i]
        found.append(
            {
                "model": card.name,
                "parameter": parameter.name,
                "correlation": float(np.corrcoef(fit.unit[:, i], true[:, i])[0, 1]),
                "bias": float(error.mean()),
                "coverage": float((np.abs(error) <= WIDTH * fit.unit_sd[:, i]).mean()),
                "expected": 0.94,
                "n": subjects,
            }
        )
    return pd.DataFrame(found)
