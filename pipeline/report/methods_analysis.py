"""Methods paragraphs of everything right of the trial table: datasets, behaviour, regressions, models, comparison."""

import numpy as np
from markupsafe import Markup

from pipeline.behaviour import CURVES, REGRESSIONS, STATISTICS
from pipeline.models import MODELS
from pipeline.primates import DATASETS
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, bullets, equation, items, rows, text
from pipeline.report.selection import selection

HISTORY = r"\log \frac{P(c_t = 1)}{P(c_t = 0)} = a_0 + \sum_{k=1}^{L} b_k R_{t-k} + \sum_{k=1}^{L} a_k C_{t-k}"
LEAVE_OUT = (
    r"p(y_u | \phi) = \int p(y_u | \eta)\, N(\eta ; \phi)\, d\eta, \quad "
    r"elpd_u = \log \sum_d w_d\, p(y_u | \phi_d), \quad w_d \propto 1 / p(y_u | \phi_d)"
)
SAMPLING = (
    "Hoffman & Gelman 2014, JMLR 15:1593",
    "Papaspiliopoulos et al. 2007",
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
    """Summary statistics and curves that this study has, from their registries."""
    there = set(results.summary["statistic"]) if len(results.summary) else set()
    drawn = set(results.curves["curve"]) if len(results.curves) else set()
    measures = [m for registry, found in ((STATISTICS, there), (CURVES, drawn))
                for name, m in registry.items() if name in found]  # fmt: skip
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
        "clustered by session, or by episode where a subject has one session (networks, learners). Subjects are fitted "
        "one by one; a source's coefficient is the mean over its subjects."
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
        "Sessions lie within subjects, and subjects within a source. The level of sessions exists only where subjects "
        "have several (animals; a network's test episodes are one session); a learner is one subject and has no group "
        "level. Parameters are a-priori independent at every level: no correlation between them is modelled. Values "
        "start at ½ in every episode. Sampled with NUTS; a fit whose diagnostics fail is marked wherever it appears."
    )
    html += text(
        "Leave-one-out. Left out, with all its trials, is a session of an animal, a whole network, or an episode of a "
        "learner; the same units for every model of a source. Of an animal or a network a new unit u is predicted, so "
        "that its own parameters η are integrated out over the level above, φ (an animal's mean and the SD between its "
        "sessions; the group mean and SD of networks), by importance sampling from a Student t around their "
        "conditional mode:"
    )
    html += equation(LEAVE_OUT) + text(
        "with Pareto-smoothed weights over the posterior draws φ_d; where k > .7 and the unit is a subject, the "
        "posterior of φ without it is computed afresh. The episodes of a learner share its parameters, and φ is these: "
        "nothing is integrated out. The units being different, elpd and weights of animals, networks and learners "
        "answer different questions: a new session of known animals, a new network, a new episode of a known learner."
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


def probe_rows(results: StudyResults) -> list[tuple[str, ...]]:
    """Outcome, typical value and reach of every parameter on the scale of the region of practical equivalence.

    Reach: P(repeat the first choice) at the low and the high end of the parameter's range, others at typical values;
    the ends of a rate are 0 and 1, of other parameters the low and high end of the card.
    """
    from pipeline.comparison.groups import choice_probability
    from pipeline.models.links import transformed

    found = []
    for card in (MODELS[m] for m in results.plan.models if m in MODELS):
        typical = np.array([p.typical for p in card.parameters])
        for i, p in enumerate(card.parameters):
            ends = (1e-6, 1 - 1e-6) if p.link == "logit" else (p.low, p.high)
            values = [transformed(card, np.where(np.arange(len(typical)) == i, end, typical))[i] for end in ends]
            low, high = choice_probability(card, i, np.array(values))
            outcome = "rewarded" if p.probe == 1 else "unrewarded" if p.probe == 0 else f"reward {p.probe:g}"
            span = "0 to 1" if p.link == "logit" else f"{p.low:g} to {p.high:g}".replace("-", "−")
            found.append((card.title, p.symbol, outcome, f"{p.typical:g}", span, f"{low:.2f} to {high:.2f}"))
    return found


def comparison(results: StudyResults) -> Paragraph:
    """Group differences on the scale of a choice probability, stacking, typicality."""
    rope = results.config.get("comparison", {}).get("practical_equivalence")
    html = text(
        "Group differences are posterior draws of one group's mean minus the other's (of a single subject, its own "
        "parameter). To compare parameters of different kinds, each draw of a mean is translated, one parameter at a "
        "time, into a choice probability: a learner with two options, both valued Q₀ = .5, makes one choice, meets one "
        "outcome (rewarded; unrewarded for a parameter that acts without reward, such as α⁻), and P is the probability "
        "that it repeats this first choice, its other parameters having the typical values below. The difference is "
        "that of P between the groups.",
        f"The region of practical equivalence (ROPE) is ±{rope:g} of P, fixed in the config beforehand."
        if rope
        else "",
    )
    table = probe_rows(results)
    if table:
        head = (
            "Model",
            "Parameter",
            "One outcome",
            "Typical value (for the others' rows)",
            "Range",
            "P over this range",
        )
        html += rows(head, table)
        html += text(
            "A learning rate can move P by no more than the last column says over its whole range from 0 to 1, "
            "about .3 "
            "to .4 at the typical β; a parameter of larger reach leaves the region more easily. P(in ROPE) is "
            "therefore "
            "not comparable between parameters, and inside the region means a small effect on this one choice, not "
            "equal behaviour over an episode, where effects of a learning rate accumulate."
        )
    html += text(
        "Stacking weights maximise the leave-one-out log score of the mixture of the models whose fits passed; with "
        "fewer than two there are none. Typicality: whether an animal's statistic lies outside the range, lowest to "
        "highest, of the n single networks of a core that did the same task; for an animal drawn from the same "
        "distribution the probability is 2 / (n + 1). The percentile is kept in the table."
    )
    html += text(selection(results))
    return Paragraph("Comparison", html, ("Kruschke 2018", "Yao et al. 2018"))
