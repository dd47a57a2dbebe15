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


@pytest.mark.parametrize("value, outside", [(0.49, 1), (0.5, 0), (0.8, 0), (0.81, 1)])
def test_an_animal_is_outside_when_it_lies_beyond_every_network(value, outside):
    row = typicality(pd.concat([summaries("costa", "monkey", [value]), NETWORKS])).iloc[0]
    assert (row["reference_low"], row["reference_high"], row["outside"]) == (0.5, 0.8, outside)


def test_an_animal_that_is_one_more_network_falls_outside_as_often_as_said():
    generator = np.random.default_rng(1)
    animals = generator.normal(size=3000)
    networks = generator.normal(size=(3000, 8))
    outside = (animals < networks.min(1)) | (animals > networks.max(1))
    said = typicality(
        pd.concat([summaries("costa", "monkey", [0.0]), summaries("gru_reversal", "network", networks[0])])
    )
    chance = said["chance_outside"].iloc[0]
    assert outside.mean() == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / 3000))


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
