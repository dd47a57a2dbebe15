"""The hierarchical Rescorla–Wagner model in five designs: effective samples per second, memory, agreement.

Data, priors and chains are the same for all; each design runs with its own defaults in a process of its own, on one
core with one thread, its caches of compiled code empty. ESS is the smallest bulk ESS of any group mean, group SD or
subject's parameter, per second of sampling (warm-up included, compiling not). ``BENCH_PEERS=short`` gives the slow
designs fewer draws, and says so.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.machine import ROOT, on_one_core, row
from bench.peers.problem import CHAINS, VARIABLES, Result

SMALL, LARGE = (20, 200), (200, 1000)  # subjects, trials
DRAWS = (1000, 1000)  # tuning steps and draws per chain
SHORT = (250, 250)
LIMIT = 1800.0  # seconds that a design may take
AGREEMENT = 4.0  # Monte-Carlo standard errors
GOALS = {"pymc": 100, "numpyro": 40}  # times a peer's ESS per second
LARGE_GOAL = "goal: ESS ≥ 2,000, R-hat < 1.01, under 90 s"


@dataclass(frozen=True)
class Design:
    """One design: a module of `bench.peers`, what it is told, and the environment that it runs in."""

    title: str
    module: str
    words: tuple[str, ...] = ()
    environment: str = ""  # folder; none: the environment of this process
    make: str = ""  # target of the Makefile that makes the environment
    slow: bool = False  # fewer draws where BENCH_PEERS=short

    @property
    def python(self) -> Path:
        """Interpreter of its environment."""
        return ROOT / self.environment / "bin" / "python" if self.environment else Path(sys.executable)

    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        if not self.environment or (ROOT / self.environment / ".complete").exists():
            return ""
        failure = ROOT / self.environment / "failed.txt"
        lines = failure.read_text().strip().splitlines() if failure.exists() else []
        reason = ([line for line in lines if line.startswith("ERROR")] or lines)[-1:]
        return "; ".join(["not installed", *reason, f"make {self.make} installs it"])


REFERENCE = "nutpie"  # the scan model in the run that the others' means are compared with
DESIGNS = {
    "pymc": Design("PyMC scan, NUTS", "pymc_scan", ("pymc",), slow=True),
    "nutpie": Design("PyMC scan, nutpie (numba)", "pymc_scan", ("nutpie",)),
    "numpyro": Design("NumPyro lax.scan", "numpyro_scan", environment=".venv-bench", make="bench-numpyro", slow=True),
    "stan": Design("Stan (PyStan)", "stan_program", environment=".venv-stan", make="bench-stan", slow=True),
    "project": Design("this project", "this_project"),
}


@dataclass(frozen=True)
class Measured:
    """What one design achieved; ``problem`` says why where it did not end."""

    result: Result | None
    memory: float = np.nan
    problem: str = ""


def draws_of(design: Design) -> tuple[int, int]:
    """Tuning steps and draws of a design, by BENCH_PEERS (full, unless set to short)."""
    kind = os.environ.get("BENCH_PEERS", "full")
    if kind not in ("full", "short"):
        raise SystemExit(f"BENCH_PEERS is {kind!r}; it may be 'full' or 'short'")
    return SHORT if kind == "short" and design.slow else DRAWS


def measure(design: Design, problem: Path, folder: Path, limit: float = LIMIT) -> Measured:
    """Run a design on a problem; its caches are kept in ``folder``."""
    if design.missing():
        return Measured(None, problem=design.missing())
    tune, draws = draws_of(design)
    result = folder / "result.npz"
    words = [str(problem), str(result), str(draws), str(tune), *design.words]
    caches = {
        "LEARNING_SET_CACHE": str(folder / "cache"),
        "PYTENSOR_FLAGS": f"base_compiledir={folder / 'pytensor'}",
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "XDG_CACHE_HOME": str(folder / "xdg"),  # of Stan's compiled programs
    }
    ended = on_one_core([str(design.python), "-m", f"bench.peers.{design.module}", *words], caches, limit)
    if ended.code is None:
        return Measured(None, ended.memory, f"stopped after {limit:,.0f} s")
    if ended.code:
        return Measured(None, ended.memory, f"failed: {ended.reason}")
    return Measured(Result.read(result), ended.memory)


def problem_of(size: tuple[int, int], path: Path) -> Path:
    """Simulate subjects and write the problem that all designs are given."""
    from bench.peers.this_project import CARD, of
    from bench.tables import sample_table

    of(sample_table(CARD, size[0], 1, size[1])).write(path)
    return path


def checks(result: Result) -> dict[str, float]:
    """Smallest bulk ESS and largest R-hat over all parameters."""
    import arviz as az

    found = az.from_dict(posterior=result.draws).posterior
    rhat, ess = az.rhat(found), az.ess(found, method="bulk")
    largest = max(float(rhat[name].max()) for name in VARIABLES)
    return {"ess": min(float(ess[name].min()) for name in VARIABLES), "rhat": largest}


def disagreement(result: Result, reference: Result) -> float:
    """Largest |difference| of two runs' posterior means of group mean and SD, in Monte-Carlo standard errors.

    The standard error of a difference is √(MCSE² + MCSE²) of the two runs (Vehtari et al. 2021).
    """
    import arviz as az

    found = []
    errors = [az.mcse(az.from_dict(posterior=one.draws).posterior, method="mean") for one in (result, reference)]
    for name in VARIABLES[:2]:
        difference = result.draws[name].mean((0, 1)) - reference.draws[name].mean((0, 1))
        found += list(np.abs(difference) / np.hypot(*(error[name].to_numpy() for error in errors)))
    return float(max(found))


def density_gap(result: Result, reference: Result) -> float:
    """Largest difference of two log densities from their mean difference, over the points of the problem, in nats."""
    difference = result.log_density - reference.log_density
    return float(np.abs(difference - difference.mean()).max())


@cache
def measured() -> dict[str, Measured]:
    """Measure every design on the small problem, and this project on the large one (``large``), its kernel cached."""
    with tempfile.TemporaryDirectory() as folder:
        small = problem_of(SMALL, Path(folder, "small.npz"))
        found = {}
        for name, design in DESIGNS.items():
            print(f"  {design.title} …", flush=True)
            Path(folder, name).mkdir()
            found[name] = measure(design, small, Path(folder, name))
        large = problem_of(LARGE, Path(folder, "large.npz"))
        print("  this project, large …", flush=True)
        return found | {"large": measure(DESIGNS["project"], large, Path(folder, "project"))}


def setting(name: str) -> str:
    """Say which design, with how many subjects, trials and draws."""
    design, size = (DESIGNS["project"], LARGE) if name == "large" else (DESIGNS[name], SMALL)
    tune, draws = draws_of(design)
    return f"{design.title}, {size[0]} × {size[1]:,}, {CHAINS} × ({tune:,} + {draws:,})"


def facts(name: str, one: Measured, reference: Result | None) -> list[dict]:
    """Rows of one design."""
    where, head = setting(name), "hierarchical sampling"
    if one.result is None:
        return [row(head, where, None, "ESS/s", one.problem)]
    result, check = one.result, checks(one.result)
    cold = "kernel cached" if name == "large" else "caches empty"
    goal = LARGE_GOAL if name == "large" else ""
    found = [
        row(head, where, check["ess"] / result.sampling, "ESS/s", digits=2),
        row(f"{head}, smallest bulk ESS", where, check["ess"], "", goal),
        row(f"{head}, largest R-hat", where, check["rhat"], "", goal, digits=4),
        row(f"{head}, divergences", where, result.divergences, ""),
        row(f"{head}, sampling", where, result.sampling, "s", goal, digits=2),
        row(f"{head}, compiling", where, result.compiling, "s", cold, digits=2),
        row(f"{head}, peak memory", where, one.memory, "MiB"),
    ]
    if reference is not None and result is not reference and name != "large":
        scan = DESIGNS[REFERENCE].title
        gap, apart = density_gap(result, reference), disagreement(result, reference)
        goal = f"with {scan}; goal ≤ {AGREEMENT:g}"
        found += [
            row("agreement, largest |difference| / MCSE", where, apart, "", goal, digits=2),
            row("agreement, log density up to a constant", where, gap, "nats", f"with {scan}", digits=10),
        ]
    return found


def ratios(found: dict[str, Measured]) -> list[dict]:
    """Rows: how many times a peer's effective samples per second this project draws."""
    rates = {n: checks(m.result)["ess"] / m.result.sampling for n, m in found.items() if m.result and n != "large"}
    rows = []
    for name, design in DESIGNS.items():
        if name == "project" or not {name, "project"} <= set(rates):
            continue
        goal = f"goal ≥ {GOALS[name]}" if name in GOALS else ""
        what = f"this project / {design.title}, {SMALL[0]} × {SMALL[1]}"
        rows.append(row("ESS per second, ratio", what, rates["project"] / rates[name], "×", goal, digits=1))
    return rows


def rows() -> list[dict]:
    """Measure every design; rows (name, setting, value, unit, machine, note)."""
    found = measured()
    reference = found[REFERENCE].result
    return [r for name, one in found.items() for r in facts(name, one, reference)] + ratios(found)


if __name__ == "__main__":
    from bench.run import show

    show(rows())
