"""Random hyperparameter settings, one per agent of a population."""

import numpy as np
import pandas as pd

from pipeline.training.settings import Training


def log_uniform(generator: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """Draw values whose logarithm is uniform on [log low, log high]; ``low`` = ``high`` gives that value."""
    if low == high:
        return np.full(count, float(low))
    return np.exp(generator.uniform(np.log(low), np.log(high), count))


def draw_settings(training: Training, core: str, generator: np.random.Generator) -> pd.DataFrame:
    """Hyperparameters of every agent, one row each, as in ``agents.csv``.

    Learning rate and entropy cost are log-uniform in their ranges; of the discount γ it is 1 − γ that is log-uniform
    (Wang et al. 2017 drew 100 random settings; the ranges are not printed, R). Each setting has its own seed, from
    which its initial weights come.

    Returns
    -------
    DataFrame
        subject (``lstm001`` …), setting (from 1), seed, learning_rate, discount, entropy_cost, stopped (0/1).
    """
    count = training.settings
    low, high = training.discount
    rate = log_uniform(generator, *training.learning_rate, count)
    cost = log_uniform(generator, *training.entropy_cost, count)
    discount = 1 - log_uniform(generator, 1 - high, 1 - low, count) if low < high else np.full(count, low)
    return pd.DataFrame(
        {
            "subject": [f"{core}{k:03d}" for k in range(1, count + 1)],
            "setting": np.arange(1, count + 1),
            "seed": generator.integers(2**31, size=count),
            "learning_rate": rate,
            "discount": discount,
            "entropy_cost": cost,
            "stopped": np.zeros(count, int),
        }
    )
