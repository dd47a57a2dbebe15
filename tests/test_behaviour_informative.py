"""Behavioural analyses where outcomes are graded and options many, against slow loops over the rows."""

import numpy as np
import pandas as pd
import pytest

from pipeline.agents import AGENTS
from pipeline.agents.bayes_informative import InformativeOptimum, ThompsonTarget
from pipeline.behaviour.arrays import episodes, shared
from pipeline.behaviour.run import analyse
from pipeline.rollout import play, table
from pipeline.seeds import generator
from pipeline.tasks import TASKS
from pipeline.trials import conform

TASK = TASKS["informative_arm"]
KINDS = ("informative_choice", "target_choice", "other_choice")
OWN = ("episode_reward", "informative_trial_1", "optimal_episodes")


class Mixed(ThompsonTarget):
    """Asks with probability .6 on trial 1 and .1 later, else Thompson sampling: a mixture of all kinds of choice."""

    def begin(self, task, episodes):
        super().begin(task, episodes)
        self.trial = 1

    def policy(self, observation=None):
        asks = 0.6 if self.trial == 1 else 0.1
        return (1 - asks) * super().policy() + asks * (np.arange(self.task.options) == self.task.options - 1)

    def observe(self, action, reward):
        super().observe(action, reward)
        self.trial += 1


def frame_of(learner=Mixed, count=60, seed=1):
    return table(play(learner(TASK), TASK, count, generator(seed, "informative")), "planted")


@pytest.fixture(scope="module")
def mixed():
    """Four subjects, with forced trials, missed choices and lost rows."""
    parts = [frame_of(seed=seed).assign(subject=f"s{seed}") for seed in range(4)]
    found, rng = pd.concat(parts, ignore_index=True), generator(2, "holes")
    found["trial_type"] = found["trial_type"].mask(rng.random(len(found)) < 0.05, "forced")
    missed = rng.random(len(found)) < 0.05
    found["choice"], found["reward"] = found["choice"].mask(missed), found["reward"].mask(missed)
    return conform(found[rng.random(len(found)) > 0.03].reset_index(drop=True))


def values(found, kind="summary", index="statistic"):
    own = found[kind]
    return own[own["subject"] == "all"].set_index(index)["value"]


def rows_by_episode(frame):
    for _, own in frame.groupby(["subject", "session", "episode"]):
        yield {row["trial"]: row for row in own.to_dict("records")}


def free(row):
    return row is not None and row["trial_type"] == "free" and not pd.isna(row["choice"])


def test_summaries_equal_slow_loops_over_the_rows(mixed):
    found, first, whole, optimal, reward, regret = values(analyse(mixed, replicates=10)), [], 0, 0, [], []
    for rows in rows_by_episode(mixed):
        if free(rows.get(1)):
            first.append(rows[1]["choice"] == 10)
        if all(free(rows.get(t)) for t in range(1, 6)):
            whole += 1
            wanted = [10, *(rows[t]["better_option"] for t in range(2, 6))]
            optimal += [rows[t]["choice"] for t in range(1, 6)] == wanted
        own = [row for row in rows.values() if free(row)]
        if own:
            reward.append(sum(row["reward"] for row in own))
            pays = [[row[f"expected_reward_{k}"] for k in range(11)] for row in own]
            regret.append(sum(max(p) - p[row["choice"]] for p, row in zip(pays, own)))
    assert 0 < optimal < whole < len(first)
    assert found["informative_trial_1"] == pytest.approx(np.mean(first))
    assert found["optimal_episodes"] == pytest.approx(optimal / whole)
    assert found["episode_reward"] == pytest.approx(np.mean(reward))
    assert found["regret"] == pytest.approx(np.mean(regret))


def test_curves_equal_slow_loops_over_the_rows(mixed):
    found, hits, regret = values(analyse(mixed, replicates=10), "curves", ["curve", "x"]), {}, {}
    for rows in rows_by_episode(mixed):
        for t, row in rows.items():
            if free(row):
                kind = 0 if row["choice"] == 10 else 1 if row["choice"] == row["better_option"] else 2
                for k, name in enumerate(KINDS):
                    hits.setdefault((name, t), []).append(kind == k)
                pays = [row[f"expected_reward_{k}"] for k in range(11)]
                regret.setdefault(t, []).append(max(pays) - pays[row["choice"]])
    for key, own in hits.items():
        assert found[key] == pytest.approx(np.mean(own)), key
    total = np.cumsum([np.mean(regret[t]) for t in sorted(regret)])
    assert [found["regret", t] for t in sorted(regret)] == pytest.approx(total)


def test_the_optimum_asks_first_and_then_takes_the_target_in_every_episode():
    found = values(analyse(frame_of(InformativeOptimum), replicates=10))
    assert found["informative_trial_1"] == found["optimal_episodes"] == 1 and found["better_choice"] == 0.8
    assert found["episode_reward"] + found["regret"] == pytest.approx(25)
    thompson = values(analyse(frame_of(ThompsonTarget), replicates=10))
    assert thompson["informative_trial_1"] == thompson["optimal_episodes"] == 0


def test_asking_first_is_not_enough_to_follow_the_optimal_policy():
    frame = frame_of(InformativeOptimum, 10)
    late = (frame["episode"] == 3) & (frame["trial"] == 5)
    frame.loc[late, "choice"] = (frame.loc[late, "better_option"] + 1) % 10
    found = values(analyse(frame, replicates=10))
    assert found["informative_trial_1"] == 1 and found["optimal_episodes"] == pytest.approx(0.9)


@pytest.mark.parametrize("name", ["random", "ucb", "thompson_target", "bayes_optimal"])
def test_an_analysis_of_two_options_is_left_out_where_there_are_eleven(name):
    learner = AGENTS[name].load()(TASK)
    found = analyse(table(play(learner, TASK, 30, generator(3, name)), name), replicates=10)
    assert "history" not in set(found["regressions"]["regression"])
    assert not {"reward_kernel", "choice_kernel"} & set(found["curves"]["curve"])
    assert {"stay", "stay_probability"} <= set(found["regressions"]["regression"])
    assert found["summary"]["value"].notna().all() and found["curves"]["value"].notna().all()


def test_statistics_of_this_task_are_left_out_on_another():
    task = TASKS["reversal"]
    learner = AGENTS["thompson"].load()(task)
    found = analyse(table(play(learner, task, 20, generator(4, "reversal")), "thompson"), replicates=10)
    assert not set(OWN) & set(found["summary"]["statistic"]) and not set(KINDS) & set(found["curves"]["curve"])
    assert "history" in set(found["regressions"]["regression"])


def test_regret_is_unknown_where_an_options_expected_reward_is():
    frame = frame_of(count=4)
    frame.loc[frame["episode"] == 2, "expected_reward_7"] = pd.NA
    e = episodes(frame)
    assert np.isnan(e.regret[1]).all() and not np.isnan(e.regret[[0, 2, 3]]).any()


def test_subjects_share_episodes_if_their_arms_pay_the_same():
    twin = pd.concat([frame_of(seed=1).assign(subject=name) for name in ("a", "b")], ignore_index=True)
    other = pd.concat([frame_of(seed=k).assign(subject=f"s{k}") for k in (1, 2)], ignore_index=True)
    assert shared(episodes(twin)) and not shared(episodes(other))
