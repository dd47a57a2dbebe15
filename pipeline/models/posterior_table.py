"""The tidy table of a posterior: groups, effects of conditions, subjects."""

import numpy as np
import pandas as pd

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.structure import ALL

COLUMNS = ("source", "model", "level", "group", "subject", "parameter", "mean", "sd", "low", "high", "r_hat",
           "ess_bulk", "ess_tail", "shrinkage")  # fmt: skip


def posterior_table(card: ModelCard, source: str, trials: Trials, laplace, idata) -> pd.DataFrame:
    """Summarise a posterior.

    Level ``group``: the natural value at each group's mean (``alpha``), the SD between its subjects on the scale of the
    link (``alpha_group_sd``) and, of all groups together (``all``), the SD between the sessions of a subject
    (``alpha_session_sd``). Level ``condition``: the effect of a condition on the scale of the link; ``group`` names the
    contrast. Level ``subject``: natural values. A lone subject has no level of groups.

    ``shrinkage`` of a subject's parameter is v / (v + σ²), the weight of the group mean in its estimate: v the variance
    of the estimate from the subject's data alone (Laplace), σ² the mean posterior variance between the group's
    subjects. On the group's row it is the mean over its subjects.
    """
    from pipeline.models.diagnose import summary
    from pipeline.models.links import INVERSE

    draws, s = {name: idata.posterior[name].to_numpy() for name in idata.posterior}, trials.structure
    shrinkage = np.full((len(trials.subjects), len(card.parameters)), np.nan)
    if "group_sd" in draws:
        between = (draws["group_sd"].astype(float) ** 2).mean((0, 1))[s.subject_group]
        shrinkage = laplace.of_subject.variance / (laplace.of_subject.variance + between)
    rows = []
    for i, p in enumerate(card.parameters):
        inverse = INVERSE[p.link]
        for g, group in enumerate(s.groups if "group_sd" in draws else ()):
            weight = shrinkage[s.subject_group == g, i].mean()
            rows.append(("group", group, "", p.name, inverse(draws["group_mean"][..., g, i]), weight))
            rows.append(("group", group, "", f"{p.name}_group_sd", draws["group_sd"][..., g, i], np.nan))
        if "session_sd" in draws:
            rows.append(("group", ALL, "", f"{p.name}_session_sd", draws["session_sd"][..., i], np.nan))
        for c, contrast in enumerate(s.contrasts):
            rows.append(("condition", contrast, "", p.name, draws["condition_effect"][..., c, i], np.nan))
        for k, subject in enumerate(trials.subjects):
            values = inverse(draws["subject_parameters"][..., k, i])
            rows.append(("subject", s.groups[s.subject_group[k]], subject, p.name, values, shrinkage[k, i]))
    table = [
        {"source": source, "model": card.name, "level": level, "group": group, "subject": subject, "parameter": name}
        | summary(values)
        | {"shrinkage": weight}
        for level, group, subject, name, values, weight in rows
    ]
    order = {level: k for k, level in enumerate(("group", "condition", "subject"))}
    found = pd.DataFrame(table, columns=COLUMNS)
    place = found.assign(level=found["level"].map(order)).sort_values(["level", "group", "subject"], kind="stable")
    return found.loc[place.index].reset_index(drop=True)
