"""Leave-one-out for a new session and a new subject, against brute force."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import halfnorm, multivariate_t, norm
from test_models_hierarchy import CARD, grouped

from pipeline.models import diagnose, hierarchy
from pipeline.models.badge import LOO_COLUMNS, LOO_FACTS
from pipeline.models.data import pack
from pipeline.models.importance import Points, SubjectPoints
from pipeline.models.laplace import em, evidence, objective
from pipeline.models.levels import Subjects, draws_of, levels_of
from pipeline.models.loo import leave_one_out
from pipeline.models.priors import scales
from pipeline.models.refit import Refits, by_grid, silenced

SAMPLER = {"tune": 300, "chains": 4, "threads": 1, "target_accept": 0.9}


def named(packed, x):
    """What subjects share, by name, from vectors (draws, size): means, log SDs, log session SDs, effects."""
    s, count = packed.structure, len(x)
    groups, contrasts = len(s.groups), len(s.contrasts)
    mean, log_sd, log_within, effect = np.split(x, np.cumsum([2 * groups, 2 * groups, 2]), axis=1)
    shape = (count, groups, 2)
    return {
        "group_mean": mean.reshape(shape), "group_sd": np.exp(log_sd).reshape(shape), "session_sd": np.exp(log_within),
        "condition_effect": effect.reshape(count, contrasts, 2),
    }  # fmt: skip


def log_prior(packed, x):
    """Log prior density of these vectors, with dσ / d log σ."""
    prior, found = scales(CARD), named(packed, x)
    total = norm.logpdf(found["group_mean"], prior["mean"], prior["sd"]).sum((1, 2))
    total += norm.logpdf(found["condition_effect"], 0, prior["condition_sd"]).sum((1, 2))
    for name, axes in (("group_sd", (1, 2)), ("session_sd", 1)):
        total += (halfnorm.logpdf(found[name], 0, prior[name]) + np.log(found[name])).sum(axes)
    return total


def of_subjects(packed, draws):
    """Log p(y_s | φ) of every subject; the points of `SubjectPoints` are themselves tested against plain sums."""
    s, fit, prior = packed.structure, em(CARD, packed), scales(CARD)
    shift = np.einsum("uc,dcp->dup", s.design, draws["condition_effect"])
    mean, spread = draws["group_mean"][:, s.subject_group], draws["group_sd"][:, s.subject_group]
    if packed.nested:
        points = SubjectPoints(CARD, packed, fit.subject, prior["session_sd"], shift.mean(0), 1)
        return points.marginal(mean, spread, draws["session_sd"], shift)
    wide = np.tile(prior["group_sd"], (packed.units, 1))
    points = Points(CARD, packed, fit.unit, wide, 512, 1)
    return points.marginal(mean[:, packed.unit_subject] + shift, spread[:, packed.unit_subject])


def brute_force(packed, count, rounds=3):
    """Log p(y_s | φ), (subjects, draws), and log weights of the draws, φ by importance sampling.

    Every round draws from a t around the weighted draws of the last one, the first from the prior.
    """
    generator, prior, s = np.random.default_rng(1), scales(CARD), packed.structure
    groups, contrasts = len(s.groups), len(s.contrasts)
    normal = generator.standard_normal
    parts = [prior["mean"] + prior["sd"] * normal((count, 2)) for _ in range(groups)]
    parts += [np.log(np.abs(prior["group_sd"] * normal((count, 2)))) for _ in range(groups)]
    parts += [np.log(np.abs(prior["session_sd"] * normal((count, 2))))]
    parts += [prior["condition_sd"] * normal((count, 2)) for _ in range(contrasts)]
    x = np.concatenate(parts, 1)
    log_weight = np.zeros(count)
    for _ in range(rounds):
        loglik = of_subjects(packed, named(packed, x))
        weight = np.exp(0.5 * (loglik.sum(0) + log_weight - (loglik.sum(0) + log_weight).max()))  # tempered
        weight /= weight.sum()
        middle = weight @ x
        spread = (x - middle).T @ ((x - middle) * weight[:, None]) + 1e-3 * np.eye(x.shape[1])
        proposal = multivariate_t(middle, spread, df=8, seed=generator)
        x = proposal.rvs(count)
        log_weight = log_prior(packed, x) - proposal.logpdf(x)
    return of_subjects(packed, named(packed, x)), log_weight


def exact_elpd(loglik, log_weight):
    """Log p(y_s | y_-s) = log p(y) − log p(y_-s) of every subject, and its error: 1 / √(effective draws)."""
    total = loglik.sum(0) + log_weight
    rest = total - loglik
    effective = np.exp(2 * logsumexp(rest, axis=1) - logsumexp(2 * rest, axis=1))
    return logsumexp(total) - logsumexp(rest, axis=1), effective**-0.5


def exact_evidence(loglik, log_weight):
    """Log p(y)."""
    return logsumexp(loglik.sum(0) + log_weight) - np.log(len(log_weight))


@pytest.fixture(scope="module")
def nested():
    """Few sessions of few subjects, with a condition: small enough for brute force; and its program."""
    rows, _ = grouped({"old": 4}, sessions=2, episodes=1, seed=11)
    rows = rows[rows["trial"] <= 40].drop(columns="group").reset_index(drop=True)
    packed = pack(rows, CARD)
    laplace = em(CARD, packed)
    program = hierarchy.program(CARD, packed, laplace)
    plan = SAMPLER | {"draws": 1000, "seed": 3}
    return rows, packed, program, diagnose.keep(hierarchy.sample(program, **plan), packed)


@pytest.fixture(scope="module")
def exact(nested):
    return brute_force(nested[1], 2500)


def test_the_likelihood_of_a_whole_subject_equals_plain_monte_carlo(nested):
    """Σ over draws of the subject's and its sessions' parameters from their distributions, without any points."""
    _, packed, _, _ = nested
    fit, generator = em(CARD, packed), np.random.default_rng(2)
    mean, spread = np.array([0.0, 1.1]), np.array([0.6, 0.4])
    within, effect = np.array([0.4, 0.3]), np.array([[0.2, 0.5]])
    shift = packed.structure.design @ effect
    points = SubjectPoints(CARD, packed, fit.subject, within, shift, 1)
    found = points.marginal(np.tile(mean, (1, 4, 1)), np.tile(spread, (1, 4, 1)), within[None], shift[None])[:, 0]
    total = np.full(4, -np.inf)
    count = 20000
    for _ in range(count):
        subject = mean + spread * generator.standard_normal((4, 2))
        session = subject[packed.unit_subject] + shift + within * generator.standard_normal((packed.units, 2))
        total = np.logaddexp(total, np.bincount(packed.unit_subject, objective(CARD, packed, session)[0]))
    np.testing.assert_allclose(found, total - np.log(count), atol=0.1)
    only = points.marginal(np.tile(mean, (1, 4, 1)), np.tile(spread, (1, 4, 1)), within[None], shift[None], 2)
    np.testing.assert_allclose(only[0, 0], found[2])


def test_a_spread_of_next_to_nothing_leaves_the_likelihood_at_the_mean(nested):
    """Fixed points miss a narrow distribution between them; points laid for it do not."""
    _, packed, _, _ = nested
    fit = em(CARD, packed)
    points = Points(CARD, packed, fit.unit, np.array([0.5, 0.5]), 256, 1)
    mean = fit.unit + 0.3 * np.random.default_rng(1).standard_normal((3, *fit.unit.shape))
    for spread in (1e-3, 1e-2):
        found = points.marginal(mean, np.full((3, 2), spread))
        np.testing.assert_allclose(found, np.stack([objective(CARD, packed, m)[0] for m in mean], 1), atol=0.02)


def test_the_density_of_a_new_subject_equals_brute_force(nested, exact):
    rows, packed, _, idata = nested
    expected, error = exact_elpd(*exact)
    pointwise, facts = leave_one_out(CARD, packed, rows, idata, 1)
    subject = pointwise[pointwise["level"] == "subject"]
    assert subject["unit"].tolist() == list(packed.subjects)
    sure = (subject["pareto_k"].to_numpy(float) < 0.7) & (error < 0.1)
    assert sure.sum() >= 2
    assert (np.abs(subject["elpd"].to_numpy(float) - expected) < 4 * error + 0.1)[sure].all()
    assert facts["elpd_loo_subject"] == pytest.approx(subject["elpd"].sum())


def test_sampling_anew_without_a_subject_equals_brute_force(nested, exact):
    _, packed, program, idata = nested
    expected, error = exact_elpd(*exact)
    level = levels_of(CARD, packed, None, idata, 1)[1]
    refits = Refits(CARD, packed, program, SAMPLER, 5, 2)
    for u in np.argsort(error)[:2]:
        terms = level.marginal(draws_of(refits.without(level.owner == u), 400), u)[0]
        own = np.exp(terms - terms.max()).std() / np.exp(terms - terms.max()).mean() / np.sqrt(len(terms) / 2)
        assert np.abs(logsumexp(terms) - np.log(len(terms)) - expected[u]) < 4 * np.hypot(own, error[u])
        assert own < 0.1 and error[u] < 0.1
    assert refits.without(level.owner == 1) is None  # two were allowed
    assert refits.count == 2


def test_the_density_of_a_new_session_equals_that_of_a_fit_without_it(nested):
    rows, packed, program, idata = nested
    pointwise, facts = leave_one_out(CARD, packed, rows, idata, 1)
    session = pointwise[pointwise["level"] == "session"].reset_index(drop=True)
    assert session["unit"].tolist() == list(packed.unit_label)
    assert facts["loo_unit"] == "session" and facts["loo_n"] == 8
    level = levels_of(CARD, packed, rows, idata, 1)[0]
    refits = Refits(CARD, packed, program, SAMPLER, 5, 1)
    u = int(session["pareto_k"].astype(float).idxmin())
    terms = level.marginal(draws_of(refits.without(level.owner == u)), u)[0]
    assert session["elpd"][u] == pytest.approx(logsumexp(terms) - np.log(len(terms)), abs=0.15)


def test_units_beyond_the_number_of_refits_are_flagged_sessions_first(nested, monkeypatch):
    rows, packed, program, idata = nested
    monkeypatch.setattr("pipeline.models.loo.PARETO_K", -10.0)  # nothing is good enough
    asked = []

    class Counting(Refits):
        def without(self, lanes):
            asked.append(lanes)
            self.count += self.count < self.most
            return idata if len(asked) <= self.most else None

    pointwise, facts = leave_one_out(CARD, packed, rows, idata, 1, Counting(CARD, packed, program, SAMPLER, 5, 3))
    assert facts["loo_refits"] == 3
    assert (pointwise["method"] == "refit").sum() == 3
    assert set(pointwise.loc[pointwise["method"] == "refit", "level"]) == {"session"}
    assert len(asked) == 12  # eight sessions, four subjects
    assert facts["pareto_k_subject_bad"] == 4
    assert tuple(pointwise.columns) == LOO_COLUMNS and set(facts) == set(LOO_FACTS)


def test_silenced_choices_teach_and_are_not_scored(nested):
    _, packed, _, _ = nested
    lanes = packed.unit == 3
    quiet = silenced(CARD, packed, lanes)
    eta = np.random.default_rng(1).normal(size=(packed.units, 2))
    loglik, whole = objective(CARD, quiet, eta)[0], objective(CARD, packed, eta)[0]
    assert loglik[3] == 0 and quiet.unit_trials[3] == 0
    np.testing.assert_array_equal(np.delete(loglik, 3), np.delete(whole, 3))
    np.testing.assert_array_equal(np.delete(quiet.unit_trials, 3), np.delete(packed.unit_trials, 3))
    assert quiet.structure is packed.structure and packed.unit_trials[3] == 40


def test_the_grid_predicts_a_subject_from_its_own_group_as_brute_force_does():
    rows, _ = grouped({"old": 4, "young": 4}, sessions=1, episodes=4, seed=5, conditions=())
    packed = pack(rows, CARD)
    expected, error = exact_elpd(*brute_force(packed, 5000))
    fit = em(CARD, packed)
    place = packed.structure.subject_group
    points = Points(CARD, packed, fit.group_mean[place], fit.group_sd[place], 512, 2)
    for u in (0, 6):
        rest = np.flatnonzero((place == place[u]) & (np.arange(8) != u))
        elpd, k = by_grid(CARD, points, u, rest, 1)
        assert k < 0.7
        assert np.abs(elpd - expected[u]) < 4 * error[u] + 0.1
        assert error[u] < 0.1


def test_the_grid_is_not_used_where_conditions_bind_the_groups_subjects_together():
    rows, _ = grouped({"old": 4}, sessions=2, episodes=1, seed=5)
    one = pack(rows[rows["session"] == 1 + (rows["subject"].str[-1].astype(int) % 2)], CARD)
    assert Subjects(CARD, one, None, 1).by_grid(0) is None


def test_a_lone_subject_leaves_episodes_out_and_a_lone_episode_nothing():
    rows, _ = grouped({"old": 1}, sessions=1, episodes=3, seed=2, conditions=())
    packed = pack(rows, CARD)
    generator = np.random.default_rng(1)
    fit = em(CARD, packed)
    import arviz as az

    draws = fit.subject + fit.subject_sd * generator.standard_normal((2, 400, 1, 2))
    idata = az.from_dict(posterior={"subject_parameters": draws})
    pointwise, facts = leave_one_out(CARD, packed, rows, idata, 1)
    assert pointwise["level"].tolist() == ["episode"] * 3
    assert facts["loo_unit"] == "episode" and facts["elpd_loo_subject"] is None
    alone = rows[rows["episode"] == 1]
    pointwise, facts = leave_one_out(CARD, pack(alone, CARD), alone, idata, 1)
    assert pointwise.empty and facts["elpd_loo"] is None and facts["loo_unit"] is None


def test_the_approximate_evidence_is_near_brute_force_and_prefers_the_model_that_made_the_data():
    rows, _ = grouped({"old": 5}, sessions=1, episodes=1, seed=3, conditions=())
    packed = pack(rows, CARD)
    expected = exact_evidence(*brute_force(packed, 3000))
    found = evidence(CARD, packed, em(CARD, packed))
    assert found["log_evidence"] == pytest.approx(expected, abs=1.0)
    assert found["hyperparameters"] == 4
    assert found["integrated_bic"] == pytest.approx(-2 * found["log_likelihood"] + 4 * np.log(400))
    assert "approximation" in found["method"]
    from pipeline.models import MODELS

    coin = MODELS["biased_coin"]
    other = pack(rows, coin)
    assert evidence(coin, other, em(coin, other))["log_evidence"] < found["log_evidence"] - 5


def test_the_evidence_of_nested_sessions_with_a_condition_is_near_brute_force(nested, exact):
    _, packed, _, _ = nested
    found = evidence(CARD, packed, em(CARD, packed))
    assert found["log_evidence"] == pytest.approx(exact_evidence(*exact), abs=1.5)


def test_loo_columns_survive_a_csv(nested, tmp_path):
    rows, packed, _, idata = nested
    pointwise, _ = leave_one_out(CARD, packed, rows, idata, 1)
    pointwise.to_csv(tmp_path / "loo.csv", index=False)
    again = pd.read_csv(tmp_path / "loo.csv")
    np.testing.assert_allclose(again["elpd"], pointwise["elpd"].astype(float))
    assert again["level"].tolist() == pointwise["level"].tolist()
