"""The whole workflow, once, on tests/config.yaml; then: nothing to do, and what an edit re-runs. Run by .ci/run."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.workflow
ROOT = Path(__file__).parents[1]
STUDIES = ("bandits", "reversal", "informative_arm", "restless", "two_step")
TARGETS = ("index.html", "claims.html", *(f"{study}.html" for study in STUDIES))


def snakemake(folder, *arguments, **keywords):
    command = [sys.executable, "-m", "snakemake", "--configfile", "tests/config.yaml", "--cores", "2", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder), **keywords.pop("env", {})}
    return subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, **keywords)


def output(process):
    return process.stdout + process.stderr


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A copy of the tracked tree, so that the tests may edit it; real data where there are any."""
    folder = tmp_path_factory.mktemp("house") / "learning-set"
    ignored = shutil.ignore_patterns(
        ".venv", ".git", "results", "logs", "benchmarks", ".snakemake", "__pycache__", "data"
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "copy"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    if "PRIMATE_DATA_DIR" not in os.environ and (ROOT.parent / "shared" / "data").is_dir():
        os.environ["PRIMATE_DATA_DIR"] = str(ROOT.parent / "shared" / "data")
    return folder


@pytest.fixture(scope="module")
def finished(house):
    """An interrupted first run, then a complete one."""
    # SIGKILL on the whole group while networks train: the harshest interruption
    command = [
        sys.executable,
        "-m",
        "pipeline.reproduce",
        "--scale",
        "tiny",
        "--cores",
        "2",
        "--configfile",
        "tests/config.yaml",
    ]
    environment = {**os.environ, "PYTHONPATH": str(house)}
    log = house.parent / "first.log"
    with open(log, "w") as out:
        process = subprocess.Popen(command, cwd=house, env=environment, start_new_session=True, stdout=out, stderr=out)
        end = time.monotonic() + 240
        while time.monotonic() < end and not finished_trainings(log.read_text()):
            time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = {house / path: (house / path).stat().st_mtime_ns for path in finished_trainings(log.read_text())}
    again = subprocess.run(command, cwd=house, env=environment, text=True, capture_output=True)
    assert again.returncode == 0, output(again)[-5000:]
    return house, before, output(again)


def finished_trainings(said):
    """Weights whose job Snakemake reported as finished."""
    jobs = {
        number: path
        for path, number in re.findall(r"rule train:\n\s+output: (\S+?),.*?jobid: (\d+)\n", said, re.DOTALL)
    }
    done = re.findall(r"Finished jobid: (\d+) \(Rule: train\)", said)
    return [jobs[number] for number in done]


def test_a_killed_run_completes_on_the_second_try_and_redoes_nothing_finished(finished):
    house, before, said = finished
    for name in TARGETS:
        assert (house / "reports" / "tiny" / name).stat().st_size > 1000
    assert "index.html" in said
    assert before, "the first run was killed before any training had finished"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not list((house / "results").rglob("*.part"))


def test_pages_are_small_and_the_archive_is_there(finished):
    house = finished[0]
    for name in TARGETS:
        assert (house / "reports" / "tiny" / name).stat().st_size < 2_000_000
    assert (house / "reports" / "tiny" / "report.zip").stat().st_size > 10_000


def test_a_finished_run_has_nothing_to_do_not_even_after_a_commit(finished):
    house = finished[0]
    assert "Nothing to be done" in output(snakemake(house, "-n"))
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "nothing"], cwd=house, check=True)
    assert "Nothing to be done" in output(snakemake(house, "-n"))


def test_editing_a_model_reruns_the_fits_and_what_follows_and_not_the_training(finished):
    house = finished[0]
    module = house / "pipeline" / "models" / "hierarchy.py"
    text = module.read_text()
    try:
        module.write_text(text + "\n# edited\n")
        said = output(snakemake(house, "-n", "--quiet", "progress"))
    finally:
        module.write_text(text)
    assert "rule fit:" in said and "rule compare:" in said and "rule study_page:" in said
    assert "rule train:" not in said and "rule behaviour:" not in said


def test_every_source_of_the_reversal_study_has_a_valid_table_in_the_same_columns(finished):
    from pipeline import trials

    folder = finished[0] / "results" / "tiny" / "trials" / "reversal"
    tables = {path.stem: trials.read(path) for path in folder.glob("*.parquet")}
    assert set(tables) == {"lstm_reversal", "lowrank_reversal", "bayes_optimal", "thompson", "rescorla_wagner",
                           "costa2016_monkey_prl"}  # fmt: skip
    for name, table in tables.items():
        if table.attrs["status"] == "complete":
            assert len(table) > 0, name
            pd.testing.assert_frame_equal(trials.read(folder / f"{name}.csv"), table, check_exact=False)


def test_one_study_can_be_built_alone(finished):
    assert "Nothing to be done" in output(snakemake(finished[0], "-n", "study_reversal"))


def test_without_data_or_network_the_run_completes_and_says_what_is_missing(finished):
    house = finished[0]
    empty = house / "empty"
    empty.mkdir(exist_ok=True)
    # a proxy that nobody answers: as good as no network
    offline = {"PRIMATE_DATA_DIR": str(empty), "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
               "HTTPS_PROXY": "http://127.0.0.1:9"}  # fmt: skip
    process = snakemake(house, "study_reversal", env=offline)
    assert process.returncode == 0, output(process)[-5000:]
    page = (house / "reports" / "tiny" / "reversal.html").read_text()
    assert "costa2016_monkey_prl" in page and "missing" in page.lower()


def test_a_typo_in_the_config_stops_with_one_clear_message(house):
    process = snakemake(house, "-n", "--config", "sede=3")
    assert process.returncode != 0
    assert "unknown key 'sede'" in output(process) and "did you mean 'seed'?" in output(process)
