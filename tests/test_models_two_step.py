"""Models of two-step tasks: likelihood and gradient against a plain twin, their limits, and what they do to staying."""

from dataclasses import replace

import mpmath
import numpy as np
import pandas as pd
import pytest

from pipeline import trials as contract
from pipeline.agents.two_step import ModelBased, ModelFree
from pipeline.behaviour.arrays import episodes
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.data import LANE, pack, resolve
from pipeline.models.likelihood import by_trial, likelihood
from pipeline.models.links import natural
from pipeline.models.simulate import ModelAgent
from pipeline.report.mathml import mathml
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

NAMES = tuple(name for name, card in MODELS.items() if card.two_step)
OWN = (*LANE, "trial")


def made(task="daw_two_step", seed=1, second=True, graded=False, episodes=6, subjects=((3, 2), (2, 1))):
    """Two subjects, sessions of ragged episodes (one of a single trial), missing choices, both kinds of forced ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject, (sessions, _) in enumerate(subjects):
        for session in range(1, sessions + 1):
            for episode, length in enumerate([1, 7, *rng.integers(2, 25, episodes - 2)], 1):
                for trial in range(1, length + 1):
                    kinds = ["forced" if rng.random() < 0.15 else "free" for _ in range(2)]
                    choice, state, then = (int(rng.integers(2)) for _ in range(3))
                    reward = float(abs(rng.normal())) if graded else float(rng.integers(2))
                    led = "common" if choice == state else "rare"
                    happened = (choice, reward, state, then, led, kinds[1])
                    if rng.random() < 0.1:
                        happened = (None,) * 6
                    rows.append((f"s{subject}", session, episode, trial, kinds[0], *happened))
    names = [*OWN, "trial_type", "choice", "reward", "second_state", "second_choice", "transition", "second_trial_type"]
    frame = pd.DataFrame(rows, columns=names).assign(source="made", species="learner", task=task, block=1, options=2)
    return contract.conform(frame if second else frame.drop(columns=["second_choice", "second_trial_type"]))


class Twin:
    """One episode of one model in plain Python, on whatever numbers it is given: complex, or of many digits."""

    def __init__(self, name, value, common, exp, log):
        self.name, self.v, self.common, self.exp, self.log = name, value, common, exp, log
        self.first, self.second, self.good = [0.5, 0.5], {}, [0.5, 0.5]
        self.last, self.most = None, 1

    def log_softmax(self, values, chosen):
        top = max(values, key=lambda x: x.real)
        return values[chosen] - top - self.log(sum(self.exp(x - top) for x in values))

    def best(self, state, options):
        return max((self.second.get((state, a), 0.5) for a in range(options)), key=lambda x: x.real)

    def values(self, options):
        if self.name == "two_step_latent_state":
            worth = self.good
        elif self.name == "two_step_model_free":
            return self.first
        else:
            worth = [self.best(s, options) for s in (0, 1)]
        planned = [self.common * worth[k] + (1 - self.common) * worth[1 - k] for k in (0, 1)]
        if self.name != "two_step_hybrid":
            return planned
        w = self.v["weight"]
        return [w * mb + (1 - w) * mf for mb, mf in zip(planned, self.first)]

    def trial(self, choice, reward, state, then, kind, second_kind):
        """Log-likelihood of one trial; then learn from it. ``then`` None: nothing is chosen at the second stage."""
        v, options, total = self.v, 1 if then is None else 2, 0
        if kind == "free":
            sticky = [v["kappa"] * (k == self.last) for k in (0, 1)]
            total += self.log_softmax([v["beta_1"] * q + s for q, s in zip(self.values(options), sticky)], choice)
        if then is not None and second_kind == "free":
            total += self.log_softmax([v["beta_2"] * self.second.get((state, a), 0.5) for a in (0, 1)], then)
        place = (state, then or 0)
        value = self.second.get(place, 0.5)
        to_state, to_reward = value - self.first[choice], reward - value  # δ₁ and δ₂
        if "trace" in v:
            self.first = list(self.first)
            self.first[choice] = self.first[choice] + v["alpha"] * (to_state + v["trace"] * to_reward)
        if "alpha" in v:
            self.second[place] = value + v["alpha"] * to_reward
        if "hazard" in v:
            self.infer(reward, state)
        self.last = choice
        return total

    def infer(self, reward, state):
        """Bayes' rule for the state that is the good one, then a change with probability h."""
        self.most = max(self.most, reward)
        share, rho, h = reward / self.most, self.v["reliability"], self.v["hazard"]
        for_it, against = rho * share + (1 - rho) * (1 - share), rho * (1 - share) + (1 - rho) * share
        joint = [self.good[s] * (for_it if s == state else against) for s in (0, 1)]
        self.good = [((1 - h) * joint[s] + h * joint[1 - s]) / sum(joint) for s in (0, 1)]


def told(rows, second):
    """Trials with a choice as tuples for the twin."""
    kept = rows[rows["choice"].notna()].sort_values("trial")
    columns = [kept["choice"].astype(int), kept["reward"].astype(float), kept["second_state"].astype(int)]
    columns += [kept["second_choice"].astype(int) if second else [None] * len(kept), kept["trial_type"]]
    return list(zip(*columns, kept["second_trial_type"] if second else [None] * len(kept)))


def slow(card, frame, theta, exact=False):
    """Log-likelihood of every unit and its gradient by complex steps."""
    second, common = bool(card.second_options), 0.75 if frame["task"].iloc[0] == "two_step" else 0.7
    exp, log = (mpmath.exp, mpmath.log) if exact else (np.exp, np.log)
    number = mpmath.mpc if exact else complex
    tiny = mpmath.mpf(10) ** -60 if exact else 1e-30
    loglik, gradient = np.zeros(len(theta)), np.zeros(theta.shape)
    with mpmath.workdps(60):
        for u, (_, unit) in enumerate(frame.groupby(["subject", "session"])):
            stretches = [told(rows, second) for _, rows in unit.groupby("episode")]
            for j in range(theta.shape[1]):
                value = {name: number(x) for name, x in zip(card.names, theta[u])}
                value[card.names[j]] += number(0, tiny)
                total = 0
                for stretch in stretches:
                    twin = Twin(card.name, value, mpmath.mpf(common) if exact else common, exp, log)
                    total += sum(twin.trial(*one) for one in stretch)
                loglik[u], gradient[u, j] = float(total.real), float(total.imag / tiny)
    return loglik, gradient


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("task", "second", "graded"),
    [("daw_two_step", True, False), ("miranda_two_step", True, True), ("two_step", False, False)],
)
def test_the_kernel_equals_the_plain_likelihood_and_its_complex_step_gradient(name, task, second, graded):
    frame = made(task, 2, second, graded)
    card = resolve(MODELS[name], frame)
    packed = pack(frame, MODELS[name])
    rng = np.random.default_rng(3)
    center, spread = (np.array([getattr(p, part) for p in card.parameters]) for part in ("mean", "sd"))
    theta = natural(card, center + 0.7 * spread * rng.standard_normal((packed.units, len(card.names))))
    loglik, gradient = likelihood(card, packed, theta)
    twin, twin_gradient = slow(card, frame, theta)
    np.testing.assert_allclose(loglik, twin, rtol=1e-10)
    np.testing.assert_allclose(gradient, twin_gradient, rtol=1e-8, atol=1e-9)
    assert packed.scored < 2 * frame["choice"].notna().sum()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize(("edge", "beta"), [(1e-9, 1e-6), (1e-9, 400.0), (1 - 1e-9, 60.0), (1 - 1e-9, 400.0)])
def test_extreme_parameters_neither_overflow_nor_lose_digits(name, second, edge, beta):
    frame = made("miranda_two_step" if second else "two_step", 5, second, graded=True, episodes=3)
    card = resolve(MODELS[name], frame)
    values = {"beta_1": beta, "beta_2": beta, "kappa": -6.0, "reliability": 0.5 + edge / 2}
    theta = np.tile([values.get(n, edge) for n in card.names], (5, 1))
    loglik, gradient = likelihood(card, pack(frame, card), theta)
    twin, twin_gradient = slow(card, frame, theta, exact=True)
    np.testing.assert_allclose(loglik, twin, rtol=1e-10)
    np.testing.assert_allclose(gradient, twin_gradient, rtol=1e-8, atol=1e-7)


def test_a_latent_state_that_is_certain_and_contradicted_stays_finite():
    frame = made("two_step", 6, second=False)
    card = resolve(MODELS["two_step_latent_state"], frame)
    values = {"hazard": 0.0, "reliability": 1.0, "beta_1": 3.0, "kappa": 0.0}
    loglik, _ = likelihood(card, pack(frame, card), np.tile([values[n] for n in card.names], (5, 1)))
    assert np.isfinite(loglik).all()


@pytest.mark.parametrize("name", NAMES)
def test_trial_by_trial_quantities_add_up_to_the_kernel(name):
    frame = made("miranda_two_step", 7, graded=True)
    card = resolve(MODELS[name], frame)
    packed = pack(frame, card)
    theta = np.tile([p.typical for p in card.parameters], (packed.units, 1))
    found = by_trial(card, packed, theta)
    np.testing.assert_allclose(found["loglik"].sum(), likelihood(card, packed, theta)[0].sum(), rtol=1e-12)
    rows = frame.iloc[packed.rows]
    neither = ((rows["trial_type"] == "forced") & (rows["second_trial_type"] == "forced")).to_numpy(bool)
    assert neither.any() and not found["loglik"][neither].any()
    one = ((rows["trial_type"] == "free") & (rows["second_trial_type"] == "forced")).to_numpy(bool)
    policy = np.stack([found["policy_0"], found["policy_1"]], 1)
    chosen = policy[np.arange(len(rows)), rows["choice"].to_numpy(int)]
    np.testing.assert_allclose(found["loglik"][one], np.log(chosen[one]))


def test_missing_and_forced_trials_count_as_they_should():
    frame = made(seed=8)
    card = resolve(MODELS["two_step_hybrid"], frame)
    theta = np.tile([p.typical for p in card.parameters], (5, 1))
    with_gaps = likelihood(card, pack(frame, card), theta)[0]
    np.testing.assert_allclose(with_gaps, likelihood(card, pack(frame[frame["choice"].notna()], card), theta)[0])
    free = frame.assign(
        trial_type="free", second_trial_type=frame["second_trial_type"].where(frame["choice"].isna(), "free")
    )
    assert (likelihood(card, pack(free, card), theta)[0] < with_gaps).all()  # more choices to explain
    flipped = frame.assign(choice=frame["choice"].mask(frame["trial_type"] == "forced", 1 - frame["choice"]))
    assert (likelihood(card, pack(flipped, card), theta)[0] != with_gaps).any()  # forced choices are learned from


# Limits


def parameters(card, **values):
    return np.tile([values[name] for name in card.names], (5, 1))


VALUES = {"alpha": 0.4, "trace": 0.7, "beta_1": 4.0, "beta_2": 3.0, "kappa": 0.3, "weight": 0.5}


@pytest.mark.parametrize(("weight", "limit"), [(1.0, "two_step_model_based"), (0.0, "two_step_model_free")])
@pytest.mark.parametrize("second", [True, False])
def test_the_hybrid_has_the_two_learners_as_its_limits(weight, limit, second):
    frame = made("daw_two_step" if second else "two_step", 9, second)
    mixed, alone = (resolve(MODELS[n], frame) for n in ("two_step_hybrid", limit))
    ours = likelihood(mixed, pack(frame, mixed), parameters(mixed, **VALUES | {"weight": weight}))[0]
    theirs = likelihood(alone, pack(frame, alone), parameters(alone, **VALUES))[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_with_full_eligibility_the_first_stage_is_a_sticky_rescorla_wagner_learner():
    frame = made("two_step", 10, second=False)
    card, plain = resolve(MODELS["two_step_model_free"], frame), MODELS["rescorla_wagner_sticky"]
    ours = likelihood(card, pack(frame, card), parameters(card, **VALUES | {"trace": 1.0}))[0]
    theirs = likelihood(plain, pack(frame, plain), np.tile([0.4, 4.0, 0.3], (5, 1)))[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_without_eligibility_an_outcome_reaches_the_first_choice_only_at_the_next_visit():
    rows = pd.DataFrame({"trial": [1, 2, 3], "choice": 0, "second_state": 0, "second_choice": 1, "reward": [1.0, 0, 0]})
    rows = rows.assign(source="x", species="human", task="daw_two_step", subject="a", session=1, episode=1, block=1,
                       trial_type="free", options=2, transition="common", second_trial_type="free")  # fmt: skip
    frame = contract.conform(rows)
    card = resolve(MODELS["two_step_model_free"], frame)
    values = VALUES | {"kappa": 0.0, "alpha": 0.5}
    for trace, after in ((0.0, [0.5, 0.5, 0.625]), (1.0, [0.5, 0.75, 0.375]), (0.5, [0.5, 0.625, 0.5])):
        theta = np.array([[(values | {"trace": trace})[n] for n in card.names]])
        found = by_trial(card, pack(frame, card), theta)
        np.testing.assert_allclose(found["Q_0"], after)  # Q₂: .5, .75, .375
        np.testing.assert_allclose(found["Q2_1"], [0.5, 0.75, 0.375])
        np.testing.assert_allclose(found["policy_0"], 1 / (1 + np.exp(-4 * (np.array(after) - 0.5))))


def test_a_latent_state_learner_learns_nothing_from_unreliable_outcomes_and_forgets_at_hazard_one_half():
    frame = made("two_step", 11, second=False)
    card = resolve(MODELS["two_step_latent_state"], frame)
    for value in ({"hazard": 0.1, "reliability": 0.5}, {"hazard": 0.5, "reliability": 0.9}):
        theta = parameters(card, **value, beta_1=6.0, kappa=0.0)
        np.testing.assert_allclose(by_trial(card, pack(frame, card), theta)["policy_0"], 0.5)
    sure = parameters(card, hazard=0.1, reliability=0.9, beta_1=6.0, kappa=0.0)
    found, rows = by_trial(card, pack(frame, card), sure), frame.iloc[pack(frame, card).rows]
    first = (rows["trial"] == rows.groupby(list(LANE))["trial"].transform("min")).to_numpy(bool)
    second = np.flatnonzero(first[:-1] & ~first[1:]) + 1
    paid, state = (rows[n].to_numpy(float)[second - 1] for n in ("reward", "second_state"))
    after = 0.9 * 0.9 + 0.1 * 0.1  # belief in a state that paid once, a change allowed for
    expected = np.where((state == 0) == (paid == 1), after, 1 - after)
    np.testing.assert_allclose(found["belief_0"][second], expected)


def test_a_medium_reward_is_no_evidence_once_a_large_one_is_known():
    frame = made("miranda_two_step", 12)
    rows = frame[frame["choice"].notna()].groupby(list(LANE)).head(2)
    rows = rows[rows.groupby(list(LANE))["trial"].transform("size") == 2]
    number = rows.groupby(list(LANE)).cumcount().to_numpy()
    rows = rows.assign(reward=np.where(number == 0, 2.0, 1.0))
    third = rows[number == 1].assign(trial=99, reward=0.0)
    card = resolve(MODELS["two_step_latent_state"], rows)
    packed = pack(pd.concat([rows, third]), card)
    theta = [dict(hazard=0.0, reliability=0.9, beta_1=6.0, alpha=0.5, beta_2=1.0, kappa=0.0)[n] for n in card.names]
    found = by_trial(card, packed, np.tile(theta, (packed.units, 1)))
    belief = found["belief_0"].reshape(-1, 3)  # three trials per episode, sorted by key
    np.testing.assert_allclose(np.maximum(belief[:, 1], 1 - belief[:, 1]), 0.9)
    np.testing.assert_allclose(belief[:, 2], belief[:, 1])


# The same learners elsewhere in the project


@pytest.mark.parametrize(("name", "other"), [("two_step_model_based", ModelBased), ("two_step_model_free", ModelFree)])
def test_the_cards_behave_as_the_learners_of_the_registry_of_agents(name, other):
    task = TASKS["two_step"]
    card = MODELS[name].for_second(0)
    theta = np.array([[{"alpha": 0.5, "trace": 1.0, "beta_1": 5.0, "kappa": 0.0}[n] for n in card.names]])
    one = play(ModelAgent(card, theta), task, 300, np.random.default_rng(4))
    two = play(other(task), task, 300, np.random.default_rng(4))
    np.testing.assert_allclose(one.policy, two.policy, atol=1e-12)
    np.testing.assert_array_equal(one.choice, two.choice)


# What they do to staying


@pytest.fixture(scope="module")
def stays():
    """Stay probabilities after reward or omission (rows) and common or rare transitions, by model."""
    found = {}
    for name in ("two_step_model_based", "two_step_model_free"):
        card = MODELS[name].for_second(2)
        value = {"alpha": 0.5, "trace": 1.0, "beta_1": 5.0, "beta_2": 3.0, "kappa": 0.0}
        agent = ModelAgent(card, np.tile([value[n] for n in card.names], (20, 1)))
        e = episodes(table(play(agent, TASKS["daw_two_step"], 30, np.random.default_rng(5), shared=False), name))
        stay, win, common = e.stay, e.win[:, :-1], e.transition[:, :-1] == 1
        cells = [e.pair & (win == w) & (common == c) for w in (True, False) for c in (True, False)]
        share = np.array([stay[cell].mean() for cell in cells]).reshape(2, 2)
        found[name] = share, min(cell.sum() for cell in cells)
    return found


def test_a_planner_shows_an_interaction_of_reward_and_transition_and_no_main_effect_of_reward(stays):
    p, n = stays["two_step_model_based"]
    reward = ((p[0] - p[1]).sum()) / 2
    interaction = (p[0, 0] - p[1, 0]) - (p[0, 1] - p[1, 1])
    error = 4 * np.sqrt(0.25 / n)
    assert interaction > 0.3 and abs(reward) < 0.1 * interaction + error


def test_a_model_free_learner_shows_a_main_effect_of_reward_and_no_interaction(stays):
    p, n = stays["two_step_model_free"]
    reward = ((p[0] - p[1]).sum()) / 2
    interaction = (p[0, 0] - p[1, 0]) - (p[0, 1] - p[1, 1])
    error = 4 * np.sqrt(0.25 / n)
    assert reward > 0.3 and abs(interaction) < 0.1 * reward + error


# Cards


def test_equations_render_and_second_stage_parameters_go_where_nothing_is_chosen_there():
    for name in NAMES:
        card = MODELS[name]
        assert mathml(card.equation).startswith("<math"), name
        gone = set(card.names) - set(card.for_second(0).names)
        assert gone == ({"alpha", "beta_2"} if name == "two_step_latent_state" else {"beta_2"})
        assert card.for_second(2).names == card.names
        assert resolve(card, made()).second_options == 2
        assert resolve(card, made("two_step", second=False)).second_options == 0


def test_tables_that_do_not_suit_are_refused():
    card, frame = MODELS["two_step_hybrid"], made()
    with pytest.raises(UserError, match="needs column 'second_state'"):
        pack(frame.drop(columns="second_state"), card)
    with pytest.raises(UserError, match="'second_choice' is missing on 1 trials with a choice"):
        broken = frame.copy()
        broken.loc[broken["choice"].first_valid_index(), "second_choice"] = pd.NA
        pack(broken, card)
    with pytest.raises(UserError, match="needs 2 options; this source has 3"):
        pack(frame.assign(options=3), card)
    with pytest.raises(UserError, match="needs rewards from 0 to inf; this source has -1"):
        pack(frame.assign(reward=-frame["reward"]), MODELS["two_step_latent_state"])
    with pytest.raises(ValueError, match="is the card resolved"):
        ModelAgent(replace(card, second_options=2).for_second(0), np.ones((1, 6)))
