"""Prior and posterior predictive checks: what is compared, on whose parameters, for whom."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from test_models_simulate import foraging, gamble

from pipeline import trials
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.matching import matching_slope
from pipeline.models import MODELS, predictive
from pipeline.models.data import LANE, pack, resolve
from pipeline.models.links import transformed
from pipeline.models.predictive import COLUMNS, Comparison, check
from pipeline.models.simulate import ModelAgent, ScheduleUnknown
from pipeline.rollout import play, table
from pipeline.tasks import TASKS

RW = MODELS["rescorla_wagner"]


def fitted(**values):
    """A fit's draws as they would be sampled: arrays (draws, …) by variable, one chain."""
    data = {name: ((f"chain_{name}", "draw", *(f"{name}_{i}" for i in range(x.ndim - 1))), x[None])
            for name, x in values.items()}  # fmt: skip
    return SimpleNamespace(posterior=xr.Dataset(data))


def simulated(card, theta, task, count, seed=1, subjects=None):
    agent = ModelAgent(card, theta, subjects or [f"s{i}" for i in range(len(theta))])
    return table(play(agent, TASKS[task], count, np.random.default_rng(seed)), "made")


def with_groups(rows, of):
    return trials.conform(rows.assign(group=rows["subject"].map(of)))


def known(card, theta, draws=40):
    """A posterior that knows the parameters of every subject."""
    return fitted(subject_parameters=np.repeat(transformed(card, np.asarray(theta))[None], draws, 0))


# The observed statistics, counted one trial at a time


def counted(rows, subjects):
    """Statistics of some subjects in plain Python: name → (hits, chances)."""
    found = {}

    def count(name, hit):
        hits, chances = found.get(name, (0, 0))
        found[name] = (hits + bool(hit), chances + 1)

    second = "second_trial_type" in rows
    for _, part in rows[rows["subject"].isin(subjects)].groupby(LANE):
        by_trial = {int(row["trial"]): row for _, row in part.iterrows() if not pd.isna(row["choice"])}
        for t, row in by_trial.items():
            free = row["trial_type"] == "free"
            if free and not pd.isna(row.get("better_option", pd.NA)):
                count("better_choice", row["choice"] == row["better_option"])
            if "magnitude_0" in row and free and row["magnitude_0"] != row["magnitude_1"]:
                count("larger_amount", row["choice"] == int(row["magnitude_1"] > row["magnitude_0"]))
            after = by_trial.get(t + 1)
            if after is None or not free or after["trial_type"] != "free":
                continue
            if second and "forced" in (row["second_trial_type"], after["second_trial_type"]):
                continue
            stay = row["choice"] == after["choice"]
            if row["reward"] > 0:
                count("win_stay", stay)
            else:
                count("lose_shift", not stay)
            if "transition" in row:
                count(f"stay_{row['transition']}_{row['reward']:g}", stay)
            if "magnitude_0" in row:
                lost = row[f"magnitude_{row['choice']}"] < 0 and row["reward"] < 0
                gained = row[f"magnitude_{row['choice']}"] > 0 and row["reward"] > 0
                good = gained or (row[f"magnitude_{row['choice']}"] < 0 and not lost)
                count("good_stay" if good else "bad_shift", stay if good else not stay)
    return {name: hits / chances for name, (hits, chances) in found.items()}


def forced_at_random(rows, seed=1):
    rng = np.random.default_rng(seed)
    some = rng.random(len(rows))
    rows = rows.assign(trial_type=np.where(some < 0.1, "forced", "free"))
    gone = some > 0.93
    return trials.conform(rows.assign(choice=rows["choice"].mask(gone), reward=rows["reward"].mask(gone)))


def sources():
    card = MODELS["two_step_hybrid"].for_second(2)
    theta = np.tile([p.typical for p in card.parameters], (3, 1))
    staged = simulated(card, theta, "miranda_two_step", 2)
    bandit = forced_at_random(simulated(RW, np.tile([0.4, 3.0], (3, 1)), "reversal", 2))
    losses = gamble(2, losses=True)
    both = pd.concat([gamble(1), losses[losses["subject"] == "a"].assign(subject="c")], ignore_index=True)
    return {
        "bandit": (RW, with_groups(bandit, {"s0": "one", "s1": "one", "s2": "two"})),
        "two_step": (MODELS["two_step_hybrid"], with_groups(staged, {"s0": "one", "s1": "two", "s2": "two"})),
        "gamble": (RW, trials.conform(both)),
    }


@pytest.mark.parametrize("kind", ["bandit", "two_step", "gamble"])
def test_observed_statistics_of_subjects_groups_and_all_equal_a_count_trial_by_trial(kind):
    card, rows = sources()[kind]
    found = predictive.predictive(rows, card, None, np.random.default_rng(1), draws=2, prior=True)
    assert list(found.columns) == list(COLUMNS) and COLUMNS[-1] == "kind"
    subjects = sorted(rows["subject"].unique())
    members = {"all": subjects} | {s: [s] for s in subjects}
    if "group" in rows:
        members |= {g: sorted(rows.loc[rows["group"] == g, "subject"].unique()) for g in rows["group"].unique()}
    assert set(found["subject"]) == set(members)
    for owner, who in members.items():
        own = found[found["subject"] == owner].set_index("statistic")["observed"]
        slow = counted(rows, who)
        if kind == "two_step":  # the better option is that of the schedule: the table's own
            assert {"stay_common_0", "stay_rare_1", "stay_common_2"} <= set(own.index)
        assert set(own.index) == set(slow), owner
        for name, value in slow.items():
            assert own[name] == pytest.approx(value), (owner, name)


def test_the_matching_slope_is_that_of_the_behavioural_analyses():
    blocks = ((0.26, 0.04), (0.1, 0.2), (0.2, 0.1), (0.05, 0.2))
    parts = [foraging(k, blocks)[0].assign(subject=f"s{k % 3}", session=1 + k // 3) for k in range(6)]
    rows = trials.conform(pd.concat(parts, ignore_index=True))
    found = predictive.predictive(rows, RW, None, np.random.default_rng(1), draws=30, prior=True)
    own = found[found["statistic"] == "matching_slope"].set_index("subject")
    assert own.loc["all", "observed"] == pytest.approx(matching_slope(episodes(rows), unit="all")[0].slope)
    for subject, slope in zip(sorted(rows["subject"].unique()), matching_slope(episodes(rows))):
        assert own.loc[subject, "observed"] == pytest.approx(slope.slope)
    assert own.loc["all", "predicted"] > 0 and own.loc["all", "n_draws"] == 30


# Whose parameters


def test_predictions_from_the_true_parameters_look_like_the_data():
    card = MODELS["two_step_model_based"]
    theta = np.array([[0.6, 6.0, 3.0, 0.2], [0.3, 2.0, 5.0, 1.0]])
    rows = simulated(card.for_second(2), theta, "miranda_two_step", 6, seed=2)
    found = predictive.predictive(rows, card, known(card, theta, 60), np.random.default_rng(3), draws=60)
    assert set(found["kind"]) == {"posterior"}
    assert ((found["low"] <= found["observed"]) & (found["observed"] <= found["high"])).mean() > 0.8
    wrong = MODELS["two_step_model_free"]
    other = np.array([[0.6, 0.9, 6.0, 3.0, 0.2], [0.3, 0.9, 2.0, 5.0, 1.0]])
    missed = predictive.predictive(rows, wrong, known(wrong, other, 60), np.random.default_rng(3), draws=60)
    rare = missed[(missed["subject"] == "all") & (missed["statistic"] == "stay_rare_2")].iloc[0]
    assert rare["observed"] < rare["low"] and rare["p"] == 1  # a model-free learner stays after a rare large reward


def test_every_session_has_its_own_parameters_and_subjects_stand_in_where_there_are_none():
    card = MODELS["rescorla_wagner_sticky"]
    sticky, fickle = [0.3, 1.0, 6.0], [0.3, 1.0, -6.0]
    sessions = []
    for number, (first, second) in enumerate(((sticky, fickle), (fickle, sticky)), 1):
        part = simulated(card, np.array([first, second]), "reversal", 2, seed=number)
        sessions.append(part.assign(session=number))
    rows = trials.conform(pd.concat(sessions, ignore_index=True))
    packed = pack(rows, card)
    assert packed.unit_label == ("s0_1", "s0_2", "s1_1", "s1_2")
    eta = transformed(card, np.array([sticky, fickle, fickle, sticky]))
    draws = np.repeat(eta[None], 30, 0)
    subject = np.zeros((30, 2, 3))
    comparison = Comparison.of(rows, card)
    stays = comparison.simulated(draws, np.random.default_rng(1))["win_stay"]
    assert abs(stays[:, 0].mean() - 0.5) < 0.05  # half of the sessions stay, half shift
    first = {f"{s}_{k}": rows[(rows["subject"] == s) & (rows["session"] == k)] for s in ("s0", "s1") for k in (1, 2)}
    found = predictive.predictive(
        rows, card, fitted(session_parameters=draws, subject_parameters=subject), np.random.default_rng(2), draws=20
    )
    assert (found["p"].between(0.01, 0.99)).mean() > 0.7
    for label, part in first.items():
        number = packed.unit_label.index(label)
        alone = predictive.predictive(
            part, card, fitted(subject_parameters=draws[:, number : number + 1]), np.random.default_rng(3), draws=20
        ).set_index(["subject", "statistic"])
        predicted = alone.loc[("all", "win_stay"), "predicted"]
        assert predicted > 0.95 if label in ("s0_1", "s1_2") else predicted < 0.1
    whole = predictive.predictive(
        rows, card, fitted(subject_parameters=draws[:, [0, 1]]), np.random.default_rng(4), draws=20
    )
    own = whole[whole["statistic"] == "win_stay"].set_index("subject")["predicted"]
    assert own["s0"] > 0.95 and own["s1"] < 0.1  # both sessions of a subject


def test_prior_predictions_spread_wider_than_posterior_ones_and_cover_the_data():
    theta = np.tile([0.4, 3.0], (4, 1))
    rows = simulated(RW, theta, "reversal", 8)
    posterior, prior = (
        predictive.predictive(rows, RW, known(RW, theta), np.random.default_rng(1), draws=40, prior=p).set_index(
            ["subject", "statistic"]
        )
        for p in (False, True)
    )
    assert set(prior["kind"]) == {"prior"} and set(posterior["kind"]) == {"posterior"}
    pd.testing.assert_series_equal(posterior["observed"], prior["observed"])
    width = [(x["high"] - x["low"]).loc["all"] for x in (posterior, prior)]
    assert (width[1] > 1.5 * width[0]).all()
    inside = (prior["low"] <= prior["observed"]) & (prior["observed"] <= prior["high"])
    assert inside.loc["all"].all()


def test_data_sets_simulated_in_batches_are_as_many_and_alike(monkeypatch):
    theta = np.tile([0.4, 3.0], (2, 1))
    rows = simulated(RW, theta, "reversal", 6)
    whole = predictive.predictive(rows, RW, known(RW, theta, 90), np.random.default_rng(1), draws=90)
    monkeypatch.setattr(predictive, "TRIALS", 7 * 12 * 80)
    parts = predictive.predictive(rows, RW, known(RW, theta, 90), np.random.default_rng(2), draws=90)
    assert (parts["n_draws"] == 90).all()
    error = (whole["high"] - whole["low"]) / 3.8 / np.sqrt(90)
    assert ((whole["predicted"] - parts["predicted"]).abs() < 6 * error + 1e-3).all()


# As part of a fit


def test_a_checked_fit_has_posterior_and_prior_rows_and_the_same_ones_each_time():
    theta = np.tile([0.4, 3.0], (2, 1))
    rows = simulated(RW, theta, "reversal", 2)
    badge = {"status": "run", "model": RW.name, "source": "made"}
    fit = SimpleNamespace(badge=badge, idata=known(RW, theta))
    found = check(rows, fit, 1, draws=10)
    pd.testing.assert_frame_equal(found, check(rows, fit, 1, draws=10))
    assert set(found["kind"]) == {"posterior", "prior"}
    assert len(found[found["kind"] == "prior"]) == len(found[found["kind"] == "posterior"])
    assert check(rows, SimpleNamespace(badge=badge | {"status": "not run"}, idata=None), 1).empty


def test_a_source_whose_schedule_is_not_known_has_no_rows_and_a_reason():
    rows = simulated(RW, np.tile([0.4, 3.0], (2, 1)), "reversal", 2)
    unknown = rows.drop(columns=["reward_probability_0", "reward_probability_1"])
    fit = SimpleNamespace(badge={"status": "run", "model": RW.name, "source": "made"}, idata=None)
    found = check(unknown, fit, 1)
    assert found.empty and list(found.columns) == list(COLUMNS)
    assert "no latent reward probabilities" in found.attrs["reason"]
    with pytest.raises(ScheduleUnknown):
        predictive.predictive(unknown, RW, None, np.random.default_rng(1), prior=True)


def test_the_card_is_resolved_on_the_table():
    card = MODELS["two_step_latent_state"]
    small = card.for_second(0)
    theta = np.tile([p.typical for p in small.parameters], (2, 1))
    rows = simulated(small, theta, "two_step", 30)
    assert resolve(card, rows).names == small.names
    found = predictive.predictive(rows, card, known(small, theta), np.random.default_rng(1), draws=20)
    assert {"stay_common_0", "stay_rare_1"} <= set(found["statistic"])
