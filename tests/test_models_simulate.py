import numpy as np
import pandas as pd
import pytest

from pipeline import trials
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.data import pack
from pipeline.models.likelihood import by_trial
from pipeline.models.recover import recover
from pipeline.models.simulate import ModelAgent, schedule
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

PLAIN = [name for name, card in MODELS.items() if not card.extra]  # models with covariates have tests of their own


def typical(card, agents=1):
    return np.tile([p.typical for p in card.parameters], (agents, 1))


@pytest.mark.parametrize("name", PLAIN)
def test_the_likelihood_gives_back_the_policy_that_the_simulator_used(name):
    card = MODELS[name]
    behaviour = play(ModelAgent(card, typical(card, 3)), TASKS["reversal"], 5, np.random.default_rng(1))
    rows = table(behaviour, "made")
    packed = pack(rows, card)
    found = by_trial(card, packed, typical(card, packed.units))
    expected = rows["policy_1"].to_numpy(float)[packed.rows]
    np.testing.assert_allclose(found["policy_1"], expected, atol=1e-6)  # tables hold seven decimals


@pytest.mark.parametrize("name", PLAIN)
def test_choice_probability_rises_after_a_reward_and_falls_after_none(name):
    card = MODELS[name]
    agent = ModelAgent(card, typical(card, 1))
    agent.begin(TASKS["reversal"], 2)
    before = agent.policy()
    np.testing.assert_array_equal(before, 0.5)
    agent.observe(np.zeros((1, 2), int), np.array([[1.0, 0.0]]))
    after = agent.policy()[0, :, 0]
    assert after[0] > 0.5
    assert after[0] > after[1]
    agent.begin(TASKS["reversal"], 2)
    np.testing.assert_array_equal(agent.policy(), 0.5)


def test_a_schedule_repeats_the_latent_probabilities_and_imposes_forced_choices():
    card = MODELS["asymmetric_sticky"]
    rows = table(play(ModelAgent(card, typical(card, 2)), TASKS["reversal"], 4, np.random.default_rng(2)), "made")
    rows["trial_type"] = rows["trial_type"].mask(rows["trial"] <= 3, "forced")
    rows = rows[(rows["episode"] != 2) | (rows["trial"] <= 50)]  # ragged
    plan = schedule(rows, card)
    assert sorted(set(plan.length)) == [50, 80]
    again = play(ModelAgent(card, typical(card, 6)), plan, len(plan.length), np.random.default_rng(3))
    kept = rows.sort_values(["subject", "session", "episode", "trial"])
    first = kept["choice"].to_numpy(int)[kept["trial"].to_numpy() <= 3].reshape(-1, 3)
    np.testing.assert_array_equal(again.choice[:, :, :3], np.broadcast_to(first, (6, *first.shape)))
    lane = kept.groupby(["subject", "session", "episode"]).ngroup().to_numpy()
    at = again.latent["reward_probability"][0, lane, kept["trial"].to_numpy(int) - 1, 0]
    np.testing.assert_array_equal(at, kept["reward_probability_0"].to_numpy(float))
    chosen = np.take_along_axis(again.latent["reward_probability"], again.choice[..., None], -1)[..., 0]
    error = np.sqrt((chosen * (1 - chosen)).mean() / chosen.size)
    assert abs(again.reward.mean() - chosen.mean()) < 4 * error


def test_a_source_without_latent_probabilities_cannot_be_simulated():
    card = MODELS["rescorla_wagner"]
    rows = pd.DataFrame({"source": "x", "species": "monkey", "task": "x", "subject": "a", "session": 1, "episode": 1,
                         "trial": [1, 2], "block": 1, "trial_type": "free", "options": 2,
                         "choice": 0, "reward": 1.0})  # fmt: skip
    with pytest.raises(UserError, match="no latent reward probabilities"):
        schedule(trials.conform(rows), card)


@pytest.mark.parametrize("name", PLAIN)
def test_parameters_are_recovered(name):
    found = recover(MODELS[name], TASKS["reversal"], 60, 12, np.random.default_rng(1)).set_index("parameter")
    assert (found["correlation"] > 0.75).all()
    assert (found["bias"].abs() < 0.25).all()
    lowest = 0.94 - 4 * np.sqrt(0.94 * 0.06 / 60)  # binomial, four standard errors
    assert (found["coverage"] > lowest).all()


def test_recovery_runs_on_the_schedule_of_data():
    card = MODELS["rescorla_wagner"]
    rows = table(play(ModelAgent(card, typical(card, 2)), TASKS["reversal"], 5, np.random.default_rng(2)), "made")
    rows = rows[(rows["episode"] != 2) | (rows["trial"] <= 50)]
    plan = schedule(rows, card)
    found = recover(card, plan, 40, len(plan.length), np.random.default_rng(1))
    assert (found["correlation"] > 0.7).all()
    assert (found["n"] == 40).all()
