"""Two-step analyses: planted effects come back, separation is flagged, and the ratio tells planners from TD(1)."""

import numpy as np
import pytest
import statsmodels.api as sm
from behaviour_tables import play as play_bandit
from behaviour_tables import rescorla_wagner, table
from scipy.special import expit
from scipy.stats import t as student

from pipeline.agents import AGENTS
from pipeline.behaviour import CURVES, REGRESSIONS
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.logistic import combine
from pipeline.behaviour.regressions import stay_regression, stays
from pipeline.behaviour.run import analyse
from pipeline.behaviour.two_step import KINDS, differences, lag_regression, lagged, reward_over_interaction, terms
from pipeline.rollout import play
from pipeline.rollout import table as trial_table
from pipeline.seeds import generator
from pipeline.tasks import TASKS

TASK, TERMS = TASKS["two_step"], REGRESSIONS["stay_transition"].terms


def learner(name, number):
    entry = AGENTS[name]
    played = play(entry.load()(TASK, **entry.settings), TASK, number, generator(1, "two-step behaviour", name))
    return trial_table(played, name)


@pytest.fixture(scope="module")
def rows():
    """Regressions and curves of the four reference learners, by name."""
    names = ("bayes_optimal", "model_based", "model_free", "random")
    return {name: analyse(learner(name, 4000), replicates=5) for name in names}


def of(found, regression, subject="all"):
    part = found["regressions"].query("regression == @regression and subject == @subject")
    return part.set_index("term")


def simulated(generator_, subjects=1, length=60, number=60, weights=None):
    """Choices from planted lag weights (kinds, lags), with outcomes and transitions at random."""
    total = subjects * number
    reward, common = generator_.integers(2, size=(total, length)), generator_.random((total, length)) < 0.7
    kind = 2 * (reward == 0) + ~common
    choice = np.zeros((total, length), int)
    for t in range(length):
        eta = np.zeros(total)
        for k in range(1, min(t, weights.shape[1]) + 1):
            eta += weights[kind[:, t - k], k - 1] * (2 * choice[:, t - k] - 1)
        choice[:, t] = generator_.random(total) < expit(eta)
    subject = np.array([f"s{k:02d}" for k in np.arange(total) // number])
    return table(choice, reward, subject=subject, transition=np.where(common, "common", "rare"))


def test_differences_are_contrasts_of_the_cells_and_a_linear_model_with_clustered_errors():
    e = episodes(learner("model_free", 300))
    s = stays(e)
    fit = differences(s, 1)[0]
    x = s.predictors
    design = np.stack([x["intercept"], x["reward"], x["transition"], x["reward"] * x["transition"]], 1)
    groups = {"groups": s.cluster, "use_correction": False}
    model = sm.OLS(s.stay, design).fit(cov_type="cluster", cov_kwds=groups)
    assert np.allclose(fit.estimate, model.params)
    assert np.allclose(fit.covariance, model.cov_params() * 300 / 299)
    assert fit.clusters == 300 and fit.trials == 2700


def test_the_stay_cells_of_the_exact_filter_are_separated_and_estimated_all_the_same(rows):
    found = rows["bayes_optimal"]
    cells = of(found, "stay_probability")["estimate"]
    assert cells["reward 1, common"] == cells["reward 0, rare"] == 1
    assert cells["reward 1, rare"] == pytest.approx(0.496, abs=0.03)
    assert cells["reward 0, common"] == pytest.approx(0.507, abs=0.03)
    logit, linear = of(found, "stay_transition", "bayesoptimal1"), of(found, "stay_difference")
    assert (logit["separated"] == 1).all() and logit["note"].str.contains("Firth").iloc[0]
    assert np.isfinite(logit["estimate"].astype(float)).all()
    assert linear.loc["reward:transition", "estimate"] == pytest.approx(1.0, abs=0.05)


def test_td1_shows_an_interaction_too_and_the_reward_effect_relative_to_it_tells_it_from_planning(rows):
    free, based = of(rows["model_free"], "stay_transition"), of(rows["model_based"], "stay_transition")
    for term, expected in (("reward", 2.1), ("reward:transition", 1.4)):
        assert abs(free.loc[term, "estimate"] - expected) < 4 * free.loc[term, "standard_error"] + 0.05
    assert abs(based.loc["reward", "estimate"]) < 4 * based.loc["reward", "standard_error"]
    assert free.loc["reward:transition", "low"] > 0 and based.loc["reward:transition", "low"] > 0
    for regression in ("stay_transition", "stay_difference"):
        ratio = {name: of(found, regression).loc["reward_over_interaction"] for name, found in rows.items()}
        assert ratio["model_free"]["low"] > 1
        for name in ("model_based", "bayes_optimal"):
            assert ratio[name]["low"] < 0.05 and ratio[name]["high"] > -0.05 and ratio[name]["high"] < 0.25
        assert np.isnan(ratio["random"]["estimate"]) and "within 2 standard errors" in ratio["random"]["note"]


def test_the_ratio_and_its_error_follow_from_the_coefficients():
    estimate = np.array([0.3, 1.2, 0.1, 2.4])
    root = np.array([[0.2, 0, 0, 0], [0.1, 0.3, 0, 0], [0, 0.1, 0.2, 0], [0.05, -0.1, 0.1, 0.4]])
    covariance = root @ root.T / 4
    value, error, low, high = reward_over_interaction(TERMS, estimate, covariance, 20)
    assert value == 0.5
    drawn = generator(2, "ratio").multivariate_normal(estimate, covariance / 400, 100_000)  # small: linear
    assert error / 20 == pytest.approx((drawn[:, 1] / drawn[:, 3]).std(), rel=0.02)
    assert high - value == pytest.approx(student.ppf(0.975, 20) * error) and value - low == pytest.approx(high - value)


def test_the_ratio_covers_the_truth_over_subjects_as_often_as_it_says():
    draw, hits = generator(3, "coverage"), 0
    for _ in range(400):
        own = np.stack([np.zeros(10), draw.normal(0.5, 0.4, 10), np.zeros(10), draw.normal(3, 0.8, 10)], 1)
        covariance = np.cov(own, rowvar=False) / 10
        _, _, low, high = reward_over_interaction(TERMS, own.mean(0), covariance, 9)
        hits += low < 0.5 / 3 < high
    assert 400 * 0.95 - hits < 4 * np.sqrt(400 * 0.95 * 0.05)


def test_the_ratio_over_subjects_is_that_of_the_mean_coefficients():
    weights = np.array([[1.2], [0.2], [-0.4], [0.5]])
    found = simulated(generator(4, "subjects"), subjects=9, weights=weights)
    e = episodes(found)
    fits = stay_regression(stays(e), REGRESSIONS["stay_transition"], 9)
    mean, covariance, _, _, n = combine(fits, True, shared=60)
    expected = reward_over_interaction(TERMS, mean, covariance, n - 1)
    row = of(analyse(found, replicates=5), "stay_transition").loc["reward_over_interaction"]
    assert row[["estimate", "standard_error", "low", "high"]].tolist() == pytest.approx(list(expected))


def test_lagged_predictors_equal_those_of_a_loop_over_the_rows():
    found = learner("model_free", 6)
    h = lagged(episodes(found), 3)
    slow = []
    for _, part in found.groupby("episode"):
        part = part.sort_values("trial").reset_index(drop=True)
        for t in range(3, 10):
            row = [1.0]
            for kind in KINDS:
                outcome, transition = kind.split("_")
                for k in (1, 2, 3):
                    past = part.loc[t - k]
                    same = (past["reward"] > 0) == (outcome == "reward") and past["transition"] == transition
                    row.append((2 * int(past["choice"]) - 1) * float(same))
            slow.append([*row, int(part.loc[t, "choice"])])
    assert (np.column_stack([h.design, h.outcome]) == np.array(slow)).all()
    assert len({tuple(x) for x in h.design}) == len(np.unique(h.pattern))
    assert all(len({tuple(x) for x in h.design[h.pattern == p]}) == 1 for p in np.unique(h.pattern))


def test_lagged_fits_equal_statsmodels_on_the_raw_rows_and_find_planted_weights():
    weights = np.array([[1.0, 0.4], [-0.6, 0.0], [-0.3, 0.2], [0.5, -0.2]])
    e = episodes(simulated(generator(5, "planted"), subjects=2, weights=weights))
    h = lagged(e, 2)
    for subject, fit in enumerate(lag_regression(e, 2)):
        own = e.subject[h.episode] == subject
        groups = {"groups": h.episode[own]}
        model = sm.Logit(h.outcome[own], h.design[own]).fit(disp=0, cov_type="cluster", cov_kwds=groups)
        assert np.allclose(fit.estimate, model.params, atol=1e-6)
        assert np.allclose(fit.standard_error, model.bse, rtol=1e-5)
        assert (np.abs(fit.estimate[1:] - weights.ravel()) < 4 * fit.standard_error[1:]).all()


def test_a_planners_weight_of_reward_changes_sign_with_the_transition_and_td1s_does_not(rows):
    for name, sign in (("model_based", -1), ("model_free", 1)):
        curve = rows[name]["curves"].query("subject == 'all'").set_index(["curve", "x"])["value"]
        assert curve["reward_common", 1] > 0.3
        assert np.sign(curve["reward_rare", 1]) == sign and abs(curve["reward_rare", 1]) > 0.3
        assert np.sign(curve["omission_rare", 1]) == -sign and curve["omission_common", 1] < -0.3
    filtered = rows["bayes_optimal"]["regressions"].query("regression == 'two_step_lags'")
    assert (filtered["separated"] == 1).all() and np.isfinite(filtered["estimate"].astype(float)).all()


def test_rows_and_curves_of_the_lagged_regression_say_the_same(rows):
    regression = REGRESSIONS["two_step_lags"]
    found = of(rows["model_free"], "two_step_lags")
    assert tuple(found.index) == terms(regression) and len(found) == 1 + 4 * 5
    curve = rows["model_free"]["curves"].query("subject == 'all'")
    assert set(KINDS) < set(curve["curve"]) and set(KINDS) < set(CURVES)
    for kind in KINDS:
        own = curve[curve["curve"] == kind].sort_values("x")
        assert own["x"].tolist() == [1, 2, 3, 4, 5]
        assert own["value"].tolist() == found.loc[[f"{kind}_{k}" for k in range(1, 6)], "estimate"].tolist()


def test_tables_without_transitions_have_none_of_it():
    found = analyse(play_bandit(rescorla_wagner, 4, 30, np.random.default_rng(6)), replicates=5)
    names = set(found["regressions"]["regression"])
    assert "stay" in names and not names & {"stay_transition", "stay_difference", "two_step_lags"}
    assert not set(found["curves"]["curve"]) & set(KINDS)


def test_a_subject_that_lacks_one_kind_of_trial_has_no_differences_and_says_why():
    choice, reward = np.zeros((20, 10), int), np.tile([0, 1], (20, 5))
    e = episodes(table(choice, reward, transition=np.where(reward == 1, "common", "rare")))
    fit = differences(stays(e), 1)[0]
    assert np.isnan(fit.estimate).all() and "does not occur" in fit.note
