"""All model-based comparisons of one study, from the files of its fits."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipeline.comparison import groups, stacking
from pipeline.models import MODELS, diagnose
from pipeline.seeds import generator


def compare_study(
    idata: Sequence[str], badges: Sequence[str], loo: Sequence[str], kinds: Mapping[str, str], rope: float, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the fits of one study.

    Every network and learner is compared with every group of primates, model by model; groups and conditions within a
    source of primates are compared, too. A fit that failed its diagnostics, or was not run, gives one row per parameter
    without numbers and with the reason: it never enters a comparison, and is never left out silently. Sources that a
    model was not fitted to are not compared by it.

    Parameters
    ----------
    idata, badges, loo : sequences of path
        Files of the same fits in the same order: draws, badge, pointwise leave-one-out.
    kinds : mapping of source → kind
        network, learner or primate.
    rope : float
        Half-width of the region of practical equivalence, as a difference in choice probability.
    seed : int
        Root seed.

    Returns
    -------
    groups, stacking : DataFrame
        `pipeline.comparison.groups.COLUMNS`, `pipeline.comparison.stacking.COLUMNS`.
    """
    said = [json.loads(Path(path).read_text()) for path in badges]
    place = {(badge["source"], badge["model"]): k for k, badge in enumerate(said)}
    differences, weights = [], []
    for name in dict.fromkeys(badge["model"] for badge in said):
        card, own = MODELS[name], {s: k for (s, m), k in place.items() if m == name}
        fits = {s: diagnose.read(idata[k]) for s, k in own.items() if said[k]["passed"]}
        draw = generator(seed, "comparison", name)
        primates = [s for s in kinds if s in own and kinds[s] == "primate"]
        pairs = [(s, p) for s in kinds if s in own and kinds[s] != "primate" for p in primates]
        able = [pair for pair in pairs if all(s in fits for s in pair)]
        differences.append(groups.compare(card, fits, able, draw, rope))
        differences.append(groups.within(card, fits, [s for s in primates if s in fits], draw, rope))
        several = [(s, s) for s in primates if s not in fits and _parts(said[own[s]]) > 1]
        for pair in [*(pair for pair in pairs if pair not in able), *several]:
            differences.append(_excluded(card, pair, fits, {s: said[k] for s, k in own.items()}))
    for source in kinds:
        of = {m: k for (s, m), k in place.items() if s == source}
        if of:
            weights.append(
                stacking.stack({m: said[k] for m, k in of.items()}, {m: pd.read_csv(loo[k]) for m, k in of.items()})
            )
    return _join(differences, groups.COLUMNS), _join(weights, stacking.COLUMNS)


def _parts(badge: Mapping) -> int:
    """Count the groups and conditions of a source that can be compared with each other."""
    return len(badge.get("groups") or {}) + len(badge.get("conditions") or [])


def _excluded(card, pair, fits, badges) -> pd.DataFrame:
    """Rows that say why a difference was not computed; of a source with itself, those between its groups."""
    reasons = []
    for source in dict.fromkeys(pair):
        if source not in fits:
            reasons.append(f"{source}: {'; '.join(badges[source]['reasons']) or 'its diagnostics failed'}")
    row = {"model": card.name, "group_a": pair[0], "group_b": pair[1], "note": "not compared: " + " | ".join(reasons)}
    row |= {"source_a": pair[0], "source_b": pair[1], "kind": "sources" if pair[0] != pair[1] else "groups"}
    return pd.DataFrame([{**row, "parameter": parameter} for parameter in card.names]).reindex(columns=groups.COLUMNS)


def _join(tables: list[pd.DataFrame], columns) -> pd.DataFrame:
    kept = [table.astype(object) for table in tables if len(table)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=list(columns))
