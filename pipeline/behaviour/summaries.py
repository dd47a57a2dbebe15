"""Behavioural summaries: one number per subject, no model (registry `pipeline.behaviour.STATISTICS`)."""

import numpy as np

from pipeline.behaviour.arrays import Episodes
from pipeline.behaviour.curves import aligned
from pipeline.behaviour.informative import informative_summaries
from pipeline.behaviour.measures import Measure, conditional_entropy, ratio


def summaries(e: Episodes) -> list[Measure]:
    """All summary statistics as measures over episodes; see `STATISTICS` for their equations.

    A stay or shift needs trials t and t + 1 both free and consecutive in one episode. Statistics that need latent
    columns the table lacks have empty sums, hence no value.

    References
    ----------
    Trepka et al. 2021, Nat Commun 12:6567 (ERDS, EODS, ERODS); Wang et al. 2017 (regret).
    """
    win, better = e.win[:, :-1], e.correct[:, :-1]
    worse = e.judged[:, :-1] & ~better
    shift = e.pair & ~e.stay
    lose = e.pair & ~win

    def total(mask):
        return mask.sum(1)

    def strategies(*conditions):
        return np.stack([[total(e.stay & c), total(shift & c)] for c in conditions], 0).transpose(2, 0, 1)

    newly, valid = aligned(e, np.array([0, 13]))
    known = ~np.isnan(e.regret)
    whole = (known | ~e.free).all(1) & e.free.any(1)  # the regret of an episode needs every free trial's expectations
    entropy, chosen = _choice_entropy(e)
    runs, reversals = perseveration(e)
    return [
        ratio("better_choice", total(e.correct), total(e.judged)),
        ratio("better_choice_trial_1", e.correct[:, 0], e.judged[:, 0]),
        ratio("reward_rate", np.where(e.free, e.reward, 0).sum(1), total(e.free)),
        ratio("stay", total(e.stay), total(e.pair)),
        ratio("win_stay", total(e.stay & win), total(e.pair & win)),
        ratio("lose_shift", total(shift & lose), total(lose)),
        ratio("choice_entropy", entropy, chosen),
        conditional_entropy("erds", strategies(win, ~win)),
        conditional_entropy("eods", strategies(better, worse)),
        conditional_entropy("erods", strategies(win & better, win & worse, ~win & better, ~win & worse)),
        ratio("newly_better_after_0", newly[:, 0], valid[:, 0]),
        ratio("newly_better_after_13", newly[:, 1], valid[:, 1]),
        ratio("perseveration", runs, reversals),
        ratio("regret", np.where(whole, np.nansum(e.regret, 1), 0), whole),
        *_episode_reward(e),
        *informative_summaries(e),
    ]


def _episode_reward(e: Episodes) -> list[Measure]:
    """Reward per episode with a free choice, on tasks of graded outcomes: elsewhere `reward_rate` says the same."""
    return [] if e.expected is None else [ratio("episode_reward", np.where(e.free, e.reward, 0).sum(1), e.free.any(1))]


def _choice_entropy(e: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """Entropy in bits of each episode's free choices, and whether it has any, each (episodes,)."""
    count = np.stack([(e.free & (e.choice == k)).sum(1) for k in range(e.options)], -1).astype(float)
    total = count.sum(1)
    share = count / np.maximum(total, 1)[:, None]
    return -(share * np.log2(np.where(share > 0, share, 1))).sum(1), total > 0


def perseveration(e: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """Total length of the runs of formerly better choices that begin at a reversal, and number of reversals.

    A run begins on the first reversed trial and lasts while the formerly better option is freely chosen within the
    block; a run that outlasts the block counts up to its end. Both (episodes,).
    """
    episode, column = e.reversals
    length, number = np.zeros(len(e.choice)), np.zeros(len(e.choice))
    if len(episode):
        former = e.better[episode, column - 1][:, None]
        after = np.arange(e.choice.shape[1]) >= column[:, None]
        block = e.block[episode] == e.block[episode, column][:, None]
        broken = after & ~(block & e.free[episode] & (e.choice[episode] == former))
        end = np.where(broken.any(1), broken.argmax(1), e.choice.shape[1])
        np.add.at(length, episode, end - column)
        np.add.at(number, episode, 1)
    return length, number
