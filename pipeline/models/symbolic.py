"""A model's step as symbols: which derivatives can be non-zero, and the expressions that a kernel must compute."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import sympy as sp

from pipeline.models.card import STATES, ModelCard
from pipeline.trials import COLUMNS

PER_OPTION = frozenset(column.name for column in COLUMNS if column.per_option)


def spread(column: str, options: int) -> list[str]:
    """Names under which a column stands in a trial table: one per option where it is per option."""
    return [f"{column}_{k}" for k in range(options)] if column in PER_OPTION else [column]


def inputs_of(card: ModelCard, options: int) -> list[str]:
    """Names of what a kernel reads of every trial, in order."""
    names = ["choice", "reward", "score"]
    if card.two_step:
        names += ["state", "common", *(["second", "second_score"] if card.second_options else [])]
    return names + [name for column in card.extra for name in spread(column, options)]


@dataclass(frozen=True)
class SymbolicStep:
    """The step of one model for K options, differentiated.

    ``states`` are the state symbols (flat), ``tangents`` maps (state index, parameter index) to the symbol of
    ∂state/∂parameter, only for pairs that can be non-zero; ``slopes[j][k]`` is the total derivative of logit k with
    respect to parameter j (``second_logits``, ``second_slopes``: the same of the second stage, empty where nothing is
    chosen there); ``inputs`` the names of the kernel's inputs; ``next_tangents`` the forward recursion ∂s'/∂θ =
    Σ_m (∂s'/∂s_m)(∂s_m/∂θ) + ∂s'/∂θ.
    ``conditions`` are (indicator symbol, condition): ``t.where(c, a, b)`` becomes 1[c] a + (1 − 1[c]) b, because
    branches in a kernel cannot be vectorised; the indicator's derivative is zero, and both a and b must be finite.
    """

    parameters: list
    states: list
    conditions: list
    start: list[float]
    inputs: list[str]
    logits: list
    slopes: list
    second_logits: list
    second_slopes: list
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
    states = {}
    for state in card.states:
        size = state.size(options, card.second_options)
        several = size is not None
        states[state.name] = (
            [sp.Symbol(f"s_{state.name}_{k}", real=True) for k in range(size)]
            if several
            else sp.Symbol(f"s_{state.name}", real=True)
        )
    extra = {}
    for column in card.extra:
        symbols = [sp.Symbol(f"x_{name}", real=True) for name in spread(column, options)]
        extra[column] = symbols if column in PER_OPTION else symbols[0]
    if card.two_step:
        extra["state"] = [sp.Symbol(f"state_{k}", real=True) for k in range(STATES)]
        seconds = range(card.second_options)
        extra["second"] = [sp.Symbol(f"second_{k}", real=True) for k in seconds] or [sp.Integer(1)]
        extra |= {"second_options": card.second_options, "common": sp.Symbol("common", real=True)}
    trial = SimpleNamespace(
        chosen=[sp.Symbol(f"chosen_{k}", real=True) for k in range(options)],
        reward=sp.Symbol("reward", real=True),
        options=options,
        where=where,
        exp=sp.exp,
        log=sp.log,
        sqrt=sp.sqrt,
        **extra,
    )
    return p, SimpleNamespace(**states), trial


def flatten(card: ModelCard, values) -> list:
    """States (or their updates) as one flat list, in the order of the card."""
    flat = []
    for state in card.states:
        value = values[state.name]
        flat += list(value) if state.per_option or state.per_second else [value]
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
    second = [sp.sympify(x) for x in step.second_logits or []]
    if len(second) != card.second_options:
        raise ValueError(
            f"model {card.name!r}: its step gives {len(second)} second-stage logits for {card.second_options} options"
        )
    pairs = _nonzero_pairs(parameters, states, updates)
    tangents = {pair: sp.Symbol(f"d_{states[pair[0]].name}_{parameters[pair[1]].name}", real=True) for pair in pairs}

    def total(expression, j):
        chain = sum(sp.diff(expression, states[m]) * symbol for (m, q), symbol in tangents.items() if q == j)
        return sp.diff(expression, parameters[j]) + chain

    return SymbolicStep(
        parameters=parameters,
        states=states,
        conditions=conditions,
        start=[x.start for x in card.states for _ in range(x.size(options, card.second_options) or 1)],
        inputs=inputs_of(card, options),
        logits=logits,
        slopes=[[total(logit, j) for logit in logits] for j in range(len(parameters))],
        second_logits=second,
        second_slopes=[[total(logit, j) for logit in second] for j in range(len(parameters))],
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


def once(s: SymbolicStep) -> tuple[SymbolicStep, list]:
    """Take out logarithms and exponentials of parameters alone: they need no computing anew on every trial.

    Returns
    -------
    step : SymbolicStep
        With a symbol in the place of each.
    fixed : list of (symbol, expression)
        What the symbols stand for; conditions in them are on parameters alone.
    """
    parameters = set(s.parameters)
    constant = parameters | {symbol for symbol, condition in s.conditions if condition.free_symbols <= parameters}
    every = [*s.logits, *s.second_logits, *s.updates, *s.next_tangents.values()]
    every += [x for rows in (s.slopes, s.second_slopes) for row in rows for x in row]
    found = {f for expression in every for f in sp.sympify(expression).atoms(sp.log, sp.exp)}
    found = sorted((f for f in found if f.free_symbols and f.free_symbols <= constant), key=sp.default_sort_key)
    fixed = [(sp.Symbol(f"f_{i}", real=True), f) for i, f in enumerate(found)]
    place = {f: symbol for symbol, f in fixed}

    def put(expressions):
        return [sp.sympify(x).xreplace(place) for x in expressions]

    return replace(
        s,
        logits=put(s.logits),
        slopes=[put(row) for row in s.slopes],
        second_logits=put(s.second_logits),
        second_slopes=[put(row) for row in s.second_slopes],
        updates=put(s.updates),
        next_tangents=dict(zip(s.next_tangents, put(s.next_tangents.values()))),
    ), fixed
