"""Learning rates of single episodes, and their relation to volatility."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from behaviour_tables import table
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t as student
from scipy.stats import ttest_ind

from pipeline.behaviour.episode_fits import fit_episodes, log_likelihood
from pipeline.behaviour.volatility import (
    COLUMNS,
    GAP,
    VOLATILITY,
    NoVolatility,
    _rows,
    analyse,
    fits,
    not_run,
    statistics,
)
from pipeline.errors import UserError


def folded_walk(volatility, trials, generator):
    """p1 (episodes, trials): Gaussian walk of variance ν per trial, reflected at 0 and 1."""
    p, found = generator.random(len(volatility)), []
    for _ in range(trials):
        found.append(p)
        p = p + np.sqrt(volatility) * generator.standard_normal(len(volatility))
        p = 1 - np.abs(1 - p % 2)
    return np.stack(found, 1)


def chooser(alpha, beta, p, generator):
    """Choices and rewards (episodes, trials) of Rescorla–Wagner learners on arms p and 1 − p."""
    episodes = np.arange(len(p))
    q, choice, reward = np.full((len(p), 2), 0.5), np.zeros(p.shape, int), np.zeros(p.shape)
    for t in range(p.shape[1]):
        choice[:, t] = generator.random(len(p)) < expit(beta * (q[:, 1] - q[:, 0]))
        reward[:, t] = generator.random(len(p)) < np.where(choice[:, t] == 0, p[:, t], 1 - p[:, t])
        q[episodes, choice[:, t]] += alpha * (reward[:, t] - q[episodes, choice[:, t]])
    return choice, reward


def made(episodes=200, slope=0.8, subjects=1, trials=150, seed=1):
    """Trial table of learners with logit α = slope × (ν − .1) / .0577, and the true α."""
    generator = np.random.default_rng(seed)
    volatility = generator.uniform(0, 0.2, episodes * subjects)
    alpha = expit(slope * (volatility - 0.1) / 0.0577)
    choice, reward = chooser(alpha, 5.0, folded_walk(volatility, trials, generator), generator)
    subject = np.repeat([f"s{k}" for k in range(subjects)], episodes)
    spread = np.repeat(volatility, trials)
    return table(choice, reward, subject=subject, volatility=spread), alpha


def slow(alpha, beta, choice, reward, free):
    """Log-likelihood of one episode, trial by trial."""
    q, total = [0.5, 0.5], 0.0
    for c, r, scored in zip(choice, reward, free):
        if c < 0:
            continue
        if scored:
            total += -np.log1p(np.exp(-beta * (q[c] - q[1 - c])))
        q[c] += alpha * (r - q[c])
    return total


def best(choice, reward, free, limit=50.0):
    """Maximum by a general optimiser, from many starts."""
    found = [
        minimize(lambda x: -slow(*x, choice, reward, free), (a, b), bounds=[(0, 1), (0, limit)], method="L-BFGS-B",
                 options={"ftol": 1e-14, "gtol": 1e-9})
        for a in (0.05, 0.4, 0.9) for b in (1.0, 8.0)
    ]  # fmt: skip
    return min(found, key=lambda x: x.fun)


def test_the_fast_fit_is_the_maximum_that_a_slow_optimiser_finds():
    generator = np.random.default_rng(4)
    alpha = generator.uniform(0.05, 0.95, 12)
    choice, reward = chooser(
        alpha, generator.uniform(1, 12, 12), folded_walk(np.full(12, 0.02), 80, generator), generator
    )
    free = generator.random(choice.shape) > 0.1
    choice = np.where(generator.random(choice.shape) < 0.05, -1, choice)
    reward = np.where(choice < 0, np.nan, reward)
    found = fit_episodes(choice, reward, free)
    for e in range(12):
        twin = best(choice[e], reward[e], free[e])
        assert found.log_likelihood[e] >= -twin.fun - 1e-6
        if not found.at_bound[e]:
            assert found.log_likelihood[e] == pytest.approx(-twin.fun, abs=1e-6)
            np.testing.assert_allclose([found.alpha[e], found.beta[e]], twin.x, rtol=1e-3, atol=1e-3)
        outcome = np.nan_to_num(reward[e])
        at = (found.alpha[e], found.beta[e])
        assert log_likelihood(*at, choice[e], outcome, free[e]) == pytest.approx(slow(*at, choice[e], outcome, free[e]))
    np.testing.assert_array_equal(found.trials, (free & (choice >= 0)).sum(1))
    assert not found.at_bound.all()


def test_a_finer_search_finds_nothing_better():
    """The profile over α may have several maxima: none is higher on a much finer grid."""
    rows, _ = made(15, trials=60, seed=3)
    choice = rows["choice"].to_numpy(int).reshape(15, 60)
    reward = rows["reward"].to_numpy(float).reshape(15, 60)
    found = fit_episodes(choice, reward, np.ones(choice.shape, bool))
    free = np.ones(60, bool)
    for e in range(15):
        high = max(
            log_likelihood(a, b, choice[e], reward[e], free)
            for a in np.linspace(0, 1, 151) for b in np.geomspace(0.05, 50, 30)
        )  # fmt: skip
        assert found.log_likelihood[e] >= high - 1e-9


def test_learning_rates_are_recovered_and_rise_with_volatility():
    rows, alpha = made(400)
    found = analyse(rows)
    episodes = found["episodes"]
    assert list(episodes.columns) == list(COLUMNS["episodes"])
    assert np.corrcoef(episodes["alpha"], alpha)[0, 1] > 0.8
    assert abs((episodes["alpha"] - alpha).mean()) < 0.02
    value = found["volatility"].query("subject == 'all'").set_index("statistic")
    assert value.loc["alpha_slope", "low"] > 0
    assert value.loc["alpha_r_squared", "value"] > 0.4
    assert value.loc[["middle_minus_low", "high_minus_middle"], "p_value"].max() < 1e-4


def test_a_learner_of_constant_learning_rate_shows_no_slope():
    rows, _ = made(400, slope=0.0, seed=7)
    row = analyse(rows)["volatility"].query("subject == 'all'").set_index("statistic").loc["alpha_slope"]
    assert abs(row["value"]) < 4 * (row["high"] - row["low"]) / 3.92  # four standard errors


def test_regression_and_tests_are_those_of_the_standard_packages():
    rows, _ = made(120, seed=2)
    own = fits(rows)
    found = statistics(own)
    fit = sm.OLS(own["alpha"], sm.add_constant(own["volatility"])).fit()
    assert found["alpha_slope"][0] == pytest.approx(fit.params["volatility"])
    assert found["alpha_slope"][2:4] == pytest.approx(tuple(fit.conf_int().loc["volatility"]))
    assert found["alpha_slope"][1] == pytest.approx(fit.bse["volatility"])
    assert found["alpha_r_squared"][0] == pytest.approx(fit.rsquared)
    assert found["alpha_r_squared"][4] == pytest.approx(fit.f_pvalue)
    low = own.loc[own["volatility"] <= GAP[0], "alpha"]
    middle = own.loc[(own["volatility"] > GAP[0]) & (own["volatility"] < GAP[1]), "alpha"]
    test = ttest_ind(middle, low, equal_var=False)
    assert found["middle_minus_low"][0] == pytest.approx(middle.mean() - low.mean())
    assert found["middle_minus_low"][4] == pytest.approx(test.pvalue)
    assert found["middle_minus_low"][1] == pytest.approx(np.hypot(middle.sem(), low.sem()))
    assert found["middle_minus_low"][5] == len(low) + len(middle)
    inside = own[(own["volatility"] > GAP[0]) & (own["volatility"] < GAP[1])]
    fit = sm.OLS(inside["alpha"], sm.add_constant(inside["volatility"])).fit()
    assert found["heldout_r_squared"][0] == pytest.approx(fit.rsquared)
    assert found["heldout_slope"][4] == pytest.approx(fit.pvalues["volatility"])
    assert set(VOLATILITY) <= set(found)


def test_over_subjects_the_mean_has_an_interval_over_subjects():
    rows, _ = made(60, subjects=4, seed=5)
    found = analyse(rows)["volatility"]
    single = found[(found["statistic"] == "alpha_slope") & (found["subject"] != "all")]
    mean = found[(found["statistic"] == "alpha_slope") & (found["subject"] == "all")].iloc[0]
    assert mean["n_subjects"] == 4 and mean["n_episodes"] == 240
    assert mean["value"] == pytest.approx(single["value"].mean())
    half = 3.182446 * single["value"].std() / 2  # Student's t, 3 degrees of freedom
    assert mean["high"] - mean["value"] == pytest.approx(half, rel=1e-5)
    assert "interval over subjects" in mean["note"] and "fewer than 8" in mean["note"]
    assert (single["note"] == "over episodes within this subject").all()


def on_the_same_episodes(fitted, spread, generator, subjects=5):
    """Fits of subjects that met the same episodes and differ by little of their own."""
    parts = [fitted.assign(subject=f"s{k}", alpha=fitted["alpha"] + spread * generator.standard_normal(len(fitted)))
             for k in range(subjects)]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


WHO = {"source": "x", "species": "network", "task": "restless"}


def test_subjects_that_are_copies_of_one_have_the_error_of_one():
    own = fits(made(80, seed=5)[0])
    frame = pd.DataFrame(_rows(on_the_same_episodes(own, 0.0, np.random.default_rng(1)), WHO, GAP, 0.95))
    all_, one = (frame[frame["subject"] == s].set_index("statistic") for s in ("all", "s0"))
    for name in VOLATILITY:
        assert all_.loc[name, "standard_error"] == pytest.approx(one.loc[name, "standard_error"]), name
    assert all_.loc["alpha_slope", "high"] == pytest.approx(one.loc["alpha_slope", "high"], rel=1e-6)
    assert all_.loc["alpha_slope", "p_value"] == pytest.approx(one.loc["alpha_slope", "p_value"], rel=1e-6)
    assert "episodes that they share" in all_.loc["alpha_slope", "note"]


def test_on_the_same_episodes_the_mean_has_the_error_of_subjects_and_of_episodes():
    own = fits(made(80, seed=5)[0])
    frame = pd.DataFrame(_rows(on_the_same_episodes(own, 0.1, np.random.default_rng(2)), WHO, GAP, 0.95))
    part = frame[frame["statistic"] == "alpha_slope"]
    mean, single = part.iloc[0], part.iloc[1:]
    between, shared = single["value"].var() / 5, (single["standard_error"] ** 2).mean()
    freedom = (between + shared) ** 2 / (between**2 / 4 + shared**2 / (single["n_episodes"].mean() - 2))
    assert mean["standard_error"] == pytest.approx(np.sqrt(between + shared))
    assert mean["high"] - mean["value"] == pytest.approx(student.ppf(0.975, freedom) * np.sqrt(between + shared))
    t = mean["value"] / mean["standard_error"]
    assert mean["p_value"] == pytest.approx(2 * student.sf(t, freedom))


def test_episodes_without_a_learning_rate_are_flagged_and_counted():
    rows, _ = made(40, seed=6)
    number = rows["episode"].to_numpy()
    rows.loc[number == 1, "choice"] = 0  # one option throughout
    rows.loc[number == 2, "reward"] = 1.0 * (rows.loc[number == 2, "choice"] == 0)
    rows.loc[number == 2, "choice"] = (np.arange(150) % 2).astype(int)
    rows.loc[number == 2, "reward"] = 1.0 * (np.arange(150) % 2 == 0)  # chooses each option whatever it paid
    found = analyse(rows)
    own = found["episodes"].set_index("episode")
    assert own.loc[1, "one_option"] == 1 and own["one_option"].sum() == 1
    assert own.loc[2, "at_bound"] == 1
    value = found["volatility"].query("subject == 'all'").set_index("statistic")
    assert value.loc["share_one_option", "value"] == pytest.approx(1 / 40)
    assert value.loc["share_at_bound", "value"] == pytest.approx(own["at_bound"].mean())
    kept = own["alpha"].notna().sum()
    assert value.loc["alpha_slope", "n_episodes"] == kept
    inner = ((own["at_bound"] == 0) & (own["one_option"] == 0) & own["alpha"].notna()).sum()
    assert value.loc["alpha_slope_inner", "n_episodes"] == inner < kept


def test_a_learner_that_shuns_reward_has_no_learning_rate():
    choice = np.tile([0, 1], 40)[None]
    reward = (np.arange(80) % 2 == 1)[None] * 1.0  # option 1 pays, option 0 never; it alternates
    choice[0, 20:] = 0
    reward[0, 20:] = 0
    found = fit_episodes(choice, reward, np.ones(choice.shape, bool))
    assert np.isnan(found.alpha[0]) and found.beta[0] == 0 and found.at_bound[0]
    assert found.log_likelihood[0] == pytest.approx(80 * np.log(0.5))


def test_the_learning_rate_of_a_learner_that_keeps_only_the_last_outcome_is_one():
    generator = np.random.default_rng(8)
    choice, reward = chooser(np.ones(20), 3.0, folded_walk(np.full(20, 0.15), 150, generator), generator)
    found = fit_episodes(choice, reward, np.ones(choice.shape, bool))
    assert (found.alpha > 0.7).all()
    assert found.at_bound[found.alpha == 1].all()


def test_forced_and_missed_trials_are_treated_as_the_models_treat_them():
    from pipeline.models import MODELS
    from pipeline.models.data import pack
    from pipeline.models.likelihood import likelihood

    rows, _ = made(6, trials=80, seed=9)
    generator = np.random.default_rng(1)
    rows["trial_type"] = rows["trial_type"].mask(generator.random(len(rows)) < 0.2, "forced")
    missed = generator.random(len(rows)) < 0.1
    rows["choice"], rows["reward"] = rows["choice"].mask(missed), rows["reward"].mask(missed)
    own = fits(rows)
    card = MODELS["rescorla_wagner"]
    loglik, _ = likelihood(card, pack(rows, card, "episode"), own[["alpha", "beta"]].to_numpy(float))
    np.testing.assert_allclose(own["log_likelihood"], loglik, rtol=1e-9)


def test_the_order_of_rows_is_irrelevant_and_tasks_are_analysed_apart():
    rows, _ = made(20, trials=60, subjects=2, seed=11)
    other = rows.assign(task="other")
    both = pd.concat([rows, other]).sample(frac=1, random_state=1).reset_index(drop=True)
    apart, once = analyse(both), analyse(rows)
    assert set(apart["volatility"]["task"]) == {"reversal", "other"}
    for name in ("volatility", "episodes"):
        part = apart[name][apart[name]["task"] == "reversal"].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, once[name], check_dtype=False)


def test_tables_without_volatilities_are_refused_with_one_message():
    rows, _ = made(4, trials=20)
    with pytest.raises(NoVolatility, match="no column 'volatility'"):
        analyse(rows.drop(columns="volatility"))
    with pytest.raises(NoVolatility, match="fewer than two values"):
        analyse(rows.assign(volatility=0.1))
    with pytest.raises(NoVolatility):
        analyse(rows.iloc[:0])
    varied = rows.copy()
    varied.loc[3, "volatility"] = 0.19
    with pytest.raises(UserError, match="varies within an episode"):
        analyse(varied)
    with pytest.raises(UserError, match="did you write 95"):
        analyse(rows, level=95)
    with pytest.raises(UserError, match="options"):
        analyse(rows.assign(options=3))


def test_what_cannot_be_analysed_leaves_valid_tables_with_the_reason():
    rows, _ = made(3, trials=20)
    found = not_run(rows, "because")
    assert found["episodes"].empty and list(found["episodes"].columns) == list(COLUMNS["episodes"])
    row = found["volatility"].iloc[0]
    assert (row["source"], row["statistic"], row["note"]) == ("planted", "not_run", "because")
    assert not_run(rows.iloc[:0], "no rows", "monkeys")["volatility"].iloc[0]["source"] == "monkeys"
