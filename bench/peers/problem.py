"""What every design is given, and what it hands back: files, so that each can run in an environment of its own.

The model, for subjects s, trials t and two options, on the logit of α and the logarithm of β::

    group_mean ~ Normal(mean, sd)    group_sd ~ HalfNormal(group_sd)    z_s ~ Normal(0, 1)
    (logit α_s, log β_s) = group_mean + group_sd z_s
    choice ~ Bernoulli(logit = β_s (Q_1 − Q_0))
    Q_c ← Q_c + α_s (r − Q_c) for the option c chosen, both Q = start on trial 1
"""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

CHAINS, SEED = 4, 1
POINTS = 10  # at which designs compare their densities
VARIABLES = ("group_mean", "group_sd", "subject_parameters")


@dataclass(frozen=True)
class Problem:
    """Data and priors: ``choice`` and ``reward`` (subjects, trials), 0 or 1; the rest (2,), for logit α and log β."""

    choice: np.ndarray
    reward: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    group_sd: np.ndarray
    start: float

    @classmethod
    def read(cls, path: Path) -> "Problem":
        """Read a problem from a file."""
        with np.load(path) as found:
            return cls(**{name: found[name] for name in found.files})

    def write(self, path: Path) -> None:
        """Write the problem to a file."""
        np.savez(path, **asdict(self))

    def points(self) -> list[dict[str, np.ndarray]]:
        """Give points (group_mean, group_sd, z) at which densities are compared; the same in every process."""
        generator = np.random.default_rng(SEED)
        return [
            {
                "group_mean": self.mean + 0.5 * self.sd * generator.standard_normal(2),
                "group_sd": self.group_sd * generator.uniform(0.2, 1.2, 2),
                "z": generator.standard_normal((len(self.choice), 2)),
            }
            for _ in range(POINTS)
        ]


@dataclass(frozen=True)
class Result:
    """What a design hands back.

    ``draws`` (chains, draws, …) of `VARIABLES`; seconds spent compiling and sampling (warm-up included);
    ``log_density`` (`POINTS`,) of (group_mean, group_sd, z) at `Problem.points`, up to a constant.
    """

    draws: dict[str, np.ndarray]
    divergences: int
    compiling: float
    sampling: float
    log_density: np.ndarray

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read a result from a file."""
        with np.load(path) as found:
            facts = {name: found[name].item() for name in ("divergences", "compiling", "sampling")}
            return cls({name: found[name] for name in VARIABLES}, **facts, log_density=found["log_density"])

    def write(self, path: Path) -> None:
        """Write the result to a file."""
        facts = {name: getattr(self, name) for name in ("divergences", "compiling", "sampling", "log_density")}
        np.savez(path, **self.draws, **facts)


def run(measure: Callable[..., Result]) -> None:
    """Measure as told on the command line: problem, result, draws, tuning steps, and further words for the design."""
    problem, result, draws, tune, *words = sys.argv[1:]
    measure(Problem.read(Path(problem)), int(draws), int(tune), *words).write(Path(result))
