"""Models that weigh a believed probability against an amount on offer, with and without volatility."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from pipeline import trials
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.card import Step
from pipeline.models.data import LANE, pack
from pipeline.models.laplace import maximum_likelihood
from pipeline.models.likelihood import by_trial, likelihood
from pipeline.models.magnitude import landed

PLAIN, BY_VOLATILITY = MODELS["magnitude_rescorla_wagner"], MODELS["volatility_magnitude_rescorla_wagner"]
LENGTH = 180


def played(theta, generator, sessions=2, length=LENGTH):
    """Table of people with ``theta`` (people, 4) a0, a1, β, λ, trial by trial in plain Python.

    Odd sessions offer gains, even ones losses; half of each session is stable, half volatile (reversals every 20).
    """
    rows = []
    for person, (a0, a1, beta, weight) in enumerate(theta):
        for session in range(1, sessions + 1):
            q, sign = 0.5, 1 if session % 2 else -1
            for trial in range(1, length + 1):
                volatile = (trial > length // 2) == bool(person % 2)
                side = (trial // 20) % 2 if volatile else person // 2 % 2
                outcome = int(generator.random() < (0.8 if side else 0.2))
                m = sign * generator.integers(1, 100, 2) / 100
                x = beta * (weight * sign * (2 * q - 1) + (1 - weight) * (m[1] - m[0]))
                choice = int(generator.random() < expit(x))
                fell = (1 - outcome, outcome)
                rows.append((f"p{person:02d}", session, trial, choice, m[choice] * fell[choice], *m, *fell, volatile))
                q += expit(a0 + a1 * (volatile - 0.5)) * (outcome - q)
    names = ["subject", "session", "trial", "choice", "reward", "magnitude_0", "magnitude_1", "outcome_0", "outcome_1"]
    frame = pd.DataFrame(rows, columns=[*names, "volatility"]).assign(
        source="made", species="human", task="amounts", episode=1, block=1, trial_type="free", options=2
    )
    return trials.conform(frame)


def ragged(generator):
    """The same of three people, with forced trials, missed choices, lost rows, an episode of one trial; shuffled."""
    found = played([(-1, 1, 5, 0.6), (0, -1, 8, 0.3), (-2, 0, 3, 0.9)], generator, length=40)
    n = len(found)
    found["trial_type"] = found["trial_type"].mask(generator.random(n) < 0.1, "forced")
    missed = generator.random(n) < 0.08
    found["choice"], found["reward"] = found["choice"].mask(missed), found["reward"].mask(missed)
    kept = (generator.random(n) > 0.1) | (found["trial"] == 1).to_numpy(bool)
    short = ((found["subject"] == "p02") & (found["session"] == 2)).to_numpy(bool)  # an episode of one trial
    found = found[kept & ~(short & (found["trial"] > 1).to_numpy(bool))]
    return trials.check(found.sample(frac=1, random_state=2).reset_index(drop=True))


def slow(alpha, beta, weight, rows):
    """Log-likelihood of one episode from the outcomes of both options; complex parameters give a derivative.

    ``alpha`` is a function of whether the trial is volatile.
    """
    q, total = [0.5 + 0j, 0.5 + 0j], 0j
    for row in rows:
        if pd.isna(row.choice):
            continue
        magnitude = (row.magnitude_0, row.magnitude_1)
        x = [beta * (weight * (-1 if m < 0 else 1) * b + (1 - weight) * m) for b, m in zip(q, magnitude)]
        if row.trial_type == "free":
            top = max(v.real for v in x)
            total += x[row.choice] - top - np.log(sum(np.exp(v - top) for v in x))
        q = [b + alpha(row.volatility) * (o - b) for b, o in zip(q, (row.outcome_0, row.outcome_1))]
    return total


def rate(card, values):
    """α of the card at its parameters, as a function of whether the trial is volatile."""
    if card is PLAIN:
        return (lambda volatile: values[0]), *values[1:]
    return (lambda volatile: 1 / (1 + np.exp(-(values[0] + values[1] * (volatile - 0.5))))), *values[2:]


@pytest.mark.parametrize("card", [PLAIN, BY_VOLATILITY], ids=lambda card: card.name)
@pytest.mark.parametrize("extreme", [False, True])
def test_the_kernel_equals_the_plain_likelihood_and_its_complex_step_gradient(card, extreme):
    generator = np.random.default_rng(1)
    rows = ragged(generator)
    packed = pack(rows, card)
    rates = (
        [generator.uniform(0.05, 0.95, packed.units)] if card is PLAIN else generator.normal(0, 1.5, (2, packed.units))
    )
    theta = np.column_stack([
        *rates,
        generator.uniform(0.5, 60 if extreme else 10, packed.units),
        generator.choice([1e-6, 1 - 1e-6], packed.units) if extreme else generator.uniform(0.1, 0.9, packed.units),
    ])  # fmt: skip
    loglik, gradient = likelihood(card, packed, theta)
    twin, slopes = np.zeros(len(theta)), np.zeros(theta.shape)
    for u, (_, unit) in enumerate(rows.sort_values([*LANE, "trial"]).groupby(["subject", "session"])):
        episode = list(unit.itertuples())
        twin[u] = slow(*rate(card, theta[u]), episode).real
        for j in range(theta.shape[1]):
            moved = theta[u].astype(complex)
            moved[j] += 1e-30j
            slopes[u, j] = slow(*rate(card, moved), episode).imag / 1e-30
    np.testing.assert_allclose(loglik, twin, rtol=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8)


def test_without_a_slope_volatility_makes_no_difference():
    rows = ragged(np.random.default_rng(2))
    packed = pack(rows, BY_VOLATILITY)
    ours = likelihood(BY_VOLATILITY, packed, np.tile([-0.6, 0, 6, 0.7], (packed.units, 1)))[0]
    theirs = likelihood(PLAIN, pack(rows, PLAIN), np.tile([expit(-0.6), 6, 0.7], (packed.units, 1)))[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_with_equal_amounts_it_is_the_fictive_model_with_one_learning_rate():
    rows = ragged(np.random.default_rng(3))
    gains = (rows["magnitude_0"] > 0).to_numpy(bool)
    rows = rows[gains].assign(magnitude_0=1.0, magnitude_1=1.0)
    rows["reward"] = rows["outcome_0"].where(rows["choice"] == 0, rows["outcome_1"]).mask(rows["choice"].isna())
    fictive = MODELS["fictive"]
    packed = pack(rows, PLAIN)
    ours = likelihood(PLAIN, packed, np.tile([0.3, 6, 0.7], (packed.units, 1)))[0]
    named = {"alpha": 0.3, "alpha_fictive": 0.3, "beta": 6 * 0.7}
    theirs = likelihood(fictive, pack(rows, fictive), np.tile([named[n] for n in fictive.names], (packed.units, 1)))[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_a_loss_is_avoided_as_a_gain_is_sought():
    """Losses on the other option, of the other option's amount, are chosen among as gains are."""
    gains = ragged(np.random.default_rng(4))
    gains = gains[(gains["magnitude_0"] > 0).to_numpy(bool)]
    losses = gains.assign(
        magnitude_0=-gains["magnitude_1"], magnitude_1=-gains["magnitude_0"], outcome_0=gains["outcome_1"],
        outcome_1=gains["outcome_0"],
    )  # fmt: skip
    first = losses["choice"] == 0
    losses["reward"] = (losses["magnitude_0"] * losses["outcome_0"]).where(
        first, losses["magnitude_1"] * losses["outcome_1"]
    )
    losses["reward"] = losses["reward"].mask(losses["choice"].isna())
    theta = np.tile([0.3, 6, 0.6], (pack(gains, PLAIN).units, 1))
    found = [likelihood(PLAIN, pack(rows, PLAIN), theta)[0] for rows in (gains, losses)]
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_the_learning_rate_has_one_value_per_kind_of_block_and_beliefs_are_carried_across():
    rows = played([(-1, 1, 5, 0.6)], np.random.default_rng(5), sessions=1)
    packed = pack(rows, BY_VOLATILITY)
    found = by_trial(BY_VOLATILITY, packed, np.array([[-1.0, 1.0, 5.0, 0.6]]))
    volatile = rows["volatility"].to_numpy(float)[packed.rows] == 1
    np.testing.assert_allclose(found["alpha"], np.where(volatile, expit(-0.5), expit(-1.5)), rtol=1e-12)
    np.testing.assert_allclose(found["q_0"] + found["q_1"], 1, rtol=1e-12)
    assert found["q_1"][0] == 0.5
    change = np.flatnonzero(np.diff(volatile))[0] + 1
    assert abs(found["q_1"][change] - 0.5) > 0.05
    error = np.abs(found["prediction_error"])
    np.testing.assert_allclose(np.abs(np.diff(found["q_1"])), (found["alpha"] * error)[:-1], rtol=1e-9)


def test_parameters_are_recovered_and_so_is_a_planted_effect_of_volatility():
    generator, people = np.random.default_rng(6), 40
    true = np.column_stack([
        generator.normal(-1, 0.6, people), generator.normal(1, 0.5, people), np.exp(generator.normal(2.2, 0.3, people)),
        expit(generator.normal(0.5, 0.6, people)),
    ])  # fmt: skip
    theta, _ = maximum_likelihood(BY_VOLATILITY, pack(played(true, generator), BY_VOLATILITY, unit="subject"), starts=2)
    scale = lambda x: np.column_stack([x[:, :2], np.log(x[:, 2]), logit(x[:, 3])])  # noqa: E731
    found, planted = scale(theta), scale(true)
    for j, least in enumerate((0.8, 0.4, 0.8, 0.8)):  # a1 rests on the difference of two halves
        assert np.corrcoef(found[:, j], planted[:, j])[0, 1] > least
        error = found[:, j] - planted[:, j]
        assert abs(error.mean()) < 4 * error.std(ddof=1) / np.sqrt(people)
    assert found[:, 1].mean() > 4 * found[:, 1].std(ddof=1) / np.sqrt(people)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="magnitude_1"), "needs column 'magnitude_1'"),
        (lambda rows: rows.assign(volatility=1.0), "'volatility' has a single value"),
        (lambda rows: rows.assign(magnitude_0=rows["magnitude_0"].mask(rows["trial"] == 7)), "'magnitude_0' is miss"),
        (lambda rows: rows.assign(options=3), "needs 2 options; this source has 3"),
    ],
    ids=["no amounts", "one kind of block", "an amount missing", "three options"],
)  # fmt: skip
def test_a_table_that_the_model_cannot_read_is_refused_by_column(change, message):
    rows = played([(-1, 1, 5, 0.6)], np.random.default_rng(7), sessions=1, length=20)
    rows["magnitude_2"] = rows["magnitude_0"]
    with pytest.raises(UserError, match=message):
        pack(change(rows), BY_VOLATILITY)


def test_people_add_belief_and_amount_rather_than_multiply_them():
    """The card's form against P(k) ∝ exp(β q_k m_k), by maximum likelihood, with the penalty of BIC for its λ."""
    from test_primates_gagne2020 import released

    def multiplied(p, s, t):
        updates = {"q": [q + p.alpha * (o - q) for q, o in zip(s.q, landed(t))]}
        return Step(logits=[p.beta * q * m for q, m in zip(s.q, t.magnitude)], updates=updates)

    rows = released()
    other = replace(PLAIN, name="multiplied", parameters=PLAIN.parameters[:2], step=multiplied)
    packed = pack(rows, PLAIN)
    run = rows["subject"] + "_" + rows["session"].astype("string")
    condition = rows.groupby(run)["condition"].first().reindex(list(packed.unit_label)).to_numpy(str)
    gain = maximum_likelihood(PLAIN, packed, starts=1)[1] - maximum_likelihood(other, packed, starts=1)[1]
    for name in ("reward", "pain", "gain", "loss"):
        own = condition == name
        assert gain[own].sum() - 0.5 * np.log(packed.unit_trials[own]).sum() > 100
