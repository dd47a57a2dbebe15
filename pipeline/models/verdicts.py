"""Verdicts on the checks of models, from their tables: ranks, planted effects, confusion."""

import numpy as np
import pandas as pd

from pipeline.models.ranks import LEVEL, covers, p_values, proportion_interval

LIKELY = 0.25  # share of its data sets that go to another model, above which a model cannot be told from it


def verdicts(ranks: pd.DataFrame) -> pd.DataFrame:
    """Judge the ranks of every quantity of every model: inside the simultaneous bands or not.

    Returns
    -------
    DataFrame
        model, structure, quantity, parameter, level, n (data sets), draws, failed (fits that were not sound), p
        (probability that a calibrated fit strays as far), inside_95, inside_99, and calibrated (inside the 99 % band;
        of a hundred calibrated quantities one is not).
    """
    keys = ["model", "structure", "quantity", "parameter", "level"]
    ranks = ranks.fillna({"parameter": ""})
    groups = [(key, part) for key, part in ranks.groupby(keys, sort=False, dropna=False)]
    found = pd.DataFrame([dict(zip(keys, key)) for key, _ in groups])
    found["n"] = [len(part) for _, part in groups]
    found["draws"] = [int(part["draws"].iloc[0]) for _, part in groups]
    found["failed"] = [int(part["failed"].sum()) for _, part in groups]
    found["p"] = 1.0
    for (_, draws), same in found.groupby(["n", "draws"]).groups.items():
        values = np.stack([groups[i][1]["rank"].to_numpy(int) for i in same])
        found.loc[same, "p"] = p_values(values, int(draws))
    for level in (95, 99):
        found[f"inside_{level}"] = (found["p"] >= 1 - level / 100 - 1e-9).astype(int)
    return found.assign(calibrated=found["inside_99"])


def planted_summary(found: pd.DataFrame) -> pd.DataFrame:
    """Judge planted effects: mean estimate, its SD over data sets, coverage with its exact interval, by value."""
    rows = []
    for key, part in found.groupby(["model", "structure", "parameter", "value"], sort=False):
        count, held = len(part), int(part["covers"].sum())
        low, high = proportion_interval(held, count)
        rows.append(dict(zip(("model", "structure", "parameter", "value"), key)) | {
            "n": count, "mean": part["mean"].mean(), "sd": part["mean"].std(ddof=1),
            "width": (part["high"] - part["low"]).mean(),
            "above_zero": float((part["low"] > 0).mean()), "below_zero": float((part["high"] < 0).mean()),
            "coverage": held / count, "coverage_low": low, "coverage_high": high, "expected": LEVEL,
            "passed": int(covers(held, count, found["value"].nunique())), "failed": int(part["failed"].sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def look_alikes(found: pd.DataFrame) -> pd.DataFrame:
    """List the pairs of models that cannot be told apart on a structure, by a confusion matrix.

    Of the data sets simulated from one, more than `LIKELY` went to the other.

    Returns
    -------
    DataFrame
        structure, simulated, fitted, share, share_low and share_high (exact 95 % interval), n.
    """
    pairs = found[(found["simulated"] != found["fitted"]) & (found["share"] > LIKELY)].copy()
    ends = [proportion_interval(round(r.share * r.n), int(r.n)) for r in pairs.itertuples()]
    pairs["share_low"], pairs["share_high"] = [e[0] for e in ends], [e[1] for e in ends]
    return pairs.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)
