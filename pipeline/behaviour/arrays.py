"""A trial table as padded arrays (episodes × trials), made once and shared by every analysis."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.errors import UserError

NONE = -1  # in these arrays only: no choice, no better option, no trial


@dataclass(frozen=True)
class Episodes:
    """All trials of one source on one task, one row per episode, one column per trial number.

    Rows are sorted by subject, session, episode, so that a subject's and a session's episodes are contiguous. Column t
    holds trial t + 1; trials that the table lacks are masked, so that only trials that were neighbours count as such.
    """

    source: str
    species: str
    task: str
    options: int
    subjects: np.ndarray  # (S,) labels
    subject: np.ndarray  # (E,) index into subjects
    session: np.ndarray  # (E,) number of the session, counted through all subjects from 0
    session_subject: np.ndarray  # (C,) index into subjects
    choice: np.ndarray  # (E, T), NONE where no choice was made
    reward: np.ndarray  # (E, T), nan where no choice was made
    free: np.ndarray  # (E, T) a choice was made, and freely
    block: np.ndarray  # (E, T), NONE where unknown
    better: np.ndarray | None  # (E, T), NONE where tied or unknown
    probability: np.ndarray | None  # (E, T, K), nan where unknown
    expected: np.ndarray | None  # (E, T, K) mean outcome, where it is more than a probability; nan where unknown
    transition: np.ndarray | None  # (E, T), 1 common, 0 rare, nan unknown
    second_forced: np.ndarray | None = None  # (E, T) two-step tasks: the second-stage choice was forced

    @property
    def made(self) -> np.ndarray:
        """Trials with a choice, free or forced, (E, T)."""
        return self.choice != NONE

    @cached_property
    def pair(self) -> np.ndarray:
        """Trials t such that t and t + 1 are consecutive and all choices of both are free, (E, T − 1).

        Of a two-step trial both choices count: what a forced second choice brings was not chosen.
        """
        free = self.free if self.second_forced is None else self.free & ~self.second_forced
        return free[:, :-1] & free[:, 1:]

    @cached_property
    def stay(self) -> np.ndarray:
        """Pairs with the same choice twice, (E, T − 1)."""
        return self.pair & (self.choice[:, :-1] == self.choice[:, 1:])

    @cached_property
    def win(self) -> np.ndarray:
        """Trials that were rewarded, r > 0, (E, T)."""
        return self.reward > 0  # nan compares false

    @cached_property
    def judged(self) -> np.ndarray:
        """Free trials whose better option is known, (E, T)."""
        return self.free & (self.better != NONE) if self.better is not None else np.zeros_like(self.free)

    @cached_property
    def correct(self) -> np.ndarray:
        """Judged trials on which the better option was chosen, (E, T)."""
        return self.judged & (self.choice == self.better) if self.better is not None else np.zeros_like(self.free)

    @property
    def worth(self) -> np.ndarray | None:
        """Latent mean outcome μ of every option, (E, T, K): its expected reward, or else its reward probability."""
        return self.probability if self.expected is None else self.expected

    @cached_property
    def regret(self) -> np.ndarray:
        """Expected regret of each free trial, max_k μ_k − μ_choice, (E, T); nan elsewhere or where μ is unknown."""
        if self.worth is None:
            return np.full(self.choice.shape, np.nan)
        chosen = np.take_along_axis(self.worth, np.maximum(self.choice, 0)[..., None], -1)[..., 0]
        regret = self.worth.max(-1) - chosen  # nan if any option's μ is unknown
        return np.where(self.free, regret, np.nan)

    @cached_property
    def reversals(self) -> tuple[np.ndarray, np.ndarray]:
        """Episode and column of every first reversed trial: new block, and another option is better than before."""
        if self.better is None:
            return np.empty(0, int), np.empty(0, int)
        known = (self.better != NONE) & (self.block != NONE)
        turned = (self.better[:, 1:] != self.better[:, :-1]) & (self.block[:, 1:] != self.block[:, :-1])
        episode, column = np.nonzero(turned & known[:, 1:] & known[:, :-1])
        return episode, column + 1


def episodes(table: pd.DataFrame) -> Episodes:
    """Pad a trial table of one source and one task to arrays.

    Parameters
    ----------
    table : DataFrame
        As `pipeline.trials.check` accepts it; at least one row.

    Raises
    ------
    UserError
        If the table has no rows, or trials of several tasks.
    """
    if table.empty:
        raise UserError("behaviour: the trial table has no rows; an analysis needs at least one episode")
    tasks = table["task"].unique()
    if len(tasks) > 1:
        raise UserError(f"behaviour: the table mixes tasks {', '.join(map(str, tasks))}; analyse one task at a time")
    subject, labels = pd.factorize(table["subject"], sort=True)
    session = table["session"].to_numpy(np.int64)
    episode = table["episode"].to_numpy(np.int64)
    column = table["trial"].to_numpy(np.int64) - 1
    by_session = subject * (session.max() + 1) + session
    key, row = np.unique(by_session * (episode.max() + 1) + episode, return_inverse=True)
    sessions, session_of = np.unique(key // (episode.max() + 1), return_inverse=True)
    options = int(table["options"].max())
    shape = (len(key), int(column.max()) + 1)

    def spread(name, dtype, fill):
        values = np.full(shape, fill, dtype)
        values[row, column] = table[name].to_numpy(dtype, na_value=fill)
        return values

    def maybe(name, dtype, fill):
        return spread(name, dtype, fill) if name in table else None

    choice = spread("choice", np.int64, NONE)
    free = np.zeros(shape, bool)
    free[row, column] = (table["trial_type"] == "free").to_numpy(bool)

    def per_option(name):
        columns = [f"{name}_{k}" for k in range(options)]
        there = all(column in table for column in columns)
        return np.stack([spread(column, float, np.nan) for column in columns], -1) if there else None

    transition = None
    if "transition" in table:
        transition = np.full(shape, np.nan)
        transition[row, column] = table["transition"].map({"common": 1.0, "rare": 0.0}).to_numpy(float, na_value=np.nan)
    second_forced = None
    if "second_trial_type" in table:  # missing is not forced: the tables of networks have no second choice
        second_forced = np.zeros(shape, bool)
        second_forced[row, column] = (table["second_trial_type"] == "forced").to_numpy(bool, na_value=False)
    return Episodes(
        source=str(table["source"].iloc[0]),
        species=str(table["species"].iloc[0]),
        task=str(tasks[0]),
        options=options,
        subjects=np.asarray(labels, object),
        subject=key // (episode.max() + 1) // (session.max() + 1),
        session=session_of,
        session_subject=sessions // (session.max() + 1),
        choice=choice,
        reward=spread("reward", float, np.nan),
        free=free & (choice != NONE),
        block=spread("block", np.int64, NONE),
        better=maybe("better_option", np.int64, NONE),
        probability=per_option("reward_probability"),
        expected=per_option("expected_reward"),
        transition=transition,
        second_forced=second_forced,
    )


def shared(e: Episodes) -> bool:
    """Whether all subjects met the same episodes, several in one session each, in the same order.

    Episodes are the same if what their options are worth is, or else their better options; where a table knows neither,
    equally many are taken for the same, which errs on the side of a wider interval.
    """
    number, episodes = len(e.subjects), np.bincount(e.subject, minlength=len(e.subjects))
    if len(e.session_subject) != number or episodes[0] < 2 or (episodes != episodes[0]).any():
        return False
    known = [x for x in (e.worth, e.better) if x is not None]
    worlds = known[0].reshape(number, episodes[0], -1) if known else np.zeros((number, episodes[0], 1))
    return np.array_equal(worlds, np.broadcast_to(worlds[:1], worlds.shape), equal_nan=True)
