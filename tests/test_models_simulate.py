"""Models as agents, and the schedules of a source: what it met is met again, whatever it was that paid."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline import trials
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.data import LANE, pack, standardised
from pipeline.models.likelihood import by_trial
from pipeline.models.recover import recover
from pipeline.models.simulate import ModelAgent, ScheduleUnknown, schedule
from pipeline.models.symbolic import PER_OPTION
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

LEARNERS = ("rescorla_wagner", "rescorla_wagner_sticky", "asymmetric_sticky")
PLAIN = [name for name, card in MODELS.items() if not card.extra and not card.two_step]
TWO_STEP = [name for name, card in MODELS.items() if card.two_step]
STAGED = ("two_step", "daw_two_step", "miranda_two_step")
KEY = [*LANE, "trial"]


def typical(card, agents=1):
    return np.tile([p.typical for p in card.parameters], (agents, 1))


def simulated(name, task, agents=2, episodes=3, seed=1):
    """Resolved card and the table of a typical population on a task."""
    card = MODELS[name].for_second(0 if task == "two_step" else 2)
    rows = table(
        play(ModelAgent(card, typical(card, agents)), TASKS[task], episodes, np.random.default_rng(seed)), "made"
    )
    return card, rows


def dense(rows, column, plan):
    """A column of a table (sorted by key) in the shape of a schedule, and where there are trials."""
    kept = rows[rows["choice"].notna()].sort_values(KEY)
    lane, position = kept.groupby(LANE).ngroup().to_numpy(), kept.groupby(LANE).cumcount().to_numpy()
    found = np.zeros((len(plan.length), plan.trials), kept[column].to_numpy().dtype)
    found[lane, position] = kept[column].to_numpy()
    return found, np.arange(plan.trials) < plan.length[:, None]


def again(card, rows, agents=4, seed=9):
    """Meet the schedule of a table again: schedule and behaviour."""
    plan = schedule(rows, card)
    agent = ModelAgent(card, typical(card, agents), covariates=plan.covariates)
    return plan, play(agent, plan, len(plan.length), np.random.default_rng(seed))


@pytest.mark.parametrize("name", PLAIN)
def test_the_likelihood_gives_back_the_policy_that_the_simulator_used(name):
    card = MODELS[name]
    behaviour = play(ModelAgent(card, typical(card, 3)), TASKS["reversal"], 5, np.random.default_rng(1))
    rows = table(behaviour, "made")
    packed = pack(rows, card)
    found = by_trial(card, packed, typical(card, packed.units))
    expected = rows["policy_1"].to_numpy(float)[packed.rows]
    np.testing.assert_allclose(found["policy_1"], expected, atol=1e-6)  # tables hold seven decimals


@pytest.mark.parametrize("name", LEARNERS)
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
    played = play(ModelAgent(card, typical(card, 6)), plan, len(plan.length), np.random.default_rng(3))
    kept = rows.sort_values(KEY)
    first = kept["choice"].to_numpy(int)[kept["trial"].to_numpy() <= 3].reshape(-1, 3)
    np.testing.assert_array_equal(played.choice[:, :, :3], np.broadcast_to(first, (6, *first.shape)))
    lane = kept.groupby(LANE).ngroup().to_numpy()
    at = played.latent["reward_probability"][0, lane, kept["trial"].to_numpy(int) - 1, 0]
    np.testing.assert_array_equal(at, kept["reward_probability_0"].to_numpy(float))
    chosen = np.take_along_axis(played.latent["reward_probability"], played.choice[..., None], -1)[..., 0]
    error = np.sqrt((chosen * (1 - chosen)).mean() / chosen.size)
    assert abs(played.reward.mean() - chosen.mean()) < 4 * error
    frame = table(played, "again")
    assert ((frame["trial_type"] == "forced") == (frame["trial"] <= 3)).all()
    assert frame["policy_0"].between(0.01, 0.99).all()  # of forced trials, too: the model's own
    for column in ("block", "better_option"):
        values, there = dense(rows, column, plan)
        np.testing.assert_array_equal(played.latent[column][0][there], values[there])


# Two-step tasks


@pytest.mark.parametrize("task", STAGED)
@pytest.mark.parametrize("name", TWO_STEP)
def test_a_two_step_model_plays_every_two_step_task_as_its_likelihood_says(name, task):
    card, rows = simulated(name, task)
    packed = pack(rows, MODELS[name])
    found = by_trial(card, packed, typical(card, packed.units))
    expected = rows["policy_1"].to_numpy(float)[packed.rows]
    np.testing.assert_allclose(found["policy_1"], expected, atol=1e-6)


@pytest.mark.parametrize("name", TWO_STEP)
def test_second_choices_are_made_with_the_second_policy(name):
    card, rows = simulated(name, "daw_two_step", agents=20)
    packed = pack(rows, card)
    p = by_trial(card, packed, typical(card, packed.units))["second_policy_1"]
    chosen = rows["second_choice"].to_numpy(int)[packed.rows]
    assert np.ptp(p) > 0.5
    assert abs((chosen - p).sum()) < 4 * np.sqrt((p * (1 - p)).sum())
    assert abs(((chosen - p) * (p - 0.5)).sum()) < 4 * np.sqrt((p * (1 - p) * (p - 0.5) ** 2).sum())


def test_a_miranda_schedule_repeats_transitions_levels_and_forced_choices_of_both_stages():
    card, rows = simulated("two_step_hybrid", "miranda_two_step", seed=3)
    rows = rows[(rows["episode"] != 2) | (rows["trial"] <= 120)]
    plan, behaviour = again(card, rows)
    assert (plan.pays, plan.binary, plan.second_options, plan.common, plan.steps) == ("two_step", False, 2, 0.7, 2)
    frame = table(behaviour, "again")
    frame = frame[frame["trial"].to_numpy(int) <= plan.length[frame["episode"].to_numpy(int) - 1]]
    common = (frame["second_state"] == frame["choice"]).to_numpy(bool)
    assert ((frame["transition"] == "common").to_numpy(bool) == common).all()
    place = (2 * frame["second_state"] + frame["second_choice"]).to_numpy(int)
    outcomes = frame[[f"second_outcome_{j}" for j in range(4)]].to_numpy(float)
    np.testing.assert_array_equal(outcomes[np.arange(len(frame)), place], frame["reward"].to_numpy(float))
    for column in ("transition", "trial_type", "second_trial_type", *(f"second_outcome_{j}" for j in range(4))):
        values, there = dense(rows, column, plan)
        for agent in range(4):
            assert (behaviour.latent[column][agent][there] == values[there]).all(), column
    for stage, column in (("choice", "trial_type"), ("second_choice", "second_trial_type")):
        values, there = dense(rows, stage, plan)
        forced = there & (dense(rows, column, plan)[0] == "forced")
        done = behaviour.choice if stage == "choice" else behaviour.latent["second_choice"]
        assert forced.any() and (done[:, forced] == values[forced]).all()
        assert (done[:, there & ~forced] != values[there & ~forced]).any()


def test_rewards_of_a_daw_schedule_are_drawn_from_the_probabilities_of_its_second_stage():
    card, rows = simulated("two_step_model_based", "daw_two_step")
    _, behaviour = again(card, rows, agents=40)
    frame = table(behaviour, "again")
    place = (2 * frame["second_state"] + frame["second_choice"]).to_numpy(int)
    mean = frame[[f"second_outcome_{j}" for j in range(4)]].to_numpy(float)[np.arange(len(frame)), place]
    reward = frame["reward"].to_numpy(float)
    assert set(reward) == {0, 1}
    for low, high in ((0.25, 0.4), (0.4, 0.6), (0.6, 0.76)):
        inside = (mean >= low) & (mean < high)
        assert abs((reward - mean)[inside].sum()) < 4 * np.sqrt((mean * (1 - mean))[inside].sum())
    columns = [c for c in rows if c.startswith(("second_outcome", "reward_probability"))]
    own = rows.sort_values(KEY)
    pd.testing.assert_frame_equal(  # the same latent worth, from what the table holds of the second stage
        frame[frame["subject"] == "model001"][columns].reset_index(drop=True), own[columns].reset_index(drop=True)
    )


def test_states_of_the_projects_own_two_step_task_pay_as_its_first_stage_probabilities_imply():
    card, rows = simulated("two_step_latent_state", "two_step", agents=3, episodes=20)
    plan, behaviour = again(card, rows, agents=40)
    assert plan.second_options == 0 and set(np.unique(plan.payment)) == {0.1, 0.9}
    frame = table(behaviour, "again")
    assert not {"second_choice", "second_outcome_0"} & set(frame)
    for k in (0, 1):
        np.testing.assert_allclose(
            behaviour.latent["reward_probability"][0, :, 0, k],
            dense(rows, f"reward_probability_{k}", plan)[0][:, 0].astype(float), atol=1e-6
        )  # fmt: skip
    good = (plan.payment[..., 0] < 0.5).astype(int)  # state that pays .9
    hit = behaviour.latent["second_state"] == good
    for inside, p in ((hit, 0.9), (~hit, 0.1)):
        assert abs(behaviour.reward[inside].mean() - p) < 4 * np.sqrt(0.09 / inside.sum())


def test_what_a_two_step_schedule_cannot_tell_is_refused():
    card, rows = simulated("two_step_hybrid", "miranda_two_step")
    with pytest.raises(ScheduleUnknown, match="'rescorla_wagner' does not say what is chosen at the second stage"):
        schedule(rows, MODELS["rescorla_wagner"])
    with pytest.raises(ScheduleUnknown, match="lacks what the second-stage options would have paid"):
        schedule(rows.drop(columns="second_outcome_2"), card)
    with pytest.raises(ScheduleUnknown, match="graded and differ from second_outcome"):
        schedule(rows.assign(reward=rows["reward"] + 0.25), card)
    with pytest.raises(ScheduleUnknown, match="'transition' is missing on some trials"):
        schedule(rows.assign(transition=rows["transition"].mask(rows["trial"] == 7)), card)
    with pytest.raises(UserError, match="needs column 'second_state'"):
        schedule(rows.drop(columns="second_state"), card)
    with pytest.raises(UserError, match="made for two-step tasks; task 'reversal' has one step"):
        ModelAgent(card, typical(card)).begin(TASKS["reversal"], 1)


def test_a_model_of_one_choice_plays_the_first_stage_where_nothing_is_chosen_at_the_second():
    card, (_, rows) = MODELS["rescorla_wagner"], simulated("two_step_hybrid", "two_step", episodes=10)
    _, behaviour = again(card, rows)
    frame = table(behaviour, "again")
    packed = pack(frame, card)
    found = by_trial(card, packed, typical(card, packed.units))
    np.testing.assert_allclose(found["policy_0"], frame["policy_0"].to_numpy(float)[packed.rows], atol=1e-6)


# Known outcomes and amounts on offer


def gamble(seed=1, losses=False, length=40):
    """Two subjects, two sessions: amounts on offer, one option wins on every trial, some choices missing or forced."""
    rng = np.random.default_rng(seed)
    count = 4 * length
    magnitude = rng.integers(1, 100, (count, 2)) / 100 * (-1 if losses else 1)
    wins = rng.integers(2, size=count)
    choice = pd.array(rng.integers(2, size=count), "Int32")
    paid = np.where(choice == wins, magnitude[np.arange(count), choice], 0.0)
    choice[rng.random(count) < 0.1] = pd.NA
    frame = pd.DataFrame(
        {
            "source": "made", "species": "human", "task": "made", "subject": np.repeat(["a", "b"], 2 * length),
            "session": np.tile(np.repeat([1, 2], length), 2), "episode": 1, "trial": np.tile(np.arange(length) + 1, 4),
            "block": np.tile(np.repeat([1, 2], length // 2), 4), "options": 2, "choice": choice,
            "trial_type": np.where(rng.random(count) < 0.1, "forced", "free"),
            "reward": pd.array(paid, "Float64").copy(),
            "volatility": np.tile(np.repeat([0.0, 1.0], length // 2), 4),
            **{f"magnitude_{k}": magnitude[:, k] for k in (0, 1)}, **{f"outcome_{k}": wins == k for k in (0, 1)},
        }
    )  # fmt: skip
    frame["reward"] = frame["reward"].mask(frame["choice"].isna())
    return trials.conform(frame.astype({"outcome_0": float, "outcome_1": float}))


@pytest.mark.parametrize("losses", [False, True])
def test_known_outcomes_are_paid_again_to_whoever_chooses_them(losses):
    rows, card = gamble(losses=losses), MODELS["rescorla_wagner"]
    plan, behaviour = again(card, rows)
    assert plan.pays == "replayed"
    frame = table(behaviour, "again")
    frame = frame[frame["trial"].to_numpy(int) <= plan.length[frame["episode"].to_numpy(int) - 1]]
    choice = frame["choice"].to_numpy(int)
    offered, fell = (frame[[f"{n}_0", f"{n}_1"]].to_numpy(float) for n in ("magnitude", "outcome"))
    at = np.arange(len(frame)), choice
    np.testing.assert_allclose(frame["reward"].to_numpy(float), offered[at] * fell[at])
    for column in ("magnitude_0", "outcome_1", "block"):
        values, there = dense(rows, column, plan)
        name, k = (column[:-2], int(column[-1])) if column[-1].isdigit() else (column, None)
        ours = behaviour.latent[name] if k is None else behaviour.latent[name][..., k]
        np.testing.assert_array_equal(ours[2][there], values[there].astype(float))
    values, there = dense(rows, "choice", plan)
    forced = there & (dense(rows, "trial_type", plan)[0] == "forced")
    assert forced.any() and (behaviour.choice[:, forced] == values[forced].astype(int)).all()


def wider(card, *columns):
    """The same model, with further columns that it reads into its latents."""

    def step(p, s, t):
        done = card.step(p, s, t)
        seen = {f"seen_{name}": getattr(t, name) for name in columns}
        return replace(done, latents={**done.latents, **seen})

    return replace(card, step=step, columns=(*card.columns, *columns))


def test_a_simulated_model_reads_the_same_columns_as_a_fitted_one():
    rows = gamble(2)
    card = wider(MODELS["rescorla_wagner"], "volatility", "magnitude", "outcome")
    plan, packed = schedule(rows, card), pack(rows, card)
    fitted = by_trial(card, packed, typical(card, packed.units))
    kept = rows.iloc[packed.rows]
    lane, position = kept.groupby(LANE).ngroup().to_numpy(), kept.groupby(LANE).cumcount().to_numpy()
    np.testing.assert_array_equal(plan.covariates["volatility"][lane, position], fitted["seen_volatility"])
    np.testing.assert_array_equal(
        fitted["seen_volatility"],
        standardised(rows[rows["choice"].notna()], "volatility")[np.argsort(np.argsort(packed.rows))],
    )
    assert set(fitted["seen_volatility"]) == {-0.5, 0.5}
    for name in ("magnitude", "outcome"):
        assert name in PER_OPTION
        for k in (0, 1):
            np.testing.assert_array_equal(plan.covariates[name][lane, position, k], fitted[f"seen_{name}_{k}"])
    seen = []

    class Watching(ModelAgent):
        def _now(self):
            seen.append(super()._now())
            return seen[-1]

    play(Watching(card, typical(card, 2), covariates=plan.covariates), plan, len(plan.length), np.random.default_rng(1))
    assert [np.shape(x) for x in seen[5]["magnitude"]] == [(4,), (4,)] and np.shape(seen[5]["volatility"]) == (4,)
    several = {name: np.stack([x, x + 1]) for name, x in plan.covariates.items()}  # each agent columns of its own
    play(Watching(card, typical(card, 2), covariates=several), plan, len(plan.length), np.random.default_rng(1))
    np.testing.assert_array_equal(seen[-1]["magnitude"][1][1], several["magnitude"][1, :, plan.trials - 1, 1])
    with pytest.raises(UserError, match="needs column 'volatility'"):
        schedule(rows.drop(columns="volatility"), card)


def test_amounts_on_offer_are_paid_with_the_latent_probability_where_outcomes_are_not_known():
    rows, card = gamble(3), MODELS["rescorla_wagner"]
    p = np.where(rows["volatility"].to_numpy(float) > 0, 0.8, 0.3)
    rows = trials.conform(
        rows.drop(columns=["outcome_0", "outcome_1"]).assign(reward_probability_0=p, reward_probability_1=1 - p)
    )
    plan, behaviour = again(card, rows, agents=60)
    assert plan.pays == "bernoulli"
    there = np.broadcast_to(np.arange(plan.trials) < plan.length[:, None], behaviour.choice.shape)
    pick = behaviour.choice[..., None]
    amount, chance = (
        np.take_along_axis(behaviour.latent[n], pick, -1)[..., 0] for n in ("magnitude", "reward_probability")
    )
    paid = behaviour.reward != 0
    np.testing.assert_allclose(behaviour.reward[there & paid], amount[there & paid])
    error = np.sqrt((chance * (1 - chance))[there].sum())
    assert abs((paid - chance)[there].sum()) < 4 * error
    with pytest.raises(ScheduleUnknown, match="neither 0 nor the magnitude_k of the option chosen"):
        schedule(rows.assign(reward=rows["reward"] + 0.005), card)


def test_what_would_have_been_paid_must_be_known():
    rows, card = gamble(4), MODELS["rescorla_wagner"]
    with pytest.raises(UserError, match="no latent reward probabilities"):
        schedule(rows.assign(outcome_1=rows["outcome_1"].mask(rows["trial"] == 3)), card)
    with pytest.raises(ScheduleUnknown, match="not outcome_k × magnitude_k"):
        schedule(rows.assign(reward=rows["reward"] + 1), card)
    plain = rows[["source", "species", "task", *KEY, "block", "trial_type", "options", "choice", "reward"]]
    with pytest.raises(UserError, match="no latent reward probabilities"):
        schedule(plain, card)
    known = plain.assign(reward_probability_0=0.5, reward_probability_1=0.5)
    with pytest.raises(ScheduleUnknown, match="neither 0 nor 1"):
        schedule(known, card)
    with pytest.raises(ScheduleUnknown, match="holds no choice"):
        schedule(plain.assign(choice=pd.NA), card)


# Baited options


def foraging(seed=1, blocks=((0.26, 0.04), (0.07, 0.23), (0.2, 0.1)), length=60, choices=None):
    """One session of baited options with actual arming, trial by trial; a block in which option 0 is never chosen."""
    rng = np.random.default_rng(seed)
    armed, waited, rows = [False, False], [0, 0], []
    survival = [1.0, 1.0]
    for t in range(len(blocks) * length):
        p0 = blocks[t // length]
        choice = int(rng.integers(2)) if choices is None else choices[t]
        choice = 1 if t // length == 1 else choice
        for k in (0, 1):
            armed[k] |= rng.random() < p0[k]
            survival[k] *= 1 - p0[k]
        p = [1 - s for s in survival]
        rows.append((t + 1, 1 + t // length, choice, float(armed[choice]), *p, int(np.argmax(p0)), *p0, *waited))
        armed[choice], survival[choice], waited[choice] = False, 1.0, 0
        waited[1 - choice] += 1
    names = ["trial", "block", "choice", "reward", "reward_probability_0", "reward_probability_1", "better_option"]
    frame = pd.DataFrame(rows, columns=[*names, "p0_0", "p0_1", "waited_0", "waited_1"])
    frame = frame.assign(source="made", species="human", task="rutledge_foraging", subject="a", session=1, episode=1,
                         trial_type="free", options=2)  # fmt: skip
    return trials.conform(frame.drop(columns=["p0_0", "p0_1", "waited_0", "waited_1"])), frame


def test_the_arming_of_baited_options_is_read_off_their_waiting_rewards():
    rows, truth = foraging()
    plan = schedule(rows, MODELS["rescorla_wagner"])
    assert plan.pays == "baited"
    np.testing.assert_allclose(plan.payment[0], truth[["p0_0", "p0_1"]].to_numpy(), atol=1e-6)
    within = truth["trial"] <= 60  # the closed form, as long as p0 is the same throughout
    for k in (0, 1):
        closed = 1 - (1 - truth[f"p0_{k}"]) ** (truth[f"waited_{k}"] + 1)
        np.testing.assert_allclose(closed[within], truth[f"reward_probability_{k}"][within])
    world = plan.begin(3, 1, np.random.default_rng(1))
    for choice in truth["choice"]:
        world.act(np.full((3, 1), choice))
    found = world.columns()
    np.testing.assert_allclose(
        found["reward_probability"][1, 0], truth[["reward_probability_0", "reward_probability_1"]], atol=1e-6
    )
    np.testing.assert_array_equal(found["better_option"][0, 0], truth["better_option"])  # the richer one


def test_baited_options_pay_as_often_as_rewards_that_wait_do():
    choices = [t % 5 != 0 for t in range(180)]  # mostly option 1, so that rewards wait at option 0
    choices = [int(c) for c in choices]
    rows, truth = foraging(2, choices=choices)
    plan = schedule(rows, MODELS["rescorla_wagner"])
    count = 4000
    world = plan.begin(count, 1, np.random.default_rng(3))
    paid = np.array([world.act(np.full((count, 1), c)).mean() for c in truth["choice"]])
    slow = np.mean([foraging(100 + i, choices=choices)[1]["reward"].to_numpy() for i in range(200)], 0)
    p = truth[["reward_probability_0", "reward_probability_1"]].to_numpy()[np.arange(180), truth["choice"]]
    spread = np.sqrt(p * (1 - p))
    assert (np.abs(paid - p) < 5 * spread / np.sqrt(count)).all()  # 180 trials
    assert (np.abs(slow - p) < 5 * spread / np.sqrt(200) + 0.01).all()  # actual arming gives the same


def test_probabilities_that_no_baiting_makes_are_refused():
    rows, _ = foraging()
    card = MODELS["rescorla_wagner"]
    p = rows["reward_probability_0"]
    with pytest.raises(ScheduleUnknown, match="varies within a block"):
        schedule(rows.assign(reward_probability_0=p.mask(rows["trial"] == 1, 0.9)), card)
    with pytest.raises(ScheduleUnknown, match="blocks of its baited options are not known"):
        schedule(rows.assign(block=pd.array([pd.NA] * len(rows), "Int32")), card)
    lone = rows[rows["trial"].isin([*range(1, 61), 75])]  # one trial of a block, after a gap
    with pytest.raises(ScheduleUnknown, match="does not tell how option 0 is armed in block 2"):
        schedule(lone, card)


# Recovery


@pytest.mark.parametrize("name", LEARNERS)
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
