"""Worlds that repeat the trials of a source; each obeys `pipeline.tasks.World`. See `pipeline.models.schedule`."""

import numpy as np

from pipeline.tasks.two_step_drift import TwoChoices


class Arms:
    """One choice per trial. Subclasses say what it brings.

    Parameters
    ----------
    schedule : Schedule
    agents : int
    generator : numpy Generator
        Draws the outcomes, for every agent afresh.
    """

    def __init__(self, schedule, agents: int, generator: np.random.Generator):
        self.schedule, self.agents, self.generator, self.time = schedule, agents, generator, 0
        self.steps, self.actions = schedule.trials, schedule.options
        self.episode = np.arange(len(schedule.length))
        self.any_forced = bool((schedule.forced >= 0).any())

    def observe(self) -> None:
        """Show nothing."""
        return None

    def imposed(self) -> np.ndarray | None:
        """Give the choice forced on this trial, −1 where it is free, (1, episodes); None where no trial is forced."""
        return self.schedule.forced[None, :, self.time] if self.any_forced else None

    def act(self, action: np.ndarray) -> np.ndarray:
        """Rewards (agents, episodes) of the options chosen; advance."""
        imposed = self.imposed()
        if imposed is not None:
            action = np.where(imposed >= 0, imposed, action)
        reward = self.pay(action)
        self.time += 1
        return reward

    def pay(self, action: np.ndarray) -> np.ndarray:
        """Rewards (agents, episodes) of the options chosen on this trial."""
        raise NotImplementedError

    def columns(self) -> dict[str, np.ndarray]:
        """Columns of the trial table that do not depend on choices, repeated for every agent."""
        found = self.guessed() | self.schedule.covariates | self.schedule.shown
        if self.any_forced:
            found["trial_type"] = np.where(self.schedule.forced >= 0, "forced", "free")
        return {name: np.broadcast_to(x, (self.agents, *x.shape)) for name, x in found.items()}

    def guessed(self) -> dict[str, np.ndarray]:
        """Blocks and better option by what is paid, (episodes, trials), for sources that do not say."""
        payment = self.schedule.payment
        changed = (np.diff(payment, axis=1, prepend=payment[:, :1]) != 0).any(-1)
        tied = (payment == payment.max(-1, keepdims=True)).sum(-1) > 1
        return {"block": 1 + np.cumsum(changed, 1), "better_option": np.where(tied, -1, payment.argmax(-1))}


class Bernoulli(Arms):
    """Rewards of 1, or of the amount on offer, with the latent probability of the option; drawn afresh."""

    def pay(self, action: np.ndarray) -> np.ndarray:
        """Draw the rewards, (agents, episodes)."""
        place = (self.episode, self.time, action)
        paid = self.generator.random(action.shape) < self.schedule.payment[place]
        return paid * (1.0 if self.schedule.amount is None else self.schedule.amount[place])

    def guessed(self) -> dict[str, np.ndarray]:
        """Give the block; with amounts on offer the better option is not the likelier one."""
        found = super().guessed()
        return found if self.schedule.amount is None else found | {"better_option": np.full_like(found["block"], -1)}

    def columns(self) -> dict[str, np.ndarray]:
        """Add the latent probabilities."""
        p = self.schedule.payment
        return super().columns() | {"reward_probability": np.broadcast_to(p, (self.agents, *p.shape))}


class Replayed(Arms):
    """What the option chosen paid on that trial, or would have paid."""

    def pay(self, action: np.ndarray) -> np.ndarray:
        """Look the rewards up, (agents, episodes)."""
        return self.schedule.payment[self.episode, self.time, action]

    def guessed(self) -> dict[str, np.ndarray]:
        """Outcomes say nothing of blocks, nor of the better option."""
        blank = np.ones(self.schedule.payment.shape[:2], int)
        return {"block": blank, "better_option": -blank}


class Baited(Arms):
    """Rewards of 1 that are armed with probability p0 per trial, and wait until their option is chosen.

    With P(k) the probability that a reward waits at option k on this trial, given the choices so far,

        1 − P_t(k) = (1 − p0_t(k)) · (1 if k was chosen on trial t − 1, or t = 1, else 1 − P_{t−1}(k)):

    a choice takes a waiting reward away. P is the option's latent reward probability.
    """

    def __init__(self, schedule, agents, generator):
        super().__init__(schedule, agents, generator)
        self.empty = np.ones((agents, len(schedule.length), schedule.options))  # P(no reward waits)
        self.probability = np.zeros((agents, *schedule.payment.shape))

    def pay(self, action: np.ndarray) -> np.ndarray:
        """Draw the rewards, (agents, episodes)."""
        self.empty *= 1 - self.schedule.payment[:, self.time]
        self.probability[:, :, self.time] = 1 - self.empty
        chosen = action[..., None] == np.arange(self.actions)
        probability = np.where(chosen, 1 - self.empty, 0).sum(-1)
        self.empty[chosen] = 1
        return (self.generator.random(action.shape) < probability).astype(float)

    def columns(self) -> dict[str, np.ndarray]:
        """Add the latent probabilities, which depend on the choices."""
        return super().columns() | {"reward_probability": self.probability}


class Stages(TwoChoices):
    """Two-step trials with the transitions, forced choices and second-stage outcomes of the source.

    Outcomes that are probabilities are drawn afresh; levels are paid as they are.
    """

    def __init__(self, schedule, agents, generator):
        mean = np.moveaxis(schedule.payment, 1, 0)[:, None]  # (trials, 1, episodes, 4)
        outcome = mean
        if schedule.binary:
            size = (len(mean), agents, *mean.shape[2:])
            outcome = generator.random(size, dtype=np.float32) < mean
            if not schedule.second_options:  # one outcome per state, whatever is done there
                outcome = outcome[..., ::2].repeat(2, -1)
        forced = np.stack([schedule.forced, schedule.second_forced]).transpose(2, 0, 1)[:, :, None]
        is_common = schedule.transition.T[:, None]
        imposed = forced if (forced >= 0).any() else None
        super().__init__(schedule, agents, schedule.common, is_common, mean, outcome, imposed)
        self.schedule, self.worth = schedule, "reward_probability" if schedule.binary else "expected_reward"

    def columns(self) -> dict[str, np.ndarray]:
        """Those of a two-step world, and what the source's table says besides."""
        shown = self.schedule.covariates | self.schedule.shown
        shown = {name: x for name, x in shown.items() if name != "better_option"}
        found = super().columns() | {name: np.broadcast_to(x, (self.shape[0], *x.shape)) for name, x in shown.items()}
        if not self.schedule.second_options:
            of_choices = ("second_choice", "second_trial_type", "second_outcome")
            found = {name: x for name, x in found.items() if not name.startswith(of_choices)}
        return found


WORLDS = {"bernoulli": Bernoulli, "replayed": Replayed, "baited": Baited, "two_step": Stages}
