"""Groups, conditions and sessions in the hierarchical model, and its fast companion."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import halfnorm, norm
from test_models_likelihood import ragged

from pipeline import models, trials
from pipeline.models import MODELS, diagnose, hierarchy
from pipeline.models.card import LINKS
from pipeline.models.data import pack
from pipeline.models.laplace import em, objective
from pipeline.models.links import natural
from pipeline.models.op import LikelihoodOp, on_links
from pipeline.models.priors import draw, scales
from pipeline.models.simulate import ModelAgent
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

CARD = MODELS["rescorla_wagner"]
MEAN = {"old": np.array([-0.8, 1.2]), "young": np.array([0.8, 1.2]), "single": np.array([0.0, 1.2])}
EFFECT = np.array([0.0, 0.6])  # of the condition "on" in the group "old": a higher temperature
SPREAD, WITHIN = np.array([0.5, 0.25]), np.array([0.2, 0.15])


def grouped(members, sessions=4, episodes=2, seed=1, conditions=("old",)):
    """Sessions of learners in groups; the true parameters of every subject, (subjects, 2), on the links."""
    generator, tables, true = np.random.default_rng(seed), [], []
    for group, count in members.items():
        names = [f"{group}{i:02d}" for i in range(count)]
        subject = MEAN[group] + SPREAD * generator.standard_normal((count, 2))
        true.append(subject)
        for session in range(1, sessions + 1):
            on = session % 2 == 0 and group in conditions
            eta = subject + WITHIN * generator.standard_normal(subject.shape)
            eta += (on - 0.5) * EFFECT * (group in conditions)
            agent = ModelAgent(CARD, natural(CARD, eta), names)
            own = table(play(agent, TASKS["reversal"], episodes, generator), "made", session)
            own["group"] = group
            own["condition"] = ("on" if on else "off") if group in conditions else pd.NA
            tables.append(own)
    return trials.conform(pd.concat(tables, ignore_index=True)), np.concatenate(true)


@pytest.fixture(scope="module")
def fitted():
    """Two groups, one of them with conditions, and a third of one subject."""
    rows, true = grouped({"old": 9, "single": 1, "young": 9})
    settings = {"draws": 300, "tune": 300, "retry": False, "refits": 0}
    return rows, true, models.fit(rows, "rescorla_wagner", settings)


def test_every_variable_has_the_dimensions_that_its_name_promises(fitted):
    _, _, fit = fitted
    sizes = {name: fit.idata.posterior[name].dims[2:] for name in fit.idata.posterior}
    assert sizes == {
        "group_mean": ("group", "parameter"), "group_sd": ("group", "parameter"), "session_sd": ("parameter",),
        "condition_effect": ("contrast", "parameter"), "subject_parameters": ("subject", "parameter"),
        "session_parameters": ("unit", "parameter"),
    }  # fmt: skip
    posterior = fit.idata.posterior
    assert list(posterior["group"].to_numpy()) == ["old", "single", "young"]
    assert list(posterior["contrast"].to_numpy()) == ["old: on − off"]
    assert list(posterior["parameter"].to_numpy()) == ["alpha", "beta"]
    belongs = dict(zip(posterior["subject"].to_numpy(), posterior["subject_group"].to_numpy()))
    assert belongs["old03"] == "old" and belongs["single00"] == "single"
    assert posterior["unit_subject"].to_numpy()[list(posterior["unit"].to_numpy()).index("young02_3")] == "young02"


def test_a_planted_difference_between_groups_is_found(fitted):
    _, true, fit = fitted
    mean = diagnose.flat(fit.idata, "group_mean")
    difference = mean[:, 2] - mean[:, 0]
    planted = true[10:].mean(0) - true[:9].mean(0)  # of these subjects
    assert (np.abs(difference.mean(0) - planted) < 3.5 * difference.std(0)).all()
    assert np.quantile(difference[:, 0], 0.03) > 0.5
    assert np.quantile(difference[:, 1], 0.03) < 0 < np.quantile(difference[:, 1], 0.97)


def test_a_planted_effect_of_a_condition_is_found_within_subjects(fitted):
    _, _, fit = fitted
    effect = diagnose.flat(fit.idata, "condition_effect")[:, 0]
    assert (np.abs(effect.mean(0) - EFFECT) < 3.5 * effect.std(0)).all()
    assert np.quantile(effect[:, 1], 0.03) > 0.1
    rows = fit.posterior[fit.posterior["level"] == "condition"]
    assert rows["group"].tolist() == ["old: on − off"] * 2
    np.testing.assert_allclose(rows["mean"], effect.mean(0), atol=1e-6)


def test_the_group_of_one_subject_takes_its_sd_from_the_prior_and_the_badge_says_so(fitted):
    _, _, fit = fitted
    spread = diagnose.flat(fit.idata, "group_sd")[:, 1]
    prior = halfnorm(0, scales(CARD)["group_sd"])
    for i in range(2):
        expected = prior.mean()[i]
        assert spread[:, i].mean() == pytest.approx(expected, abs=0.25 * expected)
        assert np.quantile(spread[:, i], 0.9) == pytest.approx(prior.ppf(0.9)[i], rel=0.25)
    assert any("groups of few subjects (single 1)" in note for note in fit.badge["notes"])
    assert fit.badge["groups"] == {"old": 9, "single": 1, "young": 9}
    assert fit.badge["conditions"] == ["old: on − off"]


def test_the_posterior_table_names_group_and_subject_on_every_row(fitted):
    _, _, fit = fitted
    found = fit.posterior
    assert list(dict.fromkeys(found["level"])) == ["group", "condition", "subject"]
    group = found[found["level"] == "group"]
    assert set(group.loc[group["parameter"] == "alpha", "group"]) == {"old", "single", "young"}
    assert group.loc[group["parameter"] == "alpha_session_sd", "group"].tolist() == ["all"]
    subject = found[(found["level"] == "subject") & (found["parameter"] == "beta")]
    assert (subject["subject"].str.rstrip("0123456789") == subject["group"]).all()
    assert subject["shrinkage"].between(0, 1).all()


def test_em_and_nuts_agree_on_groups_conditions_and_subjects(fitted):
    rows, _, fit = fitted
    laplace = em(CARD, pack(rows, CARD))
    for name in ("group_mean", "condition_effect", "session_sd"):
        draws = diagnose.flat(fit.idata, name)
        np.testing.assert_array_less(np.abs(draws.mean(0) - getattr(laplace, name)), 0.7 * draws.std(0) + 0.03, name)
    mean = diagnose.flat(fit.idata, "subject_parameters").mean(0)
    np.testing.assert_allclose(mean, laplace.subject, atol=0.25)
    spread = diagnose.flat(fit.idata, "group_sd").mean(0)
    assert (np.abs(np.log(laplace.group_sd[[0, 2]] / spread[[0, 2]])) < 0.5).all()


def values_of(model, point, names):
    variables = model.replace_rvs_by_values([model[name] for name in names])
    return dict(zip(names, model.compile_fn(variables, inputs=model.value_vars, on_unused_input="ignore")(point)))


@pytest.mark.parametrize("nested", [True, False])
def test_the_sampling_coordinates_leave_the_density_unchanged_with_groups_and_conditions(nested):
    """log p(z, …) of the PyMC model against the stated priors and the likelihood at the parameters that z means."""
    rows, _ = grouped({"old": 3, "young": 2}, sessions=2, episodes=1, seed=4)
    if not nested:  # one session each, of subjects in different conditions
        rows = rows[rows["session"] == 1 + (rows["subject"].str[-1].astype(int) % 2)]
    packed = pack(rows, CARD)
    assert packed.nested == nested
    laplace = em(CARD, packed)
    model = hierarchy.build(CARD, packed, laplace)
    generator = np.random.default_rng(1)
    point = {name: generator.normal(size=np.shape(value)) for name, value in model.initial_point().items()}
    names = ["subject_parameters", "session_parameters"]
    found = values_of(model, point, names)
    log_slope = 0
    for name in names[: 1 + nested]:  # η is linear in z
        moved = values_of(model, dict(point, **{f"{name}_z": point[f"{name}_z"] + 1}), names)
        log_slope += np.log(moved[name] - found[name]).sum()
    prior, s = scales(CARD), packed.structure
    spread, effect = np.exp(point["group_sd_log__"]), point["condition_effect"]
    expected = norm.logpdf(point["group_mean"], prior["mean"], prior["sd"]).sum()
    expected += (halfnorm.logpdf(spread, 0, prior["group_sd"]) + np.log(spread)).sum()
    expected += norm.logpdf(effect, 0, prior["group_sd"]).sum()
    subject, session = found["subject_parameters"], found["session_parameters"]
    place = s.subject_group
    expected += norm.logpdf(subject, point["group_mean"][place], spread[place]).sum()
    center = subject[packed.unit_subject] + s.design @ effect
    if nested:
        within = np.exp(point["session_sd_log__"])
        expected += (halfnorm.logpdf(within, 0, prior["session_sd"]) + np.log(within)).sum()
        expected += norm.logpdf(session, center, within).sum()
    else:
        np.testing.assert_allclose(session, center)
    expected += objective(CARD, packed, session)[0].sum() + log_slope
    constant = -0.5 * np.log(2 * np.pi) * (subject.size + nested * session.size)  # left out of the potentials
    assert model.compile_logp()(point) == pytest.approx(expected - constant, rel=1e-9)


def test_a_program_with_other_data_draws_what_a_fresh_program_of_these_data_draws():
    first, second = (pack(grouped({"old": 2, "young": 2}, 2, 1, seed)[0], CARD) for seed in (1, 2))
    plan = {"draws": 30, "tune": 60, "chains": 2, "threads": 1, "target_accept": 0.9, "seed": 3}
    of_second = em(CARD, second)
    compiled = hierarchy.program(CARD, first, em(CARD, first))
    assert set(compiled.shared_data) == set(hierarchy.data_of(CARD, first, em(CARD, first)))
    renewed = hierarchy.sample(hierarchy.renew(compiled, CARD, second, of_second), **plan)
    fresh = hierarchy.sample(hierarchy.program(CARD, second, of_second), **plan)
    again = hierarchy.sample(compiled, **plan)
    for name in ("group_mean", "condition_effect", "session_parameters"):
        np.testing.assert_allclose(renewed.posterior[name], fresh.posterior[name], rtol=1e-6, atol=1e-8)
    assert np.abs(again.posterior["group_mean"] - fresh.posterior["group_mean"]).max() > 0.01


def test_chains_start_at_the_em_fit_with_means_jittered_by_at_most_one():
    rows, _ = grouped({"old": 2, "young": 2}, 2, 1)
    packed = pack(rows, CARD)
    laplace = em(CARD, packed)
    names = ["group_mean", "group_sd_log__", "condition_effect", "subject_parameters_z", "session_sd_log__",
             "session_parameters_z"]  # fmt: skip
    start = hierarchy._Start(names, hierarchy.start(packed, laplace))
    one, other = start(1), start(2)
    count = laplace.group_mean.size
    np.testing.assert_array_equal(one, start(1))
    assert 0 < np.abs(one[:count] - laplace.group_mean.ravel()).max() <= 1
    np.testing.assert_array_equal(one[count:], other[count:])
    np.testing.assert_allclose(one[count : 2 * count], np.log(laplace.group_sd).ravel())


@pytest.mark.parametrize("name", ["rescorla_wagner_sticky", "bayesian_reversal"])  # together they have every link
def test_the_node_of_the_graph_applies_the_links_and_their_slopes(name):
    """Value and gradient of the compiled node against the likelihood on natural values."""
    card = MODELS[name]
    packed = pack(ragged(3, 2), card)
    eta = scales(card)["mean"] + 0.3 * np.random.default_rng(1).standard_normal((packed.units, len(card.parameters)))
    loglik, gradient = on_links(LikelihoodOp(card, 2))(eta, packed.inputs, packed.length, packed.unit)
    expected, slopes = objective(card, packed, eta)
    np.testing.assert_allclose(loglik, expected, rtol=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-10)


def test_every_link_is_among_those_that_the_node_is_tested_with():
    cards = [MODELS[name] for name in ("rescorla_wagner_sticky", "bayesian_reversal")]
    assert {p.link for card in cards for p in card.parameters} == set(LINKS)


def test_prior_draws_have_the_moments_of_the_priors():
    rows, _ = grouped({"old": 3, "young": 2}, 2, 1)
    packed, generator = pack(rows, CARD), np.random.default_rng(1)
    drawn = [draw(CARD, packed, generator) for _ in range(2000)]
    prior = scales(CARD)
    for name, mean, sd in (("group_mean", prior["mean"], prior["sd"]), ("condition_effect", 0, prior["group_sd"])):
        values = np.stack([d[name] for d in drawn])[:, 0]
        assert (np.abs(values.mean(0) - mean) < 4 * sd / np.sqrt(2000)).all()
        np.testing.assert_allclose(values.std(0), sd, rtol=0.1)
    away = np.stack([d["session_parameters"] - d["subject_parameters"][packed.unit_subject]
                     - packed.structure.design @ d["condition_effect"] for d in drawn])  # fmt: skip
    np.testing.assert_allclose((away**2).mean((0, 1)), prior["session_sd"] ** 2, rtol=0.15)


def test_em_recovers_group_means_sds_and_effects_from_many_subjects():
    rows, true = grouped({"old": 40, "young": 40}, sessions=4, episodes=2, seed=7)
    fit = em(CARD, pack(rows, CARD))
    means = np.stack([true[:40].mean(0), true[40:].mean(0)])
    np.testing.assert_allclose(fit.group_mean, means, atol=0.15)
    np.testing.assert_allclose(fit.group_sd, [SPREAD, SPREAD], rtol=0.4)
    np.testing.assert_allclose(fit.session_sd, WITHIN, rtol=0.5)
    np.testing.assert_allclose(fit.condition_effect[0], EFFECT, atol=0.3)  # three standard errors of a rate


def test_em_stays_finite_where_likelihoods_are_flat_or_have_two_modes():
    """Choices at random say nothing of learning rates: some likelihoods bend upwards at the mode under the prior."""
    generator = np.random.default_rng(3)
    rows, _ = grouped({"old": 15, "young": 15}, sessions=1, episodes=1, seed=2, conditions=())
    rows["choice"] = generator.integers(0, 2, len(rows))
    for name in ("asymmetric_sticky", "pearce_hall"):
        card = MODELS[name]
        packed = pack(trials.conform(rows), card)
        fit, prior = em(card, packed), scales(card)
        width = np.sqrt(prior["sd"] ** 2 + prior["group_sd"] ** 2)
        assert (np.abs(fit.subject - prior["mean"]) < 5 * width).all()
        assert (fit.group_sd < 4 * prior["group_sd"]).all()
        assert np.isfinite(fit.of_subject.estimate).all() and (fit.of_subject.variance > 0).all()
        again = em(card, packed, iterations=90)
        np.testing.assert_allclose(again.group_mean, fit.group_mean, atol=0.05)  # it has come to rest
