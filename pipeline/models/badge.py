"""What is said of a fit beside its draws: counts, and what a reader must know."""

import numpy as np
import pandas as pd

from pipeline.models.data import LANE, Trials

LOO_COLUMNS = ("level", "unit", "elpd", "pareto_k", "n_trials", "method")
LOO_FACTS = ("elpd_loo", "elpd_loo_se", "p_loo", "loo_unit", "loo_n", "pareto_k_max", "pareto_k_bad",
             "elpd_loo_subject", "elpd_loo_subject_se", "p_loo_subject", "loo_subject_n", "pareto_k_subject_max",
             "pareto_k_subject_bad", "loo_refits")  # fmt: skip
FEW = 8  # subjects below which nothing is claimed about a population


def counts(trials: Trials) -> dict:
    """Count what was fitted; ``groups``: subjects of each group by name, ``conditions``: names of the contrasts."""
    s = trials.structure
    members = np.bincount(s.subject_group, minlength=len(s.groups))
    return {
        "n_subjects": len(trials.subjects),
        "n_sessions": trials.units,
        "n_episodes": len(trials.lanes),
        "n_trials": trials.scored,
        "groups": dict(zip(s.groups, members.tolist())),
        "conditions": list(s.contrasts),
    }


def left_out(whole: pd.DataFrame, trials: Trials) -> list[str]:
    """Say so where a fit reads only the first episodes of each subject."""
    total = len(whole.loc[whole["choice"].notna(), LANE].drop_duplicates())
    if total <= len(trials.lanes):
        return []
    most = int(trials.lanes.groupby("subject", observed=True).size().max())
    return [
        f"fitted to the first {most} episodes of each subject, {len(trials.lanes):,} of {total:,} "
        f"({trials.scored:,} free choices)"
    ]


def notes(trials: Trials, table: pd.DataFrame, facts: dict) -> list[str]:
    """Say what a reader must know beside the numbers."""
    count, found, groups = len(trials.subjects), [], counts(trials)["groups"]
    few = [f"{name} {n}" for name, n in groups.items() if n < FEW]
    if count == 1:
        found.append("one subject: its parameters have the prior of a group mean; there is no group level")
    elif len(groups) == 1 and few:
        found.append(
            f"{count} subjects: the SD between subjects comes largely from its prior; "
            "nothing is claimed about a population"
        )
    elif few:
        found.append(
            f"groups of few subjects ({', '.join(few)}): their SD between subjects comes largely from its prior; "
            "nothing is claimed about a population"
        )
    found += _alike(table)
    levels = [(facts["loo_unit"], facts["pareto_k_bad"], facts["loo_n"])]
    if facts["loo_unit"] != "subject":
        levels.append(("subject", facts["pareto_k_subject_bad"], facts["loo_subject_n"]))
    for level, bad, total in levels:
        if bad:
            found.append(
                f"leave-one-{level}-out: Pareto k above .7 for {bad} of {total}; "
                "their contribution to elpd is unreliable"
            )
    if facts["loo_refits"]:
        found.append(f"leave-one-out: sampled anew {facts['loo_refits']} times, where importance weights fail")
    if facts["loo_refits"] is not None and facts["loo_unit"] is None:
        found.append("a single episode of a single subject: nothing can be left out")
    return found


def _alike(table: pd.DataFrame) -> list[str]:
    """Name subjects whose free choices are all of one option: their likelihood has no maximum."""
    free = table[(table["trial_type"] == "free") & table["choice"].notna()]
    kinds = free.groupby("subject", observed=True)["choice"].agg(["min", "max"])
    same = kinds.index[(kinds["min"] == kinds["max"]).to_numpy(bool)].astype(str).tolist()
    if not same:
        return []
    return [
        f"all free choices of {', '.join(same[:5])}{' …' if len(same) > 5 else ''} are of one option: the likelihood "
        "of these subjects has no maximum, and their parameters rest on the prior"
    ]
