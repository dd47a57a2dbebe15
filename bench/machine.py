"""What a measurement is made on, and the process of its own that it is made in."""

import os
import platform
import resource
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")}
ONE_THREAD["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
LOOK = 0.1  # seconds between two looks at the memory of a process


def row(name: str, setting: str, value: float | None, unit: str, note: str = "", digits: int = 0) -> dict:
    """One row of ``bench/results.csv``; the value is missing where nothing could be measured, and the note says why."""
    rounded = None if value is None else round(value, digits) if digits else round(value)
    return {"name": name, "setting": setting, "value": rounded, "unit": unit, "machine": machine(), "note": note}


def machine() -> str:
    """Name the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, 1 thread"


def peak_memory() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


@dataclass(frozen=True)
class Ended:
    """How a process ended: exit code (None: stopped at the time limit), what it printed, peak memory in MiB."""

    code: int | None
    words: str
    memory: float

    @property
    def reason(self) -> str:
        """The last line that it wrote: of a failure, the error."""
        lines = [line.strip() for line in self.words.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


def on_one_core(command: list[str], environment: dict[str, str], limit: float) -> Ended:
    """Run a command on one core with one thread, for at most ``limit`` seconds.

    Peak memory is the largest sum over the process and those that it starts (Stan's chains; compilers), looked at
    every `LOOK` seconds.
    """
    import psutil

    core = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    pin = None if core is None else (lambda: os.sched_setaffinity(0, {core}))
    everything = os.environ | ONE_THREAD | environment
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        process = psutil.Popen(command, env=everything, cwd=ROOT, stdout=words, stderr=words, preexec_fn=pin)
        deadline, peak, code = time.monotonic() + limit, 0, None
        while code is None and time.monotonic() < deadline:
            peak = max(peak, _resident(process))
            with suppress(psutil.TimeoutExpired):
                code = process.wait(LOOK)
        if code is None:
            for one in [*process.children(recursive=True), process]:
                with suppress(psutil.Error):
                    one.kill()
            process.wait()
        words.seek(0)
        return Ended(code, words.read(), peak / 2**20)


def _resident(process) -> int:
    """Resident memory of a process and its descendants now, bytes."""
    import psutil

    total = 0
    with suppress(psutil.Error):  # one of them has just ended
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    return total
