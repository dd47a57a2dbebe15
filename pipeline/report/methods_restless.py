"""Methods paragraph of the learning rates fitted to single episodes."""

from pipeline.behaviour import WANG
from pipeline.behaviour.volatility import BETA_LIMIT, FEW, GAP
from pipeline.report.load import StudyResults
from pipeline.report.prose import Paragraph, equation, text

EQUATION = (
    r"Q_c \leftarrow Q_c + \alpha (r - Q_c),\quad Q_0 = 0.5,\quad P(k) \propto e^{\beta Q_k},\quad "
    r"\alpha_e = b_0 + b_1 \nu_e + \varepsilon_e"
)


def volatility(results: StudyResults) -> Paragraph:
    """Fit of every episode, and its regression on the volatility."""
    html = text(
        "A Rescorla–Wagner learner is fitted to the choices of every test episode by maximum likelihood, and its "
        "learning rate regressed on the episode's volatility, ν:"
    )
    html += equation(EQUATION)
    html += text(
        f"α lies in [0, 1] and β in [0, {BETA_LIMIT:g}]. For a given α the log-likelihood is concave in β and solved "
        "exactly; the profile over α is searched on a grid, and its three highest maxima are narrowed down. Fits at a "
        "bound are counted and kept (a learner of a very volatile world has α = 1), and every number is given again "
        "without them. Where β = 0 is best, α is not defined: such episodes are counted and enter no regression. The "
        f"held-out third are the episodes with {GAP[0]:.3f} < ν < {GAP[1]:.3f}, between the two ranges of training."
    )
    html += text(
        "Unit: within one network the regression (ordinary least squares) and the t tests (Welch's, two-sided) are "
        "over its episodes, as printed in the paper; they say nothing about other networks. Over networks, each "
        "number is averaged, with a t interval (Welch's) whose error adds the spread over "
        "networks and the sampling error of the test episodes, which all networks share "
        f"(fewer than {FEW}: it describes these networks on these episodes). "
        "The interval of R² is that of the correlation by "
        "Fisher's z. α of one episode is itself uncertain: its sampling error lowers R², for networks and the ideal "
        "observer alike. The hierarchical model takes this error into account, but not that episodes may differ for "
        "other reasons than their volatility."
    )
    return Paragraph("Learning rates of single episodes", html, (WANG, "Behrens et al. 2007", "Rescorla & Wagner 1972"))
