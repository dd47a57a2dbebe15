import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import least_squares, minimize
from scipy.special import expit, logsumexp
from scipy.stats import halfnorm, norm

from pipeline import trials
from pipeline.behaviour import mixed_design
from pipeline.behaviour.arrays import episodes
from pipeline.behaviour.mixed import COLUMNS, analyse
from pipeline.behaviour.mixed_density import Density
from pipeline.behaviour.mixed_design import Rows, collapse, flat, of
from pipeline.behaviour.mixed_equations import Prior
from pipeline.behaviour.mixed_half_life import LONGEST, SHORTEST, half_lives, summarise
from pipeline.behaviour.mixed_kernel import information, likelihood
from pipeline.behaviour.mixed_laplace import fit
from pipeline.behaviour.mixed_model import build, prior, sample
from pipeline.behaviour.mixed_separation import separated_subjects
from pipeline.behaviour.regressions import stay_regression, stays
from pipeline.errors import UserError
from pipeline.models import diagnose

SHORT = {"chains": 2, "tune": 300, "draws": 300, "retry": False}


def staying(coefficients, pairs=100, seed=1, **columns):
    """Trial table of sessions whose P(stay) is logistic in the centred last reward; coefficients (sessions, 2).

    ``columns`` (sessions,) hold subject, session and whatever else a session has.
    """
    generator, tables = np.random.default_rng(seed), []
    for i, (b0, b1) in enumerate(np.asarray(coefficients, float)):
        reward = generator.integers(0, 2, pairs + 1)
        stay = generator.random(pairs) < expit(b0 + b1 * (reward[:-1] - 0.5))
        choice = np.cumsum(np.concatenate([[0], ~stay])) % 2
        tables.append(_table(choice, reward).assign(**{name: values[i] for name, values in columns.items()}))
    return trials.conform(pd.concat(tables, ignore_index=True))


def _table(choice, reward):
    return pd.DataFrame(
        {
            "source": "made", "species": "monkey", "task": "made", "subject": "s1", "session": 1, "episode": 1,
            "trial": np.arange(1, len(choice) + 1), "block": 1, "trial_type": "free", "options": 2, "choice": choice,
            "reward": np.asarray(reward, float),
        }
    )  # fmt: skip


def intercepts(table):
    """Cells of a regression on the intercept alone."""
    e = episodes(table)
    s = stays(e)
    one, nothing = np.ones((len(s.stay), 1)), np.zeros(len(s.stay), int)
    return collapse(table, e, Rows(("intercept",), one, s.stay, nothing, np.nonzero(e.pair)[0], np.ones(1)))


@pytest.fixture(scope="module")
def planted():
    """Two groups of ten subjects with two sessions each, off and on in group b; what made them, and the fit."""
    generator = np.random.default_rng(7)
    group = np.repeat(["a", "b"], 10)
    mean = np.where(group[:, None] == "a", [0.5, 1.0], [0.5, 3.0])
    subject = mean + [0.3, 0.6] * generator.standard_normal((20, 2))
    session = np.repeat(subject, 2, 0) + [0.5, 0.05] * generator.standard_normal((40, 2))
    on = np.tile([-0.5, 0.5], 20)
    session[20:, 1] += 1.5 * on[20:]
    condition = [pd.NA] * 20 + ["off", "on"] * 10
    table = staying(
        session, 150, 8, subject=np.repeat([f"s{i:02d}" for i in range(20)], 2), session=np.tile([1, 2], 20),
        group=np.repeat(group, 2), condition=condition,
    )  # fmt: skip
    found, badge = analyse(table, ["stay"], SHORT)
    return table, subject, found, badge


def test_the_kernel_equals_a_plain_sum_over_cells(planted):
    generator = np.random.default_rng(0)
    cells = of(planted[0], "stay", 6)[0]
    codes, scale, successes, number, start = cells.data()
    beta = generator.normal(0, 3, (cells.units, 2))
    beta[0] = 300, -500
    design, y, n, unit = flat(cells)
    x = (design * beta[unit]).sum(1)
    p = expit(x)
    for data in (codes, codes.astype(float)):
        loglik, gradient = likelihood(beta, data, scale, successes, number, start)
        np.testing.assert_allclose(loglik, np.bincount(unit, y * x - n * np.logaddexp(0, x)), rtol=1e-12)
        for k in range(2):
            np.testing.assert_allclose(gradient[:, k], np.bincount(unit, (y - n * p) * design[:, k]), atol=1e-10)
        curvature = information(beta, data, scale, number, start)
        for u in range(cells.units):
            own = design[unit == u]
            slow = (own * (n * p * (1 - p))[unit == u][:, None]).T @ own
            np.testing.assert_allclose(curvature[u], slow, rtol=1e-10, atol=1e-10)


def test_collapsing_to_cells_leaves_the_likelihood_as_it_was(planted):
    table = planted[0]
    e = episodes(table)
    for name, lags in (("stay", 6), ("history", 3)):
        r = mixed_design.rows(e, name, lags)
        cells = collapse(table, e, r)
        beta = np.random.default_rng(1).normal(0, 1, (cells.units, len(r.terms)))
        x = (r.design * beta[e.session[r.episode]]).sum(1)
        slow = np.bincount(e.session[r.episode], r.outcome * x - np.logaddexp(0, x))
        np.testing.assert_allclose(likelihood(beta, *cells.data())[0], slow, rtol=1e-10)
        assert cells.cells < len(r.outcome)
        assert cells.unit_trials.sum() == len(r.outcome)


def test_predictors_that_are_no_whole_numbers_of_one_byte_are_kept_exactly():
    design = np.array([[1, 0.1], [1, 0.25], [1, -0.7]])
    codes, scale = mixed_design._codes(design)
    assert codes.dtype == float
    np.testing.assert_array_equal(codes * scale, design)
    codes, scale = mixed_design._codes(np.array([[1, -0.25], [1, 0.5]]))
    assert codes.dtype == np.int8
    np.testing.assert_array_equal(codes * scale, [[1, -0.25], [1, 0.5]])


@pytest.mark.parametrize("part", ["groups", "one session each", "a lone subject"])
def test_the_density_is_that_of_the_model_as_stated_in_pymc(planted, part):
    table = planted[0]
    kept = {"groups": ["s00", "s01", "s10", "s11"], "one session each": ["s00", "s01"], "a lone subject": ["s10"]}[part]
    rows = table["subject"].isin(kept) & ((table["session"] == 1) | (part != "one session each"))
    cells = of(table[rows.to_numpy(bool)], "stay", 6)[0]
    scales = prior(cells)
    density = Density(cells, scales, fit(cells, scales))
    stated = build(cells, scales)
    logp = stated.compile_logp(mode="FAST_COMPILE")
    generator = np.random.default_rng(3)

    def values(x):
        found = density.variables(x)
        sds = {f"{name}_log__": np.log(found.pop(name)) for name in ("group_sd", "session_sd") if name in found}
        return {v.name: (found | sds)[v.name] for v in stated.value_vars}

    def stretch(x):
        """Log of the volume that a step of the coordinates takes up in the model's own variables."""
        steps = 1e-5 * np.eye(len(x))
        columns = [[np.concatenate([np.ravel(v) for v in values(x + d * s).values()]) for d in (1, -1)] for s in steps]
        return np.linalg.slogdet([(a - b) / 2e-5 for a, b in columns])[1]

    points = [density.start + 0.5 * generator.standard_normal(len(density.start)) for _ in range(3)]
    difference = [density(x)[0] - logp(values(x)) - stretch(x) for x in points]
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)
    gradient = density(points[0])[1]
    for i, step in enumerate(1e-5 * np.eye(len(gradient))):
        slope = (density(points[0] + step)[0] - density(points[0] - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-5)


@pytest.fixture(scope="module")
def tiny():
    """Five subjects, 12 pairs each: intercepts only, where everything can be integrated by brute force."""
    table = staying(
        [[1.5, 0], [0.0, 0], [0.5, 0], [-1, 0], [2.0, 0]], 12, 5, subject=[f"s{i}" for i in range(5)], session=[1] * 5
    )
    return intercepts(table)


def marginal(cells, mean, sd, nodes=60):
    """Log marginal likelihood by Gauss–Hermite quadrature around the mode of each subject: μ and σ arrays (…)."""
    x, weight = np.polynomial.hermite.hermgauss(nodes)
    _, y, n, unit = flat(cells)
    total = np.zeros(np.broadcast(mean, sd).shape)
    for s in range(cells.units):
        successes, number = y[unit == s].sum(), n[unit == s].sum()
        mode = np.array(mean, float) + np.zeros_like(total)
        for _ in range(50):
            p = expit(mode)
            mode = mode + (successes - number * p - (mode - mean) / sd**2) / (number * p * (1 - p) + sd**-2.0)
        p = expit(mode)
        width = np.sqrt(2 / (number * p * (1 - p) + sd**-2.0))[..., None]
        at = mode[..., None] + width * x
        log = successes * at - number * np.logaddexp(0, at) + norm.logpdf(at, mean[..., None], sd[..., None])
        total = total + logsumexp(log + x**2, -1, width * weight)
    return total


def test_the_posterior_equals_brute_force_integration(tiny):
    scales = prior(tiny)
    idata = sample(tiny, Density(tiny, scales, fit(tiny, scales)), 2000, 400, 2, 1, 0.8, 1)
    axis = np.linspace(-6, 7, 160), np.linspace(0.01, 5, 150)
    mean, sd = np.meshgrid(*axis, indexing="ij")
    log = marginal(tiny, mean, sd) + norm.logpdf(mean, 0, 2.5) + halfnorm.logpdf(sd)
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for name, values in (("group_mean", mean), ("group_sd", sd)):
        draws = idata.posterior[name].to_numpy()[:, :, 0, 0]
        true = (weight * values).sum()
        spread = np.sqrt((weight * (values - true) ** 2).sum())
        found = diagnose.summary(draws)
        assert abs(found["mean"] - true) < 4 * spread / np.sqrt(found["ess_bulk"])
        assert found["sd"] == pytest.approx(spread, rel=0.1)
        below = [(weight * (values < q)).sum() for q in (found["low"], found["high"])]
        assert below[1] - below[0] == pytest.approx(0.94, abs=0.02)


def test_the_laplace_fit_is_maximum_likelihood_by_quadrature():
    generator = np.random.default_rng(2)
    true = 0.8 + 0.7 * generator.standard_normal(30)
    table = staying(np.stack([true, 0 * true], 1), 60, 6, subject=[f"s{i:02d}" for i in range(30)], session=[1] * 30)
    cells = intercepts(table)
    wide = np.full(1, 50.0)
    found = fit(cells, Prior(wide, wide, wide, wide), tolerance=1e-6)
    assert found.converged

    def loss(theta):
        return -marginal(cells, np.array(theta[0]), np.exp(np.array(theta[1])))

    best = minimize(loss, [0.5, -0.5], method="BFGS").x
    step = 1e-3
    bend = (loss([best[0] + step, best[1]]) - 2 * loss(best) + loss([best[0] - step, best[1]])) / step**2
    assert found.group_mean[0, 0] == pytest.approx(best[0], abs=0.01)
    assert found.group_sd[0, 0] == pytest.approx(np.exp(best[1]), rel=0.02)
    assert found.group_mean_error[0, 0] == pytest.approx(bend**-0.5, rel=0.02)


def test_planted_groups_sessions_and_conditions_are_found(planted):
    _, subject, found, badge = planted
    assert badge["divergences"] == 0
    assert badge["max_r_hat"] < 1.05
    rows = found.set_index(["level", "group", "subject", "term"])

    def inside(level, group, term, truth):
        row = rows.loc[(level, group, "", term)]
        return abs(row["mean"] - truth) < 3 * row["sd"]  # sampling error and, far smaller, that of the draws

    for group, slope in (("a", 1.0), ("b", 3.0)):
        assert inside("group", group, "intercept", 0.5)
        assert inside("group", group, "reward", slope)
        assert inside("group", group, "reward_group_sd", 0.6)
    assert inside("group", "all", "intercept_session_sd", 0.5)
    assert inside("group", "all", "reward_session_sd", 0.05)
    assert rows.loc[("group", "all", "", "intercept_session_sd"), "low"] > 0.2
    assert inside("condition", "b: on − off", "reward", 1.5)
    assert inside("condition", "b: on − off", "intercept", 0.0)
    assert rows.loc[("condition", "b: on − off", "", "reward"), "low"] > 0
    own = found[(found["level"] == "subject") & (found["term"] == "reward")].sort_values("subject")
    covered = (own["low"].to_numpy() <= subject[:, 1]) & (subject[:, 1] <= own["high"].to_numpy())
    assert covered.sum() >= 15  # of 20 at 94 %: fewer has probability .001
    assert np.corrcoef(own["mean"], subject[:, 1])[0, 1] > 0.8


def test_the_table_is_tidy_and_the_badge_can_be_written(planted):
    _, _, found, badge = planted
    assert tuple(found.columns) == COLUMNS
    assert set(found["level"]) == {"group", "condition", "subject"}
    assert not found.duplicated(["level", "group", "subject", "term"]).any()
    numbers = found.set_index(["level", "group", "subject", "term"])[["n_trials", "n_subjects", "n_sessions"]]
    assert tuple(numbers.loc[("group", "a", "", "reward")]) == (3000, 10, 20)
    assert tuple(numbers.loc[("condition", "b: on − off", "", "reward")]) == (3000, 10, 20)
    assert tuple(numbers.loc[("group", "all", "", "reward_session_sd")]) == (6000, 20, 40)
    assert tuple(numbers.loc[("subject", "b", "s10", "reward")]) == (300, 1, 2)
    one = json.loads(json.dumps(badge))["regressions"]["stay"]
    assert (one["n_subjects"], one["n_sessions"], one["n_trials"], one["n_cells"]) == (20, 40, 6000, 80)
    assert found["passed"].eq(badge["passed"]).all()


def test_the_laplace_fit_agrees_with_the_draws(planted):
    table, _, found, _ = planted
    cells = of(table, "stay", 6)[0]
    laplace = fit(cells, prior(cells))
    rows = found.set_index(["level", "group", "subject", "term"])["mean"]
    for g, group in enumerate("ab"):
        for k, term in enumerate(("intercept", "reward")):
            error = laplace.group_mean_error[g, k]
            assert abs(rows[("group", group, "", term)] - laplace.group_mean[g, k]) < error / 2
    own = found[(found["level"] == "subject") & (found["term"] == "reward")].sort_values("subject")
    np.testing.assert_allclose(own["mean"], laplace.subject[:, 1], atol=0.15)


def test_subjects_with_few_trials_shrink_and_those_with_many_keep_their_own_estimate():
    few = [[0.5, 1.0 + 0.1 * i] for i in range(-4, 4)]
    table = pd.concat(
        [
            staying([*few, [0.5, 4.0]], 400, 3, subject=[f"s{i}" for i in range(9)], session=[1] * 9),
            staying([[0.5, 4.0]], 12, 15, subject=["t0"], session=[1]),
        ],
        ignore_index=True,
    )
    e = episodes(table)
    alone = [f.estimate[1] for f in stay_regression(stays(e), mixed_design.REGRESSIONS["stay"], len(e.subjects))]
    found, badge = analyse(table, ["stay"], SHORT)
    rows = found[found["term"] == "reward"].set_index(["level", "subject"])["mean"]
    middle = rows[("group", "")]
    estimate = dict(zip(e.subjects, alone))
    assert abs(rows[("subject", "s8")] - estimate["s8"]) < 0.15 * abs(estimate["s8"] - middle)
    assert abs(rows[("subject", "t0")] - middle) < 0.7 * abs(estimate["t0"] - middle)
    assert "one session per subject" in " ".join(badge["notes"])


def history_table(subjects=6, count=700, half_life=2.0, seed=4):
    """Choices that follow an exponential reward kernel, 1.5 · 2^(−(k − 1)/h), and no choice kernel."""
    generator, tables = np.random.default_rng(seed), []
    kernel = 1.5 * 2.0 ** (-np.arange(12) / half_life)
    for s in range(subjects):
        choice, reward, signed = np.zeros(count, int), generator.integers(0, 2, count), np.zeros(count + 12)
        for t in range(count):
            choice[t] = generator.random() < expit(signed[t : t + 12][::-1] @ kernel)
            signed[t + 12] = (2 * choice[t] - 1) * reward[t]
        tables.append(_table(choice, reward).assign(subject=f"s{s}"))
    return trials.conform(pd.concat(tables, ignore_index=True))


def test_a_planted_half_life_is_found_in_the_group_and_in_subjects():
    found, badge = analyse(history_table(), ["history"], SHORT, lags=4)
    group = found[found["level"] == "group"].set_index("term")
    row = group.loc["reward_half_life"]
    assert row["low"] < 2.0 < row["high"]
    assert row["sd"] < 1
    assert np.isnan(group.loc["choice_half_life", "mean"])
    assert "no half-life" in group.loc["choice_half_life", "note"]
    own = found[(found["level"] == "subject") & (found["term"] == "reward_half_life")]
    assert len(own) == 6
    assert ((own["low"] < 2) & (own["high"] > 2)).sum() >= 5  # of 6 at 94 %: fewer has probability .04
    assert any("6 subjects" in note for note in badge["notes"])
    assert "rests largely on its prior" in group.loc["reward_1_group_sd", "note"]


def test_half_lives_equal_least_squares_draw_by_draw():
    generator, lags = np.random.default_rng(1), np.arange(8)
    kernels = 1.2 * 2.0 ** (-lags / 2.5) + 0.1 * generator.standard_normal((40, 8))
    spread = kernels.std(0)
    value, amplitude = half_lives(kernels)
    for kernel, h, a in zip(kernels, value, amplitude):
        slow = least_squares(lambda t, y=kernel: (t[0] * 2.0 ** (-lags / np.exp(t[1])) - y) / spread, [1.0, 1.0]).x
        assert h == pytest.approx(np.exp(slow[1]), rel=2e-3)
        assert a == pytest.approx(slow[0], rel=0.02)


def test_draws_without_a_half_life_are_counted_and_left_out():
    generator, lags = np.random.default_rng(1), np.arange(6)
    decaying = 2.0 ** (-lags / 2.0) + 0.02 * generator.standard_normal((2, 300, 6))
    some = decaying.copy()
    some[:, :30] = 1 + 0.1 * lags  # growing: beyond the longest
    found, note = summarise(some)
    assert note == "60 of 600 draws have no half-life"
    assert found["mean"] == pytest.approx(2, abs=0.1)
    none, note = summarise(1 + 0.1 * lags + 0.02 * generator.standard_normal((2, 300, 6)))
    assert np.isnan(none["mean"])
    assert "does not decay" in note
    assert "three lags" in summarise(decaying[..., :2])[1]
    assert half_lives(some[0, :40])[0][0] == pytest.approx(LONGEST * 6)
    assert half_lives(np.array([[1.0, -1, 0, 0], [1, -2, 0, 0.1]]))[0] == pytest.approx(SHORTEST)


def test_separated_choices_have_a_finite_estimate_and_a_note():
    table = staying([[0.5, 1.5]] * 8 + [[40, 0]], 60, 9, subject=[f"s{i}" for i in range(9)], session=[1] * 9)
    assert separated_subjects(of(table, "stay", 6)[0]) == ["s8"]
    found, badge = analyse(table, ["stay"], SHORT)
    row = found[(found["subject"] == "s8") & (found["term"] == "intercept")].iloc[0]
    assert 1 < row["mean"] < 20
    assert np.isfinite(row["high"])
    assert "separated" in row["note"]
    assert not found.loc[found["subject"] == "s0", "note"].str.contains("separated").any()
    assert any("separated" in note for note in badge["notes"])


def test_a_lone_subject_with_one_session_has_neither_groups_nor_sessions():
    table = staying([[0.5, 1.5]], 200, 2, subject=["s0"], session=[1])
    found, badge = analyse(table, ["stay"], SHORT)
    assert set(found["level"]) == {"subject"}
    alone = stay_regression(stays(episodes(table)), mixed_design.REGRESSIONS["stay"], 1)[0]
    np.testing.assert_allclose(found["mean"], alone.estimate, atol=0.1)  # a third of a standard error
    assert any("one subject" in note for note in badge["notes"])


def test_the_two_step_regressions_have_a_coefficient_for_each_term():
    generator = np.random.default_rng(5)
    count = 120
    tables = []
    for s in range(3):
        common = generator.random(count) < 0.7
        reward, stay = generator.integers(0, 2, count), np.empty(count - 1)
        for t in range(count - 1):
            stay[t] = generator.random() < expit(0.5 + 4 * (reward[t] - 0.5) * (common[t] - 0.5))
        choice = np.cumsum(np.concatenate([[0], 1 - stay])).astype(int) % 2
        kinds = {"subject": f"s{s}", "transition": np.where(common, "common", "rare")}
        tables.append(_table(choice, reward).assign(**kinds))
    found, badge = analyse(
        trials.conform(pd.concat(tables)), ["stay_transition", "two_step_lags"], {**SHORT, "tune": 200, "draws": 150}
    )
    group = found[found["level"] == "group"]
    means = group[~group["term"].str.endswith("_sd")].groupby("regression", sort=False)["term"].agg(list)
    assert means["stay_transition"] == ["intercept", "reward", "transition", "reward:transition"]
    assert len(means["two_step_lags"]) == 21
    interaction = group.set_index("term").loc["reward:transition"]
    assert interaction["low"] < 4 < interaction["high"]
    assert interaction["low"] > 0
    assert set(badge["regressions"]) == {"stay_transition", "two_step_lags"}


def test_what_cannot_be_fitted_gives_no_rows_and_a_reason():
    table = staying([[0.5, 1.0], [0.5, 1.0]], 40, 1, subject=["s0", "s1"], session=[1, 1])

    def why(rows, name="stay"):
        found, badge = analyse(rows, [name], SHORT)
        assert not len(found)
        assert tuple(found.columns) == COLUMNS
        assert (badge["status"], badge["passed"]) == ("not run", False)
        return badge["regressions"][name]["reasons"][0]

    assert why(table, "stay_transition") == "not run: the trial table has no column 'transition'"
    assert "no column 'choice'" in why(table.drop(columns="choice"))
    assert "'reward' does not vary" in why(table.assign(reward=1.0))
    assert "no trial" in why(table[table["trial"] % 2 == 1])
    assert "'choice_1' does not vary" in why(table.assign(choice=1), "history")
    assert "repeat each other" in why(table.assign(reward=1.0), "history")
    assert "two options is chosen, and here there are 3" in why(table.assign(options=3), "history")
    nothing = trials.empty()
    nothing.attrs["reason"] = "the file is not to be had"
    badge = analyse(nothing, ["stay"], source="absent")[1]
    assert badge["source"] == "absent"
    assert badge["reasons"] == ["stay: not run: the file is not to be had"]


def test_trials_without_a_choice_interrupt_the_sequence():
    table = staying([[0.5, 1.0]], 40, 1, subject=["s0"], session=[1])
    blank = (table["trial"] == 20).to_numpy(bool)
    table.loc[blank, ["choice", "reward"]] = pd.NA
    assert of(table, "stay", 6)[0].unit_trials.tolist() == [38]


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({"reward": pd.NA}, {}, "have no reward, first at subject s0, session 1, episode 1, trial 1"),
        ({"group": ["a"] * 41 + [pd.NA] * 41}, {}, "has no group"),
        ({}, {"draw": 10}, "fit setting 'draw' is not known"),
    ],
)
def test_bad_input_gets_one_clear_message(change, settings, message):
    table = staying([[0.5, 1.0], [0.5, 1.0]], 40, 1, subject=["s0", "s1"], session=[1, 1]).assign(**change)
    with pytest.raises(UserError, match=message):
        analyse(table, ["stay"], settings)


def test_an_unknown_regression_is_refused_by_name():
    table = staying([[0.5, 1.0]], 10, 1, subject=["s0"], session=[1])
    with pytest.raises(UserError, match="'stays' is not known; a mixed fit can be had of stay,"):
        analyse(table, ["stays"])
    with pytest.raises(UserError, match="'stay_difference' is not logistic"):
        analyse(table, ["stay_difference"])
    with pytest.raises(UserError, match="give a list"):
        analyse(table, "stay")


def test_a_fit_that_fails_its_diagnostics_is_sampled_once_more_and_says_so():
    table = staying([[0.5, 1.0]] * 3, 40, 1, subject=["s0", "s1", "s2"], session=[1] * 3)
    found, badge = analyse(table, ["stay"], {"chains": 2, "tune": 20, "draws": 20})
    one = badge["regressions"]["stay"]
    assert one["attempts"] == 2
    assert one["tune"] == 40
    assert not badge["passed"]
    assert not found["passed"].any()
    assert any("effective sample size" in reason for reason in badge["reasons"])


def test_the_same_seed_draws_the_same():
    table = staying([[0.5, 1.0]] * 3, 40, 1, subject=["s0", "s1", "s2"], session=[1] * 3)
    quick = {"chains": 2, "tune": 50, "draws": 50, "retry": False}
    one, two, three = (analyse(table, ["stay"], quick | {"seed": seed})[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert not np.allclose(one["mean"], three["mean"])
