"""`make reproduce`: run the workflow from wherever an earlier run was cut off, then say where the report is.

A run that was killed outright (SIGKILL, a closed lid, a lost connection) may leave jobs that still write, and
Snakemake's lock. Every process of a run carries the environment variable `MARK`; what is left of an orphaned run is
stopped here, its lock is cleared, and finished work and training checkpoints are kept. A run that is still somebody's
is left alone.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "LEARNING_SET_RUN"
ROOT = Path(__file__).parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Run Snakemake at a scale and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="standard")
    parser.add_argument("--cores", default=str(os.cpu_count() or 2))
    parser.add_argument("--configfile", help="a config file of your own instead of config.yaml")
    parser.add_argument("--no-archive", action="store_true", help="leave out Snakemake's own report (zip)")
    options = parser.parse_args(arguments)
    os.chdir(ROOT)
    try:
        stop_orphans(ROOT)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    environment = {**os.environ, MARK: f"{ROOT}:{os.getpid()}:{os.getppid()}:"}
    command = [sys.executable, "-m", "snakemake", "--config", f"scale={options.scale}"]
    if options.configfile:
        command += ["--configfile", options.configfile]
    if any((ROOT / ".snakemake" / "locks").glob("*")):
        subprocess.run([*command, "--unlock"], env=environment, check=False)
    start = time.monotonic()
    # Ctrl-C reaches Snakemake through the terminal; wait for it to wind down rather than die above it.
    process = subprocess.Popen([*command, "--cores", options.cores], env=environment)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda number, frame: process.send_signal(number))
    while True:
        try:
            status = process.wait()
            break
        except KeyboardInterrupt:
            continue
    if status:
        print(
            "\nStopped before the end. What is finished is kept: run the same command again to go on.", file=sys.stderr
        )
        return status
    index = ROOT / "reports" / options.scale / "index.html"
    archive = ROOT / "reports" / options.scale / "report.zip"
    made = False
    if not options.no_archive:
        made = not subprocess.run([*command, "--report", str(archive)], env=environment, check=False,
                                  capture_output=True).returncode  # fmt: skip
    minutes = (time.monotonic() - start) / 60
    print(f"\nDone in {minutes:.1f} minutes. Open\n  {index}\nto read the report"
          + (f"; Snakemake's own report, with every step and its code, is\n  {archive}" if made else ""))  # fmt: skip
    return 0


def stop_orphans(root: Path, patience: float = 20.0) -> list[int]:
    """Stop what an earlier, orphaned run of this folder left behind; return the process ids.

    Raises
    ------
    RuntimeError
        If an earlier run is still attached to a living parent: that one is in progress, not orphaned.
    """
    found = _marked(root)
    if not found:
        return []
    for launcher, parent in found.values():
        # a killed parent hands its children to another process: whoever still has its own is in progress
        if _is_launcher(launcher) and _parent(launcher) == parent:
            raise RuntimeError(
                f"another run is in progress here (process {launcher}); wait for it, or stop it with Ctrl-C"
            )
    print(
        f"stopping what is left of an interrupted run ({len(found)} processes); finished work is kept", file=sys.stderr
    )
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _marked(root):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + patience
        while _marked(root) and time.monotonic() < end:
            time.sleep(0.1)
    return sorted(found)


def _marked(root: Path) -> dict[int, tuple[int, int]]:
    """Find the processes of runs of this folder, own ancestors aside; each with its launcher and that one's parent."""
    own, pid = set(), os.getpid()
    while pid > 1:
        own.add(pid)
        pid = _parent(pid)
    found, mark = {}, f"{MARK}={root}:".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
            pid = int(entry.name)
            if mark in environment and pid not in own and _state(pid) != "Z":
                launcher, parent = map(int, environment.split(mark)[1].split(b":")[:2])
                found[pid] = (launcher, parent)
                if launcher not in own and _is_launcher(launcher):
                    found[launcher] = (launcher, parent)
        except (OSError, ValueError):
            continue
    return found


def _stat(pid: int) -> list[str]:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ["X", "0"]


def _state(pid: int) -> str:
    return _stat(pid)[0]


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _command(pid: int) -> list[str]:
    try:
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []
    return [Path(words[0]).name, *words[1:]] if words else []


def _is_launcher(pid: int) -> bool:
    return "pipeline.reproduce" in _command(pid) and _state(pid) != "Z"


if __name__ == "__main__":
    sys.exit(main())
