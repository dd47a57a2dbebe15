"""Typicality: where each animal's summary falls among networks run on the same task."""

import pandas as pd

COLUMNS = ("animal", "statistic", "value", "reference_source", "percentile", "reference_low", "reference_high",
           "n_reference", "outside", "chance_outside", "animal_source", "task")  # fmt: skip
ANIMALS = ("monkey", "human")
REFERENCES = ("network",)


def typicality(summaries: pd.DataFrame) -> pd.DataFrame:
    """Percentile of each animal's summary in the distribution of each source of networks on the same task.

    percentile = 100 (#{x_j < x} + ½ #{x_j = x}) / n over the reference subjects j. The reference interval is the
    range of the n reference subjects, min to max: an animal that is one more of them falls outside with probability
    2 / (n + 1) (``chance_outside``), which no central 95 % of a handful of networks could be held to.

    Parameters
    ----------
    summaries : DataFrame
        Summary tables of several sources, stacked (`pipeline.behaviour.run.analyse`); rows of single subjects are used.

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
            low, high = x.min(), x.max()
            outside = int(not low <= animal.value <= high)
            percentile, n = 100 * below / len(x), len(x)
            key = (animal.subject, animal.statistic, animal.value, source)
            rows.append((*key, percentile, low, high, n, outside, 2 / (n + 1), animal.source, animal.task))
    return pd.DataFrame(rows, columns=list(COLUMNS))
