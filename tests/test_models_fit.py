import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from pipeline import models, trials
from pipeline.errors import UserError
from pipeline.models import MODELS, diagnose
from pipeline.models.data import pack
from pipeline.models.fitting import Settings
from pipeline.models.importance import Points
from pipeline.models.laplace import em, objective
from pipeline.models.links import natural
from pipeline.models.predictive import predictive
from pipeline.models.simulate import ModelAgent
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

CARD = MODELS["rescorla_wagner"]
BADGE = {"source", "model", "n_subjects", "n_sessions", "n_episodes", "n_trials", "chains", "draws", "tune",
         "divergences", "max_r_hat", "min_ess_bulk", "min_ess_tail", "min_ebfmi", "log_likelihood_per_trial",
         "elpd_loo", "elpd_loo_se", "p_loo", "loo_unit",
         "loo_n", "pareto_k_max", "pareto_k_bad", "elpd_loo_subject", "loo_subject_n", "loo_refits", "groups",
         "conditions", "passed", "reasons", "seconds"}  # fmt: skip


def simulated(subjects=10, sessions=1, episodes=4, seed=1):
    """Rescorla–Wagner learners on the reversal task; true parameters (subjects, 2) on the transformed scale."""
    generator = np.random.default_rng(seed)
    true = np.array([-0.3, 1.3]) + np.array([0.6, 0.3]) * generator.standard_normal((subjects, 2))
    tables = []
    for session in range(1, sessions + 1):
        eta = true + (sessions > 1) * 0.2 * generator.standard_normal(true.shape)
        agent = ModelAgent(CARD, natural(CARD, eta), [f"s{i:02d}" for i in range(subjects)])
        tables.append(table(play(agent, TASKS["reversal"], episodes, generator), "made", session))
    return trials.conform(pd.concat(tables, ignore_index=True)), true


@pytest.fixture(scope="module")
def fitted():
    rows, true = simulated()
    settings = {"draws": 300, "tune": 300, "chains": 4, "retry": False, "refits": 0}
    return rows, true, models.fit(rows, "rescorla_wagner", settings)


def test_the_posterior_covers_the_subjects_that_made_the_data(fitted):
    _, true, fit = fitted
    subject = fit.posterior[fit.posterior["level"] == "subject"]
    for i, (name, inverse) in enumerate((("alpha", expit), ("beta", np.exp))):
        rows = subject[subject["parameter"] == name].sort_values("subject")
        inside = (rows["low"].to_numpy() <= inverse(true[:, i])) & (inverse(true[:, i]) <= rows["high"].to_numpy())
        assert inside.sum() >= 8  # of 10 at 94 %: fewer has probability .002
        assert np.corrcoef(rows["mean"], inverse(true[:, i]))[0, 1] > 0.7
    assert rows["shrinkage"].between(0, 1).all()
    assert {"alpha", "alpha_group_sd", "beta", "beta_group_sd"} == set(
        fit.posterior.query("level == 'group'")["parameter"]
    )


def test_the_badge_says_what_the_sampler_did(fitted):
    rows, _, fit = fitted
    assert set(fit.badge) >= BADGE
    assert fit.badge["n_trials"] == len(rows)
    assert fit.badge["loo_unit"] == "subject"
    assert fit.badge["loo_n"] == 10
    assert fit.badge["max_r_hat"] < 1.05
    assert fit.badge["passed"] == (not fit.badge["reasons"])
    assert fit.badge["elpd_loo"] == fit.badge["elpd_loo_subject"] == pytest.approx(fit.loo["elpd"].sum())
    assert fit.badge["groups"] == {"all": 10} and fit.badge["conditions"] == []
    per_trial = fit.loo["elpd"].sum() / len(rows)
    assert np.log(0.5) < per_trial < fit.badge["log_likelihood_per_trial"] < 0


def test_nuts_agrees_with_the_laplace_fit_where_the_data_are_informative(fitted):
    rows, _, fit = fitted
    laplace = em(CARD, pack(rows, CARD))
    mean = diagnose.flat(fit.idata, "subject_parameters").mean(0)
    np.testing.assert_allclose(mean, laplace.subject, atol=0.25)
    estimate, variance = laplace.of_subject.estimate, laplace.of_subject.variance
    weight = laplace.group_sd**2 / (laplace.group_sd**2 + variance)
    np.testing.assert_allclose(weight * estimate + (1 - weight) * laplace.group_mean, laplace.subject, atol=0.02)


def test_the_sampled_posterior_equals_one_computed_on_a_grid():
    rows, _ = simulated(subjects=1, episodes=2, seed=5)
    fit = models.fit(rows, "rescorla_wagner", {"draws": 800, "tune": 300, "retry": False})
    packed = pack(rows, CARD)
    axes = np.linspace(-4, 4, 120), np.linspace(-1, 4, 120)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 1, 2)
    log_posterior = np.array([objective(CARD, packed, g)[0][0] for g in grid])
    log_posterior += norm.logpdf(grid[:, 0], [p.mean for p in CARD.parameters], [p.sd for p in CARD.parameters]).sum(1)
    weight = np.exp(log_posterior - log_posterior.max())
    weight /= weight.sum()
    mean = weight @ grid[:, 0]
    sd = np.sqrt(weight @ (grid[:, 0] - mean) ** 2)
    draws = diagnose.flat(fit.idata, "subject_parameters")[:, 0]
    error = sd / np.sqrt(fit.badge["min_ess_bulk"])
    assert (np.abs(draws.mean(0) - mean) < 4 * error).all()
    np.testing.assert_allclose(draws.std(0), sd, rtol=0.15)
    assert fit.badge["loo_unit"] == "episode"
    assert "one subject" in fit.badge["notes"][0]
    assert set(fit.posterior["level"]) == {"subject"} and set(fit.posterior["group"]) == {"all"}


def test_sessions_nest_within_subjects_and_are_what_is_left_out():
    rows, _ = simulated(subjects=2, sessions=4, episodes=3, seed=3)
    fit = models.fit(rows, "rescorla_wagner", {"draws": 200, "tune": 300, "retry": False, "refits": 1})
    assert fit.badge["n_sessions"] == 8
    assert fit.badge["loo_unit"] == "session"
    units = fit.loo.groupby("level")["unit"].agg(list)
    assert units["session"] == [f"s{i:02d}_{k}" for i in range(2) for k in range(1, 5)]
    assert units["subject"] == ["s00", "s01"]
    assert fit.badge["loo_subject_n"] == 2 and fit.badge["elpd_loo_subject"] < fit.badge["elpd_loo"] + 5
    assert fit.badge["loo_refits"] == (fit.loo["method"] == "refit").sum() <= 1
    assert fit.idata.posterior["session_parameters"].shape[2:] == (8, 2)
    assert "alpha_session_sd" in set(fit.posterior["parameter"])
    assert any("2 subjects" in note for note in fit.badge["notes"])


def test_a_fit_that_did_not_converge_is_marked_with_the_reason(fitted):
    rows = fitted[0]
    fit = models.fit(rows, "rescorla_wagner", {"draws": 20, "tune": 20, "retry": False, "loo": False})
    assert not fit.badge["passed"]
    assert any("effective sample size" in reason for reason in fit.badge["reasons"])


def test_the_marginal_likelihood_equals_quadrature():
    rows, _ = simulated(subjects=3, episodes=1, seed=8)
    packed = pack(rows, CARD)
    mean, spread = np.array([0.2, 1.1]), np.array([0.8, 0.4])
    found = Points(CARD, packed, np.tile(mean, (3, 1)), spread, 2048, 1).marginal(
        np.tile(mean, (1, 3, 1)), spread[None]
    )[:, 0]
    axes = [m + s * np.linspace(-7, 7, 181) for m, s in zip(mean, spread)]
    cell = np.prod([a[1] - a[0] for a in axes])
    total = np.zeros(3)
    for a in axes[0]:
        for b in axes[1]:
            density = norm.pdf([a, b], mean, spread).prod() * cell
            total += np.exp(objective(CARD, packed, np.tile([a, b], (3, 1)))[0]) * density
    np.testing.assert_allclose(found, np.log(total), atol=0.02)


def test_leaving_a_subject_out_equals_fitting_without_it(fitted):
    """The held-out density by importance weights against the one from the posterior of a fit to the others."""
    rows, _, fit = fitted
    left_out = fit.loo["pareto_k"].astype(float).idxmax()
    name = fit.loo["unit"][left_out].split("_")[0]
    silent = rows.assign(
        trial_type=rows["trial_type"].mask(rows["subject"] == name, "forced")
    )  # in the table, not scored
    others = models.fit(silent, "rescorla_wagner", {"draws": 500, "tune": 300, "loo": False, "retry": False})
    packed = pack(rows[rows["subject"] == name], CARD)
    mean, spread = (diagnose.flat(others.idata, v)[:, 0] for v in ("group_mean", "group_sd"))
    points = Points(CARD, packed, mean.mean(0)[None], np.sqrt((spread**2).mean(0)), 1024, 2)
    exact = points.marginal(mean[:, None], spread)[0]
    exact = np.logaddexp.reduce(exact) - np.log(len(exact))
    assert fit.loo["elpd"][left_out] == pytest.approx(exact, abs=0.3)


def test_files_come_back_as_they_were_written(fitted, tmp_path):
    _, _, fit = fitted
    paths = [tmp_path / name for name in ("a.nc", "a.posterior.csv", "a.json", "a.loo.csv")]
    fit.write(*paths)
    again = diagnose.read(paths[0])
    np.testing.assert_array_equal(again.posterior["group_mean"], fit.idata.posterior["group_mean"])
    assert json.loads(paths[2].read_text())["n_subjects"] == 10
    assert list(pd.read_csv(paths[3]).columns) == ["level", "unit", "elpd", "pareto_k", "n_trials", "method"]
    assert len(pd.read_csv(paths[1])) == len(fit.posterior)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(p.name for p in paths)


def test_a_missing_source_gives_valid_files_that_say_so(tmp_path):
    rows = trials.empty()
    rows.attrs = {"reason": "no network"}
    fit = models.fit(rows, "asymmetric_sticky", source="costa2016_monkey_prl")
    paths = [tmp_path / name for name in ("a.nc", "a.posterior.csv", "a.json", "a.loo.csv")]
    fit.write(*paths)
    badge = json.loads(paths[2].read_text())
    assert set(badge) >= BADGE
    assert badge["passed"] is False
    assert badge["reasons"] == ["not run: no network"]
    assert pd.read_csv(paths[1]).empty
    assert diagnose.read(paths[0]).posterior.attrs["status"] == "not run"


def test_wrong_settings_are_refused():
    with pytest.raises(UserError, match="'darws' is not known"):
        Settings.of({"darws": 100})
    with pytest.raises(UserError, match="must be 1 or more"):
        Settings.of({"draws": 0})
    with pytest.raises(UserError, match="'refits' is -1; it must be 0 or more"):
        Settings.of({"refits": -1})


def test_predictions_from_the_true_model_look_like_the_data(fitted):
    rows, _, fit = fitted
    found = predictive(rows, CARD, fit.idata, np.random.default_rng(1), draws=60)
    pooled = found[found["subject"] == "all"].set_index("statistic")
    stay = rows["choice"].to_numpy()[1:] == rows["choice"].to_numpy()[:-1]
    pair, win = rows["trial"].to_numpy()[1:] > 1, rows["reward"].to_numpy()[:-1] > 0
    assert pooled.loc["win_stay", "observed"] == pytest.approx(stay[pair & win].mean())
    assert pooled.loc["better_choice", "observed"] == pytest.approx((rows["choice"] == rows["better_option"]).mean())
    assert ((found["low"] <= found["observed"]) & (found["observed"] <= found["high"])).mean() > 0.75
    assert pooled["p"].between(0.005, 0.995).all()


def test_the_sampling_coordinates_leave_the_density_of_the_hierarchy_unchanged():
    """log p(z, …) of the PyMC model against the stated priors and the likelihood at the parameters that z means."""
    from scipy.stats import halfnorm

    from pipeline.models.hierarchy import build

    rows, _ = simulated(subjects=2, sessions=2, episodes=2, seed=4)
    packed = pack(rows, CARD)
    model = build(CARD, packed, em(CARD, packed))
    generator = np.random.default_rng(1)
    point = {name: generator.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
    variables = model.replace_rvs_by_values([model["subject_parameters"], model["session_parameters"]])
    values = model.compile_fn(variables, inputs=model.value_vars, on_unused_input="ignore")
    subject, session = values(point)
    moved = dict(point, subject_parameters_z=point["subject_parameters_z"] + 1)
    log_slope = np.log(values(moved)[0] - subject).sum()  # η is linear in z
    moved = dict(point, session_parameters_z=point["session_parameters_z"] + 1)
    log_slope += np.log(values(moved)[1] - session).sum()
    spread, within = np.exp(point["group_sd_log__"]), np.exp(point["session_sd_log__"])
    priors = {n: np.array([getattr(p, n) for p in CARD.parameters]) for n in ("mean", "sd", "group_sd", "session_sd")}
    expected = norm.logpdf(point["group_mean"], priors["mean"], priors["sd"]).sum()
    expected += (halfnorm.logpdf(spread, 0, priors["group_sd"]) + np.log(spread)).sum()
    expected += (halfnorm.logpdf(within, 0, priors["session_sd"]) + np.log(within)).sum()
    expected += norm.logpdf(subject, point["group_mean"], spread).sum()
    expected += norm.logpdf(session, subject[packed.unit_subject], within).sum()
    expected += objective(CARD, packed, session)[0].sum() + log_slope
    constant = -0.5 * np.log(2 * np.pi) * (subject.size + session.size)  # left out of the potentials
    assert model.compile_logp()(point) == pytest.approx(expected - constant, rel=1e-9)
