"""Ideal agents of one prior on another: known numbers, and the file that the workflow keeps."""

from functools import cache

import pytest

from pipeline.agents.ideals import COLUMNS, ideals
from pipeline.agents.optimum import optimal_regret
from pipeline.errors import UserError

BANDITS = ("di", "du", "de", "dm", "dh")
KNOWN = {"di": 1.748, "du": 1.221, "de": 0.625, "dm": 1.000, "dh": 2.312}  # Bayes-optimal on their own task
FROM_INDEPENDENT = {"du": 1.541, "de": 0.797, "dm": 1.355, "dh": 2.965}


@cache
def regrets(*tasks):
    return ideals(tasks).set_index(["training_task", "task"])["regret"]


def test_the_ideal_agents_of_independent_and_of_dependent_arms_lose_what_is_known_on_either():
    found = regrets("di", "du")
    assert found["di", "di"] == pytest.approx(1.748, abs=5e-4) and found["di", "du"] == pytest.approx(1.541, abs=5e-4)
    assert found["du", "du"] == pytest.approx(1.221, abs=5e-4) and found["du", "di"] == pytest.approx(2.799, abs=5e-4)


def test_the_table_has_a_row_per_pair_and_its_diagonal_is_the_optimum():
    table = ideals(("de", "dm"))
    assert tuple(table.columns) == COLUMNS and len(table) == 4
    assert (table["exact"] == 1).all() and (table["standard_error"] == 0).all()
    for task in ("de", "dm"):
        assert regrets("de", "dm")[task, task] == optimal_regret(task)


def test_a_task_without_a_known_optimum_or_an_unknown_one_is_refused():
    with pytest.raises(UserError, match="'d_u' is not known"):
        ideals(("d_u",))


@pytest.mark.slow
def test_the_whole_matrix_of_ideal_agents_has_the_known_numbers():
    found = regrets(*BANDITS)
    assert len(found) == 25
    for task, value in KNOWN.items():
        assert found[task, task] == pytest.approx(value, abs=5e-4)
        for other in BANDITS:
            assert found[task, task] <= found[other, task] + 1e-9  # nobody beats the ideal agent of the test
    for task, value in FROM_INDEPENDENT.items():
        assert found["di", task] == pytest.approx(value, abs=5e-4)
        assert found[task, "di"] == pytest.approx(2.799, abs=5e-4)
        # the majority rule is optimal on all four: an ideal agent of one is ideal on the others
        assert all(found[task, other] == pytest.approx(KNOWN[other], abs=5e-4) for other in FROM_INDEPENDENT)
