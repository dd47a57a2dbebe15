"""NumPyro with `jax.lax.scan` over the trials, in double precision."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax import lax
from numpyro.infer import MCMC, NUTS
from numpyro.infer.util import log_density

from bench.peers.problem import CHAINS, SEED, VARIABLES, Problem, Result, run


def hierarchy(chosen, reward, choice, mean, sd, scale, start):
    """State the model, non-centred, all subjects side by side; chosen (trials, subjects, options)."""
    group_mean = numpyro.sample("group_mean", dist.Normal(mean, sd).to_event(1))
    group_sd = numpyro.sample("group_sd", dist.HalfNormal(scale).to_event(1))
    z = numpyro.sample("z", dist.Normal().expand([chosen.shape[1], 2]).to_event(2))
    eta = numpyro.deterministic("subject_parameters", group_mean + group_sd * z)
    alpha, beta = jax.nn.sigmoid(eta[:, 0]), jnp.exp(eta[:, 1])

    def learn(q, trial):
        c, r = trial
        return q + alpha[:, None] * c * (r[:, None] - q), q

    _, q = lax.scan(learn, jnp.full(chosen.shape[1:], start), (chosen, reward))
    numpyro.sample("choice", dist.Bernoulli(logits=beta * (q[..., 1] - q[..., 0])).to_event(2), obs=choice)


class Compiling:
    """Seconds that JAX spends tracing, lowering and compiling: the union of the intervals that it reports."""

    def __init__(self):
        self.intervals = []
        jax.monitoring.register_event_duration_secs_listener(self.note)

    def note(self, event: str, seconds: float, **_) -> None:
        """Take one report, made when the interval ends; reports of nested functions overlap."""
        if event.startswith("/jax/core/compile/"):
            now = time.perf_counter()
            self.intervals.append((now - seconds, now))

    def seconds(self) -> float:
        """Length of the union of all intervals."""
        total, reached = 0.0, -np.inf
        for start, end in sorted(self.intervals):
            total += max(end - max(start, reached), 0.0)
            reached = max(reached, end)
        return total


def sample(problem: Problem, draws: int, tune: int, chain_method: str = "sequential") -> Result:
    """Sample with NUTS's own settings; compiling is what JAX says that it spent on it.

    Chains are sampled one after the other, as NumPyro does with one device: on one core this took two thirds of the
    time of vectorised chains; compiling takes longer, and is not counted.
    """
    numpyro.enable_x64()
    data = (np.eye(2)[problem.choice.T], problem.reward.T.astype(float), problem.choice.T)
    given = tuple(map(jnp.asarray, (*data, problem.mean, problem.sd, problem.group_sd, problem.start)))
    mcmc = MCMC(
        NUTS(hierarchy), num_warmup=tune, num_samples=draws, num_chains=CHAINS, chain_method=chain_method,
        progress_bar=False,
    )  # fmt: skip
    compiling, start = Compiling(), time.perf_counter()
    mcmc.run(jax.random.PRNGKey(SEED), *given, extra_fields=("diverging",))
    found = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
    whole, compiled = time.perf_counter() - start, compiling.seconds()
    density = [float(log_density(hierarchy, given, {}, point)[0]) for point in problem.points()]
    drawn = {name: np.asarray(found[name]) for name in VARIABLES}
    divergences = int(mcmc.get_extra_fields()["diverging"].sum())
    return Result(drawn, divergences, compiled, whole - compiled, np.array(density))


if __name__ == "__main__":
    run(sample)
