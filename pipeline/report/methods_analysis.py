"""Methods paragraphs of everything right of the trial table: datasets, behaviour, regressions, models, comparison."""

from markupsafe import Markup

from pipeline.behaviour import CURVES, REGRESSIONS, STATISTICS
from pipeline.models import MODELS
from pipeline.primates import DATASETS
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, bullets, equation, items, rows, text

HISTORY = r"\log \frac{P(c_t = 1)}{P(c_t = 0)} = a_0 + \sum_{k=1}^{L} b_k R_{t-k} + \sum_{k=1}^{L} a_k C_{t-k}"
SAMPLING = (
    "Hoffman & Gelman 2014, JMLR 15:1593",
    "Vehtari et al. 2017, Stat Comput 27:1413",
    "Vehtari et al. 2021, Bayesian Anal 16:667",
)


def datasets(results: StudyResults) -> Paragraph:
    """Datasets of the study, with their caveats, from their registry."""
    found = [DATASETS[s] for s in results.names("primate") if s in DATASETS]
    parts = [
        Markup("<h4>{}</h4>").format(d.title) + text(d.description, f"Licence: {d.licence}.") + bullets(d.caveats)
        for d in found
    ]
    return Paragraph("Animals", Markup("").join(parts), tuple(d.citation.replace("; ", ", ") for d in found))


def behaviour(results: StudyResults) -> Paragraph:
    """Summary statistics and curves, from their registries."""
    measures = (*STATISTICS.values(), *CURVES.values())
    html = text("Intervals are 95 % percentile intervals of the bootstrap; trials are never resampled.")
    html += items((m.title, f"{m.equation} ({m.unit})") for m in measures)
    return Paragraph("Behaviour", html, tuple(dict.fromkeys(m.citation for m in measures if m.citation)))


def regressions(results: StudyResults) -> Paragraph:
    """History and stay regressions."""
    found = [r for r in REGRESSIONS.values() if not r.needs]
    intro = text(
        "History kernels: one logistic regression of the choice on the rewards and the choices of the last "
        f"L = {results.plan.kernel_lags} trials jointly. C is +1 for a choice of option 1 and −1 for option 0; R = r "
        f"C, "
        "hence 0 without reward. Only trials with L predecessors in the same episode enter; standard errors are "
        "clustered by session."
    )
    html = intro + equation(HISTORY) + items((r.title, r.equation) for r in found)
    references = [CURVES["reward_kernel"].citation, *(r.citation for r in found if r.citation)]
    return Paragraph("Regressions", html, tuple(dict.fromkeys(references)))


def models(results: StudyResults) -> Paragraph:
    """Cards of the models: equation, parameters, priors with their reasons."""
    cards = [MODELS[m] for m in results.plan.models if m in MODELS]
    if not cards:
        return Paragraph("Hierarchical models", Markup(""))
    html = text(
        "Sessions lie within subjects, and subjects within a source. Values start at ½ in every episode. Sampled with "
        "NUTS; a fit whose diagnostics fail is marked wherever it appears. Leaving out drops the same trials for every "
        "model of a source."
    )
    for card in cards:
        html += Markup("<h4>{}</h4>").format(card.title) + text(card.description) + equation(card.equation)
    found = dict.fromkeys(p for card in cards for p in card.parameters)
    html += Markup("<h4>Parameters and priors</h4>") + rows(
        ("Symbol", "Parameter", "Prior (normal, on the scale of its link)", "Why"),
        (
            (
                p.symbol,
                p.meaning,
                f"{p.link}: mean {p.mean:g}, SD {p.sd:g}; half-normal SD between subjects {p.group_sd:g}, "
                f"between sessions {p.session_sd:g}",
                p.reason,
            )
            for p in found
        ),
    )
    return Paragraph("Hierarchical models", html, tuple(dict.fromkeys([*SAMPLING, *(c.citation for c in cards)])))


def comparison(results: StudyResults) -> Paragraph:
    """Group differences, stacking, typicality."""
    rope = results.config.get("comparison", {}).get("practical_equivalence")
    return Paragraph(
        "Comparison",
        text(
            "Group differences are posterior draws of one group's mean minus the other's, expressed as the difference "
            "in "
            "choice probability that the parameter makes.",
            f"The region of practical equivalence is ±{rope:g}, fixed in the config beforehand." if rope else "",
            "Stacking weights maximise the leave-one-out log score of the mixture of models. Typicality is the "
            "percentile of an animal's statistic among single networks that did the same task.",
        ),
        ("Kruschke 2018, Adv Methods Pract Psychol Sci 1:270", "Yao et al. 2018, Bayesian Anal 13:917"),
    )
