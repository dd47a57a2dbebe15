"""Stan through PyStan: the loop over trials written out, one vectorised likelihood per subject."""

import time

import numpy as np

from bench.peers.problem import CHAINS, SEED, VARIABLES, Problem, Result, run

PROGRAM = """
data {
  int<lower=1> S;
  int<lower=1> T;
  array[S, T] int<lower=0, upper=1> choice;
  array[S, T] real reward;
  vector[2] mean_;
  vector<lower=0>[2] sd_;
  vector<lower=0>[2] scale;
  real start;
}
parameters {
  vector[2] group_mean;
  vector<lower=0>[2] group_sd;
  matrix[S, 2] z;
}
transformed parameters {
  matrix[S, 2] subject_parameters = rep_matrix(group_mean', S) + diag_post_multiply(z, group_sd);
}
model {
  group_mean ~ normal(mean_, sd_);
  group_sd ~ normal(0, scale);
  to_vector(z) ~ std_normal();
  for (s in 1:S) {
    real alpha = inv_logit(subject_parameters[s, 1]);
    real beta = exp(subject_parameters[s, 2]);
    vector[2] q = rep_vector(start, 2);
    vector[T] x;
    for (t in 1:T) {
      x[t] = beta * (q[2] - q[1]);
      q[choice[s, t] + 1] += alpha * (reward[s, t] - q[choice[s, t] + 1]);
    }
    choice[s] ~ bernoulli_logit(x);
  }
}
"""


def sample(problem: Problem, draws: int, tune: int) -> Result:
    """Compile and sample with Stan's own settings."""
    import stan

    subjects, trials = problem.choice.shape
    data = {"S": subjects, "T": trials, "choice": problem.choice.tolist(), "reward": problem.reward.tolist()}
    data |= {"mean_": problem.mean.tolist(), "sd_": problem.sd.tolist(), "scale": problem.group_sd.tolist()}
    start = time.perf_counter()
    model = stan.build(PROGRAM, data=data | {"start": float(problem.start)}, random_seed=SEED)
    compiled = time.perf_counter()
    fit = model.sample(num_chains=CHAINS, num_samples=draws, num_warmup=tune)
    sampling = time.perf_counter() - compiled
    density = [
        model.log_prob([*p["group_mean"], *np.log(p["group_sd"]), *p["z"].ravel(order="F")], adjust_transform=False)
        for p in problem.points()
    ]
    drawn = {name: by_chain(fit[name]) for name in VARIABLES}
    return Result(drawn, int(fit["divergent__"].sum()), compiled - start, sampling, np.array(density))


def by_chain(values: np.ndarray) -> np.ndarray:
    """Turn PyStan's draws (…, chains × draws) into (chains, draws, …)."""
    return np.moveaxis(values.reshape(*values.shape[:-1], CHAINS, -1), (-2, -1), (0, 1))


if __name__ == "__main__":
    run(sample)
