from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench import bench_models, bench_peers
from bench.bench_peers import DESIGNS, Design, Measured
from bench.machine import on_one_core
from bench.peers.problem import VARIABLES, Problem, Result
from bench.tables import sample_table
from pipeline import trials
from pipeline.errors import UserError
from pipeline.models import MODELS
from pipeline.models.data import pack, resolve
from pipeline.models.likelihood import likelihood

CARD = MODELS["rescorla_wagner"]


def drawn(mean=0.0, sd=1.0, seed=1):
    """Independent draws of every variable: what a design hands back."""
    generator = np.random.default_rng(seed)
    sizes = {"group_mean": (2,), "group_sd": (2,), "subject_parameters": (3, 2)}
    draws = {name: mean + sd * generator.standard_normal((4, 500, *sizes[name])) for name in VARIABLES}
    return Result(draws, 0, 1.0, 2.0, np.arange(10.0))


def test_the_scan_model_has_the_density_of_the_projects_model_at_every_point():
    from pipeline.models import hierarchy  # first: it sets PyTensor's flags  # isort: skip
    import pytensor

    from bench.peers import pymc_scan, this_project
    from pipeline.models.laplace import em

    problem = this_project.of(sample_table(CARD, 20, 1, 20))
    packed = pack(this_project.as_table(problem), CARD)
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        ours = this_project.log_density(hierarchy.build(CARD, packed, em(CARD, packed)), problem)
        theirs = pymc_scan.log_density(pymc_scan.build(problem), problem)
    assert np.ptp(ours) > 10  # the points differ
    np.testing.assert_allclose(ours - ours.mean(), theirs - theirs.mean(), atol=1e-8)


def test_a_problem_survives_the_file_and_the_table(tmp_path):
    from bench.peers import this_project

    problem = this_project.of(sample_table(CARD, 4, 1, 30))
    problem.write(tmp_path / "problem.npz")
    for other in (Problem.read(tmp_path / "problem.npz"), this_project.of(this_project.as_table(problem))):
        for name in vars(problem):
            np.testing.assert_array_equal(getattr(problem, name), getattr(other, name))
        for one, two in zip(problem.points(), other.points()):
            assert all((one[name] == two[name]).all() for name in one)


@pytest.mark.parametrize("name", MODELS)
def test_the_sample_table_fits_its_card_and_follows_it(name):
    table = sample_table(MODELS[name], 4, 2, 60)
    assert len(trials.check(table)) == 4 * 2 * 60
    card = resolve(MODELS[name], table)
    packed = pack(table, card)
    loglik, gradient = likelihood(card, packed, np.tile([p.typical for p in card.parameters], (packed.units, 1)))
    assert np.isfinite(gradient).all()
    chance = -np.log(table["options"].iloc[0]) - (np.log(2) if card.second_options else 0)
    assert loglik.sum() / packed.scored > chance
    pd.testing.assert_frame_equal(table, sample_table(MODELS[name], 4, 2, 60))


def test_a_model_without_behaviour_gives_a_row_that_says_why_and_the_others_follow(monkeypatch):
    odd = replace(CARD, name="odd", columns=("choice", "reward", "pupil"))
    with pytest.raises(UserError, match="'pupil'"):
        sample_table(odd, 2, 1, 10)
    monkeypatch.setattr(bench_models, "MODELS", {"odd": odd, "rescorla_wagner": CARD})
    monkeypatch.setattr(bench_models, "of", lambda card: [sample_table(card, 2, 1, 10)])
    skipped, measured = bench_models.rows()
    assert skipped["value"] is None and skipped["setting"] == "odd" and "'pupil'" in skipped["note"]
    assert len(measured) == 20


def test_a_design_that_is_not_installed_gives_a_row_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_peers, "ROOT", tmp_path)
    design = replace(DESIGNS["stan"], environment="elsewhere")
    assert design.missing() == "not installed; make bench-stan installs it"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "failed.txt").write_text("WARNING: old\nERROR: no wheel for this Python\n")
    measured = bench_peers.measure(design, tmp_path / "none.npz", tmp_path)
    (row,) = bench_peers.facts("stan", measured, drawn())
    assert row["value"] is None
    assert row["note"] == "not installed; ERROR: no wheel for this Python; make bench-stan installs it"


def test_a_design_that_fails_or_takes_too_long_gives_its_reason(tmp_path):
    design = Design("broken", "no_such_module")
    found = bench_peers.measure(design, tmp_path / "none.npz", tmp_path)
    assert found.result is None and found.problem.startswith("failed: ") and "no_such_module" in found.problem
    ended = on_one_core([str(design.python), "-c", "import time; time.sleep(600)"], {}, limit=0.3)
    assert ended.code is None


def test_agreement_is_counted_in_standard_errors_of_both_runs():
    one = drawn(seed=1)
    assert bench_peers.disagreement(one, drawn(seed=2)) < 5  # four differences, each near N(0, 1)
    # 2,000 independent draws: a standard error of 1/√2000 each, so that a shift of 1 is √1000 ≈ 32 of both together
    assert bench_peers.disagreement(one, drawn(mean=1.0, seed=2)) == pytest.approx(np.sqrt(1000), rel=0.25)
    assert bench_peers.density_gap(one, replace(one, log_density=one.log_density + 7)) == pytest.approx(0, abs=1e-12)
    assert bench_peers.density_gap(one, replace(one, log_density=2 * one.log_density)) == pytest.approx(4.5)


def test_the_rows_of_a_run_give_ess_per_second_and_the_goals_beside_the_ratios():
    slow, fast = drawn(), replace(drawn(), sampling=0.01)
    found = {"pymc": Measured(slow), "nutpie": Measured(slow), "stan": Measured(None, problem="failed: x")}
    found |= {"project": Measured(fast, 100.0), "large": Measured(fast, 100.0)}
    ratio, other = bench_peers.ratios(found)
    assert ratio["value"] == pytest.approx(200) and "PyMC" in ratio["setting"] and ratio["note"] == "goal ≥ 100"
    assert other["value"] == pytest.approx(200) and other["note"] == ""
    rows = {r["name"]: r for r in bench_peers.facts("project", found["project"], slow)}
    ess = rows["hierarchical sampling, smallest bulk ESS"]["value"]
    assert rows["hierarchical sampling"]["value"] == pytest.approx(ess / 0.01, rel=0.01)
    assert rows["agreement, largest |difference| / MCSE"]["value"] == 0
    assert "1,000 trials" not in rows["hierarchical sampling"]["setting"]
    assert "200 × 1,000" in bench_peers.facts("large", found["large"], slow)[0]["setting"]


def test_only_slow_designs_are_shortened_and_their_rows_say_so(monkeypatch):
    monkeypatch.setenv("BENCH_PEERS", "short")
    assert bench_peers.draws_of(DESIGNS["project"]) == bench_peers.DRAWS
    assert "4 × (250 + 250)" in bench_peers.setting("pymc")
    monkeypatch.setenv("BENCH_PEERS", "brief")
    with pytest.raises(SystemExit, match="brief"):
        bench_peers.draws_of(DESIGNS["project"])


def test_draws_of_stan_are_told_apart_by_chain():
    from bench.peers.stan_program import by_chain

    stored = np.arange(6 * 5 * 4).reshape(6, 5, 4)  # PyStan's: (values, draws, chains)
    matrix = stored.reshape(3, 2, -1, order="F")  # what it gives for a 3 × 2 parameter
    found = by_chain(matrix)
    assert found.shape == (4, 5, 3, 2)
    for chain in range(4):
        for draw in range(5):
            np.testing.assert_array_equal(found[chain, draw], stored[:, draw, chain].reshape(3, 2, order="F"))
