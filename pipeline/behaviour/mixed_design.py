"""What a mixed logistic regression is fitted to: predictors, outcomes and who made them, as binomial cells."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.behaviour import REGRESSIONS
from pipeline.behaviour.arrays import Episodes, episodes
from pipeline.behaviour.kernels import history
from pipeline.behaviour.mixed_kernel import WIDTH
from pipeline.behaviour.regressions import stays
from pipeline.behaviour.two_step import lagged, terms
from pipeline.errors import UserError
from pipeline.models.structure import Structure, structure

LANE = ["subject", "session", "episode"]
NEEDED = ("source", "species", "task", *LANE, "trial", "block", "trial_type", "options", "choice", "reward")
HISTORY = "history"  # the joint reward and choice kernels; the other regressions are those of `REGRESSIONS`


@dataclass(frozen=True)
class Rows:
    """Trials ready for a regression, one row each.

    ``design`` (rows, k) with its constant column first, ``outcome`` (rows,) 0 or 1, ``pattern`` (rows,) whole numbers,
    equal where predictors are equal, ``episode`` (rows,). ``unit`` (k,) is the change of each predictor by which its
    coefficient is judged: from one kind of trial to another in the stay regressions (the predictor's range), a past
    event against none in the lagged ones (its largest value).
    """

    terms: tuple[str, ...]
    design: np.ndarray
    outcome: np.ndarray
    pattern: np.ndarray
    episode: np.ndarray
    unit: np.ndarray


@dataclass(frozen=True)
class Cells:
    """Binomial cells, session × distinct row of predictors, in blocks for `pipeline.behaviour.mixed_kernel`.

    ``codes`` (blocks, k, width) times ``scale`` (k,) are the predictors, ``successes`` and ``trials`` (blocks, width)
    the cells, ``start`` (sessions + 1,) the first block of each session. ``unit_subject`` (sessions,) is the subject of
    each, ``unit_trials`` (sessions,) its number of trials; ``cells`` counts the cells.
    """

    terms: tuple[str, ...]
    unit: np.ndarray
    codes: np.ndarray
    scale: np.ndarray
    successes: np.ndarray
    trials: np.ndarray
    start: np.ndarray
    subjects: tuple[str, ...]
    unit_label: tuple[str, ...]
    unit_subject: np.ndarray
    unit_trials: np.ndarray
    structure: Structure
    cells: int

    @property
    def units(self) -> int:
        """Number of sessions."""
        return len(self.unit_subject)

    @property
    def nested(self) -> bool:
        """Whether some subject has more than one session, so that sessions vary within subjects."""
        return self.units > len(self.subjects)

    def data(self) -> tuple[np.ndarray, ...]:
        """Give the arrays that the kernel reads."""
        return self.codes, self.scale, self.successes, self.trials, self.start


def known(name: str) -> str:
    """Check the name of a regression.

    Raises
    ------
    UserError
        If there is none of that name, or if it is not logistic.
    """
    names = [r.name for r in REGRESSIONS.values() if r.scale == "log odds"]
    if name not in (*names, HISTORY):
        why = "is not logistic" if name in REGRESSIONS else "is not known"
        raise UserError(f"regression {name!r} {why}; a mixed fit can be had of {', '.join([*names, HISTORY])}")
    return name


def missing(e: Episodes, name: str) -> str:
    """Say why this regression cannot be fitted to these trials, or nothing."""
    lags = name == HISTORY or REGRESSIONS[name].lags
    if lags and e.options != 2:
        return f"it asks which of two options is chosen, and here there are {e.options}"
    for column in () if name == HISTORY else REGRESSIONS[name].needs:
        if getattr(e, column) is None or np.isnan(getattr(e, column)).all():
            return f"the trial table has no column {column!r}"
    return ""


def rows(e: Episodes, name: str, lags: int) -> Rows:
    """Predictors and outcomes of one regression; ``lags`` are those of the history kernels."""
    if name == HISTORY:
        h = history(e, lags)
        names = ("intercept", *(f"{kind}_{k}" for kind in ("reward", "choice") for k in range(1, lags + 1)))
        return Rows(names, h.design, h.outcome, h.pattern, h.episode, _events(h.design, 2))
    regression = REGRESSIONS[name]
    if regression.lags:
        h = lagged(e, regression.lags)
        kinds = len(regression.terms)
        return Rows(terms(regression), h.design, h.outcome, h.pattern, h.episode, _events(h.design, kinds))
    s = stays(e)
    design = np.stack([np.prod([s.predictors[n] for n in term.split(":")], 0) for term in regression.terms], 1)
    pair = e.pair if e.transition is None else e.pair & ~np.isnan(e.transition[:, :-1])
    pattern = np.zeros(len(design), np.int64)
    for n in sorted({n for term in regression.terms for n in term.split(":")}):
        levels, code = np.unique(s.predictors[n], return_inverse=True)
        pattern = pattern * len(levels) + code
    span = np.ptp(design, axis=0) if len(design) else np.ones(design.shape[1])
    span[0] = 1.0
    return Rows(regression.terms, design, s.stay, pattern, np.nonzero(pair)[0], span)


def _events(design: np.ndarray, kinds: int) -> np.ndarray:
    """Largest value of each kind of lagged predictor, the same at all lags; 1 for the intercept."""
    lags = (design.shape[1] - 1) // kinds
    largest = np.abs(design[:, 1:]).reshape(len(design), kinds, lags).max((0, 2), initial=0)
    return np.concatenate([[1.0], np.repeat(largest, lags)])


def collapse(table: pd.DataFrame, e: Episodes, r: Rows) -> Cells:
    """Collapse trials to binomial cells, which leaves the likelihood exact; sessions without a trial are left out.

    Parameters
    ----------
    table : DataFrame
        The trial table, for groups and conditions; one task.
    e : Episodes
        The same table, padded.
    r : Rows
        At least one.

    Raises
    ------
    UserError
        If groups or conditions are not what `pipeline.models.structure` asks for.
    """
    session, unit = np.unique(e.session[r.episode], return_inverse=True)
    columns = [*LANE, *(name for name in ("group", "condition") if name in table)]
    lanes = table[columns].drop_duplicates(LANE).sort_values(LANE, kind="stable").reset_index(drop=True)
    inside = np.isin(e.session, session)
    lanes, lane_unit = lanes[inside].reset_index(drop=True), np.searchsorted(session, e.session[inside])
    subject, unit_subject = np.unique(e.session_subject[session], return_inverse=True)
    subjects = tuple(str(s) for s in e.subjects[subject])
    first = np.unique(lane_unit, return_index=True)[1]
    label = tuple(f"{a}_{b}" for a, b in lanes[LANE[:2]].iloc[first].itertuples(index=False))
    which = np.unique(r.pattern, return_inverse=True)[1].reshape(-1)
    key, at, cell = np.unique(unit * (which.max() + 1) + which, return_index=True, return_inverse=True)
    codes, scale = _codes(r.design[at])
    place, blocks = _blocks(unit[at], len(session))
    start = np.concatenate([[0], np.cumsum(blocks)])
    packed = np.zeros((start[-1], codes.shape[1], WIDTH), codes.dtype)
    packed[place // WIDTH, :, place % WIDTH] = codes
    counts = np.zeros((2, start[-1], WIDTH))
    counts[0, place // WIDTH, place % WIDTH] = np.bincount(cell, r.outcome)
    counts[1, place // WIDTH, place % WIDTH] = np.bincount(cell)
    return Cells(
        r.terms, r.unit, packed, scale, counts[0], counts[1], start, subjects, label, unit_subject,
        unit_trials=np.bincount(unit), cells=len(key),
        structure=structure(lanes, subjects, lane_unit, True),
    )  # fmt: skip


def _codes(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write predictors as whole numbers of one byte times a scale, where that is exact; else leave them.

    The likelihood is bound by memory where cells are many: a byte per predictor is an eighth of a number.
    """
    size = np.where(design == 0, np.inf, np.abs(design)).min(0)
    scale = np.where(np.isfinite(size), size, 1.0)
    codes = np.round(design / scale)
    if (np.abs(codes) <= 127).all() and (codes * scale == design).all():
        return codes.astype(np.int8), scale
    return np.ascontiguousarray(design, float), np.ones(design.shape[1])


def _blocks(unit: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Place (cells,) of each cell where every unit starts a block of its own, and the number of blocks per unit."""
    count = np.bincount(unit, minlength=units)
    blocks = -(-count // WIDTH)
    offset = WIDTH * np.concatenate([[0], np.cumsum(blocks)[:-1]]) - np.concatenate([[0], np.cumsum(count)[:-1]])
    return np.arange(len(unit)) + offset[unit], blocks


def flat(cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictors (cells, k), successes, trials and session of every cell, each (cells,), as plain arrays."""
    block, place = np.nonzero(cells.trials)
    unit = np.repeat(np.arange(cells.units), np.diff(cells.start))[block]
    design = cells.codes[block, :, place] * cells.scale
    return design, cells.successes[block, place], cells.trials[block, place], unit


def of(table: pd.DataFrame, name: str, lags: int) -> tuple[Cells | None, str]:
    """Cells of one regression on a table of one task, or why there are none.

    Raises
    ------
    UserError
        If a trial with a choice has no reward, or groups and conditions are wrong.
    """
    lacking = [column for column in NEEDED if column not in table]
    if lacking:
        return None, f"the trial table has no column {lacking[0]!r}"
    blank = (table["choice"].notna() & table["reward"].isna()).to_numpy(bool)
    if blank.any():
        where = ", ".join(f"{column} {table[column].iloc[int(blank.argmax())]}" for column in (*LANE, "trial"))
        raise UserError(f"regression {name!r}: {blank.sum()} trials with a choice have no reward, first at {where}; "
                        "write 0 where none was paid")  # fmt: skip
    e = episodes(table)
    reason = missing(e, name)
    if reason:
        return None, reason
    r = rows(e, name, lags)
    if not len(r.outcome):
        return None, "no trial has what its predictors need (consecutive free trials of an episode)"
    constant = [term for term, column in zip(r.terms[1:], r.design.T[1:]) if np.ptp(column) == 0]
    if constant:
        return None, f"predictor {constant[0]!r} does not vary"
    scaled = r.design / r.unit
    sizes = np.linalg.eigvalsh(scaled.T @ scaled)
    if sizes[0] < 1e-9 * sizes[-1]:
        return None, "its predictors repeat each other, so that their coefficients cannot be told apart"
    return collapse(table, e, r), ""
