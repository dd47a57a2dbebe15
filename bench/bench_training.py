"""Speed of training: agent-trials per second of acting, backpropagating and updating, on one thread, with peak memory.

Each setting runs in a process of its own, so that its peak memory is its own. The best of a few repetitions is kept:
what else the machine does can only slow a run down.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

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


def measure(core: str, agents: int, episodes: int) -> dict[str, float]:
    """Train on D_u (100 trials) for a few seconds in this process; agent-trials per second and peak memory in MiB."""
    from pipeline.training.loop import Trainer, one_thread
    from pipeline.training.settings import Training

    before = peak_memory()
    training = Training(settings=agents, training_episodes=10**9, episodes_per_update=episodes)
    with one_thread():
        trainer = Trainer(core, "du", training, seed=1)
        trainer.advance()
        rates = []
        for _ in range(REPETITIONS):
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS / REPETITIONS:
                trainer.advance()
                done += agents * episodes * trainer.inputs.steps
            rates.append(done / (time.perf_counter() - start))
    return {"speed": max(rates), "memory": peak_memory(), "import": before}


def peak_memory() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def machine() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, 1 thread"


def rows() -> list[dict]:
    """Measure every setting; rows (name, setting, value, unit, machine)."""
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    found = []
    for core, agents, episodes in SETTINGS:
        command = [sys.executable, "-m", "bench.bench_training", core, str(agents), str(episodes)]
        done = subprocess.run(command, env=os.environ | threads, check=True, capture_output=True, text=True)
        result = json.loads(done.stdout.strip().splitlines()[-1])
        setting = f"{core}-48, {agents} agents × {episodes} episodes per update"
        for name, key, unit in (
            ("training speed", "speed", "agent-trials/s"),
            ("training peak memory", "memory", "MiB"),
        ):
            found.append(
                {"name": name, "setting": setting, "value": round(result[key]), "unit": unit, "machine": machine()}
            )
    return found


def main() -> None:
    """Print a table; or, with core, agents and episodes, one measurement as JSON."""
    if len(sys.argv) == 4:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "setting", "agent-trials/s", "peak memory (MiB)", title=f"Training, forward + backward + update; {machine()}"
    )
    found = rows()
    for speed, memory in zip(found[::2], found[1::2]):
        table.add_row(speed["setting"], f"{speed['value']:,}", f"{memory['value']:,}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
