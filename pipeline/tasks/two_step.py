"""The two-step task of Wang et al. 2017, experiment 5: a choice, a chancy transition, an outcome."""

import numpy as np

from pipeline.errors import UserError

STATES = 3  # S1 (first stage), S2 and S3 (second stage)


class TwoStep:
    """Trials of two steps: at S1 an action leads to S2 or S3, which pays; then S1 again.

        P(S2 | a1) = P(S3 | a2) = ``common``,    P(r = 1 | good state) = high,    P(r = 1 | other state) = low,

    with (high, low) = ``pays``; S2 or S3 is the good one with equal chance, fixed within the episode. A transition is
    *common* if a1 led to S2 or a2 to S3, else *rare* (the paper calls a2 → S3 rare: a slip). At the second stage any
    action collects the outcome; the first stage pays 0.

    Everything that chance decides is drawn beforehand: per trial whether the transition is common, whichever action is
    taken, and for each second-stage state whether it pays. Two agents that meet the same episodes and make the same
    first-stage choices reach the same states and receive the same rewards.

    Parameters
    ----------
    task : Task
        Gives the number of trials.
    agents, episodes : int
        Leading axes.
    generator : numpy Generator
        Draws the episodes.
    shared : bool
        Whether every agent meets the same episodes.
    common : float
        Probability of the common transition, ½ … 1.
    pays : pair of float
        Reward probability of the good and of the other state.

    Raises
    ------
    UserError
        If a probability is out of range.

    References
    ----------
    Wang et al. (2017), arXiv:1611.05763, experiment 5; Daw et al. (2011), Neuron 69:1204; Akam, Costa & Dayan (2015),
    PLoS Comput Biol 11:e1004648, for this reduced form with fixed reward probabilities and one second-stage action.
    """

    actions = 2

    def __init__(self, task, agents, episodes, generator, shared=False, *, common=0.75, pays=(0.9, 0.1)):
        high, low = pays
        if not 0.5 <= common <= 1:
            raise UserError(
                f"task {task.name!r}: common is {common!r}; the probability of the common transition lies in .5 … 1"
            )
        if not 0 <= low <= high <= 1:
            raise UserError(f"task {task.name!r}: pays is {pays!r}; two probabilities, the good state's first")
        trials = task.trials
        self.shape, self.trials, self.steps, self.common = (agents, episodes), trials, 2 * trials, common
        leading = (1 if shared else agents, episodes)
        self.good = generator.integers(2, size=leading)  # 0: S2 pays more, 1: S3 does
        # Trial first: a step reads contiguous memory.
        self.is_common = generator.random((trials, *leading), dtype=np.float32) < common
        probability = np.where(np.arange(2) == self.good[..., None], high, low)
        self.pays = probability
        self.outcome = generator.random((trials, *leading, 2), dtype=np.float32) < probability
        self.second = np.full((trials, agents, episodes), -1, np.int8)  # −1: not reached yet
        self.step = 0

    def observe(self) -> np.ndarray:
        """State now, one-hot over S1, S2, S3: float32 (agents, episodes, 3)."""
        state = np.zeros((*self.shape, STATES), np.float32)
        trial, stage = divmod(self.step, 2)
        if stage == 0:
            state[..., 0] = 1
        else:
            state[..., 1:] = self.second[trial][..., None] == np.arange(2)
        return state

    def act(self, action: np.ndarray) -> np.ndarray:
        """Reward of this step, float32 (agents, episodes): 0 at the first stage, 0 or 1 at the second."""
        trial, stage = divmod(self.step, 2)
        self.step += 1
        if stage == 0:
            self.second[trial] = np.where(self.is_common[trial], action, 1 - action)
            return np.zeros(self.shape, np.float32)
        outcome = self.outcome[trial]
        return np.where(self.second[trial] == 1, outcome[..., 1], outcome[..., 0]).astype(np.float32)

    def columns(self) -> dict[str, np.ndarray]:
        """Latent columns, (agents, episodes, trials): of each first-stage action its chance of reward, and what came.

        ``reward_probability`` (…, trials, 2) = common · p(own state) + (1 − common) · p(other state); ``transition`` is
        ``common`` or ``rare``; ``second_state`` is 0 for S2 and 1 for S3 (−1 where the trial has not been played).
        """
        full = (*self.shape, self.trials)
        probability = self.common * self.pays + (1 - self.common) * self.pays[..., ::-1]
        best = np.where(probability[..., 0] == probability[..., 1], -1, probability.argmax(-1))
        return {
            "reward_probability": np.broadcast_to(probability[:, :, None], (*full, 2)),
            "better_option": np.broadcast_to(best[..., None], full),
            "block": np.ones(full, int),
            "transition": np.broadcast_to(np.moveaxis(np.where(self.is_common, "common", "rare"), 0, -1), full),
            "second_state": np.moveaxis(self.second, 0, -1).astype(int),
        }
