"""Who made a result: commit, versions, machine, seed, time. For reports and sidecars, never for a rule's parameters.

A commit or a time among the parameters of a rule would make every commit re-run everything; it is read where a report
is written, and nowhere else.
"""

import csv
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "torch",
    "numba",
    "pymc",
    "arviz",
    "nutpie",
    "statsmodels",
    "altair",
    "snakemake",
)
ROOT = Path(__file__).resolve().parents[1]


def provenance(config: Mapping, seed: int, code_hash: str | None = None, now: datetime | None = None) -> dict:
    """Facts about this run, as text and numbers that JSON can hold.

    Parameters
    ----------
    config : mapping
        The config as run; kept as a short fingerprint besides its scale.
    seed : int
        Root seed.
    code_hash : str, optional
        Fingerprint of the code (`pipeline.codehash.code_hash`).
    now : datetime, optional
        Time of writing; default now.

    Returns
    -------
    dict
        ``commit`` ("unknown" outside a git checkout), ``dirty`` (uncommitted changes; None if unknown), ``version``,
        ``python``, ``libraries``, ``platform``, ``cpu``, ``cores``, ``scale``, ``seed``, ``code``, ``config`` and
        ``time`` (UTC, to the second).
    """
    commit, dirty = git_state()
    return {
        "commit": commit,
        "dirty": dirty,
        "version": _version("learning-set"),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "platform": platform.platform(),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "scale": str(config.get("scale", "")),
        "seed": int(seed),
        "code": code_hash or "",
        "config": fingerprint(config),
        "time": (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
    }


def git_state(folder: Path = ROOT) -> tuple[str, bool | None]:
    """Commit of the checkout that holds this package, and whether tracked files differ from it."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = git("rev-parse", "HEAD")
    if not commit:
        return "unknown", None
    changed = git("status", "--porcelain", "--untracked-files=no")
    return commit, None if changed is None else bool(changed)


def fingerprint(config: Mapping) -> str:
    """Short SHA-256 of a config, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode()).hexdigest()[:12]


def cpu() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            found = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        found = ""
    return found or platform.processor() or platform.machine()


def run_times(benchmarks: str | Path) -> dict[str, tuple[int, float]]:
    """Jobs and summed wall-clock seconds of every rule, from Snakemake's benchmark files ``{rule}/*.tsv``.

    A rule that was not benchmarked, or a file that cannot be read, is left out.
    """
    found: dict[str, tuple[int, float]] = {}
    for path in sorted(Path(benchmarks).rglob("*.tsv")):
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        try:
            with open(path, newline="", encoding="utf-8") as lines:
                seconds = [float(row["s"]) for row in csv.DictReader(lines, delimiter="\t")]
        except (OSError, KeyError, ValueError, TypeError):
            continue
        if seconds:
            jobs, total = found.get(rule, (0, 0.0))
            found[rule] = (jobs + 1, total + sum(seconds))
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
