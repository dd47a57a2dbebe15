"""Little data and bad tables: one clear message, or a documented and correct answer."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from test_models_fit import simulated

from pipeline import models, trials
from pipeline.errors import UserError
from pipeline.models import MODELS, diagnose
from pipeline.models.data import pack
from pipeline.models.laplace import em, objective

CARD = MODELS["rescorla_wagner"]
QUICK = {"draws": 250, "tune": 250, "retry": False}


@pytest.fixture(scope="module")
def alike():
    """One subject with one session, all of whose choices are of one option."""
    rows, _ = simulated(subjects=1, episodes=2, seed=5)
    rows["choice"] = rows["choice"] * 0
    return rows, models.fit(rows, "rescorla_wagner", QUICK)


def test_one_subject_with_one_session_has_no_level_of_groups_or_sessions_and_the_badge_says_so(alike):
    _, fit = alike
    assert set(fit.idata.posterior) == {"subject_parameters"}
    assert set(fit.posterior["level"]) == {"subject"}
    assert fit.posterior["shrinkage"].isna().all()
    assert "one subject: its parameters have the prior of a group mean" in fit.badge["notes"][0]
    assert fit.badge["loo_unit"] == "episode"
    assert fit.badge["elpd_loo_subject"] is None


def test_choices_that_are_all_alike_give_the_proper_posterior_and_a_note(alike):
    """Against the posterior on a grid: the likelihood has no maximum, the prior keeps the posterior proper."""
    rows, fit = alike
    packed = pack(rows, CARD)
    axes = np.linspace(-7, 3, 120), np.linspace(-1, 9, 120)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 1, 2)
    log_posterior = np.array([objective(CARD, packed, g)[0][0] for g in grid])
    log_posterior += norm.logpdf(grid[:, 0], [p.mean for p in CARD.parameters], [p.sd for p in CARD.parameters]).sum(1)
    weight = np.exp(log_posterior - log_posterior.max())
    mean = weight @ grid[:, 0] / weight.sum()
    draws = diagnose.flat(fit.idata, "subject_parameters")[:, 0]
    assert (np.abs(draws.mean(0) - mean) < 5 * draws.std(0) / np.sqrt(fit.badge["min_ess_bulk"])).all()
    assert any(note.startswith("all free choices of s00 are of one option") for note in fit.badge["notes"])
    row = fit.posterior[fit.posterior["parameter"] == "alpha"].iloc[0]
    assert 0 < row["low"] < row["high"] < 1


def test_a_trial_without_a_choice_is_neither_scored_nor_learned_from():
    rows, _ = simulated(subjects=2, episodes=2, seed=6)
    missed = np.random.default_rng(1).random(len(rows)) < 0.2
    gaps = rows.assign(choice=rows["choice"].mask(missed), reward=rows["reward"].mask(missed))
    with_gaps, without = pack(trials.conform(gaps), CARD), pack(rows[~missed], CARD)
    eta = np.random.default_rng(2).normal(size=(2, 2))
    np.testing.assert_allclose(objective(CARD, with_gaps, eta)[0], objective(CARD, without, eta)[0])
    assert with_gaps.scored == (~missed).sum()
    np.testing.assert_allclose(em(CARD, with_gaps).unit, em(CARD, without).unit)


def test_a_table_without_any_choice_is_refused():
    rows, _ = simulated(subjects=1, episodes=1)
    never = rows["trial"] > 0
    empty = rows.assign(choice=rows["choice"].mask(never), reward=rows["reward"].mask(never))
    with pytest.raises(UserError, match=r"no free choice to fit in this table \(80 rows, 0 with a choice\)"):
        models.fit(empty, "rescorla_wagner", QUICK)


def test_an_unknown_model_and_an_unknown_covariate_are_named():
    rows, _ = simulated(subjects=1, episodes=1)
    with pytest.raises(UserError, match="model 'rescorla' is not known; known are"):
        models.fit(rows, "rescorla")
    with pytest.raises(UserError, match="needs column 'volatility', which the trial table lacks"):
        models.fit(rows, "volatility_rescorla_wagner")


def test_a_session_without_its_covariate_is_named():
    rows, _ = simulated(subjects=2, sessions=2, episodes=2)
    rows["volatility"] = np.where(rows["episode"] > 1, 0.2, 0.1)
    rows["volatility"] = rows["volatility"].mask((rows["subject"] == "s01") & (rows["session"] == 2))
    message = "column 'volatility' is missing on 160 trials with a choice, first at subject s01, session 2, episode 1"
    with pytest.raises(UserError, match=message):
        models.fit(trials.conform(rows), "volatility_rescorla_wagner")
    with pytest.raises(UserError, match="'volatility' has a single value; its effect cannot be told from the rest"):
        models.fit(rows.assign(volatility=0.1), "volatility_rescorla_wagner")


def test_groups_and_conditions_with_gaps_are_named():
    rows, _ = simulated(subjects=2, sessions=2, episodes=1)
    with pytest.raises(UserError, match="subject 's01' has no group, while others have one"):
        pack(rows.assign(group=rows["subject"].where(rows["subject"] == "s00")), CARD)
    with pytest.raises(UserError, match=r"subject 's00' is in several groups \(1, 2\)"):
        pack(rows.assign(group=rows["session"].astype(str)), CARD)
    with pytest.raises(UserError, match="session 2 of subject 's00' has no condition, while others of its group have"):
        pack(rows.assign(condition=rows["session"].astype(str).where(rows["session"] == 1)), CARD)


def test_a_subject_whose_trials_are_all_forced_is_left_to_the_prior_of_its_group():
    rows, _ = simulated(subjects=6, episodes=3, seed=3)
    rows["trial_type"] = rows["trial_type"].mask(rows["subject"] == "s02", "forced")
    packed = pack(rows, CARD)
    fit = em(CARD, packed)
    assert packed.unit_trials[2] == 0
    np.testing.assert_allclose(fit.subject[2], fit.group_mean[0], atol=0.02)
    # the SD of the group moves once more after subjects were last updated, by some per cent
    np.testing.assert_allclose(fit.subject_sd[2], fit.group_sd[0], rtol=0.05)
    assert expit(fit.group_mean[0, 0]) == pytest.approx(expit(fit.subject[[0, 1, 3, 4, 5], 0].mean()), abs=0.1)
