"""The hierarchical bootstrap: what is resampled, that it covers, and what it says."""

from types import SimpleNamespace

import numpy as np
import pytest
from behaviour_tables import play, rescorla_wagner, reversal_schedule, table

from pipeline.behaviour.arrays import episodes, shared
from pipeline.behaviour.bootstrap import bootstrap, interval, widened
from pipeline.behaviour.measures import conditional_entropy, ratio
from pipeline.behaviour.run import analyse

DRAWN = "subjects resampled as drawn from a population; if subjects were selected, the interval describes the selection"


def design(subjects, sessions, episodes):
    """Which subject and session each episode belongs to, in order."""
    subject = np.repeat(np.arange(subjects), sessions * episodes)
    session = np.repeat(np.arange(subjects * sessions), episodes)
    return SimpleNamespace(
        subjects=np.array([f"s{k}" for k in range(subjects)], object),
        subject=subject,
        session=session,
        session_subject=np.repeat(np.arange(subjects), sessions),
        worth=None,
        better=None,
    )


def covers(generator, subjects, sessions, episodes, between, within, repeats=300, trials=40):
    """Share of simulated experiments whose interval for 'all' holds the truth.

    The probability of a subject varies with SD ``between``, that of a session with SD ``within``. The truth is the
    population's mean for 8 or more subjects, else that of the fixed subjects.
    """
    e, hits = design(subjects, sessions, episodes), 0
    p_subject = np.clip(generator.normal(0.6, between, (repeats, subjects)), 0.05, 0.95)
    for i in range(repeats):
        p = np.repeat(p_subject[i], sessions) + generator.normal(0, within, subjects * sessions)
        successes = generator.binomial(trials, np.clip(p, 0, 1)[e.session])
        found = bootstrap([ratio("x", successes, np.full(len(successes), trials))], e, generator, 400)[0]
        truth = 0.6 if subjects >= 8 else p_subject[i].mean()
        hits += found.low[0] <= truth <= found.high[0]
    return hits / repeats


@pytest.mark.parametrize(
    "subjects, sessions, between, within",
    [(16, 5, 0.08, 0.08), (20, 1, 0.1, 0.0), (3, 24, 0.2, 0.08)],
    ids=["subjects then sessions", "one session per subject", "fixed subjects"],
)
def test_intervals_cover_the_truth_about_as_often_as_they_say(subjects, sessions, between, within):
    share = covers(np.random.default_rng(5), subjects, sessions, 3, between, within)
    # 95 % ± 4 SE of 300 experiments (.013), and the few per cent that percentile intervals of few units lack or exceed.
    assert 0.88 < share < 0.995


def test_one_session_of_one_subject_is_covered_by_resampling_its_episodes():
    assert 0.9 < covers(np.random.default_rng(6), 1, 1, 40, 0.1, 0.0) <= 0.995


@pytest.mark.parametrize("between", [0.0, 0.03], ids=["like agents", "unlike agents"])
def test_eight_networks_on_the_same_episodes_are_covered_though_they_share_their_luck(between):
    generator, e, hits = np.random.default_rng(10), design(8, 1, 60), 0
    repeats, trials = 300, 40
    for _ in range(repeats):
        luck = np.tile(generator.normal(0, 0.1, 60), 8)  # what an episode does to every agent alike
        p = np.clip(0.6 + np.repeat(generator.normal(0, between, 8), 60) + luck, 0, 1)
        successes = generator.binomial(trials, p)
        found = bootstrap([ratio("x", successes, np.full(480, trials))], e, generator, 300)[0]
        hits += found.low[0] <= 0.6 <= found.high[0]
    assert hits / repeats > 0.91  # nominal .95, less 3 SE of 300 experiments; resampling agents alone covers a third


def slow_bootstrap(numerator, denominator, e, generator, replicates, population):
    """Literal loop: draw subjects (if a population), then sessions within each; ratio of the sums."""
    found = []
    for _ in range(replicates):
        top = bottom = 0.0
        number = len(e.subjects)
        for s in generator.integers(number, size=number) if population else range(number):
            own = np.nonzero(e.session_subject == s)[0]
            for session in generator.choice(own, len(own)):
                top += numerator[e.session == session].sum()
                bottom += denominator[e.session == session].sum()
        found.append(top / bottom)
    return np.array(found)


@pytest.mark.parametrize("subjects", [4, 10])
def test_the_fast_bootstrap_has_the_distribution_of_a_literal_loop(subjects):
    generator = np.random.default_rng(7)
    e = design(subjects, 6, 3)
    denominator = generator.integers(20, 60, len(e.subject))
    p = generator.uniform(0.3, 0.8, subjects)[e.subject] + generator.normal(0, 0.08, subjects * 6)[e.session]
    numerator = generator.binomial(denominator, np.clip(p, 0, 1))
    fast = bootstrap([ratio("x", numerator, denominator)], e, generator, 4000)[0]
    slow = slow_bootstrap(numerator, denominator, e, generator, 1500, subjects >= 8)
    low, high = np.quantile(slow, [0.025, 0.975])
    if subjects >= 8:
        low, high = (
            x[0] for x in widened(np.array([low]), np.array([high]), fast.value, subjects, 0.95, slow[:, None])
        )
    # SE of a 2.5 % quantile: √(q(1−q)/n) / density, density of a normal there 0.0584 / SD
    tolerance = 4 * slow.std() * np.sqrt(0.025 * 0.975 / 1500 + 0.025 * 0.975 / 4000) / 0.0584
    assert abs(fast.low[0] - low) < tolerance and abs(fast.high[0] - high) < tolerance


def test_networks_that_met_the_same_episodes_are_resampled_together():
    generator = np.random.default_rng(8)
    one = generator.binomial(40, generator.uniform(0.2, 0.9, 50))
    single = bootstrap([ratio("x", one, np.full(50, 40))], design(1, 1, 50), generator, 4000)[0]
    five = bootstrap([ratio("x", np.tile(one, 5), np.full(250, 40))], design(5, 1, 50), generator, 4000)[0]
    assert five.value[0] == single.value[0]
    # Five identical networks know no more than one: the interval must not shrink by √5.
    assert (five.high - five.low)[0] == pytest.approx((single.high - single.low)[0], rel=0.1)


def test_resampling_episodes_together_is_right_for_unrelated_subjects_too():
    generator = np.random.default_rng(9)
    x = generator.binomial(40, generator.uniform(0.2, 0.9, 5 * 60))
    found = bootstrap([ratio("x", x, np.full(300, 40))], design(5, 1, 60), generator, 4000)[0]
    means = (x / 40).reshape(5, 60)
    error = np.sqrt((means.var(1) / 60).sum()) / 5
    assert (found.high - found.low)[0] / (2 * 1.96) == pytest.approx(error, rel=0.15)


@pytest.mark.parametrize(
    "subjects, sessions, unit, says",
    [
        (9, 2, "subjects and sessions", DRAWN),
        (9, 1, "subjects", f"one session per subject; {DRAWN}"),
        (3, 4, "sessions within subjects", "3 fixed subjects: describes these only, no population"),
        (3, 1, "episodes", "episodes within 3 fixed subjects: describes these only, no population"),
        (1, 1, "episodes", "episodes within 1 fixed subject: describes these only, no population"),
    ],
)
def test_every_row_says_what_was_resampled_and_whom_it_describes(subjects, sessions, unit, says):
    found = play(rescorla_wagner, 4, 60, np.random.default_rng(1), subjects=subjects, sessions=sessions)
    summary = analyse(found, replicates=20)["summary"]
    together, single = summary[summary["subject"] == "all"], summary[summary["subject"] == "s00"]
    assert set(together["unit"]) == {unit} and set(together["note"]) == {says}
    assert set(single["unit"]) == {"sessions" if sessions > 1 else "episodes"}
    assert single["note"].str.contains("this subject only").all()


def together_on(generator, subjects, worlds, length=30):
    """Table of unlike agents (each with its own lapses) on the same reversals, one session each."""
    better, block = reversal_schedule(worlds, length, generator)
    tall = [np.tile(x, (subjects, 1)) for x in (better, block)]
    correct = generator.random(tall[0].shape) < np.repeat(generator.uniform(0.6, 0.9, subjects), worlds)[:, None]
    choice = np.where(correct, tall[0], 1 - tall[0])
    reward = generator.random(choice.shape) < np.where(correct, 0.8, 0.2)
    who = np.repeat([f"s{k:02d}" for k in range(subjects)], worlds)
    return table(choice, reward, tall[0], 0.8, tall[1], who)


def test_agents_that_met_the_same_episodes_are_found_by_their_worlds_and_the_rows_say_so():
    found = together_on(np.random.default_rng(11), 9, 12)
    together = analyse(found, replicates=20)["summary"].query("subject == 'all'")
    assert set(together["unit"]) == {"subjects and shared episodes"}
    assert set(together["note"]) == {f"one session per subject, the same episodes for all; {DRAWN}"}
    columns = ["reward_probability_0", "reward_probability_1"]
    assert shared(episodes(found)) and shared(episodes(found.drop(columns=columns)))
    one = (found["subject"] == "s03") & (found["episode"] == 5)
    other = found.copy()
    other.loc[one, columns] = found.loc[one, columns[::-1]].to_numpy()
    assert not shared(episodes(other))  # one world of one agent is another
    assert not shared(episodes(found[~one]))  # one agent met fewer
    assert not shared(episodes(found[found["episode"] == 1]))  # a single episode cannot be resampled


def test_the_fixed_design_of_few_subjects_is_not_widened():
    generator = np.random.default_rng(12)
    e, x = design(4, 6, 3), generator.binomial(40, 0.6, 72)
    found = bootstrap([ratio("x", x, np.full(72, 40))], e, np.random.default_rng(3), 2000)[0]
    draws, by_session = np.random.default_rng(3), x.reshape(4, 6, 3).sum(2)
    sums = sum(own[draws.integers(6, size=(2000, 6), dtype=np.int32)].sum(1) for own in by_session)
    assert np.allclose([found.low[0], found.high[0]], np.quantile(sums / (72 * 40), [0.025, 0.975]))


def test_a_single_episode_has_values_and_no_interval():
    summary = analyse(table([[1, 1, 0, 1]], [[1, 0, 1, 1]]), replicates=20)["summary"]
    assert summary["value"].notna().all() and summary[["low", "high"]].isna().all().all()
    assert set(summary["unit"]) == {"none"}


def test_subjects_without_such_trials_are_left_out_and_counted():
    generator = np.random.default_rng(2)
    choice = generator.integers(2, size=(6, 20))
    reward = np.ones((6, 20))
    reward[2:] = generator.integers(2, size=(4, 20))  # subject a never loses
    found = table(choice, reward, subject=list("aabbcc"))
    summary = analyse(found, replicates=50)["summary"].set_index(["subject", "statistic"])
    together = summary.loc[("all", "lose_shift")]
    assert together["n_subjects"] == 2 and "1 of 3 subjects have no such trials" in together["note"]
    assert np.isnan(summary.loc[("a", "lose_shift"), "value"])
    pooled = (choice[2:, 1:] != choice[2:, :-1])[reward[2:, :-1] == 0].mean()
    assert together["value"] == pytest.approx(pooled)
    assert together["low"] <= pooled <= together["high"]


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others():
    found = play(rescorla_wagner, 5, 20, np.random.default_rng(3), subjects=2, sessions=3)
    one, two, other = (analyse(found, replicates=100, seed=s)["summary"] for s in (1, 1, 2))
    assert one.equals(two)
    assert one["value"].equals(other["value"]) and not one["low"].equals(other["low"])


def test_undefined_replicates_are_left_out_of_the_interval():
    x = np.array([[1.0, np.nan, 5.0], [2.0, np.nan, np.nan], [3.0, np.nan, 7.0]])
    low, high = interval(x, 0.5)
    assert low[0] == 1.5 and np.isnan(low[1]) and low[2] == 5.5 and high[2] == 6.5


def test_entropies_are_averaged_over_subjects_not_pooled():
    cells = np.zeros((2, 1, 2))
    cells[0, 0], cells[1, 0] = [10, 0], [0, 10]  # one always stays, the other always shifts
    found = bootstrap([conditional_entropy("h", cells)], design(2, 1, 1), np.random.default_rng(1), 20)
    assert [x.value[0] for x in found] == [0, 0, 0]
