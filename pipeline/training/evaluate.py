"""Ranking and testing frozen agents: expected regret on episodes that no training saw."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.agents import Agent
from pipeline.agents.population import Population
from pipeline.rollout import Behaviour, play
from pipeline.seeds import generator
from pipeline.tasks import Task

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
            "test_regret_se": regret.std(1, ddof=1) / np.sqrt(regret.shape[1]) if regret.shape[1] > 1 else np.nan,
            "test_reward": np.sum(reward, 0) / test_episodes,
            "chance_regret": chance_regret,
            "optimum_regret": optimum_regret,
            "rank": rank,
            "best": np.isin(np.arange(len(rank)), chosen).astype(int),
            "learned": (ranking < optimum_regret + (1 - LEARNED) * (chance_regret - optimum_regret)).astype(int),
            "n_test_episodes": test_episodes,
        }
    )
    return table.sort_values("rank", ignore_index=True), join_episodes(kept)


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
