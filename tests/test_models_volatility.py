"""The Rescorla–Wagner model whose learning rate depends on the volatility of the block."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from test_behaviour_volatility import folded_walk
from test_models_likelihood import ragged

from pipeline import models, trials
from pipeline.comparison.run import compare_study
from pipeline.errors import UserError
from pipeline.models import MODELS, diagnose
from pipeline.models.data import LANE, pack, used
from pipeline.models.laplace import em
from pipeline.models.likelihood import by_trial, likelihood
from pipeline.models.links import natural
from pipeline.models.predictive import check
from pipeline.models.recover import recover
from pipeline.models.simulate import ModelAgent, Schedule, schedule
from pipeline.rollout import play, table

NAME = "volatility_rescorla_wagner"
CARD = MODELS[NAME]
TRUE = np.array([0.2, 0.7, 1.5])  # group means of a0, a1, log β


def standard(volatility):
    """ν in SDs of its distribution in the tests of the restless task, U[0, .2]."""
    return (volatility - 0.1) / (0.2 / 12**0.5)


def restless(episodes, length=100, seed=1):
    """Schedule of folded walks, ν ~ U[0, .2]."""
    generator = np.random.default_rng(seed)
    volatility = generator.uniform(0, 0.2, episodes)
    first = folded_walk(volatility, length, generator)
    along = np.repeat(volatility[:, None], length, 1)
    return Schedule(
        name="restless", options=2, trials=length, payment=np.stack([first, 1 - first], -1),
        forced=np.full((episodes, length), -1), length=np.full(episodes, length),
        lanes=pd.DataFrame({"subject": "a", "session": 1, "episode": np.arange(1, episodes + 1)}),
        covariates={"volatility": standard(along)}, shown={"volatility": along},
    )  # fmt: skip


def simulated(subjects=3, episodes=110, length=30, seed=1):
    """Table and true parameters (subjects, 3), transformed."""
    generator, plan = np.random.default_rng(seed), restless(episodes, length, seed)
    true = TRUE + np.array([0.4, 0.2, 0.2]) * generator.standard_normal((subjects, 3))
    agent = ModelAgent(CARD, natural(CARD, true), [f"s{i:02d}" for i in range(subjects)], plan.covariates)
    return trials.conform(table(play(agent, plan, episodes, generator), "made")), true


def with_volatility(rows, seed=3, block=1000):
    """The same table as if of the restless task, one volatility per block of so many trials of an episode."""
    part = rows.assign(part=(rows["trial"] - 1) // block).groupby([*LANE, "part"]).ngroup().to_numpy()
    return rows.assign(volatility=np.random.default_rng(seed).uniform(0, 0.2, part.max() + 1)[part], task="restless")


def slow(theta, episode, options):
    """Log-likelihood of one episode in plain Python; complex parameters give a derivative."""
    a0, a1, beta = theta
    q, total = [0.5 + 0j] * options, 0j
    for choice, reward, kind, volatility in episode:
        if choice is None:
            continue
        logits = [beta * x for x in q]
        if kind == "free":
            top = max(x.real for x in logits)
            total += logits[choice] - top - np.log(sum(np.exp(x - top) for x in logits))
        q[choice] += (reward - q[choice]) / (1 + np.exp(-(a0 + a1 * standard(volatility))))
    return total


@pytest.mark.parametrize(("options", "graded", "block"), [(2, False, 1000), (2, True, 5), (3, True, 1000)])
def test_the_kernel_equals_the_plain_likelihood_and_its_complex_step_gradient(options, graded, block):
    rows = with_volatility(ragged(options, options, graded=graded), block=block)
    packed = pack(rows, CARD)
    theta = natural(CARD, TRUE + np.random.default_rng(2).normal(size=(packed.units, 3)))
    loglik, gradient = likelihood(CARD, packed, theta)
    twin, slopes = np.zeros(len(theta)), np.zeros(theta.shape)
    for u, (_, unit) in enumerate(rows.sort_values([*LANE, "trial"]).groupby(["subject", "session"])):
        for _, own in unit.groupby("episode"):
            episode = [(None if pd.isna(c) else int(c), None if pd.isna(r) else float(r), k, v) for c, r, k, v in
                       zip(own["choice"], own["reward"], own["trial_type"], own["volatility"])]  # fmt: skip
            twin[u] += slow(theta[u], episode, options).real
            for j in range(3):
                moved = theta[u].astype(complex)
                moved[j] += 1e-30j
                slopes[u, j] += slow(moved, episode, options).imag / 1e-30
    np.testing.assert_allclose(loglik, twin, rtol=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8)


def test_without_a_slope_it_is_the_plain_rescorla_wagner_model():
    rows = with_volatility(ragged(4))
    plain = MODELS["rescorla_wagner"]
    ours = likelihood(CARD, pack(rows, CARD), np.tile([0.4, 0.0, 3.0], (5, 1)))[0]
    theirs = likelihood(plain, pack(rows, plain), np.tile([expit(0.4), 3.0], (5, 1)))[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_the_learning_rate_is_constant_within_an_episode_and_rises_with_its_volatility():
    rows, _ = simulated(1, 20, 30)
    packed = pack(rows, CARD)
    found = by_trial(CARD, packed, np.array([[0.2, 0.7, 4.0]]))
    volatility = rows["volatility"].to_numpy(float)[packed.rows]
    np.testing.assert_allclose(found["alpha"], expit(0.2 + 0.7 * standard(volatility)), rtol=1e-6)
    assert np.corrcoef(found["alpha"], volatility)[0, 1] > 0.95


def test_values_are_carried_on_where_the_volatility_changes_within_an_episode():
    rows = with_volatility(ragged(8), block=5)
    packed = pack(rows, CARD)
    found = by_trial(CARD, packed, np.tile([0.2, 1.0, 4.0], (packed.units, 1)))
    frame = rows.iloc[packed.rows].reset_index(drop=True)
    lane = frame.groupby(LANE).ngroup().to_numpy()
    changed = np.flatnonzero((np.diff(lane) == 0) & (np.diff(frame["volatility"].to_numpy(float)) != 0)) + 1
    assert len(changed) > 20
    before, choice = changed - 1, frame["choice"].to_numpy(int)[changed - 1]
    q = np.column_stack([found["Q_0"], found["Q_1"]])
    expected = q[before].copy()
    expected[np.arange(len(choice)), choice] += (found["alpha"] * found["prediction_error"])[before]
    np.testing.assert_allclose(q[changed], expected, rtol=1e-12)


def test_of_two_labels_the_slope_is_the_difference_between_them():
    rows = with_volatility(ragged(2)).assign(task="made")
    rows["volatility"] = (rows["volatility"] > 0.1).astype(float)  # stable 0, volatile 1
    packed = pack(rows, CARD)
    alpha = by_trial(CARD, packed, np.tile([0.2, 0.7, 4.0], (packed.units, 1)))["alpha"]
    volatile = rows["volatility"].to_numpy(float)[packed.rows] == 1
    np.testing.assert_allclose(logit(alpha), np.where(volatile, 0.2 + 0.35, 0.2 - 0.35), rtol=1e-10)


def test_the_likelihood_gives_back_the_policy_that_the_simulator_used():
    rows, true = simulated(2, 5, 50)
    packed = pack(rows, CARD)
    found = by_trial(CARD, packed, natural(CARD, true))
    np.testing.assert_allclose(found["policy_1"], rows["policy_1"].to_numpy(float)[packed.rows], atol=1e-6)
    plan = schedule(rows, CARD)
    expected = restless(5, 50)
    np.testing.assert_allclose(plan.shown["volatility"][:5], expected.shown["volatility"], atol=1e-6)  # seven decimals
    np.testing.assert_allclose(plan.covariates["volatility"][:5], expected.covariates["volatility"], atol=1e-5)


def test_parameters_are_recovered():
    found = recover(CARD, restless(40), 40, 40, np.random.default_rng(1)).set_index("parameter")
    assert (found["correlation"] > 0.75).all()
    assert (found["bias"].abs() < 0.25).all()
    assert (found["coverage"] > 0.94 - 4 * np.sqrt(0.94 * 0.06 / 40)).all()  # binomial, four standard errors


def test_a_table_without_two_volatilities_is_refused():
    rows, _ = simulated(1, 3, 20)
    with pytest.raises(UserError, match="'volatility' has a single value"):
        models.fit(rows.assign(volatility=0.1), NAME)
    with pytest.raises(UserError, match="needs column 'volatility'"):
        models.fit(rows.drop(columns="volatility"), NAME)


def test_a_fit_reads_the_first_episodes_of_every_subject_and_no_others():
    rows, _ = simulated(2, 8, 10)
    few = replace(CARD, most_episodes=3)
    kept = used(rows.sample(frac=1, random_state=1), few)
    assert sorted(set(zip(kept["subject"], kept["episode"]))) == [(s, e) for s in ("s00", "s01") for e in (1, 2, 3)]
    assert len(kept) == 2 * 3 * 10
    assert used(rows, replace(CARD, most_episodes=8)) is rows
    assert used(rows, MODELS["rescorla_wagner"]) is rows
    ragged_sessions = rows.assign(session=1 + (rows["episode"] > 2).astype(int))
    assert set(used(ragged_sessions, few)["episode"]) == {1, 2, 3}  # the first by session, then episode


@pytest.fixture(scope="module")
def fitted():
    rows, true = simulated()
    return rows, true, models.fit(rows, NAME, {"draws": 200, "tune": 250, "retry": False})


def test_the_posterior_holds_the_slope_of_the_group_and_covers_the_truth(fitted):
    _, true, fit = fitted
    group = fit.posterior[fit.posterior["level"] == "group"].set_index("parameter")
    assert {"a0", "a1", "beta", "a1_group_sd"} <= set(group.index)
    assert group.loc["a1", "low"] < true[:, 1].mean() < group.loc["a1", "high"]
    assert group.loc["a1", "low"] > 0
    single = fit.posterior.query("level == 'subject' and parameter == 'a1'").sort_values("subject")
    assert ((single["mean"].to_numpy() - true[:, 1]) ** 2 < 16 * single["sd"].to_numpy() ** 2).all()
    assert fit.badge["max_r_hat"] < 1.05


def test_the_badge_says_how_many_episodes_were_read_and_how_few_the_subjects_are(fitted):
    _, _, fit = fitted
    assert fit.badge["n_episodes"] == 3 * CARD.most_episodes < 330
    assert f"fitted to the first {CARD.most_episodes} episodes of each subject, 300 of 330" in fit.badge["notes"][0]
    assert "nothing is claimed about a population" in fit.badge["notes"][1]
    assert fit.badge["loo_unit"] == "subject" and np.isfinite(fit.badge["elpd_loo"])


def test_predictions_from_the_fit_look_like_the_data(fitted):
    rows, _, fit = fitted
    found = check(rows, fit, 1, draws=40).query("kind == 'posterior'")
    pooled = found[found["subject"] == "all"].set_index("statistic")
    read = used(rows, CARD)
    assert pooled.loc["better_choice", "observed"] == pytest.approx(
        (read["choice"] == read["better_option"]).sum() / read["better_option"].notna().sum()
    )
    assert ((found["low"] <= found["observed"]) & (found["observed"] <= found["high"])).mean() > 0.6


def test_nuts_agrees_with_the_laplace_fit(fitted):
    rows, _, fit = fitted
    laplace = em(CARD, pack(used(rows, CARD), CARD))
    np.testing.assert_allclose(diagnose.flat(fit.idata, "subject_parameters").mean(0), laplace.subject, atol=0.3)


def test_a_study_of_networks_and_learners_alone_is_compared_without_animals(fitted, tmp_path):
    _, _, fit = fitted
    stems = []
    for source in ("lstm_restless", "bayes_optimal"):
        paths = [tmp_path / f"{source}{end}" for end in (".nc", ".posterior.csv", ".json", ".loo.csv")]
        fit.badge["source"], fit.badge["passed"] = source, True
        fit.write(*paths)
        stems.append(paths)
    assert json.loads(stems[0][2].read_text())["source"] == "lstm_restless"
    idata, _, badges, loo = zip(*stems)
    groups, stacking = compare_study(
        idata, badges, loo, {"lstm_restless": "network", "bayes_optimal": "learner"}, 0.05, 1
    )
    assert groups.empty
    assert set(stacking["source"]) == {"lstm_restless", "bayes_optimal"}
