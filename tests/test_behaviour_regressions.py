"""Stay regressions: exact cells, clustered errors, separation found and said."""

import numpy as np
import pytest
import statsmodels.api as sm
from behaviour_tables import play, rescorla_wagner, table, win_stay_lose_shift
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import t as student

from pipeline.behaviour import REGRESSIONS
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.logistic import combine, firth, freedom, logit, separated
from pipeline.behaviour.regressions import cells, stay_regression, stays
from pipeline.behaviour.rows import common
from pipeline.behaviour.run import analyse


@pytest.fixture(scope="module")
def learners():
    return play(rescorla_wagner, 8, 40, np.random.default_rng(1), subjects=3, sessions=12)


def raw(found, subject):
    """Consecutive pairs of one subject, from the rows."""
    part = found[(found["subject"] == subject).to_numpy(bool)].sort_values(["session", "episode", "trial"])
    following = part.groupby(["session", "episode"])["choice"].shift(-1)
    pair = following.notna().to_numpy(bool)
    stay = (following == part["choice"]).to_numpy(float, na_value=0)[pair]
    return stay, *(part[name].to_numpy(float)[pair] for name in ("reward", "trial", "session"))


@pytest.mark.parametrize("name", ["stay", "stay_trial"])
def test_estimates_and_clustered_errors_equal_statsmodels_on_the_raw_rows(learners, name):
    e = episodes(learners)
    fits = stay_regression(stays(e), REGRESSIONS[name], len(e.subjects))
    for subject, fit in zip(e.subjects, fits):
        stay, reward, trial, session = raw(learners, subject)
        columns = [np.ones(len(stay)), reward - 0.5, (trial + 1 - 20.5) / 10][: len(REGRESSIONS[name].terms)]
        model = sm.Logit(stay, np.stack(columns, 1)).fit(disp=0, cov_type="cluster", cov_kwds={"groups": session})
        assert np.allclose(fit.estimate, model.params, atol=1e-6)
        assert np.allclose(fit.standard_error, model.bse, rtol=1e-5)
        assert fit.clusters == 12 and fit.trials == len(stay)


def test_the_reward_coefficient_is_the_log_odds_ratio_of_the_cells(learners):
    rows = analyse(learners, replicates=10)["regressions"].query("subject == 's01'").set_index(["regression", "term"])
    p = [rows.loc[("stay_probability", f"reward {r}"), "estimate"] for r in (0, 1)]
    odds = [np.log(x / (1 - x)) for x in p]
    assert rows.loc[("stay", "reward"), "estimate"] == pytest.approx(odds[1] - odds[0], abs=1e-6)
    assert rows.loc[("stay", "intercept"), "estimate"] == pytest.approx(sum(odds) / 2, abs=1e-6)
    stay, reward, _, _ = raw(learners, "s01")
    assert p == pytest.approx([stay[reward == r].mean() for r in (0, 1)])


def test_intervals_use_students_t_on_the_number_of_clusters(learners):
    row = analyse(learners, replicates=10)["regressions"].query("subject == 's01' and regression == 'stay'").iloc[1]
    half = student.ppf(0.975, 11) * row["standard_error"]
    assert row["low"] == pytest.approx(row["estimate"] - half) and row["high"] == pytest.approx(row["estimate"] + half)


def test_clustering_widens_errors_where_sessions_differ():
    generator = np.random.default_rng(3)
    cluster = np.repeat(np.arange(30), 100)
    y = (generator.random(3000) < expit(generator.normal(0, 1, 30))[cluster]).astype(float)
    fit = logit(np.ones((3000, 1)), y, np.zeros(3000, int), cluster)
    naive = sm.Logit(y, np.ones((3000, 1))).fit(disp=0)
    assert fit.estimate[0] == pytest.approx(naive.params[0], abs=1e-8)
    assert fit.standard_error[0] > 3 * naive.bse[0]


def test_perfect_separation_is_flagged_and_estimated_all_the_same():
    found = play(win_stay_lose_shift, 30, 40, np.random.default_rng(4), sessions=3)
    rows = analyse(found, replicates=10)["regressions"]
    stay = rows.query("regression == 'stay' and subject == 's00'")
    assert (stay["separated"] == 1).all() and stay["note"].str.contains("Firth").all()
    assert np.isfinite(stay[["estimate", "standard_error", "low", "high"]].to_numpy()).all()
    # Jeffreys' prior adds ½ to every cell: a saturated design gives log((n + ½) / ½) exactly.
    _, reward, _, _ = raw(found, "s00")
    wins, losses = (reward == 1).sum(), (reward == 0).sum()
    expected = np.log(2 * wins + 1) + np.log(2 * losses + 1)
    assert stay["estimate"].iloc[1] == pytest.approx(expected, abs=1e-6)
    cells = rows.query("regression == 'stay_probability' and subject == 's00'").set_index("term")
    assert cells.loc["reward 1", "estimate"] == 1 and cells.loc["reward 0", "estimate"] == 0
    assert cells.loc["reward 1", "low"] < 1 and cells.loc["reward 0", "high"] > 0
    assert (rows.query("regression == 'stay' and subject == 'all'")["separated"] == 1).all()


def test_separation_in_part_of_the_design_is_flagged_and_strong_effects_are_not():
    cells = np.array([[1, -0.5], [1, 0.5]])
    assert separated(cells, np.array([3.0, 9.0]), np.array([10.0, 9.0]))
    assert not separated(cells, np.array([3.0, 8.0]), np.array([10.0, 9.0]))
    n = 200_000
    x = np.repeat([-0.5, 0.5], n)
    y = np.r_[np.zeros(n), np.ones(n)]
    y[0], y[-1] = 1, 0  # one exception each way: log odds of ± 12.2, but finite
    fit = logit(np.stack([np.ones(2 * n), x], 1), y, (x > 0).astype(int), np.arange(2 * n))
    assert not fit.separated and fit.estimate[1] == pytest.approx(2 * np.log(n - 1), abs=1e-4)


def test_the_penalised_fit_maximises_the_likelihood_times_jeffreys_prior():
    generator = np.random.default_rng(5)
    rows = np.column_stack([np.ones(12), generator.normal(size=(12, 2))])
    trials = generator.integers(1, 6, 12).astype(float)
    successes = generator.binomial(trials.astype(int), 0.6).astype(float)

    def loss(b):
        eta = rows @ b
        p = expit(eta)
        likelihood = (successes * eta - trials * np.logaddexp(0, eta)).sum()
        return -likelihood - 0.5 * np.linalg.slogdet((rows * (trials * p * (1 - p))[:, None]).T @ rows)[1]

    found = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-8})
    assert np.allclose(firth(rows, successes, trials)[0], found.x, atol=1e-5)


def test_an_agent_that_is_never_rewarded_has_no_reward_effect_and_says_why():
    generator = np.random.default_rng(6)
    rows = analyse(table(generator.integers(2, size=(10, 20)), np.zeros((10, 20))), replicates=10)["regressions"]
    stay = rows.query("regression == 'stay' and subject == 's1'")
    assert stay["estimate"].isna().all() and stay["note"].str.contains("does not vary").all()
    assert rows.query("regression == 'stay_probability' and subject == 's1'")["term"].tolist() == ["reward 0"]


def test_the_pooled_row_is_the_mean_over_subjects_with_a_between_subject_interval():
    found = play(rescorla_wagner, 6, 40, np.random.default_rng(7), subjects=9, sessions=3)
    rows = analyse(found, replicates=10)["regressions"].query("regression == 'stay' and term == 'reward'")
    single, together = rows[rows["subject"] != "all"]["estimate"], rows[rows["subject"] == "all"].iloc[0]
    half = student.ppf(0.975, 8) * single.std() / 3
    assert together["estimate"] == pytest.approx(single.mean())
    assert together["high"] - together["estimate"] == pytest.approx(half)
    assert together["n_clusters"] == 9 and "mean of 9 subjects; between-subject" in together["note"]


def alike(generator, subjects=4, episodes=50, length=12, copies=False):
    """Subjects on the same episodes, which move all of them to stay or to shift; or exact copies of one subject."""
    shape = (subjects, episodes, length)
    reward = generator.integers(2, size=(1 if copies else subjects, episodes, length))
    eta = 0.5 + 0.8 * (np.roll(reward, 1, -1) - 0.5) + 1.2 * generator.standard_normal((1, episodes, 1))
    stay = generator.random(reward.shape) < expit(eta)
    choice = (np.cumsum(~stay, -1) + 1) % 2
    choice, reward = (np.broadcast_to(x, shape).reshape(-1, length) for x in (choice, reward))
    return table(choice, reward, subject=np.repeat([f"s{k}" for k in range(subjects)], episodes))


@pytest.mark.parametrize("subjects", [2, 5, 9])
def test_copies_of_one_subject_on_the_same_episodes_have_the_error_of_one(subjects):
    often = np.random.default_rng(3).random(50 * 12) < 0.7
    found = alike(np.random.default_rng(2), subjects, copies=True)
    found["transition"] = np.where(np.tile(often, subjects), "common", "rare")
    rows = analyse(found, replicates=10)["regressions"].set_index(["regression", "term"])
    mean, one = rows[rows["subject"] == "all"], rows[rows["subject"] == "s0"]
    assert {"stay", "stay_difference", "stay_transition", "history", "stay_probability"} <= set(mean.index.levels[0])
    for key, row in mean.iterrows():
        if "half_life" in key[1] or "over" in key[1]:
            continue
        assert row["standard_error"] == pytest.approx(one.loc[key, "standard_error"], rel=1e-6), key
        assert "same episodes for all" in row["note"]


def test_copies_of_a_separated_subject_have_the_error_of_one_too():
    stays_ = np.tile([1, 1, 0, 1], 3)  # it repeats a rewarded choice, always
    choice = np.tile((np.cumsum(1 - stays_) % 2), (20, 1))
    reward = np.tile(np.r_[stays_[1:], 1], (20, 1))
    found = table(np.tile(choice, (3, 1)), np.tile(reward, (3, 1)), subject=np.repeat(["s0", "s1", "s2"], 20))
    rows = analyse(found, replicates=10)["regressions"].query("regression == 'stay'").set_index("subject")
    assert (rows["separated"] == 1).all()
    assert rows.loc["all", "standard_error"].to_numpy() == pytest.approx(rows.loc["s0", "standard_error"].to_numpy())


def test_the_error_of_a_mean_over_subjects_on_the_same_episodes_is_the_spread_over_repetitions():
    generator, means, errors, naive = np.random.default_rng(11), [], [], []
    for _ in range(100):
        e = episodes(alike(generator))
        s = stays(e)
        fits = [stay_regression(s, REGRESSIONS["stay"], 4), *zip(*[[c.fit for c in own] for own in cells(s, 4)])]
        found = [combine(list(f), False, shared=common(e)) for f in fits]
        means.append(np.concatenate([f[0] for f in found]))
        errors.append(np.concatenate([np.diag(f[1]) for f in found]))
        naive.append(np.concatenate([np.diag(combine(list(f), False)[1]) for f in fits]))
    spread, tolerance = np.std(means, 0, ddof=1), 4 / np.sqrt(2 * 100)  # of an SD of 100 values
    assert (np.abs(np.sqrt(np.mean(errors, 0)) / spread - 1) < tolerance).all()
    assert np.sqrt(np.mean(naive, 0))[0] < 0.7 * spread[0]  # as if subjects were independent: too narrow
    assert (common(e), freedom(fits[0], False, 50), freedom(fits[0], False)) == (50, 49, 196)


def test_a_two_step_table_brings_the_transition_and_its_interaction_with_reward():
    generator = np.random.default_rng(8)
    shape = (200, 50)
    reward, common = generator.integers(2, size=shape), generator.random(shape) < 0.7
    eta = 0.5 + 0.3 * (reward - 0.5) + 1.5 * (reward - 0.5) * (common - 0.5)
    stay = generator.random(shape) < expit(eta)
    choice = np.zeros(shape, int)
    for t in range(1, 50):
        choice[:, t] = np.where(stay[:, t - 1], choice[:, t - 1], 1 - choice[:, t - 1])
    found = table(choice, reward, transition=np.where(common, "common", "rare"))
    rows = analyse(found, replicates=10)["regressions"].query("subject == 's1'").set_index(["regression", "term"])
    for term, truth in (("intercept", 0.5), ("reward", 0.3), ("transition", 0.0), ("reward:transition", 1.5)):
        row = rows.loc[("stay_transition", term)]
        assert abs(row["estimate"] - truth) < 4 * row["standard_error"] and row["standard_error"] < 0.2
    assert {"reward 0, common", "reward 0, rare", "reward 1, common", "reward 1, rare"} == set(
        rows.loc["stay_probability"].index
    )


def test_graded_rewards_enter_centred_on_the_middle_of_their_range():
    generator = np.random.default_rng(9)
    found = table(generator.integers(2, size=(40, 30)), generator.integers(3, size=(40, 30)))
    s = stays(episodes(found))
    assert set(s.predictors["reward"]) == {-1, 0, 1}
