"""PyMC with `scan` over the trials: sampled by its own NUTS, or by nutpie on numba code."""

import time

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from bench.peers.problem import CHAINS, SEED, VARIABLES, Problem, Result, run


def build(problem: Problem) -> pm.Model:
    """State the model, non-centred, all subjects side by side."""
    subjects = len(problem.choice)
    chosen = np.eye(2)[problem.choice.T]  # (trials, subjects, options)
    reward = problem.reward.T.astype(float)
    with pm.Model() as model:
        group_mean = pm.Normal("group_mean", problem.mean, problem.sd, shape=2)
        group_sd = pm.HalfNormal("group_sd", problem.group_sd, shape=2)
        z = pm.Normal("z", shape=(subjects, 2))
        eta = pm.Deterministic("subject_parameters", group_mean + group_sd * z)
        alpha, beta = pm.math.sigmoid(eta[:, 0]), pm.math.exp(eta[:, 1])

        def learn(c, r, q, alpha):
            return q + alpha[:, None] * c * (r[:, None] - q)

        first = pt.as_tensor(np.full((subjects, 2), float(problem.start)))
        after = pytensor.scan(
            learn,
            sequences=[pt.as_tensor(chosen), pt.as_tensor(reward)],
            outputs_info=[first],
            non_sequences=[alpha],
            strict=True,
            return_updates=False,
        )
        q = pt.concatenate([first[None], after[:-1]])
        pm.Bernoulli("choice", logit_p=beta * (q[..., 1] - q[..., 0]), observed=problem.choice.T)
    return model


def log_density(model: pm.Model, problem: Problem) -> np.ndarray:
    """Log density of (group_mean, group_sd, z) at the points of the problem."""
    density = model.compile_logp(jacobian=False)
    named = [{**point, "group_sd_log__": np.log(point["group_sd"])} for point in problem.points()]
    return np.array([density({name: p[name] for name in ("group_mean", "group_sd_log__", "z")}) for p in named])


def sample(problem: Problem, draws: int, tune: int, sampler: str) -> Result:
    """Sample with the sampler's own settings; ``sampler`` is pymc or nutpie."""
    model = build(problem)
    start = time.perf_counter()
    if sampler == "nutpie":
        import nutpie

        program = nutpie.compile_pymc_model(model, backend="numba")
        compiled = time.perf_counter()
        found = nutpie.sample(
            program, draws=draws, tune=tune, chains=CHAINS, cores=1, seed=SEED, save_warmup=False, progress_bar=False
        )
        sampling = time.perf_counter() - compiled
        compiling = compiled - start
    else:
        with model:
            found = pm.sample(
                draws, tune=tune, chains=CHAINS, cores=1, random_seed=SEED, nuts_sampler="pymc", progressbar=False,
                compute_convergence_checks=False,
            )  # fmt: skip
        sampling = float(found.posterior.attrs["sampling_time"])
        compiling = time.perf_counter() - start - sampling
    drawn = {name: found.posterior[name].to_numpy() for name in VARIABLES}
    return Result(drawn, int(found.sample_stats["diverging"].sum()), compiling, sampling, log_density(model, problem))


if __name__ == "__main__":
    run(sample)
