"""Figures of the models' checks, from made-up tables."""

import numpy as np
import pandas as pd

from pipeline.models import MODELS
from pipeline.models.calibration import RANKED, RANKS, RECOVERY
from pipeline.models.confusion import CONFUSION
from pipeline.models.ranks import LEVEL, covers, proportion_interval
from pipeline.report import figures_checks

NAMES = ("rescorla_wagner", "rescorla_wagner_sticky", "asymmetric_sticky", "kalman")
LEVELS = ("group_mean", "group_sd", "session_sd", "subject")
BAD = ("kalman", "beta", "subject")  # intervals too short, ranks S-shaped
DATASETS = 200


def made_up_recovery() -> pd.DataFrame:
    draw, rows = np.random.default_rng(1), []
    for name in NAMES:
        for level in LEVELS:
            for p in MODELS[name].parameters:
                held = draw.binomial(DATASETS, 0.8 if (name, p.name, level) == BAD else LEVEL)
                low, high = proportion_interval(held, DATASETS)
                rows.append((name, "reversal", p.name, level, DATASETS, DATASETS, draw.uniform(0.3, 0.95),
                             draw.normal(0, 0.03), 0.03, held / DATASETS, low, high, LEVEL,
                             int(covers(held, DATASETS, 16)), 12, 1))  # fmt: skip
    return pd.DataFrame(rows, columns=RECOVERY)


def made_up_ranks() -> pd.DataFrame:
    draw, parts = np.random.default_rng(2), []
    for name in NAMES:
        for level in (*LEVELS, "joint"):
            for p in [p.name for p in MODELS[name].parameters] if level != "joint" else [np.nan]:
                share = draw.random(DATASETS)
                if (name, p, level) == BAD:
                    share = draw.beta(0.5, 0.5, DATASETS)
                parts.append(pd.DataFrame({
                    "model": name, "structure": "reversal", "quantity": f"{level}_{p}", "parameter": p, "level": level,
                    "dataset": np.arange(1, DATASETS + 1), "rank": (share * (RANKED + 1)).astype(int), "draws": RANKED,
                    "failed": (np.arange(DATASETS) == 5).astype(int),
                })[list(RANKS)])  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def made_up_confusion() -> pd.DataFrame:
    share = np.array([[0.6, 0.35, 0.05, 0], [0.1, 0.85, 0.05, 0], [0, 0.1, 0.9, 0], [0.05, 0, 0, 0.95]])
    rows = [("reversal", a, b, share[i, j], 40) for i, a in enumerate(NAMES) for j, b in enumerate(NAMES)]
    return pd.DataFrame(rows, columns=CONFUSION)


def made_up_planted() -> pd.DataFrame:
    draw, rows = np.random.default_rng(3), []
    for value in (0.0, 0.5, 1.0):
        mean = value + draw.normal(0, 0.25, 60)
        for k, m in enumerate(mean):
            low, high = m - 0.45, m + 0.45
            rows.append(("volatility_rescorla_wagner", "restless", "a1", value, k + 1, m, low, high,
                         int(low <= value <= high), 0))  # fmt: skip
    names = ("model", "structure", "parameter", "value", "dataset", "mean", "low", "high", "covers", "failed")
    return pd.DataFrame(rows, columns=names)


def blocks():
    return {
        "recovery": figures_checks.recovery(made_up_recovery()),
        "coverage": figures_checks.coverage(made_up_recovery()),
        "calibration": figures_checks.calibration(made_up_ranks()),
        "confusion": figures_checks.confusion(made_up_confusion()),
        "planted": figures_checks.planted(made_up_planted()),
    }
