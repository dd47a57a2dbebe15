"""The registry of datasets: light to import, complete, and in step with resources/datasets.csv."""

import csv
import re
import subprocess
import sys

import pytest

from pipeline.errors import UserError
from pipeline.primates import DATASETS, dataset
from pipeline.primates.fetch import RESOURCES, files
from pipeline.tasks import TASKS
from pipeline.trials import SPECIES


def test_reading_the_registry_imports_nothing_heavy():
    code = (
        "import sys, pipeline.primates; "
        "print([m for m in ('torch', 'pymc', 'numba', 'matio', 'pooch', 'pandas', 'scipy') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


@pytest.mark.parametrize("entry", DATASETS.values(), ids=lambda entry: entry.name)
def test_every_dataset_is_fully_described_and_its_files_are_pinned_to_its_commit(entry):
    assert entry.species in SPECIES
    assert entry.subjects and all(re.fullmatch("[A-Za-z0-9]+", subject) for subject in entry.subjects)
    assert all((entry.title, entry.citation, entry.licence, entry.description, entry.caveats))
    assert re.fullmatch("[0-9a-f]{40}", entry.commit)
    repository = entry.repository.removeprefix("https://github.com/")
    found = files(entry.name)
    assert not found[0].document
    for file in found:
        assert file.url.startswith(f"https://raw.githubusercontent.com/{repository}/{entry.commit}/")
        assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.bytes > 0
    assert callable(entry.load())
    if entry.summary:
        assert (RESOURCES / entry.summary).is_file() and callable(entry.load("facts"))


def test_the_monkeys_do_a_task_that_networks_can_do():
    entry = DATASETS["costa2016_monkey_prl"]
    assert TASKS[entry.task].trials == 80 and TASKS[entry.task].options == 2


def test_every_listed_file_belongs_to_a_known_dataset():
    with open(RESOURCES / "datasets.csv", newline="") as lines:
        assert {row["dataset"] for row in csv.DictReader(lines)} == set(DATASETS)


def test_an_unknown_dataset_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match="'costa' is not known; known are costa2016_monkey_prl"):
        dataset("costa")
