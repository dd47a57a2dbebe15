"""Two-step tasks with a choice at both stages and outcomes that drift: Daw et al. 2011 and Miranda et al. 2020."""

import numpy as np

from pipeline.errors import UserError
from pipeline.tasks.restless import fold

STATES, SECOND = 2, 2  # second-stage states, options in each


class TwoChoices:
    """Trials of two steps with two actions each: S1 leads to S2 or S3, where one of two further options pays.

        P(S2 | a1) = P(S3 | a2) = ``common``

    A transition is *common* if action k led to state k, else *rare*. Second-stage option j = 2 · state + action pays
    ``outcome``[…, j] on that trial; the first stage pays 0. Everything that chance decides is drawn beforehand, so that
    two agents that meet the same episodes and make the same choices receive the same.

    A choice may be *forced*: the world then shows the one action that is offered, and carries that one out, whatever it
    is told; `imposed` says so to the session loop, which lets the agent observe what was carried out.

    Parameters
    ----------
    task : Task
        Gives the number of trials.
    agents : int
        Size of the leading axis.
    common : float
        Probability of the common transition, ½ … 1.
    is_common : array (trials, agents or 1, episodes)
        Whether the transition is the common one, whichever action is taken.
    expected, outcome : arrays (trials, agents or 1, episodes, 4)
        Latent mean and actual outcome of every second-stage option.
    forced : array (trials, 2, agents or 1, episodes), optional
        Action imposed at each stage, −1 where free.

    Raises
    ------
    UserError
        If ``common`` is out of range.
    """

    actions = 2
    worth = "expected_reward"  # what the latent value of a first-stage option is called in the trial table

    def __init__(self, task, agents, common, is_common, expected, outcome, forced=None):
        if not 0.5 <= common <= 1:
            raise UserError(
                f"task {task.name!r}: common is {common!r}; the probability of the common transition lies in .5 … 1"
            )
        trials, _, episodes, _ = expected.shape
        self.shape, self.trials, self.steps, self.common = (agents, episodes), trials, 2 * trials, common
        self.is_common = is_common
        self.expected, self.outcome, self.forced = expected, outcome, forced
        self.state = np.full((trials, agents, episodes), -1, np.int8)  # −1: not reached yet
        self.second = np.full((trials, agents, episodes), -1, np.int8)
        self.last = None  # action carried out at the step before
        self.step = 0

    def imposed(self) -> np.ndarray | None:
        """Give the action forced at this step, −1 where the choice is free, (agents or 1, episodes); None: all free."""
        return None if self.forced is None else self.forced[divmod(self.step, 2)]

    def observe(self) -> np.ndarray:
        """Show the current step, float32 (agents, episodes, features).

        The first three features are the state now, one-hot over S1, S2, S3. A world with forced choices shows four
        more: one-hot the only action offered (zeros where both are), and one-hot the action carried out at the step
        before (zeros at the first step), which need not be the one that the agent picked.
        """
        trial, stage = divmod(self.step, 2)
        seen = np.zeros((*self.shape, 3 if self.forced is None else 7), np.float32)
        if stage == 0:
            seen[..., 0] = 1
        else:
            seen[..., 1:3] = self.state[trial][..., None] == np.arange(STATES)
        if self.forced is not None:
            seen[..., 3:5] = self.imposed()[..., None] == np.arange(2)
            if self.last is not None:
                seen[..., 5:] = self.last[..., None] == np.arange(2)
        return seen

    def act(self, action: np.ndarray) -> np.ndarray:
        """Reward of this step, float32 (agents, episodes): 0 at the first stage."""
        trial, stage = divmod(self.step, 2)
        imposed = self.imposed()
        if imposed is not None:
            action = np.where(imposed >= 0, imposed, action)
        self.last = action
        self.step += 1
        if stage == 0:
            self.state[trial] = np.where(self.is_common[trial], action, 1 - action)
            return np.zeros(self.shape, np.float32)
        self.second[trial] = action
        place = SECOND * self.state[trial].astype(np.int64) + action
        outcome = np.broadcast_to(self.outcome[trial], (*self.shape, STATES * SECOND))
        return np.take_along_axis(outcome, place[..., None], -1)[..., 0].astype(np.float32)

    def columns(self) -> dict[str, np.ndarray]:
        """Latent columns, (agents, episodes, trials), states and choices −1 where the trial has not been played.

        The worth of first-stage option k is planned, Σ_s P(s | k) max_j ``expected``[s, j]: what it brings to someone
        who knows everything. ``second_outcome_j`` is the latent mean outcome of second-stage option j.
        """
        full = (*self.shape, self.trials)
        expected = np.moveaxis(self.expected, 0, 2)
        best = expected.reshape(*expected.shape[:-1], STATES, SECOND).max(-1)
        worth = self.common * best + (1 - self.common) * best[..., ::-1]
        better = np.where(np.isclose(worth[..., 0], worth[..., 1]), -1, worth.argmax(-1))
        found = {
            self.worth: np.broadcast_to(worth, (*full, 2)),
            "better_option": np.broadcast_to(better, full),
            "block": np.ones(full, int),  # outcomes drift: there is no stretch of constant contingency
            "transition": np.broadcast_to(np.moveaxis(np.where(self.is_common, "common", "rare"), 0, -1), full),
            "second_state": np.moveaxis(self.state, 0, -1).astype(int),
            "second_choice": np.moveaxis(self.second, 0, -1).astype(int),
        }
        found |= {f"second_outcome_{j}": np.broadcast_to(expected[..., j], full) for j in range(STATES * SECOND)}
        if self.forced is not None:
            for stage, name in enumerate(("trial_type", "second_trial_type")):
                kind = np.where(np.moveaxis(self.forced[:, stage], 0, -1) >= 0, "forced", "free")
                found[name] = np.broadcast_to(kind, full)
        return found


def transitions(common: float, size: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Draw whether each transition is the common one, bool of shape ``size``."""
    return generator.random(size, dtype=np.float32) < common


class DawTwoStep(TwoChoices):
    """Daw et al. 2011: every second-stage option pays 1 or 0, with a probability of its own that walks.

        p_j(t + 1) = p_j(t) + ``deviation`` · ε, reflected at both ends of ``bounds``,   ε ~ N(0, 1)

    p_j(1) is uniform between the bounds (a reconstruction, R: the paper's walks are not printed).

    Parameters
    ----------
    task, agents, episodes, generator, shared
        As for every world; see `pipeline.tasks.Task.begin`.
    common : float
        Probability of the common transition.
    deviation : float
        Standard deviation of a step of the walk, above 0.
    bounds : pair of float
        Lowest and highest probability.

    Raises
    ------
    UserError
        If a setting is out of range.

    References
    ----------
    Daw et al. (2011), Neuron 69:1204.
    """

    worth = "reward_probability"

    def __init__(
        self, task, agents, episodes, generator, shared=False, *, common=0.7, deviation=0.025, bounds=(0.25, 0.75)
    ):
        low, high = bounds
        if not 0 <= low < high <= 1:
            raise UserError(f"task {task.name!r}: bounds is {bounds!r}; two probabilities, the lower one first")
        if not deviation > 0:
            raise UserError(f"task {task.name!r}: deviation is {deviation!r}; a standard deviation is above 0")
        size = (task.trials, 1 if shared else agents, episodes, STATES * SECOND)
        path = generator.standard_normal(size, dtype=np.float32).astype(float) * deviation / (high - low)
        path[0] = generator.random(size[1:])
        probability = low + (high - low) * fold(path.cumsum(0))
        outcome = generator.random(size, dtype=np.float32) < probability
        super().__init__(task, agents, common, transitions(common, size[:3], generator), probability, outcome)


class MirandaTwoStep(TwoChoices):
    """Miranda et al. 2020: every second-stage option pays one of three levels, which changes from time to time.

    An option keeps its level for a number of trials uniform over ``stays``; then its level is drawn anew from
    ``levels``, all equally likely, the old one among them. Options are independent. This is what the paper says, and
    what the released levels show: of 10,640 stretches between changes 67 % last 5–9 kept trials, equally often, the
    others 10 and more; levels are equally frequent, and what an option pays is not related to the others.

    On a share ``forced`` = (first, second) of the trials the choice at that stage is forced, to either option with
    equal chance, independently from trial to trial (in the data 7.4 % and 7.2 %).

    Parameters
    ----------
    task, agents, episodes, generator, shared
        As for every world; see `pipeline.tasks.Task.begin`.
    common : float
        Probability of the common transition.
    levels : sequence of float
        Rewards.
    stays : pair of int
        Fewest and most trials before a level is drawn anew.
    forced : pair of float
        Share of trials with a forced first and with a forced second choice.

    Raises
    ------
    UserError
        If a setting is out of range.

    References
    ----------
    Miranda et al. (2020), PLoS Comput Biol 16:e1007944.
    """

    def __init__(
        self, task, agents, episodes, generator, shared=False, *,
        common=0.7, levels=(0, 1, 2), stays=(5, 9), forced=(0.074, 0.072),
    ):  # fmt: skip
        shortest, longest = stays
        if not 1 <= shortest <= longest:
            raise UserError(f"task {task.name!r}: stays is {stays!r}; two numbers of trials from 1, the lower first")
        if not (min(forced) >= 0 and sum(forced) <= 1):
            raise UserError(f"task {task.name!r}: forced is {forced!r}; two shares of trials, together 1 at most")
        size = (task.trials, 1 if shared else agents, episodes)
        stretches = -(-task.trials // shortest)
        ends = generator.integers(shortest, longest + 1, (stretches, *size[1:], STATES * SECOND)).cumsum(0)
        begins = np.zeros((task.trials + 1, *ends.shape[1:]), np.int64)
        np.put_along_axis(begins, np.minimum(ends, task.trials), 1, 0)  # all that begin after the end in one place
        stretch = begins[:-1].cumsum(0)
        drawn = np.asarray(levels, float)[generator.integers(len(levels), size=(stretches, *ends.shape[1:]))]
        level = np.take_along_axis(drawn, stretch, 0)
        kind = generator.random(size)
        imposed = generator.integers(2, size=size)
        at_first, at_second = kind < forced[0], (kind >= forced[0]) & (kind < forced[0] + forced[1])
        where = np.stack([np.where(here, imposed, -1) for here in (at_first, at_second)], 1)
        super().__init__(task, agents, common, transitions(common, size, generator), level, level, where)
