"""R reads the CSV and finds the same stay regression: skipped, with the reason, where R or readr is not installed."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from behaviour_tables import monkeys, ragged

from pipeline import trials
from pipeline.behaviour.run import analyse

SCRIPT = Path(__file__).with_name("stay_regression.R")


@pytest.fixture(scope="module")
def rscript():
    found = shutil.which("Rscript")
    if not found:
        pytest.skip("Rscript is not installed (Debian: apt install r-base-core r-cran-readr)")
    if subprocess.run([found, "-e", "library(readr)"], capture_output=True).returncode:
        pytest.skip("R's readr is not installed (Debian: apt install r-cran-readr)")
    return found


def in_r(rscript, table, folder):
    trials.write(table, folder / "trials.parquet", folder / "trials.csv")
    try:
        from pipeline.exports import r_col_types
    except ImportError:
        types = []
    else:
        types = [r_col_types()]
    run = subprocess.run([rscript, str(SCRIPT), str(folder / "trials.csv"), str(folder / "r.csv"), *types],
                         capture_output=True, text=True)  # fmt: skip
    assert run.returncode == 0, run.stderr
    return pd.read_csv(folder / "r.csv").set_index("subject")


def agrees(rscript, table, folder):
    theirs = in_r(rscript, table, folder)
    rows = analyse(table, replicates=10)["regressions"].query("regression == 'stay' and subject != 'all'")
    ours = rows.set_index(["subject", "term"])["estimate"].unstack()  # noqa: PD010
    assert list(theirs.index) == list(ours.index)
    for term in ("intercept", "reward"):
        assert np.allclose(theirs[term], ours[term], atol=5e-4, rtol=0), (theirs[term], ours[term])
    assert theirs["pairs"].tolist() == rows.query("term == 'reward'")["n_trials"].tolist()
    assert theirs["trials"].tolist() == table.groupby("subject").size().tolist()


def test_glm_in_r_gives_the_stay_regression_of_a_table_with_forced_and_missed_trials(rscript, tmp_path):
    agrees(rscript, ragged(np.random.default_rng(4), subjects=3, sessions=3, episodes=10, length=40), tmp_path)


def test_glm_in_r_gives_the_monkeys_stay_regression(rscript, tmp_path):
    agrees(rscript, monkeys(), tmp_path)
