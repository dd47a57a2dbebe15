"""This project: the card's compiled likelihood in a PyMC model, coordinates chosen from the data, nutpie."""

import time

import numpy as np
import pandas as pd

from bench.peers.problem import CHAINS, SEED, VARIABLES, Problem, Result, run
from pipeline import trials
from pipeline.models import MODELS, hierarchy
from pipeline.models.data import pack
from pipeline.models.fitting import Settings
from pipeline.models.laplace import em

CARD = MODELS["rescorla_wagner"]


def of(table: pd.DataFrame) -> Problem:
    """Read the problem from a trial table of subjects with one episode each, all of equal length."""
    table = table.sort_values(["subject", "trial"], kind="stable")
    shape = (table["subject"].nunique(), -1)
    prior = {name: np.array([getattr(p, name) for p in CARD.parameters]) for name in ("mean", "sd", "group_sd")}
    data = {name: table[name].to_numpy(int).reshape(shape) for name in ("choice", "reward")}
    return Problem(**data, **prior, start=CARD.states[0].start)


def as_table(problem: Problem) -> pd.DataFrame:
    """Write the problem as a trial table."""
    subject, trial = (axis.ravel() for axis in np.indices(problem.choice.shape))
    columns = {"source": "bench", "species": "learner", "task": "reversal", "session": 1, "episode": 1, "block": 1}
    columns |= {"subject": [f"s{i:03d}" for i in subject], "trial": trial + 1, "trial_type": "free", "options": 2}
    columns |= {"choice": problem.choice.ravel(), "reward": problem.reward.ravel()}
    return trials.conform(pd.DataFrame(columns))


def sample(problem: Problem, draws: int, tune: int) -> Result:
    """Sample as `pipeline.models.fit` does, with its target acceptance; the EM–Laplace fit counts as compiling."""
    packed = pack(as_table(problem), CARD)
    start = time.perf_counter()
    laplace = em(CARD, packed)
    program = hierarchy.program(CARD, packed, laplace)
    compiled = time.perf_counter()
    settings = {"threads": 1, "target_accept": Settings().target_accept, "seed": SEED}
    found = hierarchy.sample(program, draws=draws, tune=tune, chains=CHAINS, **settings)
    sampling = time.perf_counter() - compiled
    density = log_density(hierarchy.build(CARD, packed, laplace), problem)
    drawn = {name: found.posterior[name].to_numpy() for name in VARIABLES}
    for name in VARIABLES[:2]:
        drawn[name] = drawn[name].reshape(*drawn[name].shape[:2], -1)
    return Result(drawn, int(found.sample_stats["diverging"].sum()), compiled - start, sampling, density)


def log_density(model, problem: Problem) -> np.ndarray:
    """Log density of (group_mean, group_sd, z) at the points of the problem, by the project's model.

    Its own coordinates z' are linear in η at a given group: η = a + b z'. Hence z' = (η − a) / b, and the density of z
    is that of z' times ∏ group_sd / b.
    """
    values = {rv.name: model.rvs_to_values[rv].name for rv in model.free_RVs}
    if set(values) != {"group_mean", "group_sd", "subject_parameters_z"}:
        raise ValueError(f"the model's free variables are {sorted(values)}: its density cannot be compared")
    shapes = {name: value.shape for name, value in model.initial_point().items()}
    eta = model.compile_fn(model.replace_rvs_by_values([model["subject_parameters"]]), on_unused_input="ignore")
    density, found = model.compile_logp(jacobian=False), []
    for point in problem.points():
        named = {"group_mean": point["group_mean"], "group_sd": np.log(point["group_sd"])}
        at = {values[name]: value.reshape(shapes[values[name]]) for name, value in named.items()}
        z = values["subject_parameters_z"]
        low, high = (eta(at | {z: np.full(shapes[z], x)})[0] for x in (0.0, 1.0))
        wanted = point["group_mean"] + point["group_sd"] * point["z"]
        change = np.log(point["group_sd"] / (high - low)).sum()
        found.append(density(at | {z: (wanted - low) / (high - low)}) + change)
    return np.array(found)


if __name__ == "__main__":
    run(sample)
