"""Checks of the models' fits by simulation: a right fit passes, a wrong one is caught, the bands are what they say."""

import functools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, norm

from pipeline.errors import UserError
from pipeline.models import MODELS, calibrate
from pipeline.models.calibration import RANKED, RANKS, RECOVERY, Draws, Quantity, ranked
from pipeline.models.confusion import CONFUSION, Typical, confusion
from pipeline.models.density import Density, cut
from pipeline.models.laplace import em
from pipeline.models.links import natural, transformed
from pipeline.models.ranks import (
    band,
    covers,
    effective_size,
    inside_probability,
    interval,
    p_values,
    proportion_interval,
    rank,
    split_r_hat,
    thin,
)
from pipeline.models.simulated import Planted, Simulated
from pipeline.models.structures import STRUCTURES
from pipeline.models.verdicts import look_alikes, planted_summary, verdicts


class Conjugate:
    """Two normal means with prior N(0, 1), four observations each: the posterior N(Σ y / 5, 1 / 5) is known.

    ``scale`` and ``shift`` (in posterior SDs) make a wrong sampler of it; fits of ``bad`` data sets diverge until
    fitted with care.
    """

    model, structure = "conjugate", "toy"
    quantities = (Quantity("group_mean", "first"), Quantity("group_mean", "second"), Quantity("joint"))

    def __init__(self, scale=1.0, shift=0.0, bad=(), hopeless=()):
        self.scale, self.shift, self.bad, self.hopeless, self.careful = scale, shift, bad, hopeless, []

    def make(self, datasets):
        generator = np.random.default_rng(1)
        for _ in range(datasets):
            mean = generator.standard_normal(2)
            y = mean + generator.standard_normal((4, 2))
            yield np.append(mean, norm.logpdf(y, mean).sum()), y

    def fit(self, data, number, careful):
        generator = np.random.default_rng((2, number, careful))
        sd = self.scale / np.sqrt(5)
        draws = data.sum(0) / 5 + self.shift / np.sqrt(5) + sd * generator.standard_normal((300, 2))
        joint = norm.logpdf(data[None], draws[:, None]).sum((1, 2))
        if careful:
            self.careful.append(number)
        wrong = number in self.hopeless or (number in self.bad and not careful)
        return Draws(np.column_stack([draws, joint]), 3 * wrong)


def test_a_right_fit_passes_and_wrong_ones_are_caught_by_ranks_and_coverage():
    recovery, ranks = ranked(Conjugate(), 200)
    assert recovery["passed"].all()
    assert (verdicts(ranks)["p"] > 0.01).all()
    assert (recovery["bias"].abs() < 4 * recovery["bias_se"]).all()
    np.testing.assert_allclose(recovery["correlation"], np.sqrt(0.8), atol=0.06)  # r² = 1 − posterior / prior variance
    narrow, ranks = ranked(Conjugate(scale=0.5), 200)
    assert not narrow["passed"].any()
    assert (verdicts(ranks)["calibrated"] == 0).all()
    biased, ranks = ranked(Conjugate(shift=0.5), 200)
    judged = verdicts(ranks).set_index("quantity")
    assert (judged.loc[["group_mean_first", "group_mean_second"], "calibrated"] == 0).all()
    assert (biased["bias"] > 4 * biased["bias_se"]).all()


def test_the_log_likelihood_catches_a_fit_that_ignores_the_data():
    class Prior(Conjugate):
        def fit(self, data, number, careful):
            draws = np.random.default_rng((2, number)).standard_normal((300, 2))
            joint = norm.logpdf(data[None], draws[:, None]).sum((1, 2))
            return Draws(np.column_stack([draws, joint]))

    judged = verdicts(ranked(Prior(), 200)[1]).set_index("quantity")
    assert (judged.loc[["group_mean_first", "group_mean_second"], "calibrated"] == 1).all()  # the prior is calibrated
    assert judged.loc["log_likelihood", "calibrated"] == 0


def test_a_fit_that_is_not_sound_is_run_once_more_and_then_kept_and_counted():
    problem = Conjugate(bad=(3, 7), hopeless=(9,))
    recovery, ranks = ranked(problem, 12)
    assert problem.careful == [3, 7, 9]
    assert (recovery["refitted"] == 3).all()
    assert (recovery["failed"] == 1).all()
    assert (recovery["n_datasets"] == 12).all()
    failed = ranks.loc[ranks["failed"] == 1, "dataset"].unique()
    assert list(failed) == [10]  # counted from 1; its ranks are among the others
    assert (ranks.groupby("quantity")["dataset"].nunique() == 12).all()


def test_draws_are_sound_only_if_halves_agree_and_enough_of_them_are_effective():
    generator = np.random.default_rng(1)
    good = generator.standard_normal((250, 3))
    assert Draws(good).sound()
    assert not Draws(good, divergences=1).sound()
    assert not Draws(good + np.linspace(-2, 2, 250)[:, None]).sound()
    slow = np.cumsum(0.1 * generator.standard_normal((250, 3)), 0)
    assert not Draws(slow).sound()
    assert not Draws(np.full((250, 3), np.nan)).sound()


@pytest.mark.parametrize(("datasets", "level"), [(40, 0.95), (100, 0.99)])
def test_the_band_holds_uniform_ranks_as_often_as_it_says(datasets, level):
    edges, repeats = band(datasets, RANKED, level), 4000
    uniform = np.random.default_rng(1).integers(0, RANKED + 1, (repeats, datasets))
    inside = np.mean([edges.holds(ranks) for ranks in uniform])
    error = np.sqrt(level * (1 - level) / repeats)
    assert level - 4 * error < inside < level + 0.005 + 4 * error  # counts are whole: a little more than it says
    p = p_values(uniform[:500], RANKED)
    assert [edges.holds(ranks) for ranks in uniform[:500]] == list(p >= 1 - level)
    assert np.mean(p < 0.2) < 0.2 + 4 * np.sqrt(0.2 * 0.8 / 500)


def test_the_probability_of_staying_inside_equals_one_counted_over_all_outcomes():
    datasets, draws, width = 4, 2, 0.3
    share = np.arange(1, draws + 1) / (draws + 1)
    inside = 0.0
    for ranks in np.ndindex(*(draws + 1,) * datasets):
        below = (np.array(ranks)[:, None] < np.arange(1, draws + 1)).sum(0)
        tails = np.minimum(binom.cdf(below, datasets, share), binom.sf(below - 1, datasets, share))
        inside += (tails >= width / 2).all() / (draws + 1) ** datasets
    assert inside_probability(np.array([width]), datasets, draws)[0] == pytest.approx(inside, abs=1e-12)


def test_thinned_draws_are_evenly_spaced_and_the_rank_counts_those_below():
    kept = thin(np.arange(1, 251), 31)
    assert len(kept) == 31
    assert kept[-1] == 250
    assert set(np.diff(kept)) <= {8, 9}
    np.testing.assert_array_equal(rank(np.array([0.5, 9.0]), np.array([[0, 0], [1, 1], [2, 10.0]])), [1, 2])


def test_an_interval_of_few_draws_holds_one_more_draw_as_often_as_it_says():
    draws = np.random.default_rng(1).standard_normal((50, 40_000))
    low, high = interval(draws[1:], 0.92)  # 49 draws: orders 2 and 48 of 50
    held = ((low <= draws[0]) & (draws[0] <= high)).mean()
    assert abs(held - 0.92) < 4 * np.sqrt(0.92 * 0.08 / 40_000)


def test_coverage_fails_only_below_the_binomial_limit_corrected_for_the_number_of_tests():
    lowest = binom.ppf(0.01, 200, 0.94)
    assert covers(int(lowest), 200, 1)
    assert not covers(int(lowest) - 1, 200, 1)
    assert covers(int(lowest) - 1, 200, 20)
    assert covers(200, 200, 1)  # too wide is shown by the ranks
    low, high = proportion_interval(188, 200)
    assert binom.sf(187, 200, low) == pytest.approx(0.025)
    assert binom.cdf(188, 200, high) == pytest.approx(0.025)
    assert proportion_interval(0, 5)[0] == 0
    assert proportion_interval(5, 5)[1] == 1


@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.6, 0.95])
def test_effective_sizes_are_those_of_arviz(correlation):
    import arviz as az

    noise = np.random.default_rng(1).standard_normal((251, 6))
    draws = noise.copy()
    for t in range(1, len(draws)):
        draws[t] = correlation * draws[t - 1] + noise[t]
    expected = [az.ess(draws[None, :, j], method="bulk") for j in range(draws.shape[1])]
    np.testing.assert_allclose(effective_size(draws), expected, rtol=1e-9)


def test_r_hat_of_halves_is_that_of_ranks_and_folded_ranks():
    draws = np.random.default_rng(1).standard_normal((200, 2))
    draws[100:, 1] *= 4  # alike in the mean, not in spread
    found = split_r_hat(draws)

    def plain(x):
        order = x.argsort().argsort() + 1
        z = norm.ppf((order - 0.375) / (len(x) + 0.25)).reshape(2, -1)
        within, between = z.var(1, ddof=1).mean(), z.mean(1).var(ddof=1)
        return np.sqrt((99 / 100 * within + between) / within)

    for j in range(2):
        folded = np.abs(draws[:, j] - np.median(draws[:, j]))
        assert found[j] == pytest.approx(max(plain(draws[:, j]), plain(folded)))
    assert found[0] < 1.02 < 1.1 < found[1]


def small(name, **changes):
    return replace(STRUCTURES[name], **changes)


@pytest.mark.parametrize(
    ("model", "design"),
    [
        ("rescorla_wagner", small("reversal", trials=20)),
        ("bayesian_reversal", small("reversal", sessions=1, trials=20)),
        ("volatility_magnitude_rescorla_wagner", small("volatility", subjects=4, trials=20, groups=("a", "b"))),
    ],
)
def test_the_density_has_its_own_gradient(model, design):
    problem = Simulated(MODELS[model], design, 10, 10, 1)
    _, data = next(iter(problem.make(1)))
    density = Density(problem.card, data, em(problem.card, data))
    generator = np.random.default_rng(1)
    for _ in range(2):
        x = density.start + 0.5 * generator.standard_normal(len(density.start))
        value, gradient = density(x)
        steps = 1e-5 * np.eye(len(x))
        numeric = [(density(x + e)[0] - density(x - e)[0]) / 2e-5 for e in steps]
        np.testing.assert_allclose(gradient, numeric, atol=1e-5 * np.abs(gradient).max())
        found = density.variables(x)
        assert value < 0
        np.testing.assert_array_equal(found["group_mean"], cut(x, density.sizes)[0])


def test_the_density_is_that_of_the_hierarchical_model(monkeypatch):
    import pytensor

    from pipeline.models import hierarchy, op

    monkeypatch.setattr(op, "on_links", functools.cache(op.on_links))  # evaluated in Python: compiled once
    design = small("volatility", subjects=4, trials=20, groups=("a", "b"))  # all levels: groups, conditions, sessions
    problem = Simulated(MODELS["volatility_magnitude_rescorla_wagner"], design, 10, 10, 1)
    _, data = next(iter(problem.make(1)))
    laplace = em(problem.card, data)
    density, model = Density(problem.card, data, laplace), hierarchy.build(problem.card, data, laplace)
    names = ("group_mean", "group_sd_log__", "condition_effect", "subject_parameters_z", "session_sd_log__",
             "session_parameters_z")  # fmt: skip
    assert {v.name for v in model.value_vars} == set(names)
    plain = pytensor.compile.Mode(linker="py", optimizer=None)
    logp = model.compile_fn([model.logp()], inputs=model.value_vars, mode=plain, point_fn=False)
    differences = []
    generator = np.random.default_rng(1)
    for _ in range(3):
        x = density.start + 0.5 * generator.standard_normal(len(density.start))
        parts = dict(zip(names, cut(x, density.sizes)))
        parts["session_sd_log__"] = parts["session_sd_log__"][0]
        differences.append(logp(*(parts[v.name] for v in model.value_vars))[0] - density(x)[0])
    np.testing.assert_allclose(differences, differences[0], atol=1e-9)  # one density up to a constant


@pytest.fixture(scope="module")
def checked():
    design = small("reversal", trials=60)
    return design, calibrate.calibrate(MODELS["rescorla_wagner"], design, datasets=6, draws=120, tune=80, seed=3)


def test_a_model_is_checked_at_every_level_of_its_hierarchy(checked):
    _, (recovery, ranks) = checked
    levels = {"group_mean", "group_sd", "session_sd", "subject"}
    assert tuple(recovery) == RECOVERY
    assert tuple(ranks) == RANKS
    assert set(recovery["level"]) == levels
    assert len(recovery) == 4 * 2
    assert set(ranks["level"]) == levels | {"joint"}
    assert len(ranks) == 6 * (4 * 2 + 1)
    assert ranks["rank"].between(0, RANKED).all()
    assert (recovery["n"] == 6).all()
    assert recovery["coverage"].between(recovery["coverage_low"], recovery["coverage_high"]).all()
    judged = verdicts(ranks)
    assert len(judged) == 9
    assert judged["p"].between(0, 1).all()


def test_a_check_repeats_under_its_seed_and_data_sets_do_not_depend_on_their_number(checked):
    design, (_, ranks) = checked
    again = calibrate.calibrate(MODELS["rescorla_wagner"], design, datasets=2, draws=120, tune=80, seed=3)[1]
    first = ranks[ranks["dataset"] <= 2].reset_index(drop=True)
    merged = first.merge(again, on=["quantity", "dataset"], suffixes=("", "_again"))
    assert len(merged) == 2 * 9
    np.testing.assert_array_equal(merged["rank"], merged["rank_again"])
    problem = Simulated(MODELS["rescorla_wagner"], design, 120, 80, 4)
    other, _ = next(iter(problem.make(1)))
    mine, _ = next(iter(Simulated(MODELS["rescorla_wagner"], design, 120, 80, 3).make(1)))
    assert not np.array_equal(other, mine)


def test_planted_truths_have_the_value_and_are_typical_otherwise():
    card, design = MODELS["volatility_rescorla_wagner"], small("restless", trials=40, shortest=30)
    problem = Planted(card, design, 60, 60, 1, "a1", 0.5)
    truth = problem.truths(np.random.default_rng(1))
    expected = [0.5 if p.name == "a1" else p.typical for p in card.parameters]
    np.testing.assert_allclose(natural(problem.card, truth["group_mean"][0]), expected)
    many = [problem.truths(np.random.default_rng(k))["subject_parameters"] for k in range(400)]
    sd = np.concatenate(many).std(0)
    np.testing.assert_allclose(sd, truth["group_sd"][0], rtol=0.1)
    found = calibrate.planted(card, design, "a1", values=(0.0, 1.0), datasets=2, seed=1, draws=60, tune=60)
    assert tuple(found) == calibrate.PLANTED
    assert len(found) == 4
    assert (found["low"] < found["high"]).all()
    told = planted_summary(found)
    assert list(told["value"]) == [0.0, 1.0]
    assert (told["n"] == 2).all()
    with pytest.raises(UserError, match="no parameter 'slope' to plant"):
        calibrate.planted(card, design, "slope")


def test_models_that_differ_are_told_apart_and_shares_add_up():
    cards = [MODELS[name] for name in ("biased_coin", "rescorla_wagner")]
    found = confusion(cards, small("reversal", sessions=1), 4, 1)
    assert tuple(found) == CONFUSION
    np.testing.assert_allclose(found.groupby("simulated")["share"].sum(), 1)
    assert (found.loc[found["simulated"] == found["fitted"], "share"] >= 0.75).all()
    assert look_alikes(found).empty


def test_confusion_draws_group_means_between_low_and_high_of_the_prior():
    problem = Typical(MODELS["rescorla_wagner"], STRUCTURES["reversal"], 0, 0, 1)
    truths = [problem.truths(np.random.default_rng(k)) for k in range(300)]
    mean = np.array([t["group_mean"][0] for t in truths])
    ends = [transformed(problem.card, np.array([getattr(p, side) for p in problem.card.parameters]))
            for side in ("low", "high")]  # fmt: skip
    assert (mean >= ends[0]).all()
    assert (mean <= ends[1]).all()
    subject = np.array([t["subject_parameters"] - t["group_mean"][0] for t in truths])
    assert (np.abs(subject.mean((0, 1))) < 0.15).all()  # subjects move with their group
    unit = np.array([t["unit"] - t["subject_parameters"][problem.template.unit_subject] for t in truths])
    assert (np.abs(unit.mean((0, 1))) < 0.08).all()


def test_pairs_that_cannot_be_told_apart_are_listed_with_their_interval():
    shares = {("a", "a"): 0.6, ("a", "b"): 0.4, ("b", "a"): 0.1, ("b", "b"): 0.9}
    found = pd.DataFrame([("reversal", *pair, share, 40) for pair, share in shares.items()], columns=CONFUSION)
    (pair,) = look_alikes(found).itertuples()
    assert (pair.simulated, pair.fitted) == ("a", "b")
    assert pair.share_low < 0.4 < pair.share_high


def test_the_workflow_asks_by_study_and_names_what_does_not_fit_together(capsys):
    numbers = {"datasets": 1, "tune": 30, "draws": 60, "confusion": 1, "planted": 1}
    with pytest.raises(UserError, match="no reduced structure"):
        calibrate.check_study("bandits", "rescorla_wagner", numbers, 1)
    with pytest.raises(UserError, match="cannot be checked on structure 'reversal'"):
        calibrate.check_study("reversal", "volatility_rescorla_wagner", numbers, 1)
    with pytest.raises(UserError, match="sizes reduced and full, not 'huge'"):
        calibrate.check_study("reversal", "rescorla_wagner", numbers | {"structure": "huge"}, 1)
    recovery, _ = calibrate.check_study("reversal", "biased_coin", numbers, 1)
    assert (recovery["structure"] == "reversal").all()
    assert "calibrate reversal biased_coin: data set 1/1" in capsys.readouterr().err
