"""Four monkeys, probabilistic object reversal (Costa et al. 2016, as released by Trepka et al. 2021).

The file holds one MATLAB struct per problem ("superblock"): ``c`` choice (−1 or +1: which object), ``r`` reward (0 or
1), ``hr_side`` the better object, ``rewardprob`` (80 × 2, objects −1 and +1), ``block_addresses`` [1, first trial of
the second block, 80] counted from 1, ``prob8020`` and ``prob7030``, ``abs_superblock_idx`` the problem's number
within a day, and ``animal_ids``, a MATLAB string object. (The README of the release describes ``c`` and ``r`` the
wrong way round.)

**The labels are one trial late.** ``hr_side``, ``rewardprob`` and ``block_addresses`` change together, but the
outcomes follow the reversed contingency one trial earlier. `Problems` keeps the file's labels; the trial table of
`read` has the corrected ones.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.errors import UserError

SOURCE = "costa2016_monkey_prl"
FILE = "all_stats_costa.mat"
TRIALS = 80
LABEL_LATE = 1  # trials by which the file's reversal labels lag behind the outcomes
FOLLOWED = 20  # trials after the reversal kept as facts; every problem has at least 30


@dataclass(frozen=True)
class Problems:
    """The file's content, checked and otherwise as it is; leading axis: problems in the order of the file.

    ``subject`` (P,) text; ``index`` (P,) number of the problem within its day; ``label`` (P,) first trial of the
    second block on the file's label, counted from 1; ``choice`` (P, 80) −1 or +1; ``reward`` (P, 80) 0 or 1;
    ``better`` (P, 80) −1 or +1; ``probability`` (P, 80, 2) of the objects −1 and +1.
    """

    subject: np.ndarray
    index: np.ndarray
    label: np.ndarray
    choice: np.ndarray
    reward: np.ndarray
    better: np.ndarray
    probability: np.ndarray

    def sessions(self) -> tuple[np.ndarray, np.ndarray]:
        """Session and episode of each problem, both (P,), counted from 1.

        A session is a recording day, inferred: within an animal it ends where the problem's number does not grow.
        """
        number = pd.Series(self.index)
        new_day = (number.groupby(self.subject).diff() <= 0).astype(int)
        session = 1 + new_day.groupby(self.subject).cumsum()
        episode = 1 + number.groupby([self.subject, session]).cumcount()
        return session.to_numpy(), episode.to_numpy()


def problems(path: Path) -> Problems:
    """Read the MATLAB file and check every value.

    Raises
    ------
    UserError
        If the file cannot be read or holds a value that this task cannot produce, naming problem, field and value.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matio sets a pandas option that pandas 3 has by default
        from matio import load_from_mat  # scipy returns None for MATLAB string objects

    try:
        structs = load_from_mat(str(path))["all_stats"].ravel()
    except Exception as error:  # a damaged file may fail anywhere in the decoder
        raise UserError(
            f"{path}: not a readable MATLAB file with the variable all_stats ({type(error).__name__}: {error}); "
            "delete it to have it downloaded again"
        ) from None

    def field(name: str, shape: tuple[int, ...], allowed: tuple[float, ...] | None = None) -> np.ndarray:
        found = []
        for number, struct in enumerate(structs, 1):
            try:
                values = np.asarray(struct[name][0, 0], float)
            except (KeyError, ValueError, TypeError, IndexError):
                raise UserError(
                    f"{path}: problem {number} has no numeric field {name!r}; is it another release?"
                ) from None
            if values.shape != shape:
                raise UserError(f"{path}: problem {number}: {name} has shape {values.shape}, expected {shape}")
            wrong = ~np.isfinite(values) if allowed is None else ~np.isin(values, allowed)
            if wrong.any():
                at = np.argwhere(wrong)[0]
                limits = "a finite number" if allowed is None else f"one of {', '.join(f'{a:g}' for a in allowed)}"
                raise UserError(f"{path}: problem {number}: {name} holds {values[tuple(at)]:g} in row {at[0] + 1}; "
                                f"allowed: {limits}")  # fmt: skip
            found.append(values)
        return np.asarray(found)

    addresses = field("block_addresses", (3, 1))[..., 0]
    eighty, seventy = (field(name, (2, 1), (0, 1))[..., 0] for name in ("prob8020", "prob7030"))
    loaded = Problems(
        subject=np.array([_animal(path, number, struct) for number, struct in enumerate(structs, 1)], dtype=object),
        index=field("abs_superblock_idx", (1, 1))[:, 0, 0],
        label=addresses[:, 1].astype(int),
        choice=field("c", (TRIALS, 1), (-1, 1))[..., 0].astype(int),
        reward=field("r", (TRIALS, 1), (0, 1))[..., 0].astype(int),
        better=field("hr_side", (TRIALS, 1), (-1, 1))[..., 0].astype(int),
        probability=field("rewardprob", (TRIALS, 2), (0.2, 0.3, 0.7, 0.8)),
    )
    after = np.arange(1, TRIALS + 1) >= loaded.label[:, None]
    first = loaded.better[:, :1]
    high = np.where(eighty == 1, 0.8, 0.7)[:, :1]
    for wrong, said in (
        ((addresses[:, 0] != 1) | (addresses[:, 2] != TRIALS), f"block_addresses is not [1, reversal, {TRIALS}]"),
        ((addresses[:, 1] % 1 != 0) | ~np.isin(loaded.label, range(3, TRIALS)), "no reversal within the problem"),
        ((loaded.index < 1) | (loaded.index % 1 != 0), "abs_superblock_idx is not a whole number from 1"),
        ((eighty + seventy != 1).any(1), "it is not one of the schedules 80/20 and 70/30"),
        ((loaded.better != np.where(after, -first, first)).any(1), "hr_side does not change at block_addresses"),
        ((loaded.probability.max(-1) != high).any(1), "rewardprob is not the schedule of prob8020, prob7030"),
        (~np.isclose(loaded.probability.sum(-1), 1).all(1), "rewardprob does not sum to 1"),
        ((np.sign(loaded.probability[..., 1] - 0.5) != loaded.better).any(1), "rewardprob and hr_side disagree"),
    ):
        if wrong.any():
            raise UserError(f"{path}: problem {int(wrong.argmax()) + 1}: {said}; is it another release?")
    return loaded


def _animal(path: Path, number: int, struct) -> str:
    try:
        (name,) = np.ravel(struct["animal_ids"][0, 0]).tolist()
    except (KeyError, ValueError, TypeError, IndexError):
        name = None
    if not isinstance(name, str) or not name.isalnum():
        raise UserError(f"{path}: problem {number}: animal_ids is {name!r}, expected one name of letters and digits")
    return name


def read(files: Mapping[str, Path]) -> pd.DataFrame:
    """Trial table with the reversal where the outcomes have it.

    Block 2, and with it latent probabilities and better option, begins on the first reversed outcome, trial
    ``block_addresses[1] − 1`` (counted from 1).

    Parameters
    ----------
    files : mapping
        Path as in ``resources/datasets.csv`` → file on this machine.
    """
    return _table(problems(files[FILE]), LABEL_LATE)


def read_file_labels(files: Mapping[str, Path]) -> pd.DataFrame:
    """Trial table with block, latent probabilities and better option exactly as the file labels them: one trial late.

    For comparison with numbers computed on the release as it is. Rows, keys, choices and rewards are those of `read`.
    """
    return _table(problems(files[FILE]), 0)


def _table(loaded: Problems, late: int) -> pd.DataFrame:
    count = len(loaded.subject)
    trial = np.broadcast_to(np.arange(1, TRIALS + 1), (count, TRIALS))
    reversed_ = trial >= (loaded.label - late)[:, None]
    probability = np.where(reversed_[..., None], loaded.probability[:, -1:], loaded.probability[:, :1])
    session, episode = loaded.sessions()
    return trials.conform(
        pd.DataFrame(
            {
                "source": SOURCE,
                "species": "monkey",
                "task": "reversal",
                "subject": np.repeat(loaded.subject, TRIALS),
                "session": np.repeat(session, TRIALS),
                "episode": np.repeat(episode, TRIALS),
                "trial": trial.ravel(),
                "block": 1 + reversed_.ravel(),
                "trial_type": "free",
                "options": 2,
                "choice": (loaded.choice.ravel() + 1) // 2,
                "reward": loaded.reward.ravel(),
                "reward_probability_0": probability[..., 0].ravel(),
                "reward_probability_1": probability[..., 1].ravel(),
                "better_option": probability.argmax(-1).ravel(),
            }
        )
    )


def facts(table: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics of each animal, as kept in ``resources/costa2016_summary.csv``.

    Counts ``trials``, ``problems``, ``sessions``; ``reward_rate``; ``win_stay`` = P(c_t = c_{t−1} | r_{t−1} = 1) and
    ``lose_shift`` = P(c_t ≠ c_{t−1} | r_{t−1} = 0) within problems; ``better_choice`` = P(c_t is the better object)
    on the corrected labels, ``better_choice_file_labels`` on the file's; ``better_choice_trial_1`` … ``_10`` of a
    problem; and ``newly_better_after_0`` … ``_19`` = P(c_t is the newly better object) so many trials after the first
    reversed trial.

    Parameters
    ----------
    table : pandas.DataFrame
        As `read` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns subject ("all": trials of all animals pooled), statistic, value (6 decimals), n (observations behind the
        value; missing for counts).
    """
    problem = ["subject", "session", "episode"]
    choice, reward, better = (table[name].to_numpy(float) for name in ("choice", "reward", "better_option"))
    trial, block = table["trial"].to_numpy(int), table["block"].to_numpy(int)
    before = table.groupby(problem, sort=False)[["choice", "reward", "block"]].shift().astype(float)
    stay = (choice == before["choice"]).to_numpy()
    won, lost = (before["reward"] == 1).to_numpy(), (before["reward"] == 0).to_numpy()
    first_reversed = ((block == 2) & (before["block"] == 1)).to_numpy()
    reversal = pd.Series(np.where(first_reversed, trial, 0), table.index)
    after = trial - reversal.groupby([table[name] for name in problem]).transform("max").to_numpy()
    chose_better = choice == better
    everything = np.ones(len(table), bool)
    proportions = {
        "reward_rate": (reward == 1, everything),
        "win_stay": (stay, won),
        "lose_shift": (~stay, lost),
        "better_choice": (chose_better, everything),
        "better_choice_file_labels": (chose_better ^ first_reversed, everything),
        **{f"better_choice_trial_{t}": (chose_better, trial == t) for t in range(1, 11)},
        **{f"newly_better_after_{t}": (chose_better, after == t) for t in range(FOLLOWED)},
    }
    rows = []
    for subject in (*table["subject"].unique(), "all"):
        own = everything if subject == "all" else (table["subject"] == subject).to_numpy(bool)
        for name, keys in (("trials", [*problem, "trial"]), ("problems", problem), ("sessions", problem[:2])):
            rows.append((subject, name, len(table.loc[own, keys].drop_duplicates()), None))
        for name, (event, given) in proportions.items():
            rows.append((subject, name, round(event[own & given].mean(), 6), int((own & given).sum())))
    found = pd.DataFrame(rows, columns=["subject", "statistic", "value", "n"])
    return found.astype({"subject": "string", "statistic": "string", "value": "Float64", "n": "Int64"})
