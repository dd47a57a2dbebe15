"""Matching: ratios per block, the slope and its error."""

import numpy as np
import pytest
import statsmodels.api as sm
from behaviour_tables import ragged, table

from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.matching import matching_slope, ratios


def foragers(generator, slope, subjects=10, sessions=1, blocks=12, length=80, spread=0.0, bias=0.0):
    """People whose choices follow log2 C1 / C0 = bias + slope · log2 R1 / R0; a session is one episode of blocks."""
    total = subjects * sessions
    rate = generator.choice([-2.5, -1.5, 1.5, 2.5], size=(total, blocks))  # log2 R1 / R0
    own = slope + spread * generator.normal(size=subjects)
    odds = 2 ** (bias + np.repeat(own, sessions)[:, None] * rate)
    chosen = np.repeat(odds / (1 + odds), length, 1)
    choice = (generator.random(chosen.shape) < chosen).astype(int)
    pays = 2 ** np.repeat(rate * (1 - np.repeat(own, sessions)[:, None]) - bias, length, 1)  # so that R1 / R0 = 2^rate
    reward = generator.random(chosen.shape) < 0.5 * np.where(choice == 1, pays, 1) / np.maximum(pays, 1)
    block = np.tile(np.repeat(np.arange(1, blocks + 1), length), (total, 1))
    who = np.arange(total)
    return table(
        choice, reward, block=block, subject=[f"s{k:02d}" for k in who // sessions], session=1 + who % sessions
    )


def slow_ratios(found, skip):
    """The obvious twin: one block after the other, one trial after the other."""
    rows, dropped = [], {}
    for (subject, session, episode), own in found.groupby(["subject", "session", "episode"]):
        for _, trials in own.dropna(subset=["choice"]).sort_values("trial").groupby("block"):
            start = trials["trial"].min()
            count, paid = [0, 0], [0.0, 0.0]
            for row in trials.itertuples():
                if row.trial - start >= skip and row.trial_type == "free":
                    count[row.choice] += 1
                    paid[row.choice] += row.reward
            key = (subject, session, episode)
            if min(*count, *paid) > 0:
                rows.append((key, np.log2(count[1] / count[0]), np.log2(paid[1] / paid[0])))
            else:
                dropped[key] = dropped.get(key, 0) + 1
    return rows, dropped


@pytest.mark.parametrize("skip", [0, 5, 20])
def test_ratios_equal_a_walk_through_the_trials_one_by_one(skip):
    found = ragged(np.random.default_rng(3), length=60, episodes=4)  # forced and missed trials, lost and shuffled rows
    assert {"forced", "free"} == set(found["trial_type"]) and found["choice"].isna().any()
    r = ratios(episodes(found), skip)
    rows, dropped = slow_ratios(found, skip)
    assert len(rows) >= 3 and len(dropped) > 3
    np.testing.assert_allclose(r.choice, [row[1] for row in rows], atol=1e-12)
    np.testing.assert_allclose(r.reward, [row[2] for row in rows], atol=1e-12)
    keys = sorted(found.groupby(["subject", "session", "episode"]).groups)
    assert [keys[k] for k in r.episode] == [row[0] for row in rows]
    assert r.dropped.tolist() == [dropped.get(key, 0) for key in keys]


def test_blocks_with_a_zero_count_are_left_out_and_counted():
    choice = [[0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1]]
    reward = [[1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0]]
    block = [[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]]  # block 3 has no choice of 0, block 4 no reward of 0
    (found,) = matching_slope(episodes(table(choice, reward, block=block)), skip=0)
    assert found.dropped == 2 and found.fit.trials == 2
    assert np.isnan(found.slope) and found.fit.note == "too few blocks"


def test_the_first_trials_of_every_block_are_left_out():
    generator = np.random.default_rng(8)
    found = foragers(generator, 0.5, subjects=2)
    e = episodes(found)
    later = found["trial"].to_numpy(int) - 1
    spoilt = found.assign(choice=found["choice"].where(later % 80 >= 20, 1 - found["choice"]))
    for a, b in zip(matching_slope(e), matching_slope(episodes(spoilt))):
        assert a.slope == b.slope
    assert matching_slope(e, skip=0)[0].slope != matching_slope(episodes(spoilt), skip=0)[0].slope


def test_the_slope_and_its_clustered_error_are_those_of_statsmodels():
    e = episodes(foragers(np.random.default_rng(5), 0.6, subjects=9, sessions=2, spread=0.2))
    r = ratios(e)
    for unit, of, cluster in (
        ("all", np.zeros(len(r.episode), int), e.subject[r.episode]),
        ("subject", e.subject[r.episode], e.session[r.episode]),
        ("session", e.session[r.episode], np.arange(len(r.episode))),
    ):
        found = matching_slope(e, unit=unit)
        assert len(found) == of.max() + 1
        for k in (0, of.max()):
            own = of == k
            fit = sm.OLS(r.choice[own], sm.add_constant(r.reward[own])).fit(
                cov_type="cluster", cov_kwds={"groups": cluster[own]}
            )
            np.testing.assert_allclose(found[k].fit.estimate, fit.params, rtol=1e-9)
            np.testing.assert_allclose(found[k].fit.covariance, fit.cov_params(), rtol=1e-8)
            assert found[k].fit.clusters == len(np.unique(cluster[own]))


def test_a_planted_undermatching_and_bias_are_found():
    found = foragers(np.random.default_rng(6), 0.4, subjects=40, bias=0.3, length=200)
    (fit,) = matching_slope(episodes(found), unit="all")
    bias, slope = fit.fit.estimate
    # Noise in the reward ratio draws the slope down a little; 40 people and 480 blocks leave it within .05.
    assert slope == pytest.approx(0.4, abs=0.05) and bias == pytest.approx(0.3, abs=0.05)
    assert fit.fit.clusters == 40 and fit.fit.trials + fit.dropped == 480


def test_few_subjects_are_clustered_by_their_sessions_and_one_session_by_its_blocks():
    generator = np.random.default_rng(7)
    few = episodes(foragers(generator, 0.5, subjects=3, sessions=4))
    assert matching_slope(few, unit="all")[0].fit.clusters == 12
    lone = matching_slope(episodes(foragers(generator, 0.5, subjects=1)))[0]
    assert lone.fit.clusters == lone.fit.trials and np.isfinite(lone.fit.standard_error).all()


def test_what_has_no_slope_says_so():
    found = foragers(np.random.default_rng(9), 0.5, subjects=2)
    three = matching_slope(episodes(found.assign(options=3)))
    assert len(three) == 2 and np.isnan(three[0].slope) and three[0].fit.note == "the matching slope needs two options"
    choice, reward = np.tile([0, 1], 40), np.tile([1, 1], 40)
    same = table([choice], [reward], block=[np.repeat([1, 2, 3, 4], 20)])
    (flat,) = matching_slope(episodes(same), skip=4)
    assert np.isnan(flat.slope) and flat.fit.note == "all blocks have the same reward ratio"
    with pytest.raises(ValueError, match="unit is 'person'; allowed: all, subject, session"):
        matching_slope(episodes(found), unit="person")
