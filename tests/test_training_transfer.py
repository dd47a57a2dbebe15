"""Networks tested on tasks that they were not trained on, and networks of equal parameter count."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pipeline.agents import agent
from pipeline.agents.heads import network_parameters
from pipeline.agents.inputs import Inputs
from pipeline.agents.population import Population, parameter_count
from pipeline.errors import UserError
from pipeline.rollout import play
from pipeline.seeds import generator
from pipeline.tasks import task
from pipeline.training import evaluate as evaluation
from pipeline.training.evaluate import evaluate, transfer

BOUNDS = {
    "du": {"chance_regret": 25.0, "optimum_regret": 1.221},
    "dh": {"chance_regret": 10.0, "optimum_regret": 2.312, "optimum_standard_error": 0.0},
    "de": {"chance_regret": 40.0, "optimum_regret": 0.625},
}


@pytest.fixture(scope="module")
def population():
    """Four random networks trained on nothing: their policies differ visibly."""
    entry, inputs = agent("gru"), Inputs.of(task("du"))
    core = entry.load()(**entry.settings)
    drawn = network_parameters(core, generator(1, "gru"), 4, inputs.size, inputs.actions)
    weights = {
        k: (v + 0.1 * generator(2, k).standard_normal(v.shape)).astype(np.float32) * (20 if k == "policy" else 1)
        for k, v in drawn.items()
    }
    rows = pd.DataFrame({"subject": [f"gru{k:03d}" for k in range(1, 5)], "stopped": 0, "learning_rate": 0.01})
    rows = rows.assign(discount=[0.5, 0.6, 0.7, 0.8], entropy_cost=0.02)
    return Population("gru", dict(entry.settings), "du", inputs, weights, rows)


def found(population, tasks, best=("gru003", "gru001"), episodes=40):
    return transfer(population, tasks, best, episodes, 5, source="gru_du", name="gru", bounds=BOUNDS)


def test_the_table_has_the_columns_of_the_evaluation_and_a_row_per_other_task_and_best_agent(population):
    own, _ = evaluate(population, task("du"), 20, 40, 2, 5, source="gru_du", name="gru", **BOUNDS["du"])
    table = found(population, ["du", "dh", "de"])
    assert list(table.columns) == list(own.columns)
    assert list(zip(table["task"], table["subject"], table["rank"])) == [
        ("dh", "gru003", 1),
        ("dh", "gru001", 2),
        ("de", "gru003", 1),
        ("de", "gru001", 2),
    ]
    assert (table["training_task"] == "du").all() and (table["best"] == 1).all()
    assert table["ranking_regret"].isna().all() and list(table["discount"]) == [0.7, 0.5] * 2
    assert list(table["chance_regret"]) == [10.0, 10.0, 40.0, 40.0] and (table["optimum_standard_error"] == 0).all()


def test_regret_on_another_task_is_that_of_the_same_test_episodes_played_in_one_piece(population, monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH", 16)
    table = found(population, ["dh"]).set_index("subject")
    network = population.network([2, 0])
    parts = [play(network, task("dh"), n, generator(5, "test", "dh", k)).regret() for k, n in enumerate((16, 16, 8))]
    regret = np.concatenate(parts, 1)
    assert list(table.loc[["gru003", "gru001"], "test_regret"]) == pytest.approx(list(regret.mean(1)))
    assert table.loc["gru003", "test_regret_se"] == pytest.approx(regret[0].std(ddof=1) / np.sqrt(40))


def test_networks_of_either_training_meet_the_same_test_episodes(population):
    begun, drawn = [], task("dh")

    class Spy(type(drawn)):
        def begin(self, *arguments, **named):
            begun.append(drawn.begin(*arguments, **named))
            return begun[-1]

    spy = Spy(**{f.name: getattr(drawn, f.name) for f in dataclasses.fields(drawn)})
    found(population, [spy])
    native = dataclasses.replace(population, task="dh")
    evaluate(native, spy, 10, 40, 2, 5, source="gru_dh", name="gru", **BOUNDS["dh"])
    first, tested = begun[0].columns(), begun[-1].columns()
    for name in ("reward_probability", "better_option"):  # whatever the number of agents that share them
        np.testing.assert_array_equal(first[name][0], tested[name][0])


def test_an_agent_that_always_takes_one_arm_loses_what_chance_loses_on_every_task(population):
    stuck = dataclasses.replace(population, weights={k: np.zeros_like(v) for k, v in population.weights.items()})
    stuck.weights["policy_bias"][..., 0] = 50
    table = found(stuck, ["dh", "de"], ["gru001"], 400)
    for row in table.itertuples():  # p1 is either value equally often: half the episodes lose 20 or 80, half nothing
        assert abs(row.test_regret - row.chance_regret) < 4 * row.test_regret_se
        assert row.learned == 0


def test_a_subject_that_is_not_there_or_a_task_without_bounds_is_refused(population):
    with pytest.raises(UserError, match=r"'gru009' is none of its 4 agents \(gru001 … gru004\)"):
        found(population, ["dh"], ["gru009"])
    with pytest.raises(UserError, match="no regret of chance and of the optimum is given for 'dm'"):
        found(population, ["dm"])


def test_without_another_task_there_are_no_rows(population):
    assert found(population, ["du"]).empty


# Equal parameter count


@pytest.mark.parametrize("core", ["lstm23", "gru27", "lowrank149"])
def test_the_matched_cores_have_as_many_parameters_as_the_vanilla_network_of_48_units(core):
    assert parameter_count("vanilla", "du") == 2691
    assert abs(parameter_count(core, "du") / 2691 - 1) < 0.02


def test_parameters_are_counted_as_written_out_by_hand():
    assert parameter_count("vanilla", "du") == 48 * 48 + 4 * 48 + 48 + (48 * 2 + 2) + (48 + 1)
    assert parameter_count("lstm", "di") == 4 * (48 * 48 + 4 * 48 + 48) + 48 * 3 + 3
    rank = agent("lowrank").settings["rank"]
    assert parameter_count("lowrank", "du") == 2 * 48 * rank + 4 * 48 + 48 + 48 * 3 + 3
    assert parameter_count("gru", "reversal") == 3 * (48 * 48 + 3 * 48 + 48) + 48 * 3 + 3  # no time input
    with pytest.raises(UserError, match="'ucb' is a learner"):
        parameter_count("ucb", "du")
