"""Published claims against ours: a row per claim and source, judged by a rule that `published_claims.csv` fixes.

The rules are ``value``, ``sign``, ``order`` and ``ratio`` (`judge`). "About as good" has two sides: ``ratio``. "As good
or better" has one and is an ``order`` of a ratio: ``regret_over`` with ``< 1.25`` agrees if our whole interval lies
below 1.25, however far below.

``sources`` are shell patterns of source names, alternatives separated by ``|``. Names are <core>_<training task>, with
``_noreward`` at the end where the reward input was withheld, so that ``*_di`` names no such network. The cores of
matched parameter count end in a digit (``lstm23``): ``*[a-z]_di`` leaves them out; only claims about them name them.
"""

import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.comparison.claim_source import Measured, NotRun, Source
from pipeline.comparison.claim_statistics import STATISTICS
from pipeline.errors import UserError
from pipeline.files import write_csv

PUBLISHED = ("id", "paper", "study", "statement", "statistic", "published", "judge", "tolerance", "sources", "note")
COLUMNS = (
    "id",
    "paper",
    "study",
    "source",
    "statement",
    "statistic",
    "published",
    "judge",
    "tolerance",
    "value",
    "low",
    "high",
    "n",
    "verdict",
    "why",
    "note",
)
JUDGES = ("value", "sign", "order", "ratio")
NO_INTERVAL = "undecided: no interval, too few agents"


def read(path: Path) -> pd.DataFrame:
    """Read and check the published claims; every cell is text, an empty cell is empty text.

    Raises
    ------
    UserError
        If columns are missing, an id occurs twice, or a judge, statistic or published value is not understood.
    """
    try:
        claims = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such table of published claims") from None
    lacking = [name for name in PUBLISHED if name not in claims]
    if lacking:
        raise UserError(f"{path}: column {lacking[0]!r} is missing; declared are {', '.join(PUBLISHED)}")
    if claims["id"].duplicated().any():
        raise UserError(
            f"{path}: id {claims.loc[claims['id'].duplicated(), 'id'].iloc[0]!r} occurs twice; ids must differ"
        )
    for claim in claims.to_dict("records"):
        place = f"{path}: claim {claim['id']!r}"
        if claim["judge"] not in JUDGES:
            raise UserError(f"{place}: judge {claim['judge']!r} is not known; known are {', '.join(JUDGES)}")
        _, arguments = parse(claim["statistic"], place)
        if "bound" in arguments:
            _number(arguments["bound"], "bound", place)
        if claim["judge"] in ("sign", "order"):
            _bound(claim["published"], place)
        else:
            _number(claim["published"], "published", place)
        if claim["judge"] == "ratio" or claim["tolerance"]:
            _number(claim["tolerance"], "tolerance", place)
    return claims


def parse(statistic: str, place: str = "claim") -> tuple[str, dict[str, str]]:
    """Split ``name key=value …`` and check it against `claim_statistics.STATISTICS`; nothing is evaluated."""
    name, *parts = statistic.split()
    if name not in STATISTICS:
        raise UserError(f"{place}: statistic {name!r} is not known; known are {', '.join(STATISTICS)}")
    arguments = dict(part.split("=", 1) if "=" in part else (part, "") for part in parts)
    needed, allowed = STATISTICS[name].needs, STATISTICS[name].needs + STATISTICS[name].may
    for key in [*arguments, *needed]:
        if key not in allowed or not arguments.get(key):
            raise UserError(
                f"{place}: statistic {statistic!r} must read '{name} {' '.join(f'{k}=…' for k in allowed)}'"
            )
    return name, arguments


def judge(claims: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Judge every claim for every source that its patterns name.

    ``value``: our whole interval lies within published ± ``tolerance`` (of a number without an interval, the number
    itself; without a tolerance: the published number lies in our interval). ``sign``: our interval lies on the
    published side of 0, and ``order``: of a difference, a share or a ratio, on the published side of the bound ("< 0",
    "> 0.9", "< 1.25"). ``ratio``: our whole interval lies within published × (1 ± tolerance).

    A claim that deviates is undecided (our interval reaches to where it would agree, or there is none) or contradicted
    (our interval lies wholly beyond); ``why`` begins with that word.

    Parameters
    ----------
    claims : DataFrame
        As `read` returns it.
    tables : mapping
        Tables of all sources, stacked; each may be empty or missing. ``evaluation``: a row per agent and test task,
        also of tests on other tasks than the training's; ``summary``, ``regressions``, ``volatility``: of behaviour;
        ``posterior``: of fitted models; ``ideals``: regret of the ideal agent of each training task on each test task.

    Returns
    -------
    DataFrame
        `COLUMNS`; verdict ``agrees``, ``deviates`` or ``not run``, with the reason in ``why``; ``note`` is the claim's.
    """
    tables = {name: table for name, table in tables.items() if table is not None and len(table)}
    known = sorted({str(name) for table in tables.values() if "source" in table for name in table["source"].unique()})
    rows = []
    for claim in claims.fillna("").astype(str).to_dict("records"):
        name, arguments = parse(claim["statistic"], f"claim {claim['id']!r}")
        found = [source for source in known if named(claim["sources"], source)]
        for source in found or [claim["sources"]]:
            row = {key: claim[key] for key in COLUMNS if key in claim} | {"source": source}
            try:
                if not found:
                    raise NotRun(f"no source {claim['sources'].replace('|', ' or ')} in this run")
                ours = STATISTICS[name].function(Source(source, tables), **arguments)
            except NotRun as reason:
                nothing = {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
                rows.append(row | nothing | {"verdict": "not run", "why": str(reason)})
                continue
            agrees, why = RULES[claim["judge"]](ours, claim)
            rows.append(row | {"value": ours.value, "low": ours.low, "high": ours.high, "n": ours.n,
                               "verdict": "agrees" if agrees else "deviates",
                               "why": "; ".join(filter(None, (why, ours.note)))})  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def named(patterns: str, source: str) -> bool:
    """Whether one of the patterns, separated by ``|``, names a source."""
    return any(fnmatch.fnmatchcase(source, pattern.strip()) for pattern in patterns.split("|"))


def write(judged: pd.DataFrame, path: Path) -> None:
    """Write the judged claims as CSV; missing numbers are empty cells."""
    write_csv(judged, path)


def _by_value(ours: Measured, claim: dict) -> tuple[bool, str]:
    published = float(claim["published"])
    if claim["tolerance"]:
        allowed = float(claim["tolerance"])
        if np.isfinite([ours.low, ours.high]).all():
            return _within(ours, published - allowed, published + allowed)
        off = abs(ours.value - published)
        why = f"no interval: {ours.value:.4g} is {off:.2g} from {published:g}, allowed {allowed:g}"
        return bool(off <= allowed), why if off <= allowed else f"undecided: {why}"
    if not np.isfinite([ours.low, ours.high]).all():
        return False, NO_INTERVAL
    inside = ours.low <= published <= ours.high
    return (
        inside,
        f"{'' if inside else 'contradicted: '}{published:g} lies {'in' if inside else 'outside'} our interval",
    )


def _by_bound(ours: Measured, claim: dict) -> tuple[bool, str]:
    side, bound = _bound(claim["published"], "claim")
    if not np.isfinite([ours.low, ours.high]).all():
        return False, NO_INTERVAL
    if ours.low <= bound <= ours.high:
        return False, f"undecided: interval includes {bound:g}"
    above = ours.low > bound
    agrees = above == (side == ">")
    return agrees, f"{'' if agrees else 'contradicted: '}interval lies {'above' if above else 'below'} {bound:g}"


def _by_ratio(ours: Measured, claim: dict) -> tuple[bool, str]:
    published, tolerance = float(claim["published"]), float(claim["tolerance"])
    low, high = published * (1 - tolerance), published * (1 + tolerance)
    if not np.isfinite([ours.low, ours.high]).all():
        return False, NO_INTERVAL
    return _within(ours, low, high)


def _within(ours: Measured, low: float, high: float) -> tuple[bool, str]:
    if low <= ours.low and ours.high <= high:
        return True, f"interval lies within {low:.3g} … {high:.3g}"
    outside = ours.high < low or ours.low > high
    beyond = "contradicted: interval lies outside" if outside else "undecided: interval reaches beyond"
    return False, f"{beyond} {low:.3g} … {high:.3g}"


RULES = {"value": _by_value, "sign": _by_bound, "order": _by_bound, "ratio": _by_ratio}


def _bound(text: str, place: str) -> tuple[str, float]:
    found = re.fullmatch(r"([<>])\s*(-?[\d.]+)", text.strip())
    if not found:
        raise UserError(f"{place}: published is {text!r}; a sign or an order reads '< 0' or '> 0.5'")
    return found[1], _number(found[2], "published", place)


def _number(text: str, column: str, place: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{place}: {column} is {text!r}; it must be a number") from None
