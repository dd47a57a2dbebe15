"""Speed of the models, each on behaviour of its own (`bench.tables`).

Likelihood: nanoseconds per free choice with its full gradient, 1,000 episodes of 80 trials. Sampling: 20 subjects × 200
trials, 4 chains × (500 + 500) on one core, smallest bulk effective sample size of any parameter over the seconds of
sampling; compiling apart. Fast companions: sessions per second by maximum likelihood and maximum a posteriori, and
seconds of an EM–Laplace fit. A model without behaviour to measure it on gets a row that says why.
"""

import time

import numpy as np

from bench.machine import row
from bench.tables import sample_table
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.card import ModelCard

EPISODES = (10, 100, 80)  # subjects, episodes, trials
HIERARCHY = (20, 200)  # subjects, trials
SESSIONS = (4000, 100)  # sessions, trials
EM = ((20, 200), (200, 1000))  # subjects, trials


def packed(card: ModelCard, subjects: int, episodes: int, length: int):
    """Card as its behaviour needs it, and the behaviour, packed."""
    from pipeline.models.data import pack, resolve

    table = sample_table(card, subjects, episodes, length)
    return resolve(card, table), pack(table, card)


def kernel(card: ModelCard, repetitions: int = 7, calls: int = 30) -> float:
    """Nanoseconds per free choice of the likelihood with its gradient; the best of some repetitions."""
    from pipeline.models.likelihood import likelihood

    card, trials = packed(card, *EPISODES)
    theta = np.tile([p.typical for p in card.parameters], (trials.units, 1))
    likelihood(card, trials, theta)
    best = np.inf
    for _ in range(repetitions):
        start = time.perf_counter()
        for _ in range(calls):
            likelihood(card, trials, theta)
        best = min(best, (time.perf_counter() - start) / calls)
    return best / trials.scored * 1e9


def sampling(card: ModelCard) -> dict[str, float]:
    """Seconds to compile and to sample, and effective samples per second."""
    from pipeline.models import diagnose, hierarchy
    from pipeline.models.laplace import em

    card, trials = packed(card, HIERARCHY[0], 1, HIERARCHY[1])
    start = time.perf_counter()
    program = hierarchy.program(card, trials, em(card, trials))
    compiled = time.perf_counter()
    draws = hierarchy.sample(program, draws=500, tune=500, chains=4, threads=1, target_accept=0.9, seed=1)
    seconds = time.perf_counter() - compiled
    found = diagnose.diagnose(diagnose.keep(draws))
    return {"ess": found["min_ess_bulk"] / seconds, "compile": compiled - start}


def per_session(card: ModelCard) -> dict[str, float]:
    """Sessions per second, each by itself: maximum likelihood (several starts) and maximum a posteriori."""
    from pipeline.models.likelihood import likelihood
    from pipeline.models.sessions import maximum_a_posteriori, maximum_likelihood

    card, trials = packed(card, SESSIONS[0], 1, SESSIONS[1])
    likelihood(card, trials, np.tile([p.typical for p in card.parameters], (trials.units, 1)))  # compiled beforehand
    found = {}
    for name, method in (("maximum likelihood", maximum_likelihood), ("maximum a posteriori", maximum_a_posteriori)):
        start = time.perf_counter()
        method(card, trials)
        found[name] = trials.units / (time.perf_counter() - start)
    return found


def laplace(card: ModelCard, subjects: int, length: int) -> float:
    """Seconds of an EM–Laplace fit."""
    from pipeline.models.laplace import em
    from pipeline.models.likelihood import likelihood

    card, trials = packed(card, subjects, 1, length)
    likelihood(card, trials, np.tile([p.typical for p in card.parameters], (trials.units, 1)))
    start = time.perf_counter()
    em(card, trials)
    return time.perf_counter() - start


def of(card: ModelCard) -> list[dict]:
    """Rows of one model."""
    few, many = (f"{card.name}, {s} subjects × {t:,} trials" for s, t in EM)
    sessions = f"{card.name}, {SESSIONS[0]:,} sessions × {SESSIONS[1]} trials"
    drawn, fitted = sampling(card), per_session(card)
    return [
        row("likelihood with gradient", f"{card.name}, 1,000 episodes × 80 trials", kernel(card), "ns/trial", digits=2),
        row("hierarchical sampling", few, drawn["ess"], "ESS/s", digits=2),
        row("hierarchical model, compiling", few, drawn["compile"], "s", digits=2),
        *(row(f"{name}, session by session", sessions, rate, "sessions/s") for name, rate in fitted.items()),
        row("EM–Laplace", few, laplace(card, *EM[0]), "s", digits=3),
        row("EM–Laplace", many, laplace(card, *EM[1]), "s", digits=3),
    ]


def rows() -> list[dict]:
    """Measure every model; rows (name, setting, value, unit, machine, note)."""
    found = []
    for card in MODELS.values():
        print(f"  {card.name} …", flush=True)
        try:
            found += of(card)
        except UserError as error:
            found.append(row("likelihood with gradient", card.name, None, "ns/trial", f"skipped: {error}"))
    return found


if __name__ == "__main__":
    from bench.run import show

    show(rows())
