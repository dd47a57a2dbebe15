"""Ranking and testing frozen agents: expected regret on episodes that no training saw."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.agents import Agent
from pipeline.agents.population import Population
from pipeline.errors import UserError
from pipeline.rollout import Behaviour, play
from pipeline.seeds import generator
from pipeline.tasks import Task
from pipeline.tasks import task as find_task

BATCH = 250  # episodes played at a time: a batch of 24 agents × 250 × 100 trials stays in a few hundred megabytes
# An agent has learned to learn when it goes this share of the way from chance to the exact optimum. Win-stay/
# lose-shift, which remembers one trial, goes .80 of the way on D_e and less elsewhere: a reflex is no learning.
LEARNED = 0.9


def play_batches(agent: Agent, task: Task, episodes: int, seed: int, purpose: str, keep=None):
    """Play ``episodes`` episodes in batches, all agents the same ones.

    Batch k draws from generator(seed, purpose, task, k): every population, core and learner meets the same episodes,
    whatever its number of agents, and ``ranking`` and ``test`` episodes are different draws.

    Parameters
    ----------
    keep : callable, optional
        What to keep of each batch's `Behaviour`; default all of it.

    Yields
    ------
    keep(Behaviour) of each batch
    """
    for batch, start in enumerate(range(0, episodes, BATCH)):
        count = min(BATCH, episodes - start)
        played = play(agent, task, count, generator(seed, purpose, task.name, batch))
        yield played if keep is None else keep(played)


def evaluate(
    agent: Population | Agent,
    task: Task,
    ranking_episodes: int,
    test_episodes: int,
    best: int,
    seed: int,
    *,
    source: str,
    name: str,
    chance_regret: float,
    optimum_regret: float,
    optimum_standard_error: float = 0.0,
    training_task: str | None = None,
    best_subjects: Sequence[str] | None = None,
) -> tuple[pd.DataFrame, Behaviour]:
    """Rank agents on one set of episodes, test them on another, and return the test behaviour of the best.

    Expected regret R_T = Σ_t (μ*_t − μ_{a_t}) from the latent probabilities, in rewards per episode (Wang et al. 2017:
    rank on the one half, report the best five on the other).

    Parameters
    ----------
    agent : Population or Agent
        A trained population (all its agents are tried), or a learner.
    task : Task
        Task of the episodes (the training task or another).
    ranking_episodes, test_episodes : int
        Numbers of episodes per agent.
    best : int
        How many of the best agents to report; stopped agents rank last.
    seed : int
        Root seed.
    source, name : str
        Source (``lstm_du``) and name of the agent in the registry (``lstm``).
    chance_regret, optimum_regret : float
        Regret of uniform choice and of the exact optimum on this task.
    optimum_standard_error : float
        Of the optimum, where it is simulated.
    training_task : str, optional
        Task of the training; missing for learners.
    best_subjects : sequence of str, optional
        Take these as the best, e.g. those that ranked best on their training task, when this is another task.

    Returns
    -------
    table : DataFrame
        Rows of ``evaluation/{study}/{source}.csv``, one per subject, in order of rank; regrets and ``test_reward`` in
        rewards per episode.
    behaviour : Behaviour
        Test episodes of the best agents, in order of rank.
    """
    trained = agent.agents if isinstance(agent, Population) else None
    training_task = agent.task if training_task is None and trained is not None else training_task
    if trained is not None:
        agent = agent.network()
    ranking = np.concatenate(
        list(play_batches(agent, task, ranking_episodes, seed, "ranking", Behaviour.regret)), 1
    ).mean(1)
    stopped = np.zeros(len(ranking), int) if trained is None else trained["stopped"].to_numpy()
    order = np.lexsort((np.where(np.isnan(ranking), np.inf, ranking), stopped))
    rank = np.empty(len(order), int)
    rank[order] = np.arange(1, len(order) + 1)
    chosen = order[:best] if best_subjects is None else [list(agent.subjects).index(s) for s in best_subjects]

    regret, reward, kept = [], [], []
    for played in play_batches(agent, task, test_episodes, seed, "test"):
        regret.append(played.regret())
        reward.append(played.reward.sum((1, 2), dtype=float))
        kept.append(_subset(played, chosen))
    regret = np.concatenate(regret, 1)
    hyperparameters = {
        column: np.nan if trained is None else trained[column].to_numpy(float)
        for column in ("learning_rate", "discount", "entropy_cost")
    }
    table = pd.DataFrame(
        {
            "source": source,
            "agent": name,
            "task": task.name,
            "training_task": training_task,
            "subject": list(agent.subjects),
            **hyperparameters,
            "ranking_regret": ranking,
            "test_regret": regret.mean(1),
            "test_regret_se": _standard_error(regret),
            "test_reward": np.sum(reward, 0) / test_episodes,
            "chance_regret": chance_regret,
            "optimum_regret": optimum_regret,
            "optimum_standard_error": optimum_standard_error,
            "rank": rank,
            "best": np.isin(np.arange(len(rank)), chosen).astype(int),
            "learned": (ranking < optimum_regret + (1 - LEARNED) * (chance_regret - optimum_regret)).astype(int),
            "n_test_episodes": test_episodes,
        }
    )
    return table.sort_values("rank", ignore_index=True), join_episodes(kept)


def transfer(
    population: Population,
    tasks: Sequence[str | Task],
    best_subjects: Sequence[str],
    test_episodes: int,
    seed: int,
    *,
    source: str,
    name: str,
    bounds: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Test the best agents of a population on tasks that they were not trained on (the train-by-test matrix).

    Expected regret as in `evaluate`, over the test episodes that the agents trained on that task meet: the same seed,
    purpose and task name give the same episodes, so that a column of the matrix compares agents and not luck.

    Parameters
    ----------
    population : Population
        The trained agents; only those named are played, a batch of episodes at a time.
    tasks : sequence of str or Task
        Tasks of the tests; the training task, if it is among them, is left out (`evaluate` has it).
    best_subjects : sequence of str
        The best on their own task by its ranking episodes, best first.
    test_episodes : int
        Number of episodes per agent and task.
    seed : int
        Root seed.
    source, name : str
        Source (``lstm_du``) and name of the core in the registry (``lstm``).
    bounds : mapping
        Task name → ``chance_regret``, ``optimum_regret`` and, where it is simulated, ``optimum_standard_error``.

    Returns
    -------
    DataFrame
        The columns of `evaluate`'s table, a row per task and subject; ``ranking_regret`` is missing, ``rank`` is that
        on the training task, ``best`` is 1, and ``learned`` says whether the *test* regret passes `LEARNED`.

    Raises
    ------
    UserError
        If a subject is none of the population's, or a task has no bounds.
    """
    unknown = [subject for subject in best_subjects if subject not in population.subjects]
    if unknown:
        raise UserError(f"transfer of {source}: {unknown[0]!r} is none of its {len(population)} agents "
                        f"({population.subjects[0]} … {population.subjects[-1]})")  # fmt: skip
    rows = [population.subjects.index(subject) for subject in best_subjects]
    network, trained = population.network(rows), population.agents.iloc[rows]
    found = []
    for task in (find_task(t) if isinstance(t, str) else t for t in tasks):
        if task.name == population.task:
            continue
        if task.name not in bounds:
            raise UserError(f"transfer of {source}: no regret of chance and of the optimum is given for {task.name!r}")
        limits = {"optimum_standard_error": 0.0, **bounds[task.name]}
        played = list(play_batches(network, task, test_episodes, seed, "test", _regret_and_reward))
        regret, reward = (np.concatenate(part, 1) for part in zip(*played, strict=True))
        optimum, chance = limits["optimum_regret"], limits["chance_regret"]
        found.append(
            pd.DataFrame(
                {
                    "source": source,
                    "agent": name,
                    "task": task.name,
                    "training_task": population.task,
                    "subject": list(network.subjects),
                    **{c: trained[c].to_numpy(float) for c in ("learning_rate", "discount", "entropy_cost")},
                    "ranking_regret": np.nan,
                    "test_regret": regret.mean(1),
                    "test_regret_se": _standard_error(regret),
                    "test_reward": reward.mean(1),
                    "chance_regret": chance,
                    "optimum_regret": optimum,
                    "optimum_standard_error": limits["optimum_standard_error"],
                    "rank": np.arange(1, len(rows) + 1),
                    "best": 1,
                    "learned": (regret.mean(1) < optimum + (1 - LEARNED) * (chance - optimum)).astype(int),
                    "n_test_episodes": test_episodes,
                }
            )
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _regret_and_reward(behaviour: Behaviour) -> tuple[np.ndarray, np.ndarray]:
    """Regret and reward of every episode, each (agents, episodes): all that is kept of a batch."""
    return behaviour.regret(), behaviour.reward.sum(2, dtype=float)


def _standard_error(regret: np.ndarray):
    return regret.std(1, ddof=1) / np.sqrt(regret.shape[1]) if regret.shape[1] > 1 else np.nan


def _subset(behaviour: Behaviour, agents: Sequence[int]) -> Behaviour:
    """Behaviour of some agents, copied out of the batch (small types, so that 2,000 episodes stay small)."""
    pick = list(agents)
    return Behaviour(
        behaviour.task,
        tuple(behaviour.subjects[k] for k in pick),
        behaviour.species,
        behaviour.choice[pick].astype(np.int8),
        behaviour.reward[pick],
        behaviour.policy[pick],
        {name: np.array(values[pick]) for name, values in behaviour.latent.items()},
        {name: values[pick] for name, values in behaviour.internal.items()},
    )


def join_episodes(parts: Sequence[Behaviour]) -> Behaviour:
    """One `Behaviour` from batches of episodes of the same agents."""
    first = parts[0]
    join = {name: np.concatenate([getattr(p, name) for p in parts], 1) for name in ("choice", "reward", "policy")}
    for group in ("latent", "internal"):
        names = getattr(first, group)
        join[group] = {name: np.concatenate([getattr(p, group)[name] for p in parts], 1) for name in names}
    return Behaviour(first.task, first.subjects, first.species, **join)
