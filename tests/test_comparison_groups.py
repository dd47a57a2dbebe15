import arviz as az
import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm

from pipeline.comparison.groups import choice_probability, compare
from pipeline.models import MODELS
from pipeline.models.diagnose import nothing

CARD = MODELS["rescorla_wagner_sticky"]


def fit(mean, sd=0.1, subjects=4, seed=1, draws=4000, group_sd=0.4):
    """Draws whose group mean is normal around ``mean``."""
    generator = np.random.default_rng(seed)
    count = len(CARD.parameters)
    posterior = {
        "group_mean": np.asarray(mean) + sd * generator.standard_normal((4, draws // 4, count)),
        "group_sd": np.abs(group_sd + 0.05 * generator.standard_normal((4, draws // 4, count))),
        "subject_parameters": np.asarray(mean) + sd * generator.standard_normal((4, draws // 4, subjects, count)),
    }
    if subjects == 1:
        del posterior["group_mean"], posterior["group_sd"]
    return az.from_dict(posterior=posterior, dims={"subject_parameters": ["subject", "parameter"]})


def rows(found, **where):
    for column, value in where.items():
        found = found[found[column] == value]
    return found


def test_the_difference_of_independent_posteriors_has_their_summed_variance():
    found = compare(CARD, {"a": fit([0.5, 1, 0]), "b": fit([0, 1, 0], seed=2)}, [("a", "b")], np.random.default_rng(1))
    alpha = rows(found, parameter="alpha", scale="link", prior="as stated").iloc[0]
    assert alpha["mean"] == pytest.approx(0.5, abs=4 * np.sqrt(2 * 0.01 / 4000))
    half = norm.ppf(0.97) * np.sqrt(0.02)
    assert alpha["high"] - alpha["low"] == pytest.approx(2 * half, rel=0.06)
    assert alpha["p_direction"] > 0.99
    beta = rows(found, parameter="beta", scale="link", prior="as stated").iloc[0]
    assert beta["low"] < 0 < beta["high"]
    assert "fewer than 8" in alpha["note"]
    assert (alpha["n_a"], alpha["n_b"]) == (4, 4)


def test_a_parameter_is_translated_into_the_probability_of_repeating_one_rewarded_choice():
    alpha, beta, kappa = (p.typical for p in CARD.parameters)
    eta = np.array([-1.0, 0.0, 2.0])
    found = choice_probability(CARD, 0, eta)
    np.testing.assert_allclose(found, expit(beta * expit(eta) * 0.5 + kappa))
    np.testing.assert_allclose(choice_probability(CARD, 1, eta), expit(np.exp(eta) * alpha * 0.5 + kappa))
    loss = MODELS["asymmetric_sticky"]
    values = {p.name: p.typical for p in loss.parameters}
    found = choice_probability(loss, 1, eta)  # learning from omission: after no reward
    np.testing.assert_allclose(found, expit(-values["beta"] * expit(eta) * 0.5 + values["kappa"]))


def test_the_region_of_equivalence_holds_equal_groups_and_not_different_ones():
    fits = {"a": fit([0, 1, 0], 0.02), "b": fit([0, 1, 0], 0.02, seed=2), "c": fit([0, 1, 2.0], 0.02, seed=3)}
    found = compare(CARD, fits, [("a", "b"), ("a", "c")], np.random.default_rng(1), rope=0.05)
    kappa = rows(found, parameter="kappa", scale="choice probability", prior="as stated").set_index("group_b")
    assert kappa.loc["b", "p_rope"] > 0.99
    assert kappa.loc["c", "p_rope"] < 0.01
    assert (kappa[["rope_low", "rope_high"]] == [-0.05, 0.05]).all().all()
    assert rows(found, scale="link")["p_rope"].isna().all()


def test_reweighting_to_another_prior_equals_the_conjugate_posterior():
    """Normal data with known variance: the posterior under the prior of half the SD is known exactly."""
    parameter, data, noise = CARD.parameters[2], 1.0, 0.8

    def exact(sd):
        precision = sd**-2 + noise**-2
        return data * noise**-2 / precision, precision**-0.5

    mean, sd = exact(parameter.sd)
    generator = np.random.default_rng(1)
    one = az.from_dict(posterior={"subject_parameters": mean + sd * generator.standard_normal((4, 5000, 1, 3))},
                       dims={"subject_parameters": ["subject", "parameter"]})  # fmt: skip
    zero = az.from_dict(posterior={"subject_parameters": np.zeros((4, 5000, 1, 3)) + parameter.mean},
                        dims={"subject_parameters": ["subject", "parameter"]})  # fmt: skip
    found = compare(CARD, {"a": one, "b": zero}, [("a", "b")], generator, draws=20000)
    for prior, factor in (("SDs halved", 0.5), ("SDs doubled", 2.0)):
        row = rows(found, parameter="kappa", scale="link", prior=prior).iloc[0]
        assert row["mean"] == pytest.approx(exact(factor * parameter.sd)[0], abs=0.04)
        assert "one subject" in row["note"]


def test_a_source_that_was_not_run_gives_no_row():
    found = compare(
        CARD, {"a": fit([0, 1, 0]), "b": nothing("no file")}, [("a", "b"), ("a", "zzz")], np.random.default_rng(1)
    )
    assert found.empty
    assert "p_rope" in found.columns
