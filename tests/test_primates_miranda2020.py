"""Two monkeys' two-step table: against numbers measured from the released file, and on small files made here.

Tests that need the released file are skipped with a warning where it is not on this machine.
"""

import os
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io

from pipeline import trials
from pipeline.behaviour import REGRESSIONS
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.regressions import cells, stay_regression, stays
from pipeline.errors import UserError
from pipeline.primates import DATASETS, miranda2020
from pipeline.primates.fetch import CACHE, ROOT, locate
from pipeline.primates.load import load, summary

NAME = miranda2020.SOURCE
PLACES = [os.environ.get("PRIMATE_DATA_DIR"), ROOT.parent / "shared" / "data", CACHE]
FOLDER = next((Path(p) for p in PLACES if p and (Path(p) / NAME / miranda2020.FILE).is_file()), None)
FIELDS = "indxGoodTrials TrialType PicChosen1 Transition PicChosen2 LevelRew2 RandomWalkLevelsRew2 RT1 TotalNumTrials"


@pytest.fixture(scope="module")
def files():
    if FOLDER is None:
        skipped = (
            f"THE TWO-STEP MONKEYS' DATA WERE NOT CHECKED: set PRIMATE_DATA_DIR to a folder that holds "
            f"{NAME}/{miranda2020.FILE} (address and checksum in resources/datasets.csv)"
        )
        warnings.warn(skipped, stacklevel=1)
        pytest.skip(skipped)
    return locate(NAME, FOLDER)


@pytest.fixture(scope="module")
def table(files):
    return load(NAME, FOLDER)


@pytest.fixture(scope="module")
def raw(files):
    """The file's own numbers, read without the reader: animal → list of structs."""
    content = scipy.io.loadmat(files[miranda2020.FILE], squeeze_me=True, struct_as_record=False)
    return dict(zip(content["subject_for_analysis"], content["PreparedData"]))


def test_the_table_holds_every_kept_trial_of_57_sessions(table, raw):
    assert table.attrs["status"] == "complete" and "eLife" in table.attrs["citation"]
    trials.check(table)
    assert len(table) == 30_249
    assert table.groupby("subject")["session"].nunique().to_dict() == {"Charlie": 30, "Jacob": 27}
    assert set(table["subject"]) == set(DATASETS[NAME].subjects)
    assert (table["episode"] == 1).all() and (table["options"] == 2).all()
    assert table.drop(columns="block").notna().to_numpy().all() and table["block"].isna().all()
    for (subject, session), own in table.groupby(["subject", "session"]):
        np.testing.assert_array_equal(own["trial"], raw[subject][session - 1].indxGoodTrials)


def test_every_row_says_what_the_file_says_picture_by_picture(table, raw):
    row = table.itertuples()
    for subject, own in raw.items():
        for struct in own:
            for t in range(len(struct.TrialType)):
                r = next(row)
                assert r.subject == subject and r.choice == struct.PicChosen1[t] - 1
                assert 3 + 2 * r.second_state + r.second_choice == struct.PicChosen2[t]
                assert r.reward == 3 - int(struct.LevelRew2[t])
                assert r.transition == ("common" if struct.Transition[t] == 1 else "rare")
                assert (r.second_state == r.choice) == (r.transition == "common")
                assert (r.trial_type, r.second_trial_type) == {
                    1: ("free", "free"), 2: ("forced", "free"), 3: ("free", "forced"),
                }[struct.TrialType[t]]  # fmt: skip
                assert r.response_time == pytest.approx(struct.RT1[t] / 1000)
    assert next(row, None) is None


def test_the_reward_is_that_of_the_second_stage_option_chosen(table):
    outcomes = table[[f"second_outcome_{j}" for j in range(4)]].to_numpy(float)
    chosen = (2 * table["second_state"] + table["second_choice"]).to_numpy(int)
    np.testing.assert_array_equal(outcomes[np.arange(len(table)), chosen], table["reward"])


def test_levels_transitions_and_free_trials_are_as_recorded(table):
    value = miranda2020.facts(table).set_index(["subject", "statistic"])["value"].astype(float)
    assert [value[s, "common"].round(3) for s in ("Charlie", "Jacob")] == [0.695, 0.702]
    assert round(value["all", "free"], 2) == 0.85
    for subject in ("Charlie", "Jacob"):
        assert value[subject, "level_trials_shortest"] == 5 and value[subject, "level_trials"] == 8


@pytest.mark.parametrize(
    ("subject", "recorded"),
    [
        ("Charlie", {0: (0.402, 0.722), 1: (0.500, 0.688), 2: (0.898, 0.267)}),
        ("Jacob", {0: (0.300, 0.809), 1: (0.446, 0.711), 2: (0.979, 0.126)}),
    ],
)
def test_stay_probabilities_are_as_recorded(table, subject, recorded):
    e = episodes(table)
    found = {cell.name: cell for cell in cells(stays(e), 2)[list(e.subjects).index(subject)]}
    for reward, pair in recorded.items():
        for kind, probability in zip(("common", "rare"), pair):
            assert found[f"reward {reward}, {kind}"].probability.round(3) == probability
    if subject == "Charlie":
        assert [found[f"reward 2, {kind}"].trials for kind in ("common", "rare")] == [4276, 1043]


def test_reward_by_transition_interactions_are_as_recorded(table):
    e, regression = episodes(table), REGRESSIONS["stay_transition"]
    fits = stay_regression(stays(e), regression, 2)
    at = regression.terms.index("reward:transition")
    assert dict(zip(e.subjects, [fit.estimate[at].round(2) for fit in fits])) == {"Charlie": 2.30, "Jacob": 3.77}
    assert not any(fit.separated for fit in fits)


def test_forced_trials_are_those_of_the_codes_2_and_3(table):
    """A forced first choice ignores the trial before, a forced second choice the levels on offer."""
    outcome = table[[f"second_outcome_{j}" for j in range(4)]].to_numpy(float).reshape(-1, 2, 2)
    rows = np.arange(len(table))
    state, second = table["second_state"].to_numpy(int), table["second_choice"].to_numpy(int)
    gain = outcome[rows, state, second] - outcome[rows, state, 1 - second]
    forced = (table["second_trial_type"] == "forced").to_numpy(bool)
    before = table.shift()  # the row before, where it is the trial before in the same session
    lured = (before["subject"] == table["subject"]) & (table["trial"] - before["trial"] == 1)
    for name, value in {"reward": 2, "transition": "common", "trial_type": "free", "second_trial_type": "free"}.items():
        lured &= before[name] == value
    lured = lured.fillna(False).to_numpy(bool)
    for subject, others in (("Charlie", 0.67), ("Jacob", 0.66)):
        own = (table["subject"] == subject).to_numpy(bool)
        better = gain[own & forced & (gain != 0)] > 0
        assert abs(better.mean() - 0.5) < 3 * np.sqrt(0.25 / len(better))
        assert (gain[own & ~forced & (gain != 0)] > 0).mean().round(2) == others
        again = own & lured & (table["trial_type"] == "forced").to_numpy(bool)
        stay = (table["choice"] == before["choice"]).to_numpy(bool, na_value=False)[again]
        assert abs(stay.mean() - 0.5) < 3 * np.sqrt(0.25 / len(stay))


def test_the_facts_kept_in_resources_are_those_of_the_file(table):
    kept, made = summary(NAME), miranda2020.facts(table)
    pd.testing.assert_frame_equal(kept, made, check_exact=False, rtol=0, atol=1e-9)


def test_facts_equal_a_walk_through_the_trials_one_by_one(table):
    own = table[(table["subject"] == "Jacob") & (table["session"] <= 2)].sample(frac=1, random_state=1)
    counts, lasted = {}, []
    for _, session in own.groupby("session"):
        rows = list(session.sort_values("trial").itertuples())
        for a, b in pairwise(rows):
            kinds = (a.trial_type, a.second_trial_type, b.trial_type, b.second_trial_type)
            if b.trial == a.trial + 1 and set(kinds) == {"free"}:
                hit, of = counts.get((a.reward, a.transition), (0, 0))
                counts[a.reward, a.transition] = (hit + (a.choice == b.choice), of + 1)
        for j in range(4):
            since = None
            for t, (a, b) in enumerate(pairwise(rows)):
                if getattr(a, f"second_outcome_{j}") != getattr(b, f"second_outcome_{j}"):
                    lasted += [t - since] if since is not None else []
                    since = t
    facts = miranda2020.facts(own).set_index(["subject", "statistic"]).loc["Jacob"]
    for (reward, kind), (hit, of) in counts.items():
        assert facts.loc[f"stay_reward_{reward:g}_{kind}", "value"] == pytest.approx(hit / of, abs=1e-6)
        assert facts.loc[f"stay_reward_{reward:g}_{kind}", "n"] == of
    assert facts.loc["level_trials", "value"] == np.median(lasted) and facts.loc["level_trials", "n"] == len(lasted)


def session(**other):
    """One session of six trials as the file has it; trials 2 and 5 of the session were left out."""
    levels = np.tile([1, 2, 3, 1], (6, 1))
    second = np.array([3, 4, 6, 5, 3, 4])  # of picture 1, common; of picture 2, common; …
    return {
        "TotalNumTrials": 9.0,
        "indxGoodTrials": [1, 3, 4, 6, 7, 8],
        "TrialType": [1, 1, 2, 3, 1, 1],
        "PicChosen1": [1, 1, 2, 1, 2, 1],
        "RT1": [300, 450, 500, 620, 410, 390],
        "Transition": [1, 1, 1, 2, 2, 1],
        "PicChosen2": second,
        "RandomWalkLevelsRew2": levels,
        "LevelRew2": levels[np.arange(6), second - 3],
    } | other


def write(folder, animals, names=None):
    """A file as released: animal → sessions of `session`."""
    cell, label = np.empty((len(animals), 1), object), np.empty((len(animals), 1), object)
    for k, (name, own) in enumerate(animals.items()):
        fields = list(own[0])
        structs = np.empty((len(own), 1), [(field, object) for field in fields])
        for i, content in enumerate(own):
            for field in fields:
                value = content[field]
                structs[i, 0][field] = value if isinstance(value, str) or np.ndim(value) != 1 else np.c_[value]
        cell[k, 0], label[k, 0] = structs, name
    path = folder / miranda2020.FILE
    content = {"PreparedData": cell, "subject_for_analysis": label if names is None else names}
    scipy.io.savemat(path, content, do_compression=True)
    return path


def test_a_small_file_becomes_the_table_that_its_codes_say(tmp_path):
    path = write(tmp_path, {"Ann": [session(), session(RT1=np.full(6, 1000))], "Bob": [session()]})
    table = miranda2020.read({miranda2020.FILE: path})
    assert table.groupby(["subject", "session"]).size().to_dict() == {("Ann", 1): 6, ("Ann", 2): 6, ("Bob", 1): 6}
    own = table[:6]
    assert own["trial"].tolist() == [1, 3, 4, 6, 7, 8]
    assert own["choice"].tolist() == [0, 0, 1, 0, 1, 0]
    assert own["second_state"].tolist() == [0, 0, 1, 1, 0, 0]
    assert own["second_choice"].tolist() == [0, 1, 1, 0, 0, 1]
    assert own["transition"].tolist() == ["common", "common", "common", "rare", "rare", "common"]
    assert own["trial_type"].tolist() == ["free", "free", "forced", "free", "free", "free"]
    assert own["second_trial_type"].tolist() == ["free", "free", "free", "forced", "free", "free"]
    assert own["reward"].tolist() == [2, 1, 2, 0, 2, 1]
    assert own[[f"second_outcome_{j}" for j in range(4)]].iloc[0].tolist() == [2, 1, 0, 2]
    assert own["response_time"].tolist() == [0.3, 0.45, 0.5, 0.62, 0.41, 0.39]
    e = episodes(table)  # only trials 7 and 8 are consecutive with every choice free
    assert [int(t) + 1 for t in np.flatnonzero(e.pair[0])] == [7]
    assert miranda2020.facts(table).query("subject == 'Bob' and statistic.str.startswith('stay')")["n"].tolist() == [1]


def changed(name, row, value):
    """A field of `session` with one value altered."""
    values = np.array(session()[name], float)
    values[row] = value
    return {name: values}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (changed("TrialType", 3, 4), "TrialType holds 4 in row 4; allowed: one of 1, 2, 3"),
        (changed("TrialType", 3, np.nan), "TrialType holds nan in row 4"),
        (changed("PicChosen1", 0, 0), "PicChosen1 holds 0 in row 1; allowed: one of 1, 2"),
        (changed("Transition", 5, 3), "Transition holds 3 in row 6; allowed: one of 1, 2"),
        (changed("PicChosen2", 2, 2), "PicChosen2 holds 2 in row 3; allowed: one of 3, 4, 5, 6"),
        (changed("PicChosen2", 2, 3), "PicChosen2 holds 3 in row 3, where PicChosen1 and Transition do not lead"),
        (changed("LevelRew2", 1, 1.5), "LevelRew2 holds 1.5 in row 2; allowed: one of 1, 2, 3"),
        (changed("LevelRew2", 1, 3), "LevelRew2 holds 3 in row 2, which is not the level of the picture chosen"),
        (changed("RandomWalkLevelsRew2", (4, 2), 0), "RandomWalkLevelsRew2 holds 0 in row 5, column 3"),
        (changed("indxGoodTrials", 0, 0), "indxGoodTrials holds 0 in row 1; allowed: a whole number from 1"),
        (changed("indxGoodTrials", 2, 3), "indxGoodTrials holds 3 in row 3, which is not above the row before"),
        (changed("indxGoodTrials", 5, 10), "indxGoodTrials holds 10 in row 6, but TotalNumTrials is 9"),
        (changed("RT1", 2, -5), "RT1 holds -5 in row 3; allowed: a finite number from 0"),
        ({"RT1": np.ones(5)}, r"RT1 has shape \(5, 1\), expected \(6, 1\)"),
        ({"RandomWalkLevelsRew2": np.ones((6, 3))}, r"RandomWalkLevelsRew2 has shape \(6, 3\), expected \(6, 4\)"),
        ({"PicChosen1": "left"}, "there is no numeric field 'PicChosen1'"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_value_that_the_task_cannot_produce_is_refused_by_animal_session_and_field(tmp_path, wrong, message):
    path = write(tmp_path, {"Ann": [session()], "Bob": [session(), session(**wrong)]})
    with pytest.raises(UserError, match=f"Bob, session 2: {message}") as said:
        miranda2020.sessions(path)
    assert str(path) in str(said.value) and "\n" not in str(said.value)
    assert "Replace it by the released file (resources/datasets.csv)" in str(said.value)


@pytest.mark.parametrize("field", FIELDS.split())
def test_a_session_without_a_field_is_refused(tmp_path, field):
    lacking = session()
    del lacking[field]
    with pytest.raises(UserError, match=f"Ann, session 1: there is no numeric field '{field}'"):
        miranda2020.sessions(write(tmp_path, {"Ann": [lacking]}))


def test_animals_without_a_name_or_a_session_are_refused(tmp_path):
    with pytest.raises(UserError, match="animal 1 is 'Ann B', expected a name of letters and digits"):
        miranda2020.sessions(write(tmp_path, {"Ann B": [session()]}))
    one = np.array([["Ann"]], object)
    with pytest.raises(UserError, match=r"PreparedData holds 2 animals, but subject_for_analysis names 1 \(Ann\)"):
        miranda2020.sessions(write(tmp_path, {"Ann": [session()], "Bob": [session()]}, names=one))
    scipy.io.savemat(tmp_path / "empty.mat", {"PreparedData": np.array([[1.0]], object), "subject_for_analysis": one})
    with pytest.raises(UserError, match="Ann: PreparedData holds no sessions"):
        miranda2020.sessions(tmp_path / "empty.mat")


@pytest.mark.parametrize("kept", [0, 60, 128, 400, 0.5, 0.9])
def test_a_truncated_file_or_another_one_is_refused_in_one_line(tmp_path, kept):
    path = write(tmp_path, {"Ann": [session()] * 20})
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(UserError, match="not a readable MATLAB file with the variables PreparedData, subject") as said:
        miranda2020.sessions(path)
    assert "\n" not in str(said.value) and "delete it" in str(said.value)
    scipy.io.savemat(path, {"Prepared": 1})
    with pytest.raises(UserError, match="not a readable MATLAB file with the variables PreparedData"):
        miranda2020.sessions(path)
