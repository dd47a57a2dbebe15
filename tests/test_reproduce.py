"""Starting again after an outright kill."""

import os
import subprocess
import sys
import time

import pytest

from pipeline import reproduce


def start(root, launcher, parent, seconds=60):
    environment = {**os.environ, reproduce.MARK: f"{root}:{launcher}:{parent}:"}
    process = subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"], env=environment)
    while str(process.pid) not in os.listdir("/proc") or not reproduce._marked(root):
        time.sleep(0.01)
    return process


def test_what_an_orphaned_run_left_is_stopped(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = start(tmp_path, gone.pid, 1)
    assert reproduce.stop_orphans(tmp_path, patience=5) == [left.pid]
    assert left.wait(5) != 0


def test_processes_of_another_folder_are_left_alone(tmp_path):
    other = start(tmp_path / "other", 1, 1)
    assert reproduce.stop_orphans(tmp_path) == []
    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_run_in_progress_is_left_alone(tmp_path, monkeypatch):
    job = start(tmp_path, os.getpid(), os.getppid())
    monkeypatch.setattr(reproduce, "_is_launcher", lambda pid: pid == os.getpid())
    with pytest.raises(RuntimeError, match="another run is in progress"):
        reproduce.stop_orphans(tmp_path)
    assert job.poll() is None
    job.kill()
    job.wait()
