"""Typicality: an animal's place in the distribution of networks that met the same task."""

import numpy as np
import pandas as pd
import pytest

from pipeline.comparison.typicality import COLUMNS, typicality


def summaries(source, species, values, task="reversal", statistic="win_stay"):
    subjects = [f"{source[:3]}{k}" for k in range(len(values))]
    rows = pd.DataFrame({"source": source, "species": species, "task": task, "subject": subjects,
                         "statistic": statistic, "value": values})  # fmt: skip
    return pd.concat([rows, rows.iloc[:1].assign(subject="all", value=np.mean(values))], ignore_index=True)


NETWORKS = summaries("lstm_reversal", "network", [0.5, 0.6, 0.7, 0.8])


@pytest.mark.parametrize("value, percentile", [(0.4, 0), (0.65, 50), (0.9, 100), (0.7, 62.5)])
def test_the_percentile_counts_networks_below_and_half_of_those_equal(value, percentile):
    found = typicality(pd.concat([summaries("costa", "monkey", [value]), NETWORKS]))
    assert found["percentile"].tolist() == [percentile]
    assert found["n_reference"].tolist() == [4] and found["animal"].tolist() == ["cos0"]


def test_the_reference_interval_is_the_central_part_of_the_networks():
    generator = np.random.default_rng(1)
    x = generator.normal(size=4000)
    found = typicality(pd.concat([summaries("costa", "monkey", [0.0]), summaries("gru_reversal", "network", x)]), 0.9)
    error = np.sqrt(0.05 * 0.95 / 4000) / 0.1031  # density of a normal at its 5 % quantile
    assert found["reference_low"].iloc[0] == pytest.approx(-1.645, abs=4 * error)
    assert found["reference_high"].iloc[0] == pytest.approx(1.645, abs=4 * error)


def test_every_animal_meets_every_source_of_networks_and_no_learner_or_pooled_row():
    other, learner = summaries("gru_reversal", "network", [0.1, 0.2]), summaries("thompson", "learner", [0.4, 0.5])
    many = pd.concat([summaries("costa", "monkey", [0.6, 0.7]), NETWORKS, other, learner])
    found = typicality(many)
    assert sorted(zip(found["animal"], found["reference_source"])) == [
        (animal, source) for animal in ("cos0", "cos1") for source in ("gru_reversal", "lstm_reversal")
    ]


def test_networks_that_ran_another_task_are_no_reference():
    assert typicality(
        pd.concat([summaries("costa", "monkey", [0.6]), summaries("lstm_du", "network", [1, 2], "du")])
    ).empty


def test_undefined_summaries_are_left_out():
    networks = summaries("lstm_reversal", "network", [0.5, np.nan, 0.7])
    assert typicality(pd.concat([summaries("costa", "monkey", [0.6]), networks]))["n_reference"].tolist() == [2]


def test_without_animals_there_is_an_empty_table_with_its_columns():
    for frame in (pd.DataFrame(), NETWORKS):
        found = typicality(frame)
        assert found.empty and tuple(found.columns) == COLUMNS
