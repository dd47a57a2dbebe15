"""From a trial table to the arrays that a likelihood reads."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models.card import ModelCard
from pipeline.models.kernel import LANES
from pipeline.models.structure import Structure, structure
from pipeline.models.symbolic import PER_OPTION, inputs_of, spread

LANE = ["subject", "session", "episode"]
# Middle and unit of a covariate, by (task, column). The restless bandit: mean and SD of ν ~ U[0, .2], the distribution
# of its tests. Elsewhere see `standardised`.
STANDARDS = {(task, "volatility"): (0.1, 0.2 / 12**0.5) for task in ("restless", "restless_sd")}
COMMON = {"two_step": 0.75}  # P(common transition) by task; elsewhere `DAW`
DAW = 0.7  # of the task of Daw et al. 2011 and its descendants


@dataclass(frozen=True)
class Trials:
    """Trials of one source, packed by episode.

    ``inputs`` (blocks, trials, inputs, `LANES`) hold what `pipeline.models.symbolic.inputs_of` lists: choice, reward,
    score (1 free, 0 forced or padding), what a two-step task adds, and the card's further columns; ``length``
    (blocks,) the longest episode of each block; ``unit`` (blocks, `LANES`) the unit of each
    lane. A unit is a stretch with parameters of its own: a session of a subject, unless asked otherwise;
    ``unit_label`` names it (``subject_session``). ``row_block``, ``row_trial`` and ``row_lane`` say where each row
    kept (``rows``: positions in the table) lies. ``structure`` says to which group a subject belongs and which
    conditions set units apart.
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
    structure: Structure

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


def used(table: pd.DataFrame, card: ModelCard, episodes: int = 0) -> pd.DataFrame:
    """Rows of a trial table that a fit of this model reads: those of the first episodes of each subject, or all.

    ``episodes`` is the number asked for, 0 for all; a model may read fewer (``card.most_episodes``).
    """
    return first_episodes(first_episodes(table, episodes), card.most_episodes)


def first_episodes(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Rows of the first ``most`` episodes of each subject, in the order of the table's key; all where it is 0."""
    if not most or not len(table):
        return table
    order = table[LANE].drop_duplicates().sort_values(LANE, kind="stable")
    kept = order[(order.groupby("subject", observed=True).cumcount() < most).to_numpy(bool)]
    if len(kept) == len(order):
        return table
    inside = pd.MultiIndex.from_frame(table[LANE]).isin(pd.MultiIndex.from_frame(kept))
    return table[inside].reset_index(drop=True)


def resolve(card: ModelCard, table: pd.DataFrame) -> ModelCard:
    """Card as this table needs it: a two-step card loses its second-stage parameters where nothing is chosen there."""
    chosen = "second_choice" in table and bool(table["second_choice"].notna().any())
    return card.for_second(2 if chosen else 0) if card.two_step else card


def standardised(table: pd.DataFrame, column: str) -> np.ndarray:
    """Covariate z = (x − middle) / unit of every row, as models read it.

    Middle and unit are those of `STANDARDS` where the task has them; the midpoint and the distance of the two values of
    a covariate with two (±½: an effect is the difference between the two); else the mean and the SD over the rows.
    """
    x = table[column].to_numpy(float, na_value=np.nan)
    known = STANDARDS.get((str(table["task"].iloc[0]) if len(table) else "", column))
    if known is None:
        levels = np.unique(x[~np.isnan(x)])
        if len(levels) < 2:
            return np.zeros(len(x))
        known = (levels.mean(), np.ptp(levels)) if len(levels) == 2 else (np.nanmean(x), np.nanstd(x))
    return (x - known[0]) / known[1]


def columns(card: ModelCard, frame: pd.DataFrame, options: int) -> dict[str, np.ndarray]:
    """Values (rows,) of every input of a model but choice, reward and score, by name."""
    found = {}
    if card.two_step:
        found["state"] = frame["second_state"].to_numpy(float, na_value=np.nan)
        common = [COMMON.get(str(task), DAW) for task in frame["task"].unique()]
        found["common"] = np.full(len(frame), common[0])
        if card.second_options:
            found["second"] = frame["second_choice"].to_numpy(float, na_value=np.nan)
            free = np.ones(len(frame))
            if "second_trial_type" in frame:
                free = (frame["second_trial_type"] != "forced").to_numpy(float, na_value=1.0)
            found["second_score"] = free
    for column in card.extra:
        for name in spread(column, options):
            per_option = column in PER_OPTION
            found[name] = frame[name].to_numpy(float, na_value=np.nan) if per_option else standardised(frame, name)
    return found


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
        If a column is missing, the number of options varies or does not suit the model, no free choice is left, or
        groups and conditions are not what `pipeline.models.structure` asks for.
    """
    card = resolve(card, table)
    kinds = ["second_state", *(["second_choice"] if card.second_options else [])] if card.two_step else []
    offered = int(table["options"].max()) if len(table) and "options" in table else 2
    extra = [name for column in card.extra for name in spread(column, offered)]
    needed = [*LANE, "task", "trial", "trial_type", "options", "choice", "reward", *kinds, *extra]
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
    _suits(card, table.iloc[kept], found)
    also = [name for name in ("group", "condition", "second_trial_type") if name in table]
    frame = table.iloc[kept][[*needed, *also]].assign(row=kept).sort_values([*LANE, "trial"], kind="stable")
    score = (frame["trial_type"] == "free").to_numpy(float)
    if not score.sum():
        raise UserError(
            f"model {card.name!r}: no free choice to fit in this table ({len(table)} rows, {len(kept)} with a choice)"
        )
    for name in [*kinds, *extra]:
        if frame[name].isna().any():
            raise UserError(
                f"model {card.name!r}: column {name!r} is missing on {frame[name].isna().sum()} trials with a choice, "
                f"first at {_where(frame, frame[name].isna())}; fill it"
            )
    for name in card.extra:
        if name not in PER_OPTION and frame[name].nunique() < 2:
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
    options = int(table["options"].iloc[kept[0]])
    names = inputs_of(card, options)
    inputs = np.zeros((blocks, int(size.max()), len(names), LANES))
    at = (slot[lane] // LANES, position, slot[lane] % LANES)
    values = {"choice": frame["choice"], "reward": frame["reward"], "score": score, **columns(card, frame, options)}
    for i, name in enumerate(names):
        inputs[at[0], at[1], i, at[2]] = np.asarray(values[name], float)
    slot_unit = np.zeros((blocks, LANES), np.int64)
    slot_unit[slot // LANES, slot % LANES] = lane_unit
    length = np.zeros(blocks, np.int64)
    np.maximum.at(length, slot // LANES, size)
    return Trials(
        inputs, length, slot_unit, options, subjects,
        unit_subject=np.searchsorted(np.array(subjects), lanes["subject"].to_numpy(str)[first]),
        unit_label=tuple("_".join(str(v) for v in row) for row in lanes[units].iloc[first].itertuples(index=False)),
        unit_trials=np.bincount(lane_unit[lane], weights=score, minlength=len(first)).astype(int),
        lanes=lanes.assign(unit=lane_unit, slot=slot),
        rows=frame["row"].to_numpy(), row_block=at[0], row_trial=position, row_lane=at[2],
        structure=structure(frame.iloc[np.flatnonzero(position == 0)], subjects, lane_unit, unit != "subject"),
    )  # fmt: skip


def _suits(card: ModelCard, frame: pd.DataFrame, found) -> None:
    """Refuse a task that the model is not made for."""
    low, high = card.options_allowed
    if len(found) and not low <= found[0] <= high:
        wanted = f"{low}" if low == high else f"{low} to {high}"
        raise UserError(f"model {card.name!r} needs {wanted} options; this source has {found[0]}")
    if card.reward_range is not None and len(frame):
        reward = frame["reward"].to_numpy(float)
        wrong = ~((reward >= card.reward_range[0]) & (reward <= card.reward_range[1]))
        if wrong.any():
            raise UserError(
                f"model {card.name!r} needs rewards from {card.reward_range[0]:g} to {card.reward_range[1]:g}; this "
                f"source has {reward[wrong][0]:g} at {_where(frame, wrong)}"
            )


def _where(frame: pd.DataFrame, rows) -> str:
    first = frame[np.asarray(rows, bool)].iloc[0]
    return ", ".join(f"{name} {first[name]}" for name in [*LANE, "trial"])
