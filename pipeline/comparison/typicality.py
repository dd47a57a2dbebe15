"""Typicality: where each animal's summary falls among networks run on the same task."""

import numpy as np
import pandas as pd

COLUMNS = ("animal", "statistic", "value", "reference_source", "percentile", "reference_low", "reference_high",
           "n_reference", "animal_source", "task")  # fmt: skip
ANIMALS = ("monkey", "human")
REFERENCES = ("network",)


def typicality(summaries: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Percentile of each animal's summary in the distribution of each source of networks on the same task.

    percentile = 100 (#{x_j < x} + ½ #{x_j = x}) / n over the reference subjects j. The reference interval is the
    central ``level`` of the reference subjects (linear interpolation): with n subjects it cannot be finer than 1/n.

    Parameters
    ----------
    summaries : DataFrame
        Summary tables of several sources, stacked (`pipeline.behaviour.run.analyse`); rows of single subjects are used.
    level : float
        Coverage of the reference interval.

    Returns
    -------
    DataFrame
        One row per animal, statistic and reference source; empty where there is no animal or no reference of 2 or more.
    """
    if summaries.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    single = summaries[(summaries["subject"] != "all") & summaries["value"].notna()]
    animals = single[single["species"].isin(ANIMALS)]
    references = single[single["species"].isin(REFERENCES)]
    by_schedule = {key: group for key, group in references.groupby(["task", "statistic"])}
    rows = []
    for animal in animals.itertuples():
        group = by_schedule.get((animal.task, animal.statistic))
        if group is None:
            continue
        for source, reference in group.groupby("source"):
            x = reference["value"].to_numpy(float)
            if len(x) < 2:
                continue
            below = (x < animal.value).sum() + 0.5 * (x == animal.value).sum()
            low, high = np.quantile(x, [(1 - level) / 2, (1 + level) / 2])
            percentile = 100 * below / len(x)
            rows.append((animal.subject, animal.statistic, animal.value, source, percentile, low, high, len(x),
                         animal.source, animal.task))  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))
