"""The one session loop: any agent, any task, frozen; and its trial table."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.agents import Agent
from pipeline.tasks import Task


@dataclass
class Behaviour:
    """What happened in a batch of episodes; arrays (agents, episodes, trials) unless said.

    Of a trial with several steps, ``choice``, ``policy`` and ``value`` are those of its first step and ``reward`` is
    the sum over its steps. A forced choice is the one imposed; ``policy`` is what the agent itself would have done.

    ``latent`` are the world's columns (never seen by the agent), ``internal`` what the agent reports of itself
    (``value`` of a network). ``policy`` is (agents, episodes, trials, options).
    """

    task: Task
    subjects: tuple[str, ...]
    species: str
    choice: np.ndarray
    reward: np.ndarray
    policy: np.ndarray
    latent: dict[str, np.ndarray] = field(default_factory=dict)
    internal: dict[str, np.ndarray] = field(default_factory=dict)

    def regret(self) -> np.ndarray:
        """Cumulative expected regret R_T = Σ_t (μ*_t − μ_{a_t}) of every episode, (agents, episodes).

        μ are the latent expected outcomes of the options on the trial (their reward probabilities where rewards are 0
        or 1), so that only the choices, not the luck of the outcomes, enter (Wang et al. 2017).
        """
        expected = self.latent.get("expected_reward")
        if expected is None:
            expected = self.latent["reward_probability"]
        chosen = np.take_along_axis(expected, self.choice[..., None].astype(np.int64), -1)[..., 0]
        return (expected.max(-1) - chosen).sum(-1)


def sample(policy: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draw an action from each policy (…, actions) by inversion of its cumulative sum at ``uniform`` (…)."""
    if policy.shape[-1] == 2:
        return (uniform >= policy[..., 0]).astype(np.int64)
    total = np.cumsum(policy, -1)
    return (uniform[..., None] * total[..., -1:] >= total[..., :-1]).sum(-1)


def play(agent: Agent, task: Task, episodes: int, generator: np.random.Generator, shared: bool = True) -> Behaviour:
    """Let an agent behave for a batch of episodes; actions are sampled from its policy.

    Parameters
    ----------
    agent : Agent
        A population; nothing but its activations or estimates changes.
    task : Task
        The task; the agent is asked and told at every step of its world, be it one or several per trial.
    episodes : int
        Episodes per agent.
    generator : numpy Generator
        Draws the episodes first, then the actions: agents given equal generators meet identical episodes.
    shared : bool
        Whether all subjects of the population meet the same episodes.
    """
    world = task.begin(len(agent.subjects), episodes, generator, shared)
    agent.begin(task, episodes)
    if hasattr(agent, "reveal"):  # a learner that, by its definition, is told a latent quantity
        agent.reveal({name: values for name, values in world.columns().items() if name == "volatility"})
    internal: dict[str, list[np.ndarray]] = {}
    choices, rewards, policies = [], [], []
    for _ in range(world.steps):
        policy = agent.policy(world.observe())
        choice = sample(policy, generator.random(policy.shape[:2]))
        forced = world.imposed() if hasattr(world, "imposed") else None
        if forced is not None:  # what is carried out is what the agent observes and what stands in the table
            choice = np.where(forced >= 0, forced, choice)
        reward = world.act(choice)
        for name, values in getattr(agent, "report", dict)().items():
            internal.setdefault(name, []).append(np.array(values))
        agent.observe(choice, reward)
        choices.append(choice)
        rewards.append(reward)
        policies.append(np.array(policy))
    found = {name: np.stack(values, 2) for name, values in internal.items()}
    reward, first = np.stack(rewards, 2), slice(None, None, task.steps)
    if "value" in found:
        delta = prediction_error(found["value"], reward, agent.discount)
        found["reward_prediction_error"] = delta[:, :, task.steps - 1 :: task.steps]
        if task.steps == 2:
            found["transition_prediction_error"] = delta[:, :, first]
        found["value"] = found["value"][:, :, first]
    reward = reward.reshape(*reward.shape[:2], -1, task.steps).sum(-1) if task.steps > 1 else reward
    return Behaviour(task, tuple(agent.subjects), agent.species, np.stack(choices[first], 2), reward,
                     np.stack(policies[first], 2), world.columns(), found)  # fmt: skip


def prediction_error(value: np.ndarray, reward: np.ndarray, discount: np.ndarray) -> np.ndarray:
    """Reward prediction error δ_t = r_t + γ V_{t+1} − V_t of every step, with V = 0 after the last one.

    ``value`` and ``reward`` are (agents, episodes, steps), ``discount`` is γ per agent, (agents,).
    """
    following = np.concatenate([value[..., 1:], np.zeros_like(value[..., :1])], -1)
    return reward + np.asarray(discount)[:, None, None] * following - value


def table(
    behaviour: Behaviour, source: str, session: int = 1, agents=None, episodes: int | None = None
) -> pd.DataFrame:
    """Trial table of a batch of episodes: one session per subject.

    Parameters
    ----------
    behaviour : Behaviour
        As `play` returns it.
    source : str
        Name of the source.
    session : int
        Number of this batch of episodes.
    agents : sequence of int, optional
        Keep only these subjects.
    episodes : int, optional
        Keep only the first so many episodes of each subject.
    """
    keep = np.arange(len(behaviour.subjects)) if agents is None else np.asarray(agents, int)
    count = behaviour.choice.shape[1] if episodes is None else min(episodes, behaviour.choice.shape[1])
    cut = (keep, slice(0, count))
    shape = behaviour.choice[cut].shape
    index = np.indices(shape).reshape(3, -1)
    options = behaviour.policy.shape[-1]
    columns = {
        "source": source,
        "species": behaviour.species,
        "task": behaviour.task.name,
        "subject": np.asarray(behaviour.subjects, object)[keep][index[0]],
        "session": session,
        "episode": index[1] + 1,
        "trial": index[2] + 1,
        "trial_type": "free",  # unless the world says otherwise, below
        "options": options,
        "choice": behaviour.choice[cut].ravel(),
        "reward": behaviour.reward[cut].ravel(),
    }
    for name, values in (behaviour.latent | behaviour.internal | {"policy": behaviour.policy}).items():
        chosen = values[cut]
        if np.issubdtype(chosen.dtype, np.floating):  # 1 − .8 is .2 in a table; and such columns compress well
            chosen = chosen.astype(float).round(7)
        if chosen.ndim == 4:
            columns |= {f"{name}_{k}": chosen[..., k].ravel() for k in range(options)}
        else:
            columns[name] = chosen.ravel()
    frame = pd.DataFrame(columns)
    if "better_option" in frame:  # the worlds mark ties with −1; in a table missing is missing
        frame["better_option"] = frame["better_option"].astype("Int32").mask(frame["better_option"] < 0)
    return trials.conform(frame)
