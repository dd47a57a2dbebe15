"""Padding a trial table: who is where, and which trials are neighbours."""

import numpy as np
import pandas as pd
import pandas.testing
import pytest
from behaviour_tables import play, ragged, rescorla_wagner, table

from pipeline import trials
from pipeline.behaviour.arrays import NONE, episodes
from pipeline.behaviour.run import COLUMNS, analyse
from pipeline.errors import UserError


def test_every_row_of_the_table_lands_at_its_subject_session_episode_and_trial():
    found = ragged(np.random.default_rng(1))
    e = episodes(found)
    key = {}
    for row in found.itertuples():
        key.setdefault((row.subject, row.session, row.episode), []).append(row)
    assert e.choice.shape[0] == len(key)
    for i, (subject, session, number) in enumerate(sorted(key)):
        assert e.subjects[e.subject[i]] == subject
        columns = {row.trial - 1: row for row in key[subject, session, number]}
        for t in range(e.choice.shape[1]):
            row = columns.get(t)
            made = row is not None and row.choice is not pd.NA
            assert e.choice[i, t] == (row.choice if made else NONE)
            assert e.free[i, t] == (made and row.trial_type == "free")
            if made:
                assert e.reward[i, t] == row.reward and e.better[i, t] == row.better_option
                assert e.probability[i, t, 1] == row.reward_probability_1
    assert (np.diff(e.subject) >= 0).all() and (np.diff(e.session) >= 0).all()
    assert (e.session_subject[e.session] == e.subject).all()


def test_a_stay_needs_two_consecutive_free_trials_of_one_episode():
    found = table([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]], np.ones((2, 6)))
    found.loc[1, "trial_type"] = "forced"
    found.loc[[3], ["choice", "reward"]] = pd.NA
    found = found.drop(index=7)  # the second trial of the second episode
    e = episodes(found)
    assert e.pair.tolist() == [[False, False, False, False, True], [False, False, True, True, True]]
    assert e.stay.tolist() == e.pair.tolist()


def test_a_forced_second_choice_breaks_a_stay_and_a_second_choice_that_is_not_there_does_not():
    kind = [["free", "free", "forced", "free", "free", pd.NA, pd.NA]]
    e = episodes(table(np.ones((1, 7), int), np.ones((1, 7)), second_trial_type=kind))
    assert e.free.all(), "the first choices were free"
    assert e.pair.tolist() == e.stay.tolist() == [[True, False, False, True, True, True]]


def test_the_first_reversed_trial_is_the_first_of_a_new_block_with_another_better_option():
    better = [[0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]]
    block = [[1, 1, 2, 2, 2, 3], [1, 1, 1, 2, 2, 2]]  # the second episode changes block, not the better option
    e = episodes(table(np.zeros((2, 6), int), np.zeros((2, 6)), better, block=block))
    assert [list(x) for x in e.reversals] == [[0, 0], [2, 5]]


def test_the_order_of_the_rows_makes_no_difference():
    found = ragged(np.random.default_rng(2))
    one = analyse(found, replicates=50)
    two = analyse(found.sample(frac=1, random_state=8), replicates=50)
    for name in one:
        pandas.testing.assert_frame_equal(one[name], two[name])


def test_nothing_changes_if_the_species_changes():
    found = play(rescorla_wagner, 6, 30, np.random.default_rng(3), subjects=2, sessions=3)
    one = analyse(found, replicates=50)
    two = analyse(found.assign(species=pd.array(["network"] * len(found), "string")), replicates=50)
    for name in one:
        assert set(two[name]["species"]) == {"network"}
        pandas.testing.assert_frame_equal(one[name].drop(columns="species"), two[name].drop(columns="species"))


def test_a_table_without_rows_gives_empty_tables_with_their_columns():
    found = analyse(trials.empty())
    assert {name: tuple(frame.columns) for name, frame in found.items()} == dict(COLUMNS)
    assert all(frame.empty for frame in found.values())


def test_a_table_without_latent_columns_gives_no_statistic_that_needs_them():
    full = play(rescorla_wagner, 6, 30, np.random.default_rng(4), sessions=3)
    bare = full.drop(columns=["better_option", "reward_probability_0", "reward_probability_1", "block"])
    bare = trials.conform(bare.assign(block=pd.array([pd.NA] * len(bare), "Int32")))
    found = analyse(bare, replicates=20)
    assert set(found["summary"]["statistic"]) == {
        "reward_rate",
        "stay",
        "win_stay",
        "lose_shift",
        "choice_entropy",
        "erds",
    }
    assert set(found["curves"]["curve"]) == {"reward_kernel", "choice_kernel"}


def test_several_tasks_in_one_table_are_analysed_apart():
    found = play(rescorla_wagner, 6, 30, np.random.default_rng(5), sessions=2)
    found["task"] = found["task"].mask((found["session"] == 2).to_numpy(bool), "du")
    summary = analyse(found, replicates=20)["summary"]
    alone = analyse(found[(found["session"] == 2).to_numpy(bool)], replicates=20)["summary"]
    assert set(summary["task"]) == {"reversal", "du"}
    pandas.testing.assert_frame_equal(summary[summary["task"] == "du"].reset_index(drop=True), alone)
    with pytest.raises(UserError, match="mixes tasks"):
        episodes(found)


@pytest.mark.parametrize(
    "settings, message",
    [({"lag": 5}, "did you mean 'lags'"), ({"level": 95}, "did you write 95"), ({"replicates": 0}, "whole number")],
)
def test_a_wrong_setting_is_refused_with_its_likely_slip(settings, message):
    with pytest.raises(UserError, match=message):
        analyse(trials.empty(), settings)
