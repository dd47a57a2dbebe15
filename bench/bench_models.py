"""Speed of the models: nanoseconds per trial of a likelihood with its full gradient, and effective samples per second.

The likelihood: 1,000 episodes of 80 trials. Sampling: 20 subjects × 200 trials of the reversal task, 4 chains × (500 +
500) on one core, smallest bulk effective sample size of any parameter over the seconds of sampling; compiling apart.
"""

import time

import numpy as np

from bench.bench_training import machine
from pipeline.models import MODELS
from pipeline.trials import conform


def behaviour(card, subjects: int, episodes: int, trials: int):
    """Trial table of subjects with typical parameters, give or take.

    A model with a covariate is timed on the choices of its like without one, with a volatility for every episode.
    """
    from dataclasses import replace

    from pipeline.models.links import natural, transformed
    from pipeline.models.simulate import ModelAgent
    from pipeline.rollout import play, table
    from pipeline.tasks import TASKS

    generator = np.random.default_rng(1)
    if "volatility" in card.columns:
        found = behaviour(MODELS["rescorla_wagner"], subjects, episodes, trials)
        place = found["episode"].to_numpy(int) + 1000 * found["subject"].astype("category").cat.codes.to_numpy(int)
        return conform(found.assign(volatility=(place * 0.618 % 1) / 5))
    typical = transformed(card, np.array([p.typical for p in card.parameters]))
    eta = typical + 0.3 * generator.standard_normal((subjects, len(typical)))
    task = replace(TASKS["reversal"], trials=trials)
    return table(play(ModelAgent(card, natural(card, eta)), task, episodes, generator), "bench")


def kernel(card, repetitions: int = 7, calls: int = 30) -> float:
    """Nanoseconds per trial of the likelihood with its gradient; the best of some repetitions."""
    from pipeline.models.data import pack
    from pipeline.models.likelihood import likelihood

    packed = pack(behaviour(card, 10, 100, 80), card)
    theta = np.tile([p.typical for p in card.parameters], (packed.units, 1))
    likelihood(card, packed, theta)
    best = np.inf
    for _ in range(repetitions):
        start = time.perf_counter()
        for _ in range(calls):
            likelihood(card, packed, theta)
        best = min(best, (time.perf_counter() - start) / calls)
    return best / packed.scored * 1e9


def sampling(card) -> dict[str, float]:
    """Seconds to compile and to sample, and effective samples per second."""
    from pipeline.models import diagnose, hierarchy
    from pipeline.models.data import pack
    from pipeline.models.laplace import em

    episodes = 4 if "volatility" in card.columns else 1  # a covariate must vary within a subject
    packed = pack(behaviour(card, 20, episodes, 200 // episodes), card)
    start = time.perf_counter()
    program = hierarchy.program(card, packed, em(card, packed))
    compiled = time.perf_counter()
    draws = hierarchy.sample(program, draws=500, tune=500, chains=4, threads=1, target_accept=0.9, seed=1)
    seconds = time.perf_counter() - compiled
    found = diagnose.diagnose(diagnose.keep(draws))
    return {"ess": found["min_ess_bulk"] / seconds, "compile": compiled - start, "sample": seconds}


def rows() -> list[dict]:
    """Measure every model; rows (name, setting, value, unit, machine)."""
    found = []
    for name, card in MODELS.items():
        measured = sampling(card)
        for title, setting, value, unit in (
            ("likelihood with gradient", f"{name}, 1,000 episodes × 80 trials", kernel(card), "ns/trial"),
            ("hierarchical sampling", f"{name}, 20 subjects × 200 trials", measured["ess"], "ESS/s"),
            ("hierarchical model, compiling", f"{name}, 20 subjects × 200 trials", measured["compile"], "s"),
        ):
            found.append(
                {"name": title, "setting": setting, "value": round(value, 3), "unit": unit, "machine": machine()}
            )
    return found


if __name__ == "__main__":
    for row in rows():
        print(f"{row['name']:32} {row['setting']:55} {row['value']:10.2f} {row['unit']}")
