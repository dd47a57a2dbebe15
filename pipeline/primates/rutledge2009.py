"""78 people, dynamic foraging with baited options (Rutledge et al. 2009, as released by Bari & Gershman 2023).

The file holds one struct per session, in ``data``: ``pop`` 1 young, 2 elderly, 3 Parkinson's disease off and 4 on
dopaminergic drugs (the i-th session of 3 and the i-th of 4 are the same person); ``N`` trials; ``block``; ``trial``
within the block; ``action`` 1 or 2; ``reward`` 0 or 1; ``RT``; ``prob`` (trials × 2) the relative allocation of
rewards to the two options, 6:1 or 3:1, **not** their probabilities.

Options are baited (variable interval): on each trial a reward is armed on option k with probability
p0_k = .30 · ``prob``_k and held there until k is chosen. The latent reward probability is therefore that of an armed
reward, and grows while an option is left alone (`armed`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.errors import UserError
from pipeline.primates.mat import REMEDY, Struct, variables

SOURCE = "rutledge2009_human_dynamic_foraging"
FILE = "rutledge09_data.mat"
POPULATIONS = {1: ("young", None), 2: ("elderly", None), 3: ("parkinson", "off"), 4: ("parkinson", "on")}
SHARES = (0.43 / 3, 0.25, 0.75, 2.57 / 3)  # of rewards, as the file has them: 6:1 (rounded) and 3:1
ARMING = 0.30  # rewards armed per trial, both options together
SETTLED = 20  # trials of a block before the matching slope


@dataclass(frozen=True)
class Session:
    """The file's numbers of one session, checked and otherwise as they are; leading axis: trials."""

    population: int
    subject: str
    number: int  # of the person's sessions: off drugs 1, on drugs 2
    block: np.ndarray
    choice: np.ndarray  # 1 or 2
    reward: np.ndarray  # 0 or 1
    share: np.ndarray  # (T, 2) relative allocation of rewards
    response_time: np.ndarray  # as in the file


def sessions(path: Path) -> list[Session]:
    """Read the MATLAB file and check every value used.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a field, or holds a value that this task cannot produce, naming the element of
        ``data``, field and value.
    """
    (data,) = variables(path, "data")
    if data.dtype.names is None or not data.size:
        raise UserError(f"{path}: the variable data holds no sessions (one struct each); {REMEDY}")
    found, seen = [], dict.fromkeys(POPULATIONS, 0)
    for number, content in enumerate(data.ravel(), 1):
        place = f"element {number} of data"
        population = int(Struct(path, place, content).numbers("pop", 1, allowed=tuple(POPULATIONS))[0])
        seen[population] += 1
        group, condition = POPULATIONS[population]
        subject = f"{group}{seen[population]:02d}"
        struct = Struct(path, f"{place} ({subject}{f', {condition} drugs' if condition else ''})", content)
        found.append(_session(struct, population, subject))
    if seen[3] != seen[4]:
        raise UserError(f"{path}: {seen[3]} sessions of pop 3 (off drugs) but {seen[4]} of pop 4 (on drugs), which "
                        f"cannot be the same people; {REMEDY}")  # fmt: skip
    return found


def _session(struct: Struct, population: int, subject: str) -> Session:
    count = int(struct.numbers("N", 1, low=1)[0])
    struct.numbers("C", 1, allowed=(2,))
    block = struct.numbers("block", count, low=1)
    share = struct.numbers("prob", count, 2, allowed=SHARES, whole=False)
    session = Session(
        population=population,
        subject=subject,
        number=2 if POPULATIONS[population][1] == "on" else 1,
        block=block,
        choice=struct.numbers("action", count, allowed=(1, 2)),
        reward=struct.numbers("reward", count, allowed=(0, 1)),
        share=share,
        response_time=struct.numbers("RT", count, low=0, whole=False),
    )
    step, trial = np.diff(block, prepend=0), struct.numbers("trial", count, low=1)
    within = 1 + pd.Series(block).groupby(block).cumcount().to_numpy()
    for wrong, values, said in (
        ((step < 0) | (step > 1), block, "block holds {:g} in row {}, which does not follow the row before"),
        (trial != within, trial, "trial holds {:g} in row {}, which does not count the trials of its block from 1"),
        (~np.isclose(share.sum(1), 1), share[:, 0], "prob holds {:g} in row {}, where its two columns do not sum to 1"),
        ((step == 0) & (np.diff(share[:, 0], prepend=0) != 0), share[:, 0],
         "prob holds {:g} in row {}, unlike the row before in the same block"),
    ):  # fmt: skip
        if wrong.any():
            row = int(wrong.argmax())
            raise struct.refuse(said.format(values[row], row + 1))
    return session


def armed(p0: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """Probability that each option holds a reward, given the choices so far, (T, 2).

    P_t(k) = 1 − Π_{s = l + 1 … t} (1 − p0_s(k)), l the last trial before t on which k was chosen (0 if none): a choice
    takes an armed reward away, so that afterwards none is there, whether it paid or not. With constant p0 and n trials
    not chosen just before t this is 1 − (1 − p0)^(n + 1). Rewards stay armed when the block changes.

    Parameters
    ----------
    p0 : array (T, 2)
        Probability that a reward is armed on trial t on option k if none is held there.
    choice : array (T,)
        0 or 1.
    """
    none = np.concatenate([np.zeros((1, 2)), np.cumsum(np.log1p(-p0), 0)])  # log P(nothing armed up to trial t)
    chosen = np.where(choice[:, None] == np.arange(2), np.arange(1, len(choice) + 1)[:, None], 0)
    last = np.concatenate([np.zeros((1, 2), int), np.maximum.accumulate(chosen)[:-1]])
    return -np.expm1(none[1:] - np.take_along_axis(none, last, 0))


def read(files: Mapping[str, Path]) -> pd.DataFrame:
    """Trial table of all sessions of the file; a session is one episode, across its blocks.

    Parameters
    ----------
    files : mapping
        Path as in ``resources/datasets.csv`` → file on this machine.
    """
    return trials.conform(pd.concat([_table(session) for session in sessions(files[FILE])], ignore_index=True))


def _table(session: Session) -> pd.DataFrame:
    group, condition = POPULATIONS[session.population]
    choice = session.choice - 1
    probability = armed(ARMING * session.share, choice)
    return pd.DataFrame(
        {
            "source": SOURCE,
            "species": "human",
            "task": "rutledge_foraging",
            "subject": session.subject,
            "session": session.number,
            "episode": 1,
            "trial": np.arange(1, len(choice) + 1),
            "block": session.block,
            "trial_type": "free",
            "options": 2,
            "choice": choice,
            "reward": session.reward,
            "group": group,
            "condition": pd.array([condition] * len(choice), dtype="string"),
            "reward_probability_0": probability[:, 0],
            "reward_probability_1": probability[:, 1],
            "better_option": session.share.argmax(1),
            "response_time": session.response_time / 1000,
        }
    )


def facts(table: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics of each population, as kept in ``resources/rutledge2009_summary.csv``.

    Counts ``subjects``, ``sessions``, ``trials``; ``reward_rate``; ``win_stay`` = P(c_t = c_{t−1} | r_{t−1} = 1) and
    ``lose_shift`` = P(c_t ≠ c_{t−1} | r_{t−1} = 0) within sessions; ``better_choice`` = P(c_t is the richer option of
    the block); ``matching_slope`` the least-squares slope of log₂(choices of 1 / choices of 0) on log₂(rewards of 1 /
    rewards of 0) over all blocks of the population, each from its trial 21 on, n the blocks with four counts above 0;
    ``blocks_with_a_zero_count`` those without.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns subject (a population: young, elderly, parkinsonoff, parkinsonon; "all": trials of all pooled),
        statistic, value (6 decimals), n (observations behind the value; missing for counts).
    """
    session = ["subject", "session"]
    table = table.sort_values([*session, "trial"], kind="stable")
    choice, reward, better = (table[name].to_numpy(float) for name in ("choice", "reward", "better_option"))
    before = table.groupby(session, sort=False)[["choice", "reward"]].shift().astype(float)
    stay = (choice == before["choice"]).to_numpy()
    everything = np.ones(len(table), bool)
    proportions = {
        "reward_rate": (reward == 1, everything),
        "win_stay": (stay, (before["reward"] == 1).to_numpy()),
        "lose_shift": (~stay, (before["reward"] == 0).to_numpy()),
        "better_choice": (choice == better, everything),
    }
    population = (table["group"] + table["condition"].fillna("")).to_numpy(object)
    rows = []
    for name in (*pd.unique(population), "all"):
        own = everything if name == "all" else population == name
        rows += [
            (name, "subjects", table.loc[own, "subject"].nunique(), None),
            (name, "sessions", len(table.loc[own, session].drop_duplicates()), None),
            (name, "trials", int(own.sum()), None),
        ]
        for statistic, (event, given) in proportions.items():
            rows.append((name, statistic, round(event[own & given].mean(), 6), int((own & given).sum())))
        slope, blocks, dropped = _matching(table[own])
        rows.append((name, "matching_slope", round(slope, 6), blocks))
        rows.append((name, "blocks_with_a_zero_count", dropped, None))
    found = pd.DataFrame(rows, columns=["subject", "statistic", "value", "n"])
    return found.astype({"subject": "string", "statistic": "string", "value": "Float64", "n": "Int64"})


def _matching(table: pd.DataFrame) -> tuple[float, int, int]:
    """Fit the matching slope over the blocks of a table; with the number of blocks behind it, and of those left out."""
    block = ["subject", "session", "block"]
    late = table[table.groupby(block).cumcount() >= SETTLED]
    chose = late["choice"].astype(int)
    rewards = {"r0": (1 - chose) * late["reward"], "r1": chose * late["reward"]}
    counts = pd.DataFrame({"c0": 1 - chose, "c1": chose, **rewards})
    counts = counts.groupby([late[name] for name in block]).sum().astype(float)
    kept = counts[(counts > 0).all(axis=1)]
    x, y = np.log2(kept["r1"] / kept["r0"]), np.log2(kept["c1"] / kept["c0"])
    return np.polyfit(x, y, 1)[0], len(kept), len(counts) - len(kept)
