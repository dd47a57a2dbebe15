"""Every model of bandits, held against a plain loop written for itself, and against what its name promises."""

import cmath
import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from test_models_likelihood import ragged

from pipeline import trials as contract
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.covariates import SCALES, with_covariate
from pipeline.models.data import pack, standardised
from pipeline.models.laplace import BOX
from pipeline.models.likelihood import Learner, by_trial, likelihood
from pipeline.models.links import FORWARD, natural, slope
from pipeline.models.simulate import ModelAgent
from pipeline.models.symbolic import PER_OPTION
from pipeline.report.mathml import mathml
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

BANDITS = [name for name, card in MODELS.items() if not card.two_step and not set(card.extra) & PER_OPTION]
PLAIN = [name for name in BANDITS if not MODELS[name].extra]  # a covariate is added to any card: see below


# The twins: each yields the logits of a trial (or log probabilities) and is sent (choice, reward). Numbers may be
# complex, for complex-step derivatives; comparisons look at the real part.


def biased_coin(options, bias):
    while True:
        yield [bias if k == 0 else 0.0 for k in range(options)]


def win_stay_lose_shift(options, win_stay, lose_shift):
    choice, reward = yield [0.0] * options
    while True:
        stay = win_stay if reward > 0 else 1 - lose_shift
        shift = 1 - win_stay if reward > 0 else lose_shift
        choice, reward = yield [cmath.log(stay if k == choice else shift / (options - 1)) for k in range(options)]


def rescorla_wagner(options, alpha, beta):
    q = [0.5] * options
    while True:
        choice, reward = yield [beta * x for x in q]
        q[choice] += alpha * (reward - q[choice])


def rescorla_wagner_sticky(options, alpha, beta, kappa):
    q, last = [0.5] * options, None
    while True:
        last, reward = yield [beta * x + (kappa if k == last else 0) for k, x in enumerate(q)]
        q[last] += alpha * (reward - q[last])


def asymmetric_sticky(options, alpha_gain, alpha_loss, beta, kappa):
    q, last = [0.5 + 0j] * options, None
    while True:
        last, reward = yield [beta * x + (kappa if k == last else 0) for k, x in enumerate(q)]
        error = reward - q[last]
        q[last] += (alpha_gain if error.real > 0 else alpha_loss) * error


def fictive(options, alpha, alpha_fictive, beta):
    q = [0.5] * options
    while True:
        choice, reward = yield [beta * x for x in q]
        for k in range(options):
            if k == choice:
                q[k] += alpha * (reward - q[k])
            else:
                q[k] += alpha_fictive * ((1 - reward) - q[k])


def forgetting(options, alpha, phi, beta):
    q = [0.5] * options
    while True:
        choice, reward = yield [beta * x for x in q]
        q = [x + alpha * (reward - x) if k == choice else (1 - phi) * x for k, x in enumerate(q)]


def pearce_hall(options, kappa, eta, beta):
    q, associability = [0.5 + 0j] * options, 1.0
    while True:
        choice, reward = yield [beta * x for x in q]
        error = reward - q[choice]
        q[choice] += kappa * associability * error
        associability = (1 - eta) * associability + eta * (error if error.real > 0 else -error)


def kalman(options, sigma_drift, beta):
    mean, variance = [0.5] * options, [1.0] * options
    while True:
        choice, reward = yield [beta * m for m in mean]
        variance = [v + sigma_drift**2 for v in variance]
        gain = variance[choice] / (variance[choice] + 1)
        mean[choice] += gain * (reward - mean[choice])
        variance[choice] *= 1 - gain


def bayesian_reversal(options, hazard, reliability, beta):
    belief = [0.5, 0.5]  # that option 0, that option 1 is the good one
    while True:
        choice, reward = yield [beta * (belief[0] - belief[1]), 0.0]
        joint = []
        for good in (0, 1):
            pays = reliability if choice == good else 1 - reliability
            joint.append(belief[good] * (reward * pays + (1 - reward) * (1 - pays)))
        after = [x / sum(joint) for x in joint]
        belief = [(1 - hazard) * after[0] + hazard * after[1], (1 - hazard) * after[1] + hazard * after[0]]


def pooled_count(options, leak, beta):
    seen = []
    while True:
        weight = [(1 - leak) ** (len(seen) - i) for i in range(len(seen))]
        a = 1 + sum(w * y for w, y in zip(weight, seen))
        b = 1 + sum(w * (1 - y) for w, y in zip(weight, seen))
        choice, reward = yield [beta * (a - b) / (a + b), 0.0]
        seen.append(reward if choice == 0 else 1 - reward)


def twin(name, rows, theta, options):
    """Log-likelihood of every unit by the plain loop, and its complex-step gradient."""
    loglik, gradient = np.zeros(len(theta)), np.zeros(np.shape(theta))
    frame = rows.sort_values(["subject", "session", "episode", "trial"])
    for u, (_, unit) in enumerate(frame.groupby(["subject", "session"])):
        for _, own in unit[unit["choice"].notna()].groupby("episode"):
            episode = list(zip(own["choice"].astype(int), own["reward"].astype(float), own["trial_type"]))
            loglik[u] += _score(name, episode, theta[u], options).real
            for j in range(theta.shape[1]):
                moved = theta[u].astype(complex)
                moved[j] += 1e-30j
                gradient[u, j] += _score(name, episode, moved, options).imag / 1e-30
    return loglik, gradient


def _score(name, episode, theta, options):
    learner, total = globals()[name](options, *theta), 0j
    logits = next(learner)
    for choice, reward, kind in episode:
        if kind == "free":
            top = max(x.real for x in logits)
            total += logits[choice] - top - cmath.log(sum(cmath.exp(x - top) for x in logits))
        logits = learner.send((choice, reward))
    return total


def suited(name, options, graded=False, **size):
    """Ragged table with rewards that suit the model: 0 and 1, or graded (from 0 to 1 where it asks for that)."""
    rows = ragged(options, options, graded=graded, **size)
    return rows.assign(reward=expit(rows["reward"])) if graded and MODELS[name].reward_range else rows


def allowed(name, options):
    low, high = MODELS[name].options_allowed
    return low <= options <= high


CASES = [(name, k, graded) for name in PLAIN for k, graded in ((2, False), (2, True), (3, True), (11, False))
         if allowed(name, k)]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "graded"), CASES)
def test_the_kernel_equals_a_plain_loop_and_its_complex_step_gradient(name, options, graded):
    card, rows = MODELS[name], suited(name, options, graded)
    packed = pack(rows, card)
    noise = np.random.default_rng(2).normal(size=(packed.units, len(card.names)))
    theta = natural(card, np.array([p.mean for p in card.parameters]) + noise)
    loglik, gradient = likelihood(card, packed, theta)
    slow, slopes = twin(name, rows, theta, options)
    np.testing.assert_allclose(loglik, slow, rtol=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", PLAIN)
def test_at_the_ends_of_every_parameter_nothing_overflows_and_no_digits_are_lost(name):
    card, rows = MODELS[name], suited(name, 2, units=((1, 0), (1, 0)))
    corners = np.array(list(itertools.product(*(BOX[p.link] for p in card.parameters))))
    packed = pack(rows, card)
    for corner in corners:
        theta = natural(card, np.tile(corner, (packed.units, 1)))
        loglik, gradient = likelihood(card, packed, theta)
        slow, slopes = twin(name, rows, theta, 2)
        np.testing.assert_allclose(loglik, slow, rtol=1e-10)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8 * max(1, np.abs(slopes).max()))


@pytest.mark.parametrize("name", PLAIN)
def test_a_parameter_rounded_to_its_bound_leaves_likelihood_and_gradient_finite(name):
    card, packed = MODELS[name], pack(suited(name, 2), MODELS[name])
    far = {"log": (-40, 40), "identity": (-500, 500)}  # logit: ±40 is 4e-18 and exactly 1
    for corner in itertools.product(*(far.get(p.link, (-40, 40)) for p in card.parameters)):
        theta = natural(card, np.tile(np.array(corner, float), (packed.units, 1)))
        loglik, gradient = likelihood(card, packed, theta)
        assert np.isfinite(loglik).all()
        assert np.isfinite(gradient * slope(card, theta)).all()


@pytest.mark.parametrize("name", PLAIN)
def test_the_twin_knows_the_model_by_its_own_parameters(name):
    count = globals()[name].__code__.co_argcount
    assert globals()[name].__code__.co_varnames[1:count] == MODELS[name].names


# Simulators


def covariates(card, episodes, length):
    return {name: np.tile(np.linspace(-1, 1, episodes)[:, None], (1, length)) for name in card.extra}


@pytest.mark.parametrize("name", BANDITS)
def test_the_simulator_plays_the_reversal_task_even_at_the_ends_of_every_parameter(name):
    card, task = MODELS[name], TASKS["reversal"]
    corners = np.array(list(itertools.product(*(BOX[p.link] for p in card.parameters))), float)
    theta = np.vstack([[p.typical for p in card.parameters], natural(card, corners)])
    agent = ModelAgent(card, theta, covariates=covariates(card, 3, task.trials))
    behaviour = play(agent, task, 3, np.random.default_rng(1))
    assert behaviour.policy.shape == (len(theta), 3, task.trials, 2)
    assert np.isfinite(behaviour.policy).all()
    np.testing.assert_allclose(behaviour.policy.sum(-1), 1)


@pytest.mark.parametrize("name", PLAIN)
def test_simulated_choices_occur_as_often_as_the_likelihood_says(name):
    card = MODELS[name]
    typical = np.array([[p.typical for p in card.parameters]])
    rows = table(play(ModelAgent(card, typical), TASKS["reversal"], 250, np.random.default_rng(4)), "made")
    packed = pack(rows, card)
    expected = by_trial(card, packed, typical)["policy_1"]
    chosen = rows["choice"].to_numpy(int)[packed.rows]
    np.testing.assert_allclose(expected, rows["policy_1"].to_numpy(float)[packed.rows], atol=1e-6)  # seven decimals
    bins = np.minimum((expected * 10).astype(int), 9)
    for part in (np.full(len(bins), True), *(bins == b for b in np.unique(bins))):
        error = np.sqrt((expected[part] * (1 - expected[part])).sum())
        assert abs((chosen[part] - expected[part]).sum()) < 4 * error + 1e-9


# What the names promise


def policies(name, values, choices, rewards, options=2):
    """Choice probabilities before every trial and after the last one, (trials + 1, options), and the learner."""
    learner = Learner(MODELS[name], np.array([values], float), options, (1,))
    found = [learner.policy()[0]]
    for choice, reward in zip(choices, rewards):
        learner.update(learner.step(np.array([choice]), np.array([float(reward)])))
        found.append(learner.policy()[0])
    return np.array(found), learner


def same(one, theta_one, other, theta_other, options=2):
    """Assert that two models have equal likelihoods on a ragged table."""
    rows, found = suited(one, options), []
    for name, values in ((one, theta_one), (other, theta_other)):
        packed = pack(rows, MODELS[name])
        found.append(likelihood(MODELS[name], packed, np.tile(np.array(values, float), (packed.units, 1)))[0])
    np.testing.assert_allclose(*found, rtol=1e-10)


def test_a_biased_coin_chooses_alike_whatever_happens():
    found, _ = policies("biased_coin", [0.7], [0, 1, 2], [1, 0, 1], 3)
    np.testing.assert_allclose(found, np.tile(np.exp([0.7, 0, 0]) / (np.exp(0.7) + 2), (4, 1)))


def test_win_stay_lose_shift_repeats_a_rewarded_choice_with_its_probability():
    found, _ = policies("win_stay_lose_shift", [0.9, 0.3], [2, 2, 0], [1, 0, -1], 4)
    np.testing.assert_allclose(found[0], 0.25)
    np.testing.assert_allclose(found[1], [0.1 / 3, 0.1 / 3, 0.9, 0.1 / 3])
    np.testing.assert_allclose(found[2], [0.1, 0.1, 0.7, 0.1])
    np.testing.assert_allclose(found[3], [0.7, 0.1, 0.1, 0.1])  # a loss is no win


def test_win_stay_lose_shift_remembers_one_trial():
    one, _ = policies("win_stay_lose_shift", [0.8, 0.6], [0, 0, 1], [1, 1, 0])
    other, _ = policies("win_stay_lose_shift", [0.8, 0.6], [1, 0, 1], [0, 0, 0])
    np.testing.assert_array_equal(one[-1], other[-1])


def test_win_stay_lose_shift_at_chance_is_a_fair_coin():
    same("win_stay_lose_shift", [0.5, 0.5], "biased_coin", [0.0])


def test_without_fictive_learning_it_is_the_rescorla_wagner_model():
    same("fictive", [0.3, 0.0, 4.0], "rescorla_wagner", [0.3, 4.0])


def test_a_fictive_learner_with_equal_rates_holds_values_that_sum_to_one():
    found, learner = policies("fictive", [0.3, 0.3, 4.0], [0, 1, 1, 0, 0], [1, 0, 1, 1, 0])
    q = np.array(learner.state.Q)[:, 0]
    assert q.sum() == pytest.approx(1)
    assert found[-1, 0] == pytest.approx(expit(4 * (2 * q[0] - 1)))


def test_an_option_not_chosen_gains_for_a_fictive_learner_when_the_other_one_does_not_pay():
    _, learner = policies("fictive", [0.3, 0.2, 4.0], [0], [0])
    np.testing.assert_allclose(np.array(learner.state.Q)[:, 0], [0.5 - 0.15, 0.5 + 0.1])


def test_without_decay_forgetting_is_the_rescorla_wagner_model():
    same("forgetting", [0.3, 0.0, 4.0], "rescorla_wagner", [0.3, 4.0], 3)


def test_a_value_not_chosen_decays_to_zero():
    _, learner = policies("forgetting", [0.3, 0.2, 4.0], [0] * 3, [1] * 3, 3)
    np.testing.assert_allclose(np.array(learner.state.Q)[1:, 0], 0.5 * 0.8**3)
    _, learner = policies("forgetting", [0.3, 0.2, 4.0], [0] * 200, [1] * 200)
    assert learner.state.Q[1] == pytest.approx(0, abs=1e-12)


def test_a_constant_associability_is_the_rescorla_wagner_model():
    same("pearce_hall", [0.4, 0.0, 3.0], "rescorla_wagner", [0.4, 3.0], 3)


def test_associability_falls_while_outcomes_are_expected_and_rises_with_a_surprise():
    _, learner = policies("pearce_hall", [0.7, 0.3, 3.0], [0] * 30, [1] * 30)
    settled = learner.state.associability[0]
    assert settled < 0.01
    step = learner.step(np.array([0]), np.array([0.0]))
    assert step.latents["prediction_error"][0] < -0.95
    learner.update(step)
    assert learner.state.associability[0] == pytest.approx(
        0.7 * settled + 0.3 * abs(step.latents["prediction_error"][0])
    )


def test_the_kalman_gain_falls_with_samples_and_rises_for_options_left_alone():
    _, learner = policies("kalman", [0.1, 3.0], [], [])
    gains = []
    for _ in range(20):
        step = learner.step(np.array([0]), np.array([1.0]))
        gains.append([g[0] for g in step.latents["gain"]])
        learner.update(step)
    gains = np.array(gains)
    assert (np.diff(gains[:, 0]) < 0).all()
    assert (np.diff(gains[:, 1]) > 0).all()


def test_the_kalman_gain_of_an_option_always_chosen_settles_as_a_constant_learning_rate():
    drift = 0.3
    _, learner = policies("kalman", [drift, 3.0], [0] * 300, [1] * 300)
    learner.state.Q[0] = np.array([0.2])  # a mean to be learned anew, at the gain now reached
    gain = learner.step(np.array([0]), np.array([1.0])).latents["gain"][0][0]
    assert gain**2 / (1 - gain) == pytest.approx(drift**2)
    q = 0.2
    for reward in (1.0, 0.0, 1.0):
        learner.update(learner.step(np.array([0]), np.array([reward])))
        q += gain * (reward - q)
    assert learner.state.Q[0][0] == pytest.approx(q)


def test_a_kalman_filter_of_a_world_that_stands_still_averages():
    rewards = [1.0, 0.0, 0.0, 1.0, 0.25]
    _, learner = policies("kalman", [0.0, 3.0], [1] * 5, rewards)
    assert learner.state.Q[1][0] == pytest.approx((0.5 + sum(rewards)) / 6)  # ½ counts as one outcome: P₀ = σ²_obs
    assert learner.state.variance[1][0] == pytest.approx(1 / 6)


def test_a_reversal_learner_with_hazard_one_half_ignores_the_past():
    found, _ = policies("bayesian_reversal", [0.5, 0.9, 5.0], [0, 1, 0, 0], [1, 0, 1, 1])
    np.testing.assert_allclose(found, 0.5)


def test_a_reversal_learner_without_hazard_counts_evidence():
    choices, rewards = [0, 0, 1, 1, 0], [1, 1, 0, 1, 0]
    _, learner = policies("bayesian_reversal", [0.0, 0.8, 5.0], choices, rewards)
    net = sum(1 if (c == 0) == (r == 1) else -1 for c, r in zip(choices, rewards))
    assert learner.state.belief[0] == pytest.approx(expit(net * np.log(0.8 / 0.2)))


def test_a_reversal_learner_changes_its_mind_after_losses_and_the_faster_the_higher_the_hazard():
    choices, rewards = [0] * 13, [1] * 10 + [0] * 3
    slow, _ = policies("bayesian_reversal", [0.02, 0.8, 5.0], choices, rewards)
    fast, _ = policies("bayesian_reversal", [0.2, 0.8, 5.0], choices, rewards)
    assert slow[10, 0] > 0.95
    assert (np.diff(slow[10:, 0]) < 0).all()
    assert fast[11, 0] < slow[11, 0]
    assert fast[13, 0] < 0.5


def test_a_win_of_one_option_and_a_loss_of_the_other_say_the_same_to_learners_of_structured_arms():
    for name, values in (("bayesian_reversal", [0.1, 0.8, 4.0]), ("pooled_count", [0.1, 4.0])):
        one, _ = policies(name, values, [0, 1, 0, 1], [1, 1, 0, 0])
        other, _ = policies(name, values, [1, 0, 1, 0], [0, 0, 1, 1])
        np.testing.assert_allclose(one, other)


def test_pooled_counts_without_leak_are_the_mean_of_a_beta_distribution():
    found, _ = policies("pooled_count", [0.0, 4.0], [0, 0, 1, 1, 1], [1, 1, 0, 1, 0])
    assert found[-1, 0] == pytest.approx(expit(4 * (2 * (1 + 4) / (2 + 5) - 1)))  # four of five speak for option 0


def test_pooled_counts_that_leak_wholly_leave_a_fair_coin_and_leaking_ones_weigh_the_latest_most():
    same("pooled_count", [1.0, 4.0], "biased_coin", [0.0])
    late, _ = policies("pooled_count", [0.3, 4.0], [0, 0], [0, 1])
    early, _ = policies("pooled_count", [0.3, 4.0], [0, 0], [1, 0])
    assert late[-1, 0] > 0.5 > early[-1, 0]


# Cards


@pytest.mark.parametrize("name", BANDITS)
def test_every_equation_is_drawn_and_every_card_says_for_whom_it_is(name):
    card = MODELS[name]
    assert mathml(card.equation).startswith("<math")
    assert card.description
    assert card.options_allowed[0] <= 2 <= card.options_allowed[1]
    for p in card.parameters:
        assert p.bounds[0] <= p.low < p.typical < p.high <= p.bounds[1]
        assert np.isfinite([FORWARD[p.link](v) for v in (p.low, p.typical, p.high)]).all()


@pytest.mark.parametrize("name", [n for n in PLAIN if MODELS[n].options_allowed == (2, 2)])
def test_models_of_structured_arms_are_refused_other_tasks(name):
    with pytest.raises(UserError, match="options"):
        pack(ragged(1, 3), MODELS[name])
    with pytest.raises(UserError, match="rewards from 0 to 1"):
        pack(ragged(1, graded=True), MODELS[name])


# Covariates on any parameter


def blocks(rows, seed=3):
    """The same table with a volatility, 0 or 1, that is constant within an episode."""
    lane = rows.groupby(["subject", "session", "episode"]).ngroup().to_numpy()
    label = np.random.default_rng(seed).integers(0, 2, lane.max() + 1)
    label[:2] = 0, 1
    return contract.conform(rows.assign(volatility=label[lane].astype(float)))


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("rescorla_wagner", "alpha"), ("pearce_hall", "beta"), ("rescorla_wagner_sticky", "kappa"),
     ("bayesian_reversal", "reliability")],
)  # fmt: skip
def test_a_parameter_with_a_covariate_is_the_plain_model_with_that_value_in_every_episode(name, parameter):
    card, rows = MODELS[name], blocks(suited(name, 2))
    derived = with_covariate(card, parameter, "volatility")
    place = card.names.index(parameter)
    assert derived.names == (*card.names[:place], f"{parameter}_0", f"{parameter}_1", *card.names[place + 1 :])
    assert derived.name == f"volatility_{name}"
    assert derived.columns == ("choice", "reward", "volatility")
    plain, packed = pack(rows, card, "episode"), pack(rows, derived, "episode")
    assert plain.unit_label == packed.unit_label
    z = _z_of_units(rows)
    eta = np.array([p.mean for p in card.parameters]) + np.random.default_rng(1).normal(
        size=(plain.units, len(card.names))
    )
    effect = np.random.default_rng(2).normal(size=plain.units)
    before = natural(card, eta)
    both = np.column_stack([before[:, :place], eta[:, place], effect, before[:, place + 1 :]])
    value = eta.copy()
    value[:, place] += effect * z
    theta = natural(card, value)
    loglik, gradient = likelihood(derived, packed, both)
    expected, slopes = likelihood(card, plain, theta)
    np.testing.assert_allclose(loglik, expected, rtol=1e-10, atol=1e-14)
    chain = slopes[:, place] * slope(card, theta)[:, place]
    others = np.delete(slopes, place, 1)
    np.testing.assert_allclose(gradient[:, place], chain, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(gradient[:, place + 1], z * chain, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(np.delete(gradient, [place, place + 1], 1), others, rtol=1e-8, atol=1e-10)
    latent = by_trial(derived, packed, both)[parameter]
    np.testing.assert_allclose(latent, theta[:, place][_unit_of_rows(packed)], rtol=1e-12)


def _z_of_units(rows):
    shown = rows[rows["choice"].notna()]
    return (
        shown.assign(z=standardised(shown, "volatility"))
        .groupby(["subject", "session", "episode"])["z"]
        .first()
        .to_numpy()
    )


def _unit_of_rows(packed):
    return packed.unit[packed.row_block, packed.row_lane]


def test_covariates_on_two_parameters_join():
    card = with_covariate(MODELS["rescorla_wagner"], "alpha", "volatility")
    card = with_covariate(card, "beta", "volatility", name="both")
    assert card.name == "both"
    assert card.names == ("alpha_0", "alpha_1", "beta_0", "beta_1")
    assert card.columns == ("choice", "reward", "volatility")
    learner = Learner(card, np.array([0.2, 0.5, 1.0, -0.3]), 2, (1,))
    found = learner.step(np.array([0]), np.array([1.0]), volatility=np.array([0.5])).latents
    assert found["alpha"] == pytest.approx(expit(0.45))
    assert found["beta"] == pytest.approx(np.exp(0.85))


def test_intercept_and_slope_have_priors_on_the_scale_of_the_link_and_an_equation_that_is_drawn():
    card = with_covariate(MODELS["bayesian_reversal"], "reliability", "volatility")
    base, (first, second) = MODELS["bayesian_reversal"].parameters[1], card.parameters[1:3]
    assert (first.mean, first.sd, first.group_sd, first.session_sd) == (
        base.mean, base.sd, base.group_sd, base.session_sd)  # fmt: skip
    assert first.typical == pytest.approx(FORWARD["upper_half"](base.typical), abs=1e-12)
    assert (second.mean, second.sd) == (0.0, 1.0)
    assert {first.link, second.link} == {"identity"}
    assert mathml(card.equation).startswith("<math")
    for link, (_, latex, forward) in SCALES.items():
        assert mathml(latex % {"p": r"\mathrm{α}"}).startswith("<math")
        assert forward(0.7) == pytest.approx(float(FORWARD[link](0.7)))


def test_results_of_a_model_with_a_covariate_are_fingerprinted_over_the_module_that_declares_it():
    assert with_covariate(MODELS["kalman"], "beta", "volatility").step.__module__ == __name__
    assert MODELS["volatility_rescorla_wagner"].step.__module__ == "pipeline.models.volatility"


def test_impossible_covariates_are_refused_with_one_message():
    card = MODELS["rescorla_wagner"]
    with pytest.raises(UserError, match="no parameter 'gamma' for a covariate; it has alpha, beta"):
        with_covariate(card, "gamma", "volatility")
    with pytest.raises(UserError, match="not a covariate"):
        with_covariate(card, "alpha", "reward")
    with pytest.raises(UserError, match="names of their own"):
        with_covariate(card, "alpha", "volatility", names=("a", "beta"))
    with pytest.raises(UserError, match="needs column 'volatility'"):
        pack(ragged(1), replace(with_covariate(card, "alpha", "volatility"), name="made"))
