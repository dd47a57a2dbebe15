"""Trial tables for the tests of the behavioural analyses: built from arrays, or made by simple learners."""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import trials

NAME = "costa2016_monkey_prl"


def table(choice, reward, better=None, high=None, block=None, subject=None, session=None, source="planted", **columns):
    """Trial table of (episodes, trials) arrays; ``subject`` and ``session`` are per episode."""
    choice, reward = np.asarray(choice), np.asarray(reward, float)
    episodes, length = choice.shape
    subject = np.full(episodes, "s1") if subject is None else np.asarray(subject)
    session = np.ones(episodes, int) if session is None else np.asarray(session)
    number = pd.DataFrame({"a": subject, "b": session}).groupby(["a", "b"]).cumcount().to_numpy() + 1
    spread = lambda x: np.repeat(x, length)  # noqa: E731
    frame = pd.DataFrame({
        "source": source, "species": "learner", "task": "reversal", "subject": spread(subject),
        "session": spread(session), "episode": spread(number), "trial": np.tile(np.arange(1, length + 1), episodes),
        "block": 1 if block is None else np.asarray(block).ravel(), "trial_type": "free", "options": 2,
        "choice": choice.ravel(), "reward": reward.ravel(),
    })  # fmt: skip
    if better is not None:
        better = np.broadcast_to(better, choice.shape)
        if high is not None:
            p = np.where(better == 1, high, 1 - np.asarray(high))
            frame["reward_probability_0"], frame["reward_probability_1"] = (1 - p).ravel(), p.ravel()
        frame["better_option"] = better.ravel()
    for name, values in columns.items():
        frame[name] = values if np.ndim(values) == 0 else np.asarray(values, object).ravel()
    return trials.conform(frame)


def reversal_schedule(episodes, length, generator):
    """Better option and block, (episodes, trials): one reversal in the middle third."""
    first = generator.integers(2, size=(episodes, 1))
    turn = generator.integers(length // 3, 2 * length // 3, size=(episodes, 1))
    after = np.arange(length) >= turn
    return np.where(after, 1 - first, first), 1 + after


def play(rule, episodes, length, generator, high=0.8, subjects=1, sessions=1):
    """Table of a learner with P(choice = 1) = rule(choices so far, rewards so far); both (episodes, trials so far)."""
    total = episodes * subjects * sessions
    better, block = reversal_schedule(total, length, generator)
    choice, reward = np.zeros((total, length), int), np.zeros((total, length))
    for t in range(length):
        choice[:, t] = generator.random(total) < rule(choice[:, :t], reward[:, :t])
        reward[:, t] = generator.random(total) < np.where(choice[:, t] == better[:, t], high, 1 - high)
    who = np.arange(total)
    subject = np.array([f"s{k:02d}" for k in who // (episodes * sessions)])
    return table(choice, reward, better, high, block, subject, 1 + who // episodes % sessions)


def win_stay_lose_shift(choice, reward):
    if not choice.shape[1]:
        return np.full(len(choice), 0.5)
    return np.where(reward[:, -1] > 0, choice[:, -1], 1 - choice[:, -1]).astype(float)


def rescorla_wagner(choice, reward, alpha=0.4, beta=5.0):
    q = np.full((2, len(choice)), 0.5)
    for t in range(choice.shape[1]):
        for k in (0, 1):
            q[k] += np.where(choice[:, t] == k, alpha * (reward[:, t] - q[k]), 0)
    return 1 / (1 + np.exp(-beta * (q[1] - q[0])))


def ragged(generator, subjects=3, sessions=2, episodes=6, length=24):
    """Rescorla–Wagner behaviour with forced trials, missed choices and lost rows; rows shuffled."""
    found = play(rescorla_wagner, episodes, length, generator, subjects=subjects, sessions=sessions)
    n = len(found)
    found["trial_type"] = found["trial_type"].mask(generator.random(n) < 0.1, "forced")
    missed = generator.random(n) < 0.07
    found["choice"], found["reward"] = found["choice"].mask(missed), found["reward"].mask(missed)
    found = found[generator.random(n) > 0.05]
    return trials.check(found.sample(frac=1, random_state=3).reset_index(drop=True))


def monkeys():
    """The four monkeys' table; the test is skipped, loudly, where the file is not on this machine."""
    from pipeline.primates.load import load

    root = Path(__file__).parents[1]
    places = [os.environ.get("PRIMATE_DATA_DIR"), root.parent / "shared" / "data", root / "data"]
    folder = next((Path(p) for p in places if p and (Path(p) / NAME / "all_stats_costa.mat").is_file()), None)
    if folder is None:
        reason = "THE MONKEYS' BEHAVIOUR WAS NOT CHECKED: set PRIMATE_DATA_DIR to a folder with costa2016_monkey_prl"
        warnings.warn(reason, stacklevel=2)
        pytest.skip(reason)
    return load(NAME, folder)
