# ruff: noqa: E501 (registry entries are one line per fact)
"""Agents: whoever chooses. One protocol for networks, learners and fitted models; registry `AGENTS`.

Entries are read when the workflow is parsed, so factories are named, not imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Protocol

import numpy as np

from pipeline.errors import UserError
from pipeline.tasks import Task


class Agent(Protocol):
    """A population of subjects that choose; arrays have leading axes (agents, episodes).

    The session loop (`pipeline.rollout.play`) calls ``begin`` once per batch of episodes, then for every step
    ``policy`` → (action sampled by the loop) → ``observe``. Nothing else reaches the agent: an agent cannot see latent
    probabilities, and nothing survives ``begin``.
    """

    subjects: Sequence[str]
    species: str

    def begin(self, task: Task, episodes: int) -> None:
        """Start fresh episodes; forget everything about earlier ones."""

    def policy(self, observation: np.ndarray | None) -> np.ndarray:
        """Probability of each action at this step, (agents, episodes, actions)."""

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Take in the action just made and the reward it brought, each (agents, episodes)."""

    # A learner that is told a latent quantity by its very definition has a method ``reveal(columns)`` besides; the
    # session loop calls it once per batch (bayes_knows_volatility, the only one).


@dataclass(frozen=True)
class AgentEntry:
    """One entry of the registry: a recurrent core that is trained, or a learner that needs no training."""

    name: str
    title: str
    kind: str  # "core" | "learner"
    factory: str  # "module:callable", imported only when needed
    settings: Mapping = field(default_factory=lambda: MappingProxyType({}))
    tasks: tuple[str, ...] | None = None  # tasks it is defined on; None: any
    description: str = ""
    citation: str = ""

    def load(self):
        """Import and return the factory."""
        module, name = self.factory.split(":")
        return getattr(import_module(module), name)


WANG = "Wang et al. 2017, arXiv:1611.05763"
REVERSAL, STRUCTURED = ("reversal",), ("du", "de", "dm", "dh")
RESTLESS, TWO_STEP, INFORMATIVE = ("restless", "restless_sd"), ("two_step",), ("informative_arm",)
BERNOULLI = ("di", *STRUCTURED, *REVERSAL, *RESTLESS)


def _core(name: str, title: str, factory: str, description: str, **settings) -> AgentEntry:
    return AgentEntry(name, title, "core", f"pipeline.agents.cores:{factory}", MappingProxyType(settings),
                      description=description, citation=WANG)  # fmt: skip


def _learner(
    name: str, title: str, factory: str, description: str, citation: str, tasks=None, **settings
) -> AgentEntry:
    return AgentEntry(name, title, "learner", f"pipeline.agents.{factory}", MappingProxyType(settings), tasks,
                      description, citation)  # fmt: skip


AGENTS: Mapping[str, AgentEntry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _core("lstm", "LSTM", "LSTM", "long short-term memory, 48 units", units=48),
            _core("gru", "GRU", "GRU", "gated recurrent unit, 48 units", units=48),
            _core("lowrank", "Low-rank RNN", "LowRank", "48 units, recurrent weights m nᵀ / N of rank 5", units=48, rank=5),
            _core("vanilla", "Vanilla RNN", "Vanilla", "48 units, tanh, full recurrent weights", units=48),
            # As many parameters on the two-armed bandits as vanilla-48 (2,691), within 2 %: 2,648, 2,676 and 2,685.
            _core("lstm23", "LSTM, 23 units", "LSTM", "long short-term memory, as many parameters as the vanilla RNN of 48 units", units=23),
            _core("gru27", "GRU, 27 units", "GRU", "gated recurrent unit, as many parameters as the vanilla RNN of 48 units", units=27),
            _core("lowrank149", "Low-rank RNN, 149 units", "LowRank",
                  "149 units, rank 5, as many parameters as the vanilla RNN of 48 units", units=149, rank=5),
            _learner("random", "Random choice", "heuristics:Random", "every option equally often", WANG),
            _learner("thompson", "Thompson sampling", "heuristics:Thompson",
                     "Beta(1, 1) posterior of every arm on its own; choose in proportion to P(arm is best)", "Thompson 1933", BERNOULLI),
            _learner("thompson_walk", "Thompson sampling, walk known", "bayes_restless:ThompsonWalk",
                     "posterior of p1 for a reflected walk of one fixed volatility, the middle of the tested range; chooses with P(p1 > ½)",
                     "Thompson 1933", RESTLESS),
            _learner("thompson_target", "Thompson sampling, true prior", "bayes_informative:ThompsonTarget",
                     "posterior over the target; choose in proportion to P(arm pays most)", "Thompson 1933", INFORMATIVE),
            _learner("ucb", "UCB", "heuristics:UCB", "x̄ + √(χ ln n / n_i), χ = 1", "Auer et al. 2002",
                     (*BERNOULLI, *INFORMATIVE), chi=1.0),
            _learner("gittins", "Gittins index, γ = .99", "gittins:Gittins",
                     "optimal for the discounted infinite horizon, arms independent; γ = .99", "Gittins 1979", BERNOULLI, discount=0.99),
            _learner("gittins90", "Gittins index, γ = .9", "gittins:Gittins",
                     "the same for γ = .9, the upper end of most networks' own discounts at standard scale", "Gittins 1979", BERNOULLI, discount=0.9),
            _learner("rescorla_wagner", "Rescorla–Wagner", "heuristics:RescorlaWagner",
                     "Q += α (r − Q) for the chosen option, softmax(β Q); α = .4, β = 5, arbitrary", "Rescorla & Wagner 1972", BERNOULLI, alpha=0.4, beta=5.0),
            _learner("rescorla_wagner_slow", "Rescorla–Wagner, α = .2", "heuristics:RescorlaWagner",
                     "Q += α (r − Q) for the chosen option, softmax(β Q); α = .2, β = 15, the best of a grid on other episodes of the task",
                     "Rescorla & Wagner 1972", RESTLESS, alpha=0.2, beta=15.0),
            _learner("rescorla_wagner_fast", "Rescorla–Wagner, α = .8", "heuristics:RescorlaWagner",
                     "the same with α = .8, β = 8", "Rescorla & Wagner 1972", RESTLESS, alpha=0.8, beta=8.0),
            _learner("model_based", "Model-based learner", "two_step:ModelBased",
                     "values of the second-stage states by a delta rule, planned through the known transitions; α = .5, β = 5",
                     "Daw et al. 2011", TWO_STEP, alpha=0.5, beta=5.0),
            _learner("model_free", "Model-free learner, TD(1)", "two_step:ModelFree",
                     "credits the outcome to the first-stage choice, whatever the transition; α = .5, β = 5",
                     "Daw et al. 2011; Akam et al. 2015", TWO_STEP, alpha=0.5, beta=5.0),
            _learner("bayes_knows_volatility", "Exact filter, volatility known", "bayes_restless:KnownVolatilityFilter",
                     "the exact filter of the walk, told each episode's volatility, which no other learner is: a bound below the optimum's regret",
                     "Behrens et al. 2007", RESTLESS),
            _learner("bayes_optimal", "Bayes-optimal (exact)", "bayes:bayes_optimal",
                     "the exact optimum for the task's own (test) prior: dynamic programming, pooled count, or a filter of the hidden "
                     "state (reversal: it knows when reversals can come; restless: it infers the volatility)",
                     "Bellman 1956; Feldman 1962; Costa et al. 2015", (*BERNOULLI, *TWO_STEP, *INFORMATIVE)),
        )
    }
)  # fmt: skip


def agent(name: str) -> AgentEntry:
    """Look an agent up by name.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in AGENTS:
        raise UserError(
            f"agent {name!r} is not known; known are {', '.join(AGENTS)} (add one in pipeline/agents/__init__.py)"
        )
    return AGENTS[name]
