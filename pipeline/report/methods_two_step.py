"""Methods paragraph of the two-step analyses, from their registry."""

from pipeline.behaviour import REGRESSIONS
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, equation, items, text

STAY = (
    r"\mathrm{logit}\, P(\mathrm{stay}) = b_0 + b_1\, \mathrm{reward} + b_2\, \mathrm{transition} "
    r"+ b_3\, \mathrm{reward} \times \mathrm{transition}"
)
AKAM = "Akam, Costa & Dayan 2015, PLoS Comput Biol 11:e1004648"


def two_step(results: StudyResults) -> Paragraph:
    """Stay regressions by outcome and transition, the relative reward effect, the lagged regression."""
    found = [r for r in REGRESSIONS.values() if "transition" in r.needs]
    html = text(
        "A trial is two steps of the network: a choice at S1, then S2 or S3, where any action collects the outcome. "
        "In the trial table the choice is that of the first step, the reward that of the second. Only first-stage "
        "choices are analysed.",
    )
    html += equation(STAY) + items((r.title, r.equation) for r in found)
    html += text(
        "Predictors are coded ±½ (reward, no reward; common, rare). A planner's choices depend on the outcome only "
        "through the transition, so that b₁ is 0 and b₃ is not. A model-free learner that credits the outcome to its "
        "choice has a b₃, too, on schedules on which one action is better throughout (Akam et al. 2015): the common "
        "transition of the better action and its reward go together. Therefore b₁ / b₃ is judged, with an interval "
        "by the delta method on the covariance of the coefficients, not b₃.",
        "The exact filter always stays after one kind of trial: its regression is separated, and is estimated with "
        "the penalty of Firth (1993), like that of any other subject that is separated. Ceilings also stretch log "
        "odds, so that 99 % against 99.9 % looks like an effect: the same contrasts are therefore also shown of the "
        "stay probabilities themselves.",
    )
    citations = (*(r.citation for r in found), AKAM, "Firth 1993, Biometrika 80:27")
    return Paragraph("Two-step analyses", html, tuple(dict.fromkeys(citations)))
