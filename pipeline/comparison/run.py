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

    Every network and learner is compared with every group of primates, model by model. A fit that failed its
    diagnostics, or was not run, gives one row per parameter without numbers and with the reason: it never enters a
    comparison, and is never left out silently.

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
        card = MODELS[name]
        fits = {s: diagnose.read(idata[k]) for (s, m), k in place.items() if m == name and said[k]["passed"]}
        draw = generator(seed, "comparison", name)
        pairs = [(s, p) for s in kinds for p in kinds if kinds[p] == "primate" and kinds[s] != "primate"]
        able = [pair for pair in pairs if all(s in fits for s in pair)]
        if able:
            differences.append(groups.compare(card, fits, able, draw, rope))
        differences += [_excluded(card, pair, fits, said, place) for pair in pairs if pair not in able]
    for source in kinds:
        of = {m: k for (s, m), k in place.items() if s == source}
        if of:
            weights.append(
                stacking.stack({m: said[k] for m, k in of.items()}, {m: pd.read_csv(loo[k]) for m, k in of.items()})
            )
    return _join(differences, groups.COLUMNS), _join(weights, stacking.COLUMNS)


def _excluded(card, pair, fits, said, place) -> pd.DataFrame:
    """Rows that say why a difference was not computed."""
    reasons = []
    for source in pair:
        if source not in fits:
            badge = said[place[source, card.name]]
            reasons.append(f"{source}: {'; '.join(badge['reasons']) or 'its diagnostics failed'}")
    row = {"model": card.name, "group_a": pair[0], "group_b": pair[1], "note": "not compared: " + " | ".join(reasons)}
    return pd.DataFrame([{**row, "parameter": parameter} for parameter in card.names]).reindex(columns=groups.COLUMNS)


def _join(tables: list[pd.DataFrame], columns) -> pd.DataFrame:
    kept = [table.astype(object) for table in tables if len(table)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=list(columns))
