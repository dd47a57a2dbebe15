"""History kernels: planted weights come back, the design is right, and the monkeys' numbers."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from behaviour_tables import monkeys, play, ragged, rescorla_wagner
from scipy.stats import t as student

from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.kernels import half_life, history, history_kernels
from pipeline.behaviour.run import analyse

REWARD = np.array([1.6, 0.8, 0.4])
CHOICE = np.array([0.5, -0.2, 0.1])


def planted(choice, reward):
    """P(choose 1) from planted kernels on the last three trials, and a bias of .1."""
    eta = np.full(len(choice), 0.1)
    for k in range(1, min(3, choice.shape[1]) + 1):
        signed = 2 * choice[:, -k] - 1
        eta += REWARD[k - 1] * signed * reward[:, -k] + CHOICE[k - 1] * signed
    return 1 / (1 + np.exp(-eta))


@pytest.fixture(scope="module")
def learner():
    return play(planted, 20, 60, np.random.default_rng(1), subjects=3, sessions=15, high=0.6)


def test_planted_weights_come_back_within_four_standard_errors(learner):
    truth = np.concatenate([[0.1], REWARD, CHOICE])
    for fit in history_kernels(episodes(learner), 3):
        assert np.abs(fit.estimate - truth).max() < 0.25
        assert (np.abs(fit.estimate - truth) < 4 * fit.standard_error).all()
        assert (fit.standard_error < 0.06).all()


def test_lags_beyond_the_planted_ones_have_no_weight(learner):
    rows = analyse(learner, lags=5, replicates=10)["regressions"].query("regression == 'history' and subject == 'all'")
    rows = rows.set_index("term")
    for term in ("reward_4", "reward_5", "choice_4", "choice_5"):
        assert abs(rows.loc[term, "estimate"]) < 4 * rows.loc[term, "standard_error"]
    assert rows.loc["reward_1", "estimate"] > 10 * rows.loc["reward_1", "standard_error"]


def test_the_design_holds_the_signed_rewards_and_choices_of_a_full_history():
    found = ragged(np.random.default_rng(3))
    h = history(episodes(found), 3)
    rows = []
    for _, part in found.sort_values(["subject", "session", "episode", "trial"]).groupby(
        ["subject", "session", "episode"]
    ):
        by_trial = {row.trial: row for row in part.itertuples()}
        for trial, row in by_trial.items():
            past = [by_trial.get(trial - k) for k in (1, 2, 3)]
            made = [p is not None and not pd.isna(p.choice) for p in past]
            if row.trial_type == "free" and not pd.isna(row.choice) and all(made):
                sign = [1 if p.choice == 1 else -1 for p in past]
                rows.append([row.choice, 1, *(s * p.reward for s, p in zip(sign, past)), *sign])
    assert len(rows) > 100
    assert np.array_equal(np.column_stack([h.outcome, h.design]), np.array(rows, float))


def test_estimates_and_errors_equal_statsmodels_on_the_raw_trials(learner):
    e = episodes(learner)
    h = history(e, 6)
    fits = history_kernels(e, 6)
    for s, fit in enumerate(fits):
        own = e.subject[h.episode] == s
        raw = sm.Logit(h.outcome[own], h.design[own]).fit(
            disp=0, cov_type="cluster", cov_kwds={"groups": e.session[h.episode[own]]}
        )
        assert np.allclose(fit.estimate, raw.params, atol=1e-6)
        assert np.allclose(fit.standard_error, raw.bse, rtol=1e-5)


def test_a_subject_with_one_session_is_clustered_by_episode():
    found = play(planted, 60, 40, np.random.default_rng(5))
    rows = analyse(found, lags=2, replicates=10)["regressions"].query("subject == 's00'")
    assert set(rows["clusters"]) == {"episode"} and set(rows["n_clusters"]) == {60}


def test_all_is_the_mean_over_subjects_and_says_whom_it_describes():
    for subjects, says in ((3, "fixed subjects"), (9, "drawn from a population; if subjects were selected")):
        found = play(planted, 10, 40, np.random.default_rng(6), subjects=subjects, sessions=4)
        rows = analyse(found, lags=2, replicates=10)["regressions"].query(
            "regression == 'history' and term == 'reward_1'"
        )
        single, together = rows[rows["subject"] != "all"], rows[rows["subject"] == "all"].iloc[0]
        assert together["estimate"] == pytest.approx(single["estimate"].mean())
        assert says in together["note"] and together["n_clusters"] == subjects
        between = single["estimate"].std() / np.sqrt(subjects)
        fixed = np.sqrt((single["standard_error"] ** 2).sum()) / subjects
        assert together["standard_error"] == pytest.approx(between if subjects == 9 else fixed)


def test_kernels_are_also_curves_by_lag(learner):
    found = analyse(learner, lags=4, replicates=10)
    curve = found["curves"].query("curve == 'choice_kernel' and subject == 's01'")
    rows = found["regressions"].query("regression == 'history' and subject == 's01'").set_index("term")
    assert curve["x"].tolist() == [1, 2, 3, 4]
    for column in ("value", "low", "high"):
        name = "estimate" if column == "value" else column
        assert curve[column].tolist() == [rows.loc[f"choice_{k}", name] for k in range(1, 5)]


def test_more_than_two_options_have_no_kernel():
    found = play(rescorla_wagner, 4, 20, np.random.default_rng(7))
    found["options"] = found["options"] + 1
    fits = history_kernels(episodes(found), 2)
    assert np.isnan(fits[0].estimate).all() and "two options" in fits[0].note


def test_episodes_shorter_than_the_lags_give_no_kernel():
    fits = history_kernels(episodes(play(rescorla_wagner, 8, 5, np.random.default_rng(8))), 6)
    assert np.isnan(fits[0].estimate).all() and fits[0].note == "too few trials"


@pytest.mark.parametrize("subjects", [3, 9])
def test_the_half_life_of_all_has_the_degrees_of_freedom_of_the_kernel_it_came_from(subjects):
    found = play(planted, 10, 40, np.random.default_rng(6), subjects=subjects, sessions=4)
    rows = analyse(found, lags=3, replicates=10)["regressions"].query("regression == 'history' and subject == 'all'")
    rows = rows.set_index("term")
    kernel, half = rows.loc["reward_1"], rows.loc["reward_half_life"]
    expected = student.ppf(0.975, subjects - 1 if subjects >= 8 else subjects * 3)  # 4 sessions each
    assert (kernel["high"] - kernel["estimate"]) / kernel["standard_error"] == pytest.approx(expected)
    on_log_scale = half["standard_error"] / half["estimate"]
    assert np.log(half["high"] / half["estimate"]) / on_log_scale == pytest.approx(expected)
    assert np.log(half["estimate"] / half["low"]) / on_log_scale == pytest.approx(expected)


def test_the_half_life_of_an_exponential_kernel_is_exact():
    lags = np.arange(6)
    value, error = half_life(1.5 * 2 ** (-lags / 2.3), np.eye(6) * 1e-4)
    assert value == pytest.approx(2.3, abs=1e-4) and error > 0


def test_the_half_lifes_error_is_its_spread_over_noisy_kernels():
    generator = np.random.default_rng(9)
    kernel, root = 1.5 * 2 ** (-np.arange(6) / 2.0), np.tril(np.full((6, 6), 0.01)) + np.eye(6) * 0.03
    found = [half_life(kernel + root @ generator.normal(size=6), root @ root.T)[0] for _ in range(400)]
    error = half_life(kernel, root @ root.T)[1]
    assert np.std(found) == pytest.approx(error, rel=4 / np.sqrt(2 * 400))


def test_a_flat_kernel_and_one_near_zero_have_no_half_life():
    assert np.isnan(half_life(np.ones(6), np.eye(6) * 1e-4)[0])
    assert np.isnan(half_life(0.02 * 2 ** (-np.arange(6) / 2.0), np.eye(6) * 1e-3)[0])


def test_the_monkeys_reward_kernel_is_that_measured_from_the_released_file():
    found = analyse(monkeys(), replicates=10)["curves"].query("curve == 'reward_kernel' and subject == 'BB10'")
    assert np.allclose(found["value"], [1.56, 1.04, 0.74, 0.56, 0.31, 0.11], atol=0.0051)
