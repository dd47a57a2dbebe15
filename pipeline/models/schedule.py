"""The trials that a source met, read from its table so that simulated subjects can meet them again."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models.card import ModelCard
from pipeline.models.data import DAW, LANE, columns, resolve
from pipeline.models.schedule_payments import ScheduleUnknown, arming, known, one_stage, two_step
from pipeline.models.schedule_worlds import WORLDS
from pipeline.models.symbolic import PER_OPTION, spread

__all__ = ["Schedule", "ScheduleUnknown", "schedule"]
BLANK = {"block": 1, "better_option": -1}  # padding that a trial table allows


@dataclass(frozen=True)
class Schedule:
    """The trials that a source met, to be met again by simulated subjects; stands where a `Task` stands.

    Arrays are (episodes, trials, …), padded with what is never read. ``payment`` (…, options) says what each option
    would pay, according to ``pays`` (names of `pipeline.models.schedule_worlds.WORLDS`):

    bernoulli
        the probability of a reward of 1 (or of ``amount``, where that is given), drawn afresh
    replayed
        the reward itself, which is known for every option
    baited
        the probability p0 that a reward is armed, where none is; it waits until the option is chosen
    two_step
        mean outcome of each of the 4 second-stage options; drawn as 0 or 1 where ``binary``, else paid as it is

    ``forced`` is the imposed choice or −1, ``length`` (episodes,) the number of trials, ``lanes`` the key of each
    episode; ``covariates`` are the further columns as models read them (standardised), ``shown`` the columns that the
    table of a simulation repeats, in the table's own units. Two-step schedules have the ``transition`` that each trial
    had (whether common), whatever is chosen, and ``second_forced``; ``second_options`` is 0 where nothing is chosen at
    the second stage.
    """

    name: str
    options: int
    trials: int
    payment: np.ndarray
    forced: np.ndarray
    length: np.ndarray
    lanes: pd.DataFrame
    covariates: dict[str, np.ndarray] = field(default_factory=dict)
    shown: dict[str, np.ndarray] = field(default_factory=dict)
    pays: str = "bernoulli"
    amount: np.ndarray | None = None
    transition: np.ndarray | None = None
    second_forced: np.ndarray | None = None
    second_options: int = 0
    binary: bool = True
    common: float = DAW

    @property
    def steps(self) -> int:
        """Steps of the world per trial, as of a `Task`."""
        return 2 if self.pays == "two_step" else 1

    def begin(self, agents: int, episodes: int, generator: np.random.Generator, shared: bool = False):
        """Start the episodes: the same for every agent, but for outcomes that are drawn, which are drawn for each."""
        if episodes != len(self.length):
            raise ValueError(f"the schedule has {len(self.length)} episodes, not {episodes}")
        return WORLDS[self.pays](self, agents, generator)


def schedule(table: pd.DataFrame, card: ModelCard) -> Schedule:
    """Read the schedule of a source from its trial table (trials without a choice are left out).

    A two-step trial repeats its kind of transition, common or rare, whichever option is chosen; a forced choice is
    imposed again (at the second stage: the same of the two options, in whichever state is reached). Baited options
    start with nothing armed, and their p0 is read off ``reward_probability_k``.

    Raises
    ------
    ScheduleUnknown
        If the table does not say what the choices that were not made would have brought, or the model says nothing
        about choices that the source makes.
    UserError
        If a column that the model needs is missing.
    """
    card = resolve(card, table)
    kept = table[table["choice"].notna()].sort_values([*LANE, "trial"], kind="stable")
    if not len(kept):
        raise ScheduleUnknown("its table holds no choice")
    staged = known(kept, ["second_state"])
    options = int(kept["options"].max())
    needed = [*(["second_state"] if card.two_step else []), *(x for c in card.extra for x in spread(c, options))]
    missing = [name for name in needed if not known(kept, [name])]
    if missing:
        raise UserError(f"model {card.name!r} needs column {missing[0]!r}, which the trial table lacks")
    grouped = kept.groupby(LANE, sort=True, observed=True)
    lane, position = grouped.ngroup().to_numpy(), grouped.cumcount().to_numpy()
    length = np.bincount(lane)

    def dense(values, blank=0):
        values = np.asarray(values)
        found = np.full((len(length), length.max(), *values.shape[1:]), blank, values.dtype)
        found[lane, position] = values
        return found

    pays = two_step(card, kept) if staged else one_stage(kept, options)
    if pays["pays"] == "baited":
        pays["payment"] = arming(kept, pays["payment"], lane, position)
    forced = (kept["trial_type"] == "forced").to_numpy(bool)
    fields = {name: dense(x) if isinstance(x, np.ndarray) else x for name, x in pays.items()}
    return Schedule(
        name=str(kept["task"].iloc[0]),
        options=options,
        trials=int(length.max()),
        forced=dense(np.where(forced, kept["choice"].to_numpy(int), -1), -1),
        length=length,
        lanes=kept[LANE].iloc[np.flatnonzero(position == 0)].reset_index(drop=True),
        covariates={name: dense(x) for name, x in _covariates(card, kept, options).items()},
        shown={name: dense(x, BLANK.get(name, 0)) for name, x in _shown(card, kept, options).items()},
        **fields,
    )


def _covariates(card: ModelCard, kept: pd.DataFrame, options: int) -> dict[str, np.ndarray]:
    """Further columns as the model reads them, (rows,) or (rows, options)."""
    given = columns(card, kept, options)
    return {
        column: np.stack([given[name] for name in spread(column, options)], -1)
        if column in PER_OPTION
        else given[column]
        for column in card.extra
    }


def _shown(card: ModelCard, kept: pd.DataFrame, options: int) -> dict[str, np.ndarray]:
    """Columns for the table of a simulation, (rows,) or (rows, options): those that do not depend on choices."""
    found = {}
    for column in dict.fromkeys((*card.extra, "magnitude", "outcome")):
        names = spread(column, options)
        if known(kept, names):
            values = kept[names].to_numpy(float)
            found[column] = values if column in PER_OPTION else values[:, 0]
    if known(kept, ["block"]):
        found["block"] = kept["block"].to_numpy(int)
    if "better_option" in kept and kept["better_option"].notna().any():
        found["better_option"] = kept["better_option"].to_numpy(int, na_value=-1)
    return found
