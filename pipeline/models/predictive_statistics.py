"""Summaries of behaviour that observed and simulated choices are compared by, for many data sets at once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.models.data import LANE
from pipeline.models.schedule import Schedule

SETTLED = 20  # trials of a block before the matching slope, as in `pipeline.behaviour.matching`
LEVELS = 4  # most reward levels of which stay probabilities are told apart


@dataclass(frozen=True)
class Behaved:
    """Choices and rewards of data sets, (data sets, episodes, trials)."""

    choice: np.ndarray
    reward: np.ndarray


@dataclass(frozen=True)
class Met:
    """What is the same in the source and in every simulation of it; arrays (episodes, trials), ``pair`` one shorter.

    ``pair``: trials t such that t and t + 1 are consecutive and every choice of both is free (that at the second stage,
    too); ``free`` first choices; ``better`` option, −1 where tied or unknown; ``common`` transitions, None in tasks of
    one stage; ``levels``: rewards that are told apart; ``magnitude`` (…, options) what is on offer, where anything is;
    ``block``: numbers of the blocks of baited tasks, else None, and ``late`` free trials, in which choice has settled.
    """

    pair: np.ndarray
    free: np.ndarray
    better: np.ndarray
    common: np.ndarray | None
    levels: tuple[float, ...]
    magnitude: np.ndarray | None
    block: np.ndarray | None
    late: np.ndarray | None

    @classmethod
    def of(cls, kept: pd.DataFrame, plan: Schedule) -> tuple["Met", Behaved]:
        """Read trials with a choice, sorted by key, and the schedule made of them; give what was observed, too."""
        grouped = kept.groupby(LANE, sort=True, observed=True)
        lane, position = grouped.ngroup().to_numpy(), grouped.cumcount().to_numpy()

        def dense(values, blank):
            found = np.full((len(plan.length), plan.trials), blank)
            found[lane, position] = values
            return found

        number, there = dense(kept["trial"].to_numpy(int), -9), dense(True, False)
        free = there & (plan.forced < 0)
        entirely = free if plan.second_forced is None else free & (plan.second_forced < 0)
        pair = entirely[:, 1:] & entirely[:, :-1] & (np.diff(number) == 1)
        world = plan.begin(1, len(plan.length), np.random.default_rng(0))
        better = world.columns()["better_option"][0]
        reward = kept["reward"].to_numpy(float)
        levels = np.unique(reward) if plan.transition is not None else np.empty(0)
        block = late = None
        if plan.pays == "baited":
            block = dense(kept["block"].to_numpy(int), -1)
            since = kept.groupby([*LANE, "block"], sort=False, observed=True)["trial"].transform("min")
            late = free & (dense((kept["trial"] - since).to_numpy(int), -1) >= SETTLED)
        met = cls(
            pair=pair,
            free=free,
            better=better,
            common=plan.transition,
            levels=tuple(levels) if len(levels) <= LEVELS else (),
            magnitude=plan.shown.get("magnitude"),
            block=block,
            late=late,
        )
        return met, Behaved(dense(kept["choice"].to_numpy(int), 0)[None], dense(reward, 0.0)[None])


def statistics(b: Behaved, met: Met, owners: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Each statistic for every data set and owner, (data sets, owners); nan where there is nothing to count.

    win_stay
        P(c_{t+1} = c_t | r_t > 0), t and t + 1 consecutive and free
    lose_shift
        P(c_{t+1} ≠ c_t | r_t ≤ 0)
    better_choice
        P(c_t = the better option), of free trials that have one
    good_stay, bad_shift, larger_amount
        where amounts are on offer: P(c_{t+1} = c_t) after the better of what the option could bring, its amount or 0
        (of a loss: nothing), P(c_{t+1} ≠ c_t) after the worse, and P(c_t = the option of the larger amount), where a
        loss is the smaller the larger its size
    stay_common_r, stay_rare_r
        two-step tasks: P(c_{t+1} = c_t) after a common or rare transition and the reward r (Daw et al. 2011)
    matching_slope
        baited tasks: least-squares slope of log₂(choices of 1 / choices of 0) on log₂(rewards of 1 / rewards of 0) over
        blocks, from their trial 21 on, without those with a count of 0 (Baum 1974; `pipeline.behaviour.matching`)
    """
    member = np.stack(list(owners.values()), 1).astype(float)  # (episodes, owners)
    stay, win = b.choice[..., 1:] == b.choice[..., :-1], b.reward[..., :-1] > 0

    def share(event, among):
        counts, total = ((x.sum(-1, dtype=float) @ member) for x in (event & among, among))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.broadcast_to(counts / total, (len(b.choice), member.shape[1]))

    found = {
        "win_stay": share(stay, met.pair & win),
        "lose_shift": share(~stay, met.pair & ~win),
        "better_choice": share(b.choice == met.better, met.free & (met.better >= 0)),
    }
    if met.magnitude is not None:
        offered = np.broadcast_to(met.magnitude, (*b.choice.shape, met.magnitude.shape[-1]))
        amount = np.take_along_axis(offered, b.choice[..., None], -1)[..., 0]
        good, most = b.reward > np.minimum(amount, 0), met.magnitude.max(-1)
        found["good_stay"] = share(stay, met.pair & good[..., :-1])
        found["bad_shift"] = share(~stay, met.pair & ~good[..., :-1])
        found["larger_amount"] = share(amount == most, met.free & (met.magnitude.min(-1) < most))
    if met.common is not None:
        for level in met.levels:
            here = met.pair & (np.abs(b.reward[..., :-1] - level) < 1e-6)
            for name, led in (("common", met.common), ("rare", ~met.common)):
                found[f"stay_{name}_{level:g}"] = share(stay, here & led[:, :-1])
    if met.block is not None:
        found["matching_slope"] = _slopes(b, met, member)
    return found


def _slopes(b: Behaved, met: Met, member: np.ndarray) -> np.ndarray:
    """Fit the matching slope of every data set and owner; nan with fewer than three blocks."""
    episode, trial = np.nonzero(met.late)  # in the order of the key, so that the trials of a block follow each other
    number = met.block[episode, trial]
    starts = np.flatnonzero(np.diff(episode, prepend=-1) | np.diff(number, prepend=-1))
    choice, reward = b.choice[:, episode, trial], b.reward[:, episode, trial]
    counts = [np.add.reduceat((choice == k) * w, starts, 1) for w in (1.0, reward) for k in (0, 1)]
    kept = np.all([x > 0 for x in counts], 0)
    lone = [np.log2(np.where(kept, x, 1.0)) for x in counts]
    chosen, paid = lone[1] - lone[0], lone[3] - lone[2]  # 0 where the block is left out
    of = member[episode[starts]]
    n, x, y, xx, xy = (m @ of for m in (kept * 1.0, paid, chosen, paid**2, paid * chosen))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 2, (n * xy - x * y) / (n * xx - x**2), np.nan)
