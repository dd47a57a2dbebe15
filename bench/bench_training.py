"""Speed of training: agent-trials per second of acting, backpropagating and updating, on one thread, with peak memory.

Each setting runs in a process of its own, so that its peak memory is its own; the speeds by task share a process per
core. The best of a few repetitions is kept: what else the machine does can only slow a run down.
"""

import json
import os
import subprocess
import sys
import time

from bench.machine import ONE_THREAD, peak_memory, row

SETTINGS = (  # core, agents, episodes per update
    ("lstm", 1, 1),
    ("lstm", 100, 1),
    ("lstm", 100, 16),
    ("lstm", 1, 256),
    ("gru", 100, 16),
    ("vanilla", 100, 16),
    ("lowrank", 100, 16),
)
SECONDS = 4.0  # measured per setting, after one warm-up update
REPETITIONS = 5
BY_TASK = (24, 16)  # agents, episodes per update: every task with every core
SECONDS_BY_TASK = 1.5
# Experiments 1 and 2 of Wang et al. 2017 as printed: settings × episodes × distributions, one episode per update.
PAPER = {"core": "lstm", "settings": 100, "episodes": 20_000, "trials": 100, "distributions": 5, "cores": 2}


def measure(core: str, agents: int, episodes: int, task: str = "du", seconds: float = SECONDS) -> dict[str, float]:
    """Train for a few seconds in this process; agent-trials per second and peak memory in MiB."""
    from pipeline.training.loop import Trainer, one_thread
    from pipeline.training.settings import Training

    before = peak_memory()
    training = Training(settings=agents, training_episodes=10**9, episodes_per_update=episodes)
    with one_thread():
        trainer = Trainer(core, task, training, seed=1)
        trainer.advance()
        rates = []
        for _ in range(REPETITIONS):
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < seconds / REPETITIONS:
                trainer.advance()
                done += agents * episodes * trainer.task.trials
            rates.append(done / (time.perf_counter() - start))
    return {"speed": max(rates), "memory": peak_memory(), "import": before}


def measure_tasks(core: str, seconds: float = SECONDS_BY_TASK) -> dict[str, float]:
    """Agent-trials per second of one core on every task of the registry, one after the other in this process."""
    from pipeline.tasks import TASKS

    return {task: measure(core, *BY_TASK, task, seconds)["speed"] for task in TASKS}


def cores() -> list[str]:
    """Cores of the registry; those of equal parameter count, named after their units, are left out."""
    from pipeline.agents import AGENTS

    return [name for name, entry in AGENTS.items() if entry.kind == "core" and not name[-1].isdigit()]


def projected_minutes(speed: float) -> float:
    """Wall time of `PAPER` at so many agent-trials per second, minutes: one job per distribution, one core per job.

    The jobs are not divided, so that five of them on two cores take three rounds.
    """
    job = PAPER["settings"] * PAPER["episodes"] * PAPER["trials"] / speed
    return -(-PAPER["distributions"] // PAPER["cores"]) * job / 60


def rows() -> list[dict]:
    """Measure every setting, and every task with every core; rows (name, setting, value, unit, machine, note)."""
    found = []
    for core, agents, episodes in SETTINGS:
        result = elsewhere(core, agents, episodes)
        setting = f"{core}-48, {agents} agents × {episodes} episodes per update"
        found.append(row("training speed", setting, result["speed"], "agent-trials/s"))
        found.append(row("training peak memory", setting, result["memory"], "MiB"))
        if (core, agents, episodes) == (PAPER["core"], PAPER["settings"], 1):
            what = (
                "{core}, {settings} settings × {episodes:,} episodes × {distributions} distributions on {cores} cores"
            )
            minutes = projected_minutes(result["speed"])
            found.append(row("experiments 1 and 2 as printed, projected", what.format(**PAPER), minutes, "min"))
    for core in cores():
        for task, speed in elsewhere(core).items():
            setting = f"{core}-48 on {task}, {BY_TASK[0]} agents × {BY_TASK[1]} episodes per update"
            found.append(row("training speed by task", setting, speed, "agent-trials/s"))
    return found


def elsewhere(*arguments) -> dict[str, float]:
    """Measure in a process of its own: core, agents and episodes; or a core alone, on every task."""
    command = [sys.executable, "-m", "bench.bench_training", *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | ONE_THREAD, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Print a table; or one measurement as JSON: with core, agents and episodes, or with a core, on every task."""
    if len(sys.argv) in (2, 4):
        core, *sizes = sys.argv[1:]
        print(json.dumps(measure(core, *map(int, sizes)) if sizes else measure_tasks(core)))
        return
    from bench.run import show

    show(rows())


if __name__ == "__main__":
    main()
