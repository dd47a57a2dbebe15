"""One monkey, one session: reversal with amounts on offer, stable and volatile (the task of Donahue & Lee).

The file of Spitmaan et al. 2020 holds a recording of one neuron with its behaviour, ``neuronDataSample.trialData``
(640 × 13), columns counted from 1: 3 trial, 4 side and 5 colour of the target chosen, 6 whether it paid (these by the
authors' own script), 7 and 8 probability in % that colour 0 and colour 1 pay, 9 and 10 their amounts (1, 2, 4 or 8), 11
whether the stretch is volatile. Columns 7–11 are unnamed in the release and were told from the numbers: colour c pays
.84 where column 7 + c holds 80 and .18 where it holds 20, and the larger amount of columns 9 and 10 is preferred.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.primates.mat import Struct, variables

SOURCE = "donahue_lee_monkey_prl_magnitude"
FILE = "neuronDataSample.mat"
SUBJECT = "monkey1"  # the release names none
AMOUNTS = (1, 2, 4, 8)
LARGEST = AMOUNTS[-1]  # the unit of reward and magnitude in the trial table, so that 1 is the most a trial can pay
COLUMNS = {  # column of the file, counted from 1 → what it may hold
    4: (0, 1), 5: (0, 1), 6: (0, 1), 7: (20, 80), 8: (20, 80), 9: AMOUNTS, 10: AMOUNTS, 11: (0, 1),
}  # fmt: skip


@dataclass(frozen=True)
class Session:
    """The file's numbers, checked and otherwise as they are; leading axis: trials. Options are the two colours."""

    choice: np.ndarray  # colour, 0 or 1
    side: np.ndarray  # 0 or 1
    paid: np.ndarray  # 0 or 1
    percent: np.ndarray  # (T, 2)
    amount: np.ndarray  # (T, 2)
    volatile: np.ndarray  # 0 or 1


def session(path: Path) -> Session:
    """Read the MATLAB file and check every value used.

    Raises
    ------
    UserError
        If the file cannot be read, has no table of 13 columns, or holds a value that this task cannot produce, naming
        column, row and value.
    """
    (sample,) = variables(path, "neuronDataSample")
    struct = Struct(path, "neuronDataSample", sample.ravel()[0] if sample.size else sample)
    data = struct.numbers("trialData", columns=13)
    limits = {3: (data[:, 2] == np.arange(1, len(data) + 1), "1, 2, 3, …")}
    limits |= {
        c: (np.isin(data[:, c - 1], known), f"one of {', '.join(map(str, known))}") for c, known in COLUMNS.items()
    }
    limits[8] = (limits[8][0] & (data[:, 6:8].sum(1) == 100), "20 or 80, 100 together with column 7")
    for column, (right, said) in limits.items():
        if not right.all():
            row = int(right.argmin())
            raise struct.refuse(
                f"trialData holds {data[row, column - 1]} in row {row + 1}, column {column}; allowed: {said}"
            )
    return Session(data[:, 4], data[:, 3], data[:, 5], data[:, 6:8], data[:, 8:10], data[:, 10])


def read(files: Mapping[str, Path]) -> pd.DataFrame:
    """Trial table of the session, one episode.

    Choice is the colour; amounts and rewards are in units of the largest amount, 8; a block is a stretch of constant
    probabilities (80 trials in stable, 20 in volatile stretches, where ``volatility`` is 1). Whether the colour not
    chosen would have paid is not known.

    Parameters
    ----------
    files : mapping
        Path as in ``resources/datasets.csv`` → file on this machine.
    """
    found = session(files[FILE])
    count = len(found.choice)
    chosen = found.choice[:, None] == (0, 1)
    magnitude, probability = found.amount / LARGEST, found.percent / 100
    value = found.amount * found.percent  # whole numbers, so that ties are exact
    changed = np.diff(found.percent[:, 0], prepend=found.percent[0, 0]) != 0
    changed |= np.diff(found.volatile, prepend=found.volatile[0]) != 0
    return trials.conform(
        pd.DataFrame(
            {
                "source": SOURCE,
                "species": "monkey",
                "task": "donahue_lee_magnitude",
                "subject": SUBJECT,
                "session": 1,
                "episode": 1,
                "trial": np.arange(1, count + 1),
                "block": 1 + np.cumsum(changed),
                "trial_type": "free",
                "options": 2,
                "choice": found.choice,
                "reward": (magnitude * chosen).sum(1) * found.paid,
                **{f"reward_probability_{k}": probability[:, k] for k in (0, 1)},
                **{f"expected_reward_{k}": (probability * magnitude)[:, k] for k in (0, 1)},
                **{f"magnitude_{k}": magnitude[:, k] for k in (0, 1)},
                **{f"outcome_{k}": np.where(chosen[:, k], found.paid, np.nan) for k in (0, 1)},
                "better_option": pd.array(np.where(value[:, 0] == value[:, 1], None, value.argmax(1)), dtype="Int32"),
                "volatility": found.volatile.astype(float),
            }
        )
    )


def facts(table: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics, as kept in ``resources/donahue_lee_summary.csv``.

    Counts ``trials`` and ``blocks``; ``paid``, the share of choices that paid; ``likelier_option`` and
    ``larger_magnitude`` = P(c_t is the colour that is likelier to pay, that offers more; where amounts differ), the
    former also ``…_stable`` and ``…_volatile``; ``better_choice`` = P(c_t has the larger probability × amount), ties
    left out; ``win_stay`` = P(c_t = c_{t−1} | paid) and ``lose_shift`` = P(c_t ≠ c_{t−1} | not paid).

    Returns
    -------
    pandas.DataFrame
        Columns subject, statistic, value (6 decimals), n (observations behind the value; missing for counts).
    """
    choice, reward, volatile = (table[n].to_numpy(float) for n in ("choice", "reward", "volatility"))
    likelier = table["reward_probability_1"].to_numpy(float) > 0.5
    difference = (table["magnitude_1"] - table["magnitude_0"]).to_numpy(float)
    better = table["better_option"].to_numpy(float, na_value=np.nan)
    paid, everything = reward > 0, np.ones(len(table), bool)
    later = np.arange(len(table)) > 0
    stay, won = choice == np.roll(choice, 1), np.roll(paid, 1)
    proportions = {
        "paid": (paid, everything),
        "likelier_option": (choice == likelier, everything),
        "likelier_option_stable": (choice == likelier, volatile == 0),
        "likelier_option_volatile": (choice == likelier, volatile == 1),
        "larger_magnitude": (choice == (difference > 0), difference != 0),
        "better_choice": (choice == better, ~np.isnan(better)),
        "win_stay": (stay, later & won),
        "lose_shift": (~stay, later & ~won),
    }
    rows = [(SUBJECT, "trials", len(table), None), (SUBJECT, "blocks", table["block"].nunique(), None)]
    rows += [(SUBJECT, n, round(event[given].mean(), 6), int(given.sum())) for n, (event, given) in proportions.items()]
    found = pd.DataFrame(rows, columns=["subject", "statistic", "value", "n"])
    return found.astype({"subject": "string", "statistic": "string", "value": "Float64", "n": "Int64"})
