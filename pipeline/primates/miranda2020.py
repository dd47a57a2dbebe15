"""Two monkeys, a two-step task with drifting reward levels (Miranda et al. 2020, as released by Miranda et al. 2025).

The file holds, per animal (``subject_for_analysis``) and session (``PreparedData``), one row per trial that was kept:
``indxGoodTrials`` its number in the session; ``TrialType`` 1 both choices free, 2 first choice forced, 3 second choice
forced; ``PicChosen1`` picture 1 or 2; ``Transition`` 1 common, 2 rare; ``PicChosen2`` picture 3 to 6; ``LevelRew2`` 1
large, 2 medium, 3 no reward; ``RandomWalkLevelsRew2`` (trials × 4) the current level of the pictures 3 to 6; ``RT1``
(ms). Picture 1 commonly leads to the pictures 3 and 4, picture 2 to 5 and 6.

In the trial table option k is picture k + 1, and it commonly leads to state k; option j of state s is picture
3 + 2 s + j; reward = 3 − level.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.errors import UserError
from pipeline.primates.mat import REMEDY, Struct, variables

SOURCE = "miranda2020_monkey_twostep"
FILE = "PreparedData.mat"
FREE, FIRST_FORCED, SECOND_FORCED = 1, 2, 3
COMMON, RARE = 1, 2
REWARDS = (0, 1, 2)  # none, medium, large


@dataclass(frozen=True)
class Session:
    """The file's numbers of one session, checked and otherwise as they are; one row per kept trial."""

    subject: str
    number: int  # place in the file, from 1
    index: np.ndarray  # (T,) number of the trial in the session, from 1, with gaps
    kind: np.ndarray  # (T,) 1 free, 2 first choice forced, 3 second choice forced
    first: np.ndarray  # (T,) picture 1 or 2
    transition: np.ndarray  # (T,) 1 common, 2 rare
    second: np.ndarray  # (T,) picture 3 to 6
    level: np.ndarray  # (T,) 1 large, 2 medium, 3 none
    levels: np.ndarray  # (T, 4) current level of the pictures 3 to 6
    response_time: np.ndarray  # (T,) ms, first choice

    @property
    def state(self) -> np.ndarray:
        """Second-stage state reached, (T,): 0 for the pictures 3 and 4, 1 for 5 and 6."""
        return (self.second - 3) // 2


def sessions(path: Path) -> list[Session]:
    """Read the MATLAB file and check every value used.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a field, or holds a value that this task cannot produce, naming animal,
        session, field and value.
    """
    prepared, names = variables(path, "PreparedData", "subject_for_analysis")
    subjects = [_text(name) for name in names.ravel()]
    for k, name in enumerate(subjects, 1):
        if not name.isalnum() or subjects.count(name) > 1:
            raise UserError(f"{path}: subject_for_analysis: animal {k} is {name!r}, expected a name of letters and "
                            f"digits for each; {REMEDY}")  # fmt: skip
    if prepared.size != len(subjects) or not subjects:
        raise UserError(f"{path}: PreparedData holds {prepared.size} animals, but subject_for_analysis names "
                        f"{len(subjects)} ({', '.join(subjects)}); {REMEDY}")  # fmt: skip
    found = []
    for subject, own in zip(subjects, prepared.ravel()):
        if not isinstance(own, np.ndarray) or own.dtype.names is None or not own.size:
            raise UserError(f"{path}: {subject}: PreparedData holds no sessions (one struct each); {REMEDY}")
        structs = (Struct(path, f"{subject}, session {k}", content) for k, content in enumerate(own.ravel(), 1))
        found += [_session(struct, subject, k) for k, struct in enumerate(structs, 1)]
    return found


def _text(value) -> str:
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    return value if isinstance(value, str) else repr(value)


def _session(struct: Struct, subject: str, number: int) -> Session:
    index = struct.numbers("indxGoodTrials", low=1)
    count = len(index)
    session = Session(
        subject=subject,
        number=number,
        index=index,
        kind=struct.numbers("TrialType", count, allowed=(FREE, FIRST_FORCED, SECOND_FORCED)),
        first=struct.numbers("PicChosen1", count, allowed=(1, 2)),
        transition=struct.numbers("Transition", count, allowed=(COMMON, RARE)),
        second=struct.numbers("PicChosen2", count, allowed=(3, 4, 5, 6)),
        level=struct.numbers("LevelRew2", count, allowed=(1, 2, 3)),
        levels=struct.numbers("RandomWalkLevelsRew2", count, 4, allowed=(1, 2, 3)),
        response_time=struct.numbers("RT1", count, low=0, whole=False),
    )
    last = struct.numbers("TotalNumTrials", 1, low=1)[0]
    led = np.where(session.transition == COMMON, session.first - 1, 2 - session.first)
    current = session.levels[np.arange(count), session.second - 3]
    for wrong, values, said in (
        (np.diff(index, prepend=0) < 1, index, "indxGoodTrials holds {} in row {}, which is not above the row before"),
        (index > last, index, f"indxGoodTrials holds {{}} in row {{}}, but TotalNumTrials is {last}"),
        (session.state != led, session.second,
         "PicChosen2 holds {} in row {}, where PicChosen1 and Transition do not lead"),
        (current != session.level, session.level,
         "LevelRew2 holds {} in row {}, which is not the level of the picture chosen in RandomWalkLevelsRew2"),
    ):  # fmt: skip
        if wrong.any():
            row = int(wrong.argmax())
            raise struct.refuse(said.format(values[row], row + 1))
    return session


def read(files: Mapping[str, Path]) -> pd.DataFrame:
    """Trial table; a session is one episode, and a trial has its number in the session.

    Trials that the authors left out are gaps in ``trial``, so that neighbours in the table are consecutive only where
    their numbers are.

    Parameters
    ----------
    files : mapping
        Path as in ``resources/datasets.csv`` → file on this machine.
    """
    return trials.conform(pd.concat([_table(session) for session in sessions(files[FILE])], ignore_index=True))


def _table(session: Session) -> pd.DataFrame:
    outcome = 3 - session.levels
    return pd.DataFrame(
        {
            "source": SOURCE,
            "species": "monkey",
            "task": "miranda_two_step",
            "subject": session.subject,
            "session": session.number,
            "episode": 1,
            "trial": session.index,
            "block": pd.NA,  # levels drift: no stretch of constant contingency
            "trial_type": np.where(session.kind == FIRST_FORCED, "forced", "free"),
            "options": 2,
            "choice": session.first - 1,
            "reward": 3 - session.level,
            "response_time": session.response_time / 1000,
            "transition": np.where(session.transition == COMMON, "common", "rare"),
            "second_state": session.state,
            "second_choice": (session.second - 3) % 2,
            "second_trial_type": np.where(session.kind == SECOND_FORCED, "forced", "free"),
            **{f"second_outcome_{j}": outcome[:, j] for j in range(4)},
        }
    )


def facts(table: pd.DataFrame) -> pd.DataFrame:
    """Summary statistics of each animal, as kept in ``resources/miranda2020_summary.csv``.

    Counts ``trials`` and ``sessions``; ``free`` the share of trials with both choices free; ``common`` = P(common
    transition); ``reward_mean`` (0, 1, 2); ``stay_reward_<r>_<common | rare>`` = P(c_{t+1} = c_t | r_t, transition_t)
    where trials t and t + 1 are consecutive and both choices of both are free; ``level_trials`` the median number of
    kept trials for which a picture keeps its level, ``level_trials_shortest`` the least (stretches that begin and end
    within the session).

    Parameters
    ----------
    table : pandas.DataFrame
        As `read` returns it.

    Returns
    -------
    pandas.DataFrame
        Columns subject ("all": trials of both animals pooled), statistic, value (6 decimals), n (observations behind
        the value; missing for counts).
    """
    session = ["subject", "session"]
    table = table.sort_values([*session, "trial"], kind="stable")
    free = ((table["trial_type"] == "free") & (table["second_trial_type"] == "free")).to_numpy(bool)
    choice, reward, trial = (table[name].to_numpy(float) for name in ("choice", "reward", "trial"))
    common = (table["transition"] == "common").to_numpy(bool)
    same = (table.groupby(session, sort=False).ngroup().diff(-1) == 0).to_numpy(bool)  # the next row's session
    pair = same & (np.append(np.diff(trial), 0) == 1) & free & np.append(free[1:], False)
    stay = np.append(choice[1:] == choice[:-1], False)
    everything = np.ones(len(table), bool)
    means = {"free": (free, everything), "common": (common, everything), "reward_mean": (reward, everything)}
    for r in REWARDS:
        for kind, led in (("common", common), ("rare", ~common)):
            means[f"stay_reward_{r}_{kind}"] = (stay, pair & (reward == r) & led)
    rows = []
    for subject in (*table["subject"].unique(), "all"):
        own = everything if subject == "all" else (table["subject"] == subject).to_numpy(bool)
        rows.append((subject, "trials", own.sum(), None))
        rows.append((subject, "sessions", len(table.loc[own, session].drop_duplicates()), None))
        for name, (value, given) in means.items():
            if (own & given).any():
                rows.append((subject, name, round(value[own & given].mean(), 6), int((own & given).sum())))
        lasted = np.concatenate([_dwell(part) for _, part in table[own].groupby(session, sort=False)])
        if len(lasted):
            rows.append((subject, "level_trials", np.median(lasted), len(lasted)))
            rows.append((subject, "level_trials_shortest", lasted.min(), len(lasted)))
    found = pd.DataFrame(rows, columns=["subject", "statistic", "value", "n"])
    return found.astype({"subject": "string", "statistic": "string", "value": "Float64", "n": "Int64"})


def _dwell(session: pd.DataFrame) -> np.ndarray:
    """Trials from each change of a picture's level to its next, all four pictures."""
    levels = session[[f"second_outcome_{j}" for j in range(4)]].to_numpy(float)
    return np.concatenate([np.diff(np.flatnonzero(np.diff(level))) for level in levels.T])
