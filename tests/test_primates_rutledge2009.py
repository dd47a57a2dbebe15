"""78 people's foraging table: against numbers measured from the released file, and on small files made here.

Tests that need the released file are skipped with a warning where it is not on this machine.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io

from pipeline import trials
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.kernels import history
from pipeline.behaviour.logistic import logit
from pipeline.behaviour.matching import matching_slope
from pipeline.errors import UserError
from pipeline.primates import DATASETS, rutledge2009
from pipeline.primates.fetch import CACHE, ROOT, locate
from pipeline.primates.load import load, summary

NAME = rutledge2009.SOURCE
PLACES = [os.environ.get("PRIMATE_DATA_DIR"), ROOT.parent / "shared" / "data", CACHE]
FOLDER = next((Path(p) for p in PLACES if p and (Path(p) / NAME / rutledge2009.FILE).is_file()), None)


@pytest.fixture(scope="module")
def files():
    if FOLDER is None:
        skipped = (
            f"THE FORAGING PEOPLE'S DATA WERE NOT CHECKED: set PRIMATE_DATA_DIR to a folder that holds "
            f"{NAME}/{rutledge2009.FILE} (address and checksum in resources/datasets.csv)"
        )
        warnings.warn(skipped, stacklevel=1)
        pytest.skip(skipped)
    return locate(NAME, FOLDER)


@pytest.fixture(scope="module")
def table(files):
    return load(NAME, FOLDER)


@pytest.fixture(scope="module")
def raw(files):
    """The file's own numbers, read without the reader."""
    return scipy.io.loadmat(files[rutledge2009.FILE], squeeze_me=True, struct_as_record=False)["data"]


def part(table, group, condition=None):
    rows = table["group"] == group
    return table[rows & (table["condition"] == condition).fillna(False) if condition else rows]


def paid(table):
    """Latent probability and reward of the option chosen, every trial."""
    probability = table[["reward_probability_0", "reward_probability_1"]].to_numpy(float)
    choice = table["choice"].to_numpy(int)
    return probability[np.arange(len(table)), choice], table["reward"].to_numpy(float)


def test_the_table_holds_every_trial_of_104_sessions_of_78_people(table):
    assert table.attrs["status"] == "complete" and "Rutledge" in table.attrs["citation"]
    trials.check(table)
    assert len(table) == 82_864
    per_subject = table.groupby("subject").agg(sessions=("session", "nunique"), group=("group", "first"))
    assert per_subject.groupby(["group", "sessions"]).size().to_dict() == {
        ("young", 1): 26,
        ("elderly", 1): 26,
        ("parkinson", 2): 26,
    }
    assert set(per_subject.index) == set(DATASETS[NAME].subjects)
    per_session = table.groupby(["subject", "session"]).agg(
        trials=("trial", "max"), rows=("trial", "size"), episodes=("episode", "max")
    )
    assert len(per_session) == 104 and (per_session["episodes"] == 1).all()
    assert (per_session["rows"] == per_session["trials"]).all()
    assert per_session["trials"].value_counts().to_dict() == {800: 103, 464: 1}
    assert per_session.loc[("parkinson13", 2), "trials"] == 464


def test_rows_are_those_of_the_file_and_a_person_with_parkinsons_disease_has_two_sessions(table, raw):
    sessions = [own for _, own in table.groupby(["subject", "session"], sort=False)]
    for k, (struct, own) in enumerate(zip(raw, sessions, strict=True)):
        np.testing.assert_array_equal(own["choice"], struct.action.astype(int) - 1)
        np.testing.assert_array_equal(own["reward"], struct.reward)
        np.testing.assert_array_equal(own["block"], struct.block)
        np.testing.assert_array_equal(own["better_option"], struct.prob.argmax(1))
        np.testing.assert_allclose(own["response_time"].to_numpy(float), struct.RT / 1000, rtol=1e-12)
        group = ("young", "elderly", "parkinson", "parkinson")[k // 26]
        assert own["subject"].unique().tolist() == [f"{group}{k % 26 + 1:02d}"]
        assert own["group"].unique().tolist() == [group]
        assert own["condition"].isna().all() if k < 52 else set(own["condition"]) == {"off" if k < 78 else "on"}
        assert own["session"].unique().tolist() == [2 if k >= 78 else 1]


@pytest.mark.parametrize(
    ("group", "condition", "slope"),
    [("young", None, 0.424), ("elderly", None, 0.285), ("parkinson", "off", 0.231), ("parkinson", "on", 0.299)],
)
def test_matching_slopes_are_as_recorded(table, group, condition, slope):
    (found,) = matching_slope(episodes(part(table, group, condition)), unit="all")
    assert round(found.slope, 3) == slope
    assert found.fit.clusters == 26
    assert found.fit.trials + found.dropped == (256 if condition == "on" else 260), "ten blocks each, six of one"


def test_win_stay_lose_shift_and_rates_are_as_recorded(table):
    value = rutledge2009.facts(table).set_index(["subject", "statistic"])["value"].astype(float)
    assert value["young", "win_stay"].round(3) == 0.870
    assert value["young", "lose_shift"].round(3) == 0.481
    assert value["all", "reward_rate"].round(2) == 0.25


def test_the_reward_kernel_of_the_young_is_as_recorded(table):
    """Joint reward and choice history, five lags, all young people pooled."""
    e = episodes(part(table, "young"))
    h = history(e, 5)
    fit = logit(h.design, h.outcome, h.pattern, e.subject[h.episode])
    assert list(fit.estimate[1:6].round(2)) == [2.02, 0.57, 0.32, 0.18, 0.12]


def test_rewards_follow_the_latent_probabilities_from_the_rarest_to_the_surest(table):
    probability, reward = paid(table)
    edges = np.array([0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
    at = np.digitize(probability, edges)
    assert np.bincount(at)[1:].min() > 500
    for k in range(1, len(edges)):
        p, r = probability[at == k], reward[at == k]
        assert abs((r - p).sum()) < 3.5 * np.sqrt((p * (1 - p)).sum())


def test_the_two_options_together_are_armed_at_the_rate_assumed(table, raw):
    """Likelihood of the rewards by total arming probability: its best value is .30 within two standard errors."""

    def log_likelihood(arming):
        total = 0.0
        for struct in raw:
            choice = struct.action.astype(int) - 1
            p = rutledge2009.armed(arming * struct.prob, choice)[np.arange(len(choice)), choice]
            total += np.log(np.where(struct.reward == 1, p, 1 - p)).sum()
        return total

    at, step = rutledge2009.ARMING, 0.01
    low, middle, high = (log_likelihood(at + k * step) for k in (-1, 0, 1))
    curvature = (2 * middle - low - high) / step**2
    best = at + (high - low) / (2 * step) / curvature
    assert abs(best - at) < 2 / np.sqrt(curvature)
    assert 1 / np.sqrt(curvature) < 0.003, "the data say the rate to three thousandths"


def test_armed_rewards_outlast_a_change_of_block(table, raw):
    """Rewards of options last chosen in an earlier block, with the arming kept over the change or begun anew."""
    kept, anew, outcome = [], [], []
    for struct in raw:
        choice, block = struct.action.astype(int) - 1, struct.block.astype(int)
        p0 = rutledge2009.ARMING * struct.prob
        whole = rutledge2009.armed(p0, choice)
        parts = np.concatenate([rutledge2009.armed(p0[block == b], choice[block == b]) for b in np.unique(block)])
        last = {}
        for t, (k, b) in enumerate(zip(choice.tolist(), block.tolist())):
            if last.get(k, b) != b:
                kept.append(whole[t, k])
                anew.append(parts[t, k])
                outcome.append(struct.reward[t])
            last[k] = b
    kept, anew, outcome = map(np.array, (kept, anew, outcome))
    assert len(outcome) == 1864
    log_likelihood = [np.log(np.where(outcome == 1, p, 1 - p)).sum().round() for p in (kept, anew)]
    assert log_likelihood == [-901, -1161]


def test_the_latent_probability_equals_a_simulated_bait_and_its_formula():
    generator = np.random.default_rng(4)
    p0 = np.repeat([[0.257, 0.043], [0.075, 0.225]], 15, 0)
    choice = generator.integers(2, size=30)
    found = rutledge2009.armed(p0, choice)
    expected = np.zeros((30, 2))
    empty = np.ones(2)  # the slow twin: probability that nothing is armed, trial by trial
    for t in range(30):
        empty = empty * (1 - p0[t])
        expected[t] = 1 - empty
        empty[choice[t]] = 1
    np.testing.assert_allclose(found, expected, atol=1e-12)
    left = rutledge2009.armed(np.full((9, 2), 0.2), np.zeros(9, int))
    np.testing.assert_allclose(left[:, 1], 1 - 0.8 ** np.arange(1, 10), atol=1e-12)
    np.testing.assert_allclose(left[:, 0], 0.2, atol=1e-12)
    bait, hits = np.zeros((20_000, 2), bool), np.zeros((30, 2))
    for t in range(30):
        bait |= generator.random(bait.shape) < p0[t]
        hits[t] = bait.mean(0)
        bait[:, choice[t]] = False
    assert np.abs(hits - found).max() < 4 * 0.5 / np.sqrt(20_000)


def test_the_facts_kept_in_resources_are_those_of_the_file(table):
    kept, made = summary(NAME), rutledge2009.facts(table)
    pd.testing.assert_frame_equal(kept, made, check_exact=False, rtol=0, atol=1e-9)


def test_facts_equal_a_walk_through_the_trials_and_the_matching_analysis(table):
    own = part(table, "parkinson", "on")
    own = own[own["subject"].isin(["parkinson12", "parkinson13", "parkinson14"])]
    counts = {name: [0, 0] for name in ("reward_rate", "win_stay", "lose_shift", "better_choice")}

    def count(name, event):
        counts[name][0] += bool(event)
        counts[name][1] += 1

    for _, session in own.groupby("subject"):
        rows = list(session.itertuples())
        for before, row in zip([None, *rows], rows):
            count("reward_rate", row.reward)
            count("better_choice", row.choice == row.better_option)
            if before is not None:
                stay = row.choice == before.choice
                count("win_stay" if before.reward else "lose_shift", stay == bool(before.reward))
    facts = rutledge2009.facts(own.sample(frac=1, random_state=2)).set_index(["subject", "statistic"])
    facts = facts.loc["parkinsonon"]
    for name, (hit, of) in counts.items():
        assert facts.loc[name, "value"] == pytest.approx(hit / of, abs=1e-6) and facts.loc[name, "n"] == of
    (found,) = matching_slope(episodes(own), unit="all")
    assert facts.loc["matching_slope", "value"] == pytest.approx(found.slope, abs=1e-6)
    assert facts.loc["matching_slope", "n"] == found.fit.trials
    assert facts.loc["blocks_with_a_zero_count", "value"] == found.dropped
    assert facts.loc[["subjects", "sessions", "trials"], "value"].tolist() == [3, 3, 2064]


def session(pop=1, lengths=(4, 3), shares=((0.25, 0.75), (2.57 / 3, 0.43 / 3)), **other):
    """One session as the file has it: options taken in turn, every third choice rewarded."""
    count = sum(lengths)
    column = lambda values: np.asarray(values, float).reshape(-1, 1)  # noqa: E731
    return {
        "N": column([count]),
        "C": column([2]),
        "pop": column([pop]),
        "trial": column(np.concatenate([np.arange(1, n + 1) for n in lengths])),
        "action": column(1 + np.arange(count) % 2),
        "reward": column(np.arange(count) % 3 == 0),
        "RT": column(400 + np.arange(count)),
        "prob": np.repeat(np.array(shares), lengths, 0),
        "block": column(np.repeat(np.arange(1, len(lengths) + 1), lengths)),
    } | other


def write(folder, sessions):
    structs = np.empty((1, len(sessions)), [(field, object) for field in sessions[0]])
    for k, content in enumerate(sessions):
        for field in structs.dtype.names:
            structs[0, k][field] = content[field]
    path = folder / rutledge2009.FILE
    scipy.io.savemat(path, {"data": structs}, do_compression=True)
    return path


def changed(name, row, value):
    """A field of `session` with one value altered."""
    values = np.array(session()[name], float)
    values[row] = value
    return {name: values}


def test_a_small_file_becomes_the_table_that_its_codes_say(tmp_path):
    path = write(tmp_path, [session(3), session(1), session(4), session(3), session(2), session(4)])
    table = rutledge2009.read({rutledge2009.FILE: path})
    keys = table.drop_duplicates(["subject", "session"])[["subject", "session", "group", "condition"]]
    assert keys.fillna("").to_numpy().tolist() == [
        ["parkinson01", 1, "parkinson", "off"],
        ["young01", 1, "young", ""],
        ["parkinson01", 2, "parkinson", "on"],
        ["parkinson02", 1, "parkinson", "off"],
        ["elderly01", 1, "elderly", ""],
        ["parkinson02", 2, "parkinson", "on"],
    ]
    own = table[:7]
    assert own["trial"].tolist() == [1, 2, 3, 4, 5, 6, 7] and own["block"].tolist() == [1, 1, 1, 1, 2, 2, 2]
    assert own["choice"].tolist() == [0, 1, 0, 1, 0, 1, 0] and own["reward"].tolist() == [1, 0, 0, 1, 0, 0, 1]
    assert own["better_option"].tolist() == [1, 1, 1, 1, 0, 0, 0]
    assert own["response_time"].tolist() == [0.4, 0.401, 0.402, 0.403, 0.404, 0.405, 0.406]
    low, high, rich, poor = 0.075, 0.225, 0.257, 0.043
    first = [low, low, 1 - (1 - low) ** 2, low, 1 - (1 - low) * (1 - rich), rich, 1 - (1 - rich) ** 2]
    np.testing.assert_allclose(own["reward_probability_0"].to_numpy(float), first, atol=1e-12)
    assert own["reward_probability_1"][1] == pytest.approx(1 - (1 - high) ** 2)
    assert own["reward_probability_1"][5] == pytest.approx(1 - (1 - poor) ** 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (changed("action", 6, 0), "action holds 0 in row 7; allowed: one of 1, 2"),
        (changed("action", 6, np.nan), "action holds nan in row 7"),
        (changed("reward", 0, 2), "reward holds 2 in row 1; allowed: one of 0, 1"),
        (changed("RT", 3, -1), "RT holds -1 in row 4; allowed: a finite number from 0"),
        (changed("RT", 3, np.inf), "RT holds inf in row 4; allowed: a finite number from 0"),
        (changed("prob", (2, 0), 0.3), "prob holds 0.3 in row 3, column 1; allowed: one of 0.143333, 0.25, 0.75"),
        (changed("prob", (2, 0), 0.75), "prob holds 0.75 in row 3, where its two columns do not sum to 1"),
        (changed("prob", 2, (0.75, 0.25)), "prob holds 0.75 in row 3, unlike the row before in the same block"),
        (changed("block", 0, 2), "block holds 2 in row 1, which does not follow the row before"),
        (changed("block", 6, 1), "block holds 1 in row 7, which does not follow the row before"),
        (changed("block", slice(4, 7), 3), "block holds 3 in row 5, which does not follow the row before"),
        (changed("trial", 5, 7), "trial holds 7 in row 6, which does not count the trials of its block from 1"),
        (changed("N", 0, 8), r"block has shape \(7, 1\), expected \(8, 1\)"),
        (changed("C", 0, 3), "C holds 3 in row 1; allowed: one of 2"),
        ({"reward": np.ones((6, 1))}, r"reward has shape \(6, 1\), expected \(7, 1\)"),
        ({"prob": np.full((7, 1), 0.25)}, r"prob has shape \(7, 1\), expected \(7, 2\)"),
        ({"RT": "slow"}, "there is no numeric field 'RT'"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_value_that_the_task_cannot_produce_is_refused_by_session_and_field(tmp_path, wrong, message):
    path = write(tmp_path, [session(1), session(3), session(4, **wrong)])
    place = r"element 3 of data \(parkinson01, on drugs\): "
    with pytest.raises(UserError, match=place + message) as said:
        rutledge2009.sessions(path)
    assert str(path) in str(said.value) and "\n" not in str(said.value)
    assert "Replace it by the released file (resources/datasets.csv)" in str(said.value)


@pytest.mark.parametrize("field", ["N", "C", "pop", "trial", "action", "reward", "RT", "prob", "block"])
def test_a_session_without_a_field_is_refused(tmp_path, field):
    lacking = session()
    del lacking[field]
    with pytest.raises(UserError, match=f"element 1 of data.*: there is no numeric field '{field}'"):
        rutledge2009.sessions(write(tmp_path, [lacking]))


def test_populations_that_cannot_be_are_refused(tmp_path):
    with pytest.raises(UserError, match="element 2 of data: pop holds 5 in row 1; allowed: one of 1, 2, 3, 4"):
        rutledge2009.sessions(write(tmp_path, [session(), session(5)]))
    with pytest.raises(UserError, match=r"2 sessions of pop 3 \(off drugs\) but 1 of pop 4"):
        rutledge2009.sessions(write(tmp_path, [session(3), session(4), session(3)]))
    scipy.io.savemat(tmp_path / "other.mat", {"data": np.ones(3)})
    with pytest.raises(UserError, match="the variable data holds no sessions"):
        rutledge2009.sessions(tmp_path / "other.mat")


@pytest.mark.parametrize("kept", [0, 60, 128, 300, 0.5, 0.95])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, kept):
    path = write(tmp_path, [session()] * 40)
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(UserError, match="not a readable MATLAB file with the variable data") as said:
        rutledge2009.sessions(path)
    assert "\n" not in str(said.value) and "delete it" in str(said.value)
