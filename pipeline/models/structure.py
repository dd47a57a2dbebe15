"""Who belongs to whom: subjects in groups, and the conditions that set the sessions of a subject apart."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import UserError

ALL = "all"  # the group where the table names none


@dataclass(frozen=True)
class Structure:
    """Groups of subjects and contrasts between conditions.

    ``groups`` are names, ``subject_group`` (subjects,) their numbers. ``contrasts`` are names such as
    ``parkinson: on − off``; ``design`` (units, contrasts) holds x = 1[condition] − 1/L for the L conditions of a group,
    the first in alphabetical order being what the others are compared with: ±½ for two, so that an effect is their
    difference and the group mean lies midway.
    """

    groups: tuple[str, ...]
    subject_group: np.ndarray
    contrasts: tuple[str, ...]
    design: np.ndarray


def structure(lanes: pd.DataFrame, subjects: tuple[str, ...], lane_unit: np.ndarray, conditions: bool) -> Structure:
    """Read groups and conditions from the first row of every episode.

    Parameters
    ----------
    lanes : DataFrame
        One row per episode with ``subject``, ``session`` and, where the table has them, ``group`` and ``condition``.
    subjects : tuple of str
        In order.
    lane_unit : array (episodes,)
        Unit of each episode.
    conditions : bool
        Whether conditions are wanted: not where a unit is a whole subject.

    Raises
    ------
    UserError
        If a subject is in two groups or, where others are in one, in none; or if a session has two conditions, or
        lacks one although others of its group have one.
    """
    named = "group" in lanes and bool(lanes["group"].notna().any())
    groups, place = (ALL,), np.zeros(len(subjects), int)
    if named:
        of = lanes.drop_duplicates(["subject", "group"])
        if of["group"].isna().any():
            who = of.loc[of["group"].isna(), "subject"].iloc[0]
            raise UserError(f"subject {who!r} has no group, while others have one; fill column 'group'")
        if of["subject"].duplicated().any():
            who = of.loc[of["subject"].duplicated(), "subject"].iloc[0]
            both = ", ".join(sorted(of.loc[of["subject"] == who, "group"]))
            raise UserError(f"subject {who!r} is in several groups ({both}); a subject belongs to one")
        groups = tuple(sorted(of["group"].astype(str).unique()))
        member = dict(zip(of["subject"].astype(str), of["group"].astype(str)))
        place = np.array([groups.index(member[s]) for s in subjects])
    units = int(lane_unit.max()) + 1 if len(lane_unit) else 0
    names, design = [], []
    if conditions and "condition" in lanes and lanes["condition"].notna().any():
        first = np.unique(lane_unit, return_index=True)[1]
        unit = lanes.iloc[first]
        several = lanes.assign(unit=lane_unit).groupby("unit")["condition"].nunique(dropna=True) > 1  # noqa: PD101
        if several.any():
            row = unit.iloc[int(np.argmax(several.to_numpy()))]
            raise UserError(
                f"session {row['session']} of subject {row['subject']!r} has several conditions; a session has one"
            )
        label = unit["condition"].astype("string")
        own = unit["group"].astype(str).to_numpy() if named else np.full(len(unit), ALL)
        for group in groups:
            inside = own == group
            levels = sorted(label[inside].dropna().unique())
            if not levels:
                continue
            if label[inside].isna().any():
                row = unit[inside & label.isna().to_numpy()].iloc[0]
                raise UserError(
                    f"session {row['session']} of subject {row['subject']!r} has no condition, while others of its "
                    "group have one; fill column 'condition'"
                )
            for level in levels[1:]:
                x = np.where(inside, (label == level).to_numpy(bool, na_value=False) - 1 / len(levels), 0.0)
                names.append(f"{f'{group}: ' if named else ''}{level} − {levels[0]}")
                design.append(x)
    return Structure(groups, place, tuple(names), np.stack(design, 1) if design else np.zeros((units, 0)))
