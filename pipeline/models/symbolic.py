"""A model's step as symbols: which derivatives can be non-zero, and the expressions that a kernel must compute."""

from dataclasses import dataclass
from types import SimpleNamespace

import sympy as sp

from pipeline.models.card import ModelCard


@dataclass(frozen=True)
class SymbolicStep:
    """The step of one model for K options, differentiated.

    ``states`` are the state symbols (flat), ``tangents`` maps (state index, parameter index) to the symbol of
    ∂state/∂parameter, only for pairs that can be non-zero; ``slopes[j][k]`` is the total derivative of logit k with
    respect to parameter j; ``next_tangents`` the forward recursion ∂s'/∂θ = Σ_m (∂s'/∂s_m)(∂s_m/∂θ) + ∂s'/∂θ.
    ``conditions`` are (indicator symbol, condition): ``t.where(c, a, b)`` becomes 1[c] a + (1 − 1[c]) b, because
    branches in a kernel cannot be vectorised; the indicator's derivative is zero, and both a and b must be finite.
    """

    parameters: list
    states: list
    conditions: list
    start: list[float]
    chosen: list
    reward: sp.Symbol
    extra: list
    logits: list
    slopes: list
    updates: list
    tangents: dict
    next_tangents: dict


def namespaces(card: ModelCard, options: int, conditions: list):
    """Symbols for parameters, states and the trial, shaped as a step expects them."""

    def where(condition, yes, no):
        known = [symbol for symbol, other in conditions if other == condition]
        indicator = known[0] if known else sp.Symbol(f"i_{len(conditions)}", real=True)
        if not known:
            conditions.append((indicator, condition))
        return indicator * yes + (1 - indicator) * no

    p = SimpleNamespace(**{q.name: sp.Symbol(f"p_{q.name}", real=True) for q in card.parameters})
    states = {
        state.name: [sp.Symbol(f"s_{state.name}_{k}", real=True) for k in range(options)]
        if state.per_option
        else sp.Symbol(f"s_{state.name}", real=True)
        for state in card.states
    }
    trial = SimpleNamespace(
        chosen=[sp.Symbol(f"chosen_{k}", real=True) for k in range(options)],
        reward=sp.Symbol("reward", real=True),
        options=options,
        where=where,
        exp=sp.exp,
        log=sp.log,
        sqrt=sp.sqrt,
        **{name: sp.Symbol(f"x_{name}", real=True) for name in card.extra},
    )
    return p, SimpleNamespace(**states), trial


def flatten(card: ModelCard, values) -> list:
    """States (or their updates) as one flat list, in the order of the card."""
    flat = []
    for state in card.states:
        value = values[state.name]
        flat += list(value) if state.per_option else [value]
    return flat


def differentiate(card: ModelCard, options: int) -> SymbolicStep:
    """Evaluate the card's step with symbols and differentiate it."""
    conditions: list = []
    p, s, t = namespaces(card, options, conditions)
    step = card.step(p, s, t)
    parameters = [getattr(p, name) for name in card.names]
    states = flatten(card, vars(s))
    updates = [sp.sympify(u) for u in flatten(card, step.updates)]
    logits = [sp.sympify(x) for x in step.logits]
    if len(logits) != options:
        raise ValueError(f"model {card.name!r}: its step gives {len(logits)} logits for {options} options")
    pairs = _nonzero_pairs(parameters, states, updates)
    tangents = {pair: sp.Symbol(f"d_{states[pair[0]].name}_{parameters[pair[1]].name}", real=True) for pair in pairs}

    def total(expression, j):
        chain = sum(sp.diff(expression, states[m]) * symbol for (m, q), symbol in tangents.items() if q == j)
        return sp.diff(expression, parameters[j]) + chain

    return SymbolicStep(
        parameters=parameters,
        states=states,
        conditions=conditions,
        start=[x.start for x in card.states for _ in range(options if x.per_option else 1)],
        chosen=t.chosen,
        reward=t.reward,
        extra=[getattr(t, name) for name in card.extra],
        logits=logits,
        slopes=[[total(logit, j) for logit in logits] for j in range(len(parameters))],
        updates=updates,
        tangents=tangents,
        next_tangents={pair: total(updates[pair[0]], pair[1]) for pair in pairs},
    )


def _nonzero_pairs(parameters, states, updates) -> list[tuple[int, int]]:
    """(state, parameter) pairs whose tangent can differ from zero: the closure of direct and inherited dependence."""
    direct = {(i, j) for i, u in enumerate(updates) for j, q in enumerate(parameters) if sp.diff(u, q) != 0}
    feeds = {(i, m) for i, u in enumerate(updates) for m, s in enumerate(states) if sp.diff(u, s) != 0}
    found = set(direct)
    while True:
        more = {(i, j) for i, m in feeds for n, j in found if n == m} - found
        if not more:
            return sorted(found)
        found |= more
