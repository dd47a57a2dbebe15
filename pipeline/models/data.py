"""From a trial table to the arrays that a likelihood reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models.card import ModelCard
from pipeline.models.kernel import LANES

LANE = ["subject", "session", "episode"]


@dataclass(frozen=True)
class Trials:
    """Trials of one source, packed by episode.

    ``inputs`` (blocks, trials, 3 + covariates, `LANES`) hold choice, reward, score (1 free, 0 forced or padding) and
    the covariates; ``length`` (blocks,) the longest episode of each block; ``unit`` (blocks, `LANES`) the unit of each
    lane. A unit is a stretch with parameters of its own: a session of a subject, unless asked otherwise;
    ``unit_label`` names it (``subject_session``). ``row_block``, ``row_trial`` and ``row_lane`` say where each row
    kept (``rows``: positions in the table) lies.
    """

    inputs: np.ndarray
    length: np.ndarray
    unit: np.ndarray
    options: int
    subjects: tuple[str, ...]
    unit_subject: np.ndarray
    unit_label: tuple[str, ...]
    unit_trials: np.ndarray
    lanes: pd.DataFrame
    rows: np.ndarray
    row_block: np.ndarray
    row_trial: np.ndarray
    row_lane: np.ndarray

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.unit_subject)

    @property
    def nested(self) -> bool:
        """Whether some subject has more than one unit, so that units vary within subjects."""
        return self.units > len(self.subjects)

    @property
    def scored(self) -> int:
        """Number of free choices that enter the likelihood."""
        return int(self.unit_trials.sum())


def used(table: pd.DataFrame, card: ModelCard) -> pd.DataFrame:
    """Rows of a trial table that a fit of this model reads: those of the first episodes of each subject, or all."""
    if not card.most_episodes or not len(table):
        return table
    order = table[LANE].drop_duplicates().sort_values(LANE, kind="stable")
    kept = order[(order.groupby("subject", observed=True).cumcount() < card.most_episodes).to_numpy(bool)]
    if len(kept) == len(order):
        return table
    inside = pd.MultiIndex.from_frame(table[LANE]).isin(pd.MultiIndex.from_frame(kept))
    return table[inside].reset_index(drop=True)


def pack(table: pd.DataFrame, card: ModelCard, unit: str = "session") -> Trials:
    """Pack a trial table for a model.

    A trial without a choice leaves the learner's state as it was and is not scored; a forced trial updates the state
    and is not scored. Episodes may differ in length.

    Parameters
    ----------
    table : DataFrame
        A trial table of one source.
    card : ModelCard
        The model, for the columns it needs.
    unit : "subject", "session" or "episode"
        Stretch of trials that shares its parameters.

    Raises
    ------
    UserError
        If a column is missing, the number of options varies, or no free choice is left.
    """
    needed = [*LANE, "trial", "trial_type", "options", *card.columns]
    missing = [name for name in needed if name not in table]
    if missing:
        raise UserError(
            f"model {card.name!r} needs column {missing[0]!r}, which the trial table lacks; it has {', '.join(table)}"
        )
    kept = np.flatnonzero(table["choice"].notna().to_numpy())
    found = sorted(table["options"].iloc[kept].unique())
    if len(found) > 1:
        raise UserError(
            f"model {card.name!r}: the number of options varies ({found}); fit each number of options as its own source"
        )
    frame = table.iloc[kept][needed].assign(row=kept).sort_values([*LANE, "trial"], kind="stable")
    score = (frame["trial_type"] == "free").to_numpy(float)
    if not score.sum():
        raise UserError(
            f"model {card.name!r}: no free choice to fit in this table ({len(table)} rows, {len(kept)} with a choice)"
        )
    for name in card.extra:
        if frame[name].isna().any():
            raise UserError(
                f"model {card.name!r}: column {name!r} is missing on {frame[name].isna().sum()} trials; fill it"
            )
        if frame[name].nunique() < 2:
            raise UserError(
                f"model {card.name!r}: column {name!r} has a single value; its effect cannot be told from the rest"
            )
    lane = frame.groupby(LANE, sort=True, observed=True).ngroup().to_numpy()
    position = frame.groupby(LANE, sort=True, observed=True).cumcount().to_numpy()
    lanes = frame[LANE].iloc[np.flatnonzero(position == 0)].reset_index(drop=True)
    units = LANE[: 1 + ("subject", "session", "episode").index(unit)]
    lane_unit = lanes.groupby(units, sort=True, observed=True).ngroup().to_numpy()
    first = np.unique(lane_unit, return_index=True)[1]
    subjects = tuple(str(s) for s in np.unique(lanes["subject"].to_numpy(str)))
    size = np.bincount(lane)
    order = np.argsort(size, kind="stable")  # lanes of equal length share a block
    slot = np.empty(len(order), int)
    slot[order] = np.arange(len(order))
    blocks = -(-len(order) // LANES)
    inputs = np.zeros((blocks, int(size.max()), 3 + len(card.extra), LANES))
    at = (slot[lane] // LANES, position, slot[lane] % LANES)
    for i, values in enumerate([frame["choice"], frame["reward"], score, *(frame[n] for n in card.extra)]):
        inputs[at[0], at[1], i, at[2]] = np.asarray(values, float)
    slot_unit = np.zeros((blocks, LANES), np.int64)
    slot_unit[slot // LANES, slot % LANES] = lane_unit
    length = np.zeros(blocks, np.int64)
    np.maximum.at(length, slot // LANES, size)
    return Trials(
        inputs, length, slot_unit, int(table["options"].iloc[kept[0]]), subjects,
        unit_subject=np.searchsorted(np.array(subjects), lanes["subject"].to_numpy(str)[first]),
        unit_label=tuple("_".join(str(v) for v in row) for row in lanes[units].iloc[first].itertuples(index=False)),
        unit_trials=np.bincount(lane_unit[lane], weights=score, minlength=len(first)).astype(int),
        lanes=lanes.assign(unit=lane_unit, slot=slot),
        rows=frame["row"].to_numpy(), row_block=at[0], row_trial=position, row_lane=at[2],
    )  # fmt: skip
