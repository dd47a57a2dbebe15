import json
from dataclasses import replace

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import norm

from pipeline.comparison.groups import KINDS, card_of, compare, within
from pipeline.comparison.probes import REACH, choice_probability, probe_of
from pipeline.comparison.run import compare_study
from pipeline.models import MODELS
from pipeline.models.diagnose import nothing, write
from pipeline.models.links import transformed

CARD = MODELS["rescorla_wagner_sticky"]


def fit(mean, sd=0.1, subjects=4, seed=1, draws=4000, group_sd=0.4, groups=None, effect=None, card=CARD):
    """Draws whose group means are normal around ``mean``; ``groups``: name → mean, of several groups."""
    generator, count = np.random.default_rng(seed), len(card.parameters)
    means = np.stack([np.asarray(m, float) for m in (groups or {"all": mean}).values()])
    shape, size = (4, draws // 4), len(means)
    posterior = {
        "group_mean": means + sd * generator.standard_normal((*shape, size, count)),
        "group_sd": np.abs(group_sd + 0.05 * generator.standard_normal((*shape, size, count))),
        "subject_parameters": means[0] + sd * generator.standard_normal((*shape, size * subjects, count)),
    }
    coords = {"parameter": list(card.names), "group": list(groups or {"all": 0})}
    if effect is not None:
        coords["contrast"] = list(effect)
        values = np.stack([np.asarray(e, float) for e in effect.values()])
        posterior["condition_effect"] = values + sd * generator.standard_normal((*shape, *values.shape))
    if subjects == 1 and not groups:
        del posterior["group_mean"], posterior["group_sd"], coords["group"]
    dims = {"group_mean": ["group", "parameter"], "group_sd": ["group", "parameter"],
            "subject_parameters": ["subject", "parameter"], "condition_effect": ["contrast", "parameter"]}  # fmt: skip
    found = az.from_dict(posterior=posterior, coords=coords, dims=dims)
    if groups:
        members = np.repeat(list(groups), subjects)
        found.posterior = found.posterior.assign_coords(subject_group=("subject", members))
    return found


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
    one = fit(np.full(3, mean), sd, 1, 1, 20000)
    zero = fit(np.full(3, parameter.mean), 0.0, 1, 2, 20000)
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


def test_every_group_of_one_source_is_compared_with_every_group_of_another():
    fits = {"net": fit([0, 1, 0]), "people": fit(None, groups={"old": [1.0, 1, 0], "young": [0, 1, 0.5]}, subjects=9)}
    found = compare(CARD, fits, [("net", "people")], np.random.default_rng(1))
    pairs = set(zip(found["group_a"], found["group_b"]))
    assert pairs == {("net", "people: old"), ("net", "people: young")}
    assert set(found["source_b"]) == {"people"} and set(found["kind"]) == {"sources"}
    alpha = rows(found, parameter="alpha", scale="link", prior="as stated").set_index("group_b")
    assert alpha.loc["people: old", "mean"] == pytest.approx(-1, abs=0.02)
    assert alpha.loc["people: young", "mean"] == pytest.approx(0, abs=0.02)
    assert (alpha["n_b"] == 9).all()


def test_groups_of_one_source_are_compared_draw_by_draw():
    """Their draws belong together: what both groups share, here one value added to both, cancels."""
    people = fit(None, groups={"old": [0.5, 1, 0], "young": [0, 1, 0]}, sd=0.1, subjects=9)
    shared = 5 * np.random.default_rng(3).standard_normal((4, 1000, 1, 1))
    people.posterior["group_mean"] = people.posterior["group_mean"] + shared
    found = within(CARD, {"people": people}, ["people"], np.random.default_rng(1))
    alpha = rows(found, parameter="alpha", scale="link", prior="as stated").iloc[0]
    assert (alpha["group_a"], alpha["group_b"], alpha["kind"]) == ("people: old", "people: young", "groups")
    assert alpha["mean"] == pytest.approx(0.5, abs=0.02)
    assert alpha["high"] - alpha["low"] == pytest.approx(2 * norm.ppf(0.97) * np.sqrt(0.02), rel=0.1)


def test_the_effect_of_a_condition_is_a_difference_between_its_two_sides():
    effect = {"old: b − a": [0.6, 0, 0], "old: c − a": [0.0, 0, 0]}
    groups = {"old": [0.0, 1, 0], "young": [0.0, 1, 0]}
    found = within(CARD, {"s": fit(None, groups=groups, effect=effect, sd=0.02, subjects=9)}, ["s"],
                   np.random.default_rng(1))  # fmt: skip
    own = rows(found, kind="conditions", parameter="alpha", prior="as stated")
    assert set(zip(own["group_a"], own["group_b"])) == {
        ("s: old: b", "s: old: a"),
        ("s: old: c", "s: old: a"),
    }
    link = rows(own, scale="link", group_a="s: old: b").iloc[0]
    assert link["mean"] == pytest.approx(0.6, abs=0.01)
    shown = rows(own, scale="choice probability", group_a="s: old: b").iloc[0]
    base = 0.0 - 0.6 / 3  # the group mean lies midway between three conditions
    sides = choice_probability(CARD, 0, np.array([base + 0.6, base]))
    assert shown["mean"] == pytest.approx(sides[0] - sides[1], abs=0.005)
    assert set(found["kind"]) == {"groups", "conditions"} < set(KINDS)
    assert (link["n_a"], link["n_b"]) == (9, 9)


def test_other_priors_of_a_condition_reweight_its_effect():
    """Normal data with known variance: the posterior of the effect under half the prior SD is known exactly."""
    sd, data, noise = CARD.parameters[2].group_sd, 0.4, 0.3

    def exact(scale):
        precision = scale**-2 + noise**-2
        return data * noise**-2 / precision, precision**-0.5

    mean, spread = exact(sd)
    people = fit([0, 1, 0], effect={"on − off": [0, 0, mean]}, sd=spread, draws=20000)
    found = within(CARD, {"s": people}, ["s"], np.random.default_rng(1), draws=20000)
    own = rows(found, kind="conditions", parameter="kappa", scale="link").set_index("prior")
    assert own.loc["SDs halved", "mean"] == pytest.approx(exact(sd / 2)[0], abs=0.02)
    assert own.loc["SDs doubled", "mean"] == pytest.approx(exact(sd * 2)[0], abs=0.02)
    assert (own["group_a"] == "s: on").all() and (own["group_b"] == "s: off").all()


def resolved(card):
    return [card.for_second(2), card.for_second(0)] if card.two_step else [card]


@pytest.mark.parametrize("name", MODELS)
def test_every_parameter_of_every_model_has_an_experiment_in_which_it_matters(name):
    for card in resolved(MODELS[name]):
        typical = np.array([p.typical for p in card.parameters])
        for i, p in enumerate(card.parameters):
            probe = probe_of(card, i)
            assert probe is not None
            ends = [transformed(card, np.where(np.arange(len(typical)) == i, x, typical))[i] for x in (p.low, p.high)]
            low, high = choice_probability(card, i, np.array(ends))
            assert 0 < low < 1 and 0 < high < 1 and abs(high - low) > 0.03
            assert probe.words == "" or abs(high - low) < REACH or probe.name != "repeat"


def test_experiments_are_those_that_the_parameters_are_about():
    volatile = MODELS["volatility_rescorla_wagner"]
    assert [probe_of(volatile, i).name for i in range(3)] == ["repeat", "repeat at z = 1", "repeat"]
    hybrid = MODELS["two_step_hybrid"].for_second(2)
    at = {p.name: probe_of(hybrid, i).name for i, p in enumerate(hybrid.parameters)}
    assert at["beta_2"] == "repeat at the second stage"
    assert at["weight"] == "repeat after a rare transition"
    values = transformed(hybrid, np.tile([p.typical for p in hybrid.parameters], (3, 1)))[:, 0]
    assert np.ptp(choice_probability(hybrid, 0, values)) == 0  # the same learner thrice


def test_the_slope_on_volatility_is_shown_one_unit_above_the_middle():
    card = MODELS["volatility_rescorla_wagner"]
    typical = dict(zip(card.names, (p.typical for p in card.parameters)))
    slopes = np.array([-0.5, 0.0, 1.0])
    expected = expit(typical["beta"] * expit(typical["a0"] + slopes) * 0.5)
    np.testing.assert_allclose(choice_probability(card, 1, slopes), expected)


def test_a_parameter_that_does_nothing_has_no_choice_probability_and_the_note_says_so():
    idle = replace(CARD.parameters[0], name="idle")
    card = replace(CARD, parameters=(*CARD.parameters, idle))
    assert probe_of(card, 3) is None
    assert np.isnan(choice_probability(card, 3, np.zeros(4))).all()
    found = compare(card, {"a": fit(np.zeros(4), card=card), "b": fit(np.zeros(4), seed=2, card=card)}, [("a", "b")],
                    np.random.default_rng(1))  # fmt: skip
    row = rows(found, parameter="idle", scale="choice probability", prior="as stated").iloc[0]
    assert np.isnan(row["mean"]) and "no choice probability" in row["note"]
    assert np.isfinite(rows(found, parameter="idle", scale="link")["mean"]).all()


def test_two_step_fits_are_compared_on_the_parameters_that_both_have():
    card = MODELS["two_step_hybrid"]
    with_second, without = card.for_second(2), card.for_second(0)
    fits = {"a": fit(np.zeros(6), card=with_second), "b": fit(np.zeros(5), card=without)}
    assert card_of(card, fits["a"]) == with_second and card_of(card, fits["b"]) == without
    found = compare(card, fits, [("a", "b")], np.random.default_rng(1))
    assert set(found["parameter"]) == set(without.names)
    with pytest.raises(ValueError, match="not of model 'rescorla_wagner'"):
        card_of(MODELS["rescorla_wagner"], fits["a"])


def written(folder, source, idata, passed=True, groups=None, model="rescorla_wagner_sticky"):
    """Files of one fit."""
    reasons = [] if passed else ["2 divergent transitions"]
    badge = {"source": source, "model": model, "passed": passed, "reasons": reasons, "groups": groups or {"all": 4},
             "conditions": [], "elpd_loo": -9.0, "elpd_loo_se": 1.0, "loo_unit": "subject", "loo_n": 4,
             "pareto_k_bad": 0}  # fmt: skip
    paths = [folder / f"{source}.{model}{end}" for end in (".nc", ".json", ".loo.csv")]
    write(idata, paths[0])
    paths[1].write_text(json.dumps(badge))
    units = [f"u{i}" for i in range(4)]
    frame = pd.DataFrame({"level": "subject", "unit": units, "elpd": -2.25, "pareto_k": 0.1, "n_trials": 9})
    frame.to_csv(paths[2], index=False)
    return paths


def test_a_study_compares_networks_with_groups_of_animals_and_these_among_themselves(tmp_path):
    several = {"old": [1.0, 1, 0], "young": [0, 1, 0]}
    effect = {"old: on − off": [0.3, 0, 0]}
    files = [
        written(tmp_path, "net", fit([0, 1, 0])),
        written(tmp_path, "people", fit(None, groups=several, effect=effect), groups={"old": 4, "young": 4}),
        written(tmp_path, "failed", fit([0, 1, 0]), passed=False, groups={"a": 2, "b": 2}),
        written(tmp_path, "other", fit([0, 1], card=MODELS["rescorla_wagner"]), model="rescorla_wagner"),
    ]
    kinds = {"net": "network", "other": "network", "people": "primate", "failed": "primate"}
    found, weights = compare_study(*zip(*files), kinds, 0.05, 1)
    done = found[found["note"].map(lambda n: not str(n).startswith("not compared"))]
    pairs = set(zip(done["kind"], done["group_a"], done["group_b"]))
    assert pairs == {
        ("sources", "net", "people: old"),
        ("sources", "net", "people: young"),
        ("groups", "people: old", "people: young"),
        ("conditions", "people: old: on", "people: old: off"),
    }
    left = found[found["note"].str.startswith("not compared")]
    assert set(zip(left["group_a"], left["group_b"])) == {("net", "failed"), ("failed", "failed")}
    assert left["note"].str.contains("failed: 2 divergent transitions").all()
    assert set(found["model"]) == {"rescorla_wagner_sticky"}  # the other model met no animals
    assert set(weights["source"]) == set(kinds)
