import cmath
import importlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from pipeline import trials as contract
from pipeline.errors import UserError
from pipeline.models import MODELS, model
from pipeline.models.card import LINKS
from pipeline.models.data import pack
from pipeline.models.laplace import curvature, maximum_likelihood, modes, objective
from pipeline.models.likelihood import by_trial, likelihood
from pipeline.models.links import natural, transformed

PLAIN = ("rescorla_wagner", "rescorla_wagner_sticky", "asymmetric_sticky")  # the other models have tests of their own


def ragged(seed=1, options=2, units=((3, 2), (2, 1)), graded=False):
    """Table of two subjects: sessions of episodes of 1 to 30 trials, with missing choices and forced trials."""
    generator = np.random.default_rng(seed)
    rows = []
    for subject, (sessions, _) in enumerate(units):
        for session in range(1, sessions + 1):
            for episode, length in enumerate([1, 7, *generator.integers(2, 31, 9)], 1):
                for trial in range(1, length + 1):
                    made = generator.random() > 0.1
                    reward = generator.normal() if graded else float(generator.integers(2))
                    kind = "forced" if generator.random() < 0.1 else "free"
                    outcome = (int(generator.integers(options)), reward) if made else (None, None)
                    rows.append((f"s{subject}", session, episode, trial, kind, *outcome))
    frame = pd.DataFrame(rows, columns=["subject", "session", "episode", "trial", "trial_type", "choice", "reward"])
    return contract.conform(frame.assign(source="made", species="learner", task="made", block=1, options=options))


def slow(name, theta, episode, options):
    """Log-likelihood of one episode in plain Python; parameters may be complex (for the complex-step derivative)."""
    value = dict(zip(MODELS[name].names, theta))
    gain = value.get("alpha", value.get("alpha_gain"))
    loss = value.get("alpha", value.get("alpha_loss"))
    q, last, total = [0.5 + 0j] * options, None, 0j
    for choice, reward, kind in episode:
        if choice is None:
            continue
        logits = [value["beta"] * q[k] + value.get("kappa", 0) * (k == last) for k in range(options)]
        if kind == "free":
            top = max(x.real for x in logits)
            total += logits[choice] - top - cmath.log(sum(cmath.exp(x - top) for x in logits))
        error = reward - q[choice]
        q[choice] += (gain if error.real > 0 else loss) * error
        last = choice
    return total


def slow_units(name, table, theta, options):
    """Log-likelihood and complex-step gradient of every unit."""
    frame = table.sort_values(["subject", "session", "episode", "trial"])
    loglik, gradient = np.zeros(len(theta)), np.zeros(np.shape(theta))
    for u, (_, unit) in enumerate(frame.groupby(["subject", "session"])):
        for _, rows in unit.groupby("episode"):
            episode = [(None if pd.isna(c) else int(c), None if pd.isna(r) else float(r), k)
                       for c, r, k in zip(rows["choice"], rows["reward"], rows["trial_type"])]  # fmt: skip
            loglik[u] += slow(name, theta[u], episode, options).real
            for j in range(theta.shape[1]):
                moved = theta[u].astype(complex)
                moved[j] += 1e-30j
                gradient[u, j] += slow(name, moved, episode, options).imag / 1e-30
    return loglik, gradient


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize(("options", "graded"), [(2, False), (2, True), (3, False)])
def test_the_kernel_equals_the_plain_likelihood_and_its_complex_step_gradient(name, options, graded):
    card, table = MODELS[name], ragged(options, options, graded=graded)
    packed = pack(table, card)
    generator = np.random.default_rng(2)
    theta = natural(
        card, np.array([p.mean for p in card.parameters]) + generator.normal(size=(packed.units, len(card.names)))
    )
    loglik, gradient = likelihood(card, packed, theta)
    twin, twin_gradient = slow_units(name, table, theta, options)
    np.testing.assert_allclose(loglik, twin, rtol=1e-10)
    np.testing.assert_allclose(gradient, twin_gradient, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("extreme", [1e-9, 1 - 1e-9])
@pytest.mark.parametrize("beta", [1e-6, 60.0, 400.0])
def test_extreme_parameters_neither_overflow_nor_lose_digits(name, extreme, beta):
    card, table = MODELS[name], ragged(5)
    packed = pack(table, card)
    values = {"beta": beta, "kappa": -6.0}
    theta = np.tile([values.get(n, extreme) for n in card.names], (packed.units, 1))
    loglik, gradient = likelihood(card, packed, theta)
    twin, twin_gradient = slow_units(name, table, theta, 2)
    np.testing.assert_allclose(loglik, twin, rtol=1e-10)
    np.testing.assert_allclose(gradient, twin_gradient, rtol=1e-8, atol=1e-7)


@pytest.mark.parametrize("name", PLAIN)
def test_trial_by_trial_quantities_add_up_to_the_kernel(name):
    card, table = MODELS[name], ragged(7)
    packed = pack(table, card)
    theta = np.tile([p.typical for p in card.parameters], (packed.units, 1))
    found = by_trial(card, packed, theta)
    np.testing.assert_allclose(found["loglik"].sum(), likelihood(card, packed, theta)[0].sum(), rtol=1e-12)
    np.testing.assert_allclose(found["policy_0"] + found["policy_1"], 1)
    rows = table.iloc[packed.rows]
    first = ~rows.duplicated(["subject", "session", "episode"]).to_numpy()
    np.testing.assert_array_equal(found["Q_0"][first], 0.5)
    np.testing.assert_allclose(found["policy_0"][first], 0.5)  # equal values, nothing to repeat
    np.testing.assert_allclose(found["prediction_error"][first], rows["reward"].to_numpy(float)[first] - 0.5)
    forced = (rows["trial_type"] == "forced").to_numpy()
    assert forced.any()
    assert not found["loglik"][forced].any()


def test_a_choice_is_likelier_after_a_reward_and_stickier_with_stickiness():
    card = MODELS["rescorla_wagner_sticky"]
    frame = pd.DataFrame({"subject": "a", "session": 1, "episode": [1, 1, 2, 2], "trial": [1, 2, 1, 2], "choice": 0,
                          "reward": [1.0, 0, 0, 0], "trial_type": "free", "options": 2, "source": "x",
                          "species": "monkey", "task": "x", "block": 1})  # fmt: skip
    packed = pack(contract.conform(frame), card)
    plain = by_trial(card, packed, np.array([[0.4, 3.0, 0.0]]))["policy_0"]
    sticky = by_trial(card, packed, np.array([[0.4, 3.0, 1.0]]))["policy_0"]
    assert plain[1] == pytest.approx(1 / (1 + np.exp(-3 * 0.2)))
    assert plain[3] == pytest.approx(1 / (1 + np.exp(3 * 0.2)))
    assert sticky[1] == pytest.approx(1 / (1 + np.exp(-1.6)))
    assert plain[0] == sticky[0] == 0.5


def test_a_trial_without_a_choice_changes_nothing():
    card, table = MODELS["asymmetric_sticky"], ragged(9)
    theta = np.tile([p.typical for p in card.parameters], (5, 1))
    with_gaps = likelihood(card, pack(table, card), theta)
    without = likelihood(card, pack(table[table["choice"].notna()], card), theta)
    np.testing.assert_allclose(with_gaps[0], without[0])


def test_the_order_of_rows_is_irrelevant():
    card, table = MODELS["asymmetric_sticky"], ragged(11)
    theta = np.tile([p.typical for p in card.parameters], (5, 1))
    shuffled = table.sample(frac=1, random_state=1)
    np.testing.assert_allclose(
        likelihood(card, pack(table, card), theta)[0], likelihood(card, pack(shuffled, card), theta)[0]
    )


def test_links_are_inverses_and_the_curvature_is_that_of_the_objective():
    card = MODELS["asymmetric_sticky"]
    packed = pack(ragged(3), card)
    eta = np.random.default_rng(1).normal(size=(packed.units, 4))
    np.testing.assert_allclose(transformed(card, natural(card, eta)), eta, atol=1e-12)
    width = 1e-4
    second = np.zeros((packed.units, 4))
    for j in range(4):
        shift = width * np.eye(4)[j]
        value = [objective(card, packed, eta + k * shift)[0] for k in (-1, 0, 1)]
        second[:, j] = (value[0] - 2 * value[1] + value[2]) / width**2
    np.testing.assert_allclose(np.einsum("ujj->uj", curvature(card, packed, eta)), -second, rtol=1e-3, atol=1e-3)


def test_newton_finds_the_mode_that_a_general_optimiser_finds():
    from scipy.optimize import minimize

    card = MODELS["rescorla_wagner_sticky"]
    packed = pack(ragged(4), card)
    center, precision = np.zeros((packed.units, 3)), np.full((packed.units, 3), 0.5)
    eta, _ = modes(card, packed, center, center, precision)

    def loss(x):
        loglik, gradient = objective(card, packed, x.reshape(-1, 3))
        x = x.reshape(-1, 3)
        return -(loglik.sum() - 0.25 * (x**2).sum()), -(gradient - 0.5 * x).ravel()

    best = minimize(loss, center.ravel(), jac=True, method="BFGS", options={"gtol": 1e-8})
    assert loss(eta.ravel())[0] <= best.fun + 1e-6
    np.testing.assert_allclose(eta.ravel(), best.x, atol=1e-3)


def test_maximum_likelihood_stays_finite_when_all_choices_are_alike():
    card = MODELS["rescorla_wagner_sticky"]
    table = ragged(6)
    table["choice"] = table["choice"].where(table["choice"].isna(), 0)
    theta, loglik = maximum_likelihood(card, pack(table, card))
    assert np.isfinite(theta).all()
    assert (loglik > -40).all()


def test_bad_tables_are_refused_with_one_message():
    card, table = MODELS["rescorla_wagner"], ragged(1)
    with pytest.raises(UserError, match="no free choice"):
        pack(table.assign(trial_type="forced"), card)
    with pytest.raises(UserError, match="needs column 'reward'"):
        pack(table.drop(columns="reward"), card)
    mixed = table.assign(options=table["options"].mask(table["subject"] == "s1", 3))
    with pytest.raises(UserError, match="number of options varies"):
        pack(mixed, card)
    with pytest.raises(UserError, match="'rescorla_wagnr' is not known"):
        model("rescorla_wagnr")


def test_the_registry_is_read_without_samplers_or_compilers():
    heavy = ("pymc", "numba", "sympy", "torch", "arviz")
    code = f"import sys, pipeline.models; print([m for m in {heavy} if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_every_card_is_complete():
    for name, card in MODELS.items():
        assert card.name == name
        assert card.citation
        assert card.equation
        for p in card.parameters:
            assert p.link in LINKS
            assert p.bounds[0] <= p.low < p.typical < p.high <= p.bounds[1]
            assert p.reason
            assert p.sd > 0
            assert p.group_sd > 0
    assert importlib.import_module("pipeline.models.symbolic").differentiate(
        MODELS["rescorla_wagner"], 2
    ).tangents.keys() == {
        (0, 0),
        (1, 0),
    }
