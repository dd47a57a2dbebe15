"""235 people, reversal learning with amounts on offer in stable and volatile blocks (Gagne et al. 2020).

One CSV file per run of 180 trials: ``choice`` 1 green, 0 blue, empty where none was made; ``green_outcome`` 1 if the
outcome fell on green, 0 if on blue; ``green_mag`` and ``blue_mag`` the amounts on offer, as shares of the largest
(negative where the outcome is bad); ``rt`` in ms; ``block`` stable or volatile, 90 trials each; ``run`` the third of
the run between two pauses. Experiment 1 (in the laboratory) had a run with money and a run with electric stimulation,
experiment 2 (online) a run with gains and a run with losses; ``participant_table_exp1.csv`` and ``…exp2.csv`` say which
came first.

A person receives the amount of the option chosen if the outcome falls on it, and nothing if it falls on the other. The
outcome is shown on every trial, so that what the other option would have paid is known.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.errors import UserError
from pipeline.primates.csv_file import REMEDY, Csv

SOURCE = "gagne2020_human_volatility"
TRIALS, STRETCH = 180, 90  # trials of a run and of each of its two blocks
RUN = re.compile(
    r".*/behavioral_(?:trial_table_(?P<a>[a-z]+\d+)_(?P<lab>pain|rew)|tablehit_batch_(?P<web>gain|loss)_(?P<b>mturk\d+))"
    r"_modelready\.csv"
)
PEOPLE = {"laboratory": "data/participant_table_exp1.csv", "online": "data/participant_table_exp2.csv"}
CONDITIONS = {"rew": "reward", "pain": "pain", "gain": "gain", "loss": "loss"}  # in file names → in the trial table
BAD = ("pain", "loss")
# Runs left out by the authors (data_processing_code/exclude.py of the release: "exclude_based_on_post_task"). Its lists
# also name cb66, cb83 and c88 for pain, and cb22, cb66, cb83 and cb200 for reward: there are no such runs.
EXCLUDED = {
    "pain": ("cb1", "cb5", "cb14", "cb65", "cb70", "cb77", "cb82", "cb98", "cb200"),
    "reward": ("cb2", "cb7", "cb14", "cb53", "cb88"),
}


@dataclass(frozen=True)
class Run:
    """One file, checked and otherwise as it is; leading axis: its 180 trials. Options 0 blue, 1 green."""

    subject: str
    group: str  # laboratory | online
    condition: str  # reward | pain | gain | loss
    choice: np.ndarray  # 0, 1 or NaN
    outcome: np.ndarray  # (180, 2) 1 for the option on which the outcome fell
    magnitude: np.ndarray  # (180, 2)
    volatile: np.ndarray  # bool
    response_time: np.ndarray  # ms or NaN


def runs(files: Mapping[str, Path]) -> Iterator[Run]:
    """Read and check the files of all runs, in the order of their paths.

    Raises
    ------
    UserError
        If a file cannot be read, lacks a column, does not hold 180 trials, or holds a value that this task cannot
        produce, naming file, column, row and value.
    """
    for name in sorted(files):
        found = RUN.fullmatch(name)
        if found:
            condition = CONDITIONS[found["lab"] or found["web"]]
            group = "laboratory" if found["lab"] else "online"
            yield _run(files[name], found["a"] or found["b"], group, condition)


def _run(path: Path, subject: str, group: str, condition: str) -> Run:
    table = Csv(path, TRIALS)
    sign = -1 if condition in BAD else 1
    amounts = f"{'-1 ≤ amount < 0' if sign < 0 else '0 < amount ≤ 1'} ({condition})"
    flag = lambda v: np.isin(v, (0, 1))  # noqa: E731
    offered = [table.numbers(n, amounts, lambda v: (sign * v > 0) & (sign * v <= 1)) for n in ("blue_mag", "green_mag")]
    green = table.numbers("green_outcome", "0 or 1", flag)
    volatile = np.array(table.text("block", ("stable", "volatile"))) == "volatile"
    expected = np.where(np.arange(TRIALS) < STRETCH, volatile[0], ~volatile[0])
    table.refuse("block", volatile != expected, f"{STRETCH} trials of one kind, then {STRETCH} of the other")
    choice = table.numbers("choice", "1 (green), 0 (blue)", flag, missing="")
    time = table.numbers("rt", "milliseconds from 0", lambda v: v >= 0, missing="")
    return Run(
        subject, group, condition, choice, np.stack([1 - green, green], -1), np.stack(offered, -1), volatile, time
    )


def sessions(files: Mapping[str, Path], found: list[Run]) -> list[int]:
    """Give each run its place among the runs of its person: 1 the first, 2 the second.

    The table of experiment 1 lacks the place of seven runs; each is of a person whose other run was the second.

    Raises
    ------
    UserError
        If the participants' tables do not say which of two runs came first.
    """
    place = {}
    for group, name in PEOPLE.items():
        if name not in files:
            continue
        table = Csv(files[name])
        subject = table.text("MID")
        if group == "online":
            first = table.text("task_order", ("gain_first", "loss_first"))
            place |= {(s, c): 1 if f == f"{c}_first" else 2 for s, f in zip(subject, first) for c in ("gain", "loss")}
        else:
            position = table.numbers("task_position", "1 or 2", lambda v: np.isin(v, (1, 2)), missing="NaN")
            place |= dict(zip(zip(subject, table.text("task", ("pain", "reward"))), np.nan_to_num(position, nan=1.0)))
    own: dict[str, list[Run]] = {}
    for run in found:
        own.setdefault(run.subject, []).append(run)
    number = {}
    for subject, both in own.items():
        places = {run.condition: place.get((subject, run.condition)) for run in both}
        if len(both) == 1:
            number[subject, both[0].condition] = 1
        elif None in places.values() or len(set(places.values())) < len(both):
            raise UserError(
                f"{', '.join(str(files[n]) for n in PEOPLE.values() if n in files) or 'participant tables'}: they do "
                f"not say which run of {subject!r} came first ({', '.join(places)}); {REMEDY}"
            )
        else:
            number |= {(subject, c): 1 + sum(p < own_place for p in places.values()) for c, own_place in places.items()}
    return [number[run.subject, run.condition] for run in found]


def read(files: Mapping[str, Path]) -> pd.DataFrame:
    """Trial table of every run; a run is a session of its person and one episode, across its two blocks.

    ``magnitude_k`` are the amounts on offer (negative for pain and loss), ``outcome_k`` is 1 for the option on which
    the outcome fell and 0 for the other, reward is magnitude × outcome of the option chosen. ``volatility`` is 0 in the
    stable and 1 in the volatile block. See `without_excluded` for the authors' own selection of runs.

    Parameters
    ----------
    files : mapping
        Path as in ``resources/datasets.csv`` → file on this machine.
    """
    found = list(runs(files))
    if not found:
        raise UserError(f"{SOURCE}: none of {len(files)} files is a run (…_modelready.csv); see resources/datasets.csv")
    each = lambda values: np.repeat(list(values), TRIALS)  # noqa: E731
    together = {name: np.concatenate([getattr(run, name) for run in found]) for name in ("choice", "response_time")}
    outcome, magnitude = (np.concatenate([getattr(run, n) for run in found]) for n in ("outcome", "magnitude"))
    volatile = np.stack([run.volatile for run in found])
    missed = np.isnan(together["choice"])
    chosen = np.where(missed, 0, together["choice"]).astype(int)
    paid = (magnitude * outcome)[np.arange(len(chosen)), chosen] + 0.0  # no -0
    return trials.conform(
        pd.DataFrame(
            {
                "source": SOURCE,
                "species": "human",
                "task": "gagne_volatility",
                "subject": each(run.subject for run in found),
                "session": each(sessions(files, found)),
                "episode": 1,
                "trial": np.tile(np.arange(1, TRIALS + 1), len(found)),
                "block": 1 + (volatile != volatile[:, :1]).ravel(),
                "trial_type": "free",
                "options": 2,
                "choice": pd.array(together["choice"]).astype("Int32"),
                "reward": np.where(missed, np.nan, paid),
                "group": each(run.group for run in found),
                "condition": each(run.condition for run in found),
                **{f"magnitude_{k}": magnitude[:, k] for k in (0, 1)},
                **{f"outcome_{k}": outcome[:, k] for k in (0, 1)},
                "volatility": volatile.ravel().astype(float),
                "response_time": np.where(missed, np.nan, together["response_time"] / 1000),
            }
        )
    )


def without_excluded(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the 14 runs of experiment 1 that the authors left out (`EXCLUDED`)."""
    out = np.zeros(len(table), bool)
    for condition, people in EXCLUDED.items():
        out |= ((table["condition"] == condition) & table["subject"].isin(people)).to_numpy(bool)
    return table[~out].reset_index(drop=True)


def facts(table: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics of each condition, as kept in ``resources/gagne2020_summary.csv``.

    Counts ``people``, ``runs``, ``trials`` and ``missed`` (trials without a choice). Of the trials with a choice:
    ``good_outcome``, the share with a reward (reward, gain) or without a loss (pain, loss); ``green``, P(c_t = 1);
    ``larger_magnitude`` = P(c_t is the option of the larger, or less negative, amount), of those where they differ; and
    ``follows_outcome`` = P(c_t is the option that would have been better on trial t − 1), in all, ``…_stable`` and
    ``…_volatile``; ``response_time``, the median in s.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns subject (a condition; "all": trials of all conditions pooled), statistic, value (6 decimals), n
        (observations behind the value; missing for counts).
    """
    run = ["subject", "session"]
    table = table.sort_values([*run, "trial"], kind="stable")
    numeric = table.select_dtypes("number")
    number = {name: numeric[name].to_numpy(float, na_value=np.nan) for name in numeric}
    condition = table["condition"].to_numpy(str)
    made, bad = ~np.isnan(number["choice"]), np.isin(condition, BAD)
    difference = number["magnitude_1"] - number["magnitude_0"]
    good = np.where(bad, number["outcome_0"], number["outcome_1"])
    last = pd.Series(good, table.index).groupby([table[name] for name in run]).shift().to_numpy()
    follows, known = number["choice"] == last, made & ~np.isnan(last)
    volatile = number["volatility"] == 1
    proportions = {
        "good_outcome": (number["choice"] == good, made),
        "green": (number["choice"] == 1, made),
        "larger_magnitude": (number["choice"] == (difference > 0), made & (difference != 0)),
        "follows_outcome": (follows, known),
        "follows_outcome_stable": (follows, known & ~volatile),
        "follows_outcome_volatile": (follows, known & volatile),
    }
    rows = []
    for name in (*CONDITIONS.values(), "all"):
        own = np.ones(len(table), bool) if name == "all" else condition == name
        rows += [
            (name, "people", table.loc[own, "subject"].nunique(), None),
            (name, "runs", len(table.loc[own, run].drop_duplicates()), None),
            (name, "trials", int(own.sum()), None),
            (name, "missed", int((own & ~made).sum()), None),
        ]
        for statistic, (event, given) in proportions.items():
            rows.append((name, statistic, round(event[own & given].mean(), 6), int((own & given).sum())))
        times = number["response_time"][own & made]
        rows.append((name, "response_time", round(float(np.median(times)), 6), len(times)))
    found = pd.DataFrame(rows, columns=["subject", "statistic", "value", "n"])
    return found.astype({"subject": "string", "statistic": "string", "value": "Float64", "n": "Int64"})
