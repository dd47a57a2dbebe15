"""The tables that a training leaves: ``agents.csv`` and ``curve.csv``."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.agents.population import Population
from pipeline.files import replacing
from pipeline.training.settings import Training

CURVE_ROWS = 60  # stretches of training, each averaged into one row per agent


def curve_table(curve: np.ndarray, agents: pd.DataFrame, training: Training) -> pd.DataFrame:
    """Long table of the learning curve: per agent and stretch, means since the last row.

    ``curve`` is (rows, agents, 3): reward per trial, policy entropy (nats), value loss; rows not reached are NaN.
    """
    rows = min(CURVE_ROWS, training.updates)
    ends = -(-np.arange(1, rows + 1) * training.updates // rows) * training.episodes_per_update
    reached = ~np.isnan(curve[:rows, :, 0])
    row, agent = np.nonzero(reached)
    found = pd.DataFrame(
        {
            "subject": agents["subject"].to_numpy()[agent],
            "episodes_trained": ends[row],
            "reward_per_trial": curve[row, agent, 0],
            "policy_entropy": curve[row, agent, 1],
            "value_loss": curve[row, agent, 2],
        }
    )
    return found.sort_values(["subject", "episodes_trained"], ignore_index=True)


def write_tables(population: Population, agents: Path, curve: Path) -> None:
    """Write ``agents.csv`` (one row per subject) and ``curve.csv`` (long)."""
    for table, target in ((population.agents, agents), (population.curve, curve)):
        with replacing(target) as path:
            table.to_csv(path, index=False, float_format="%.8g")
