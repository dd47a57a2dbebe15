"""Logistic regression with cluster-robust errors; separation is found and penalised."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import expit
from scipy.stats import t as student


@dataclass(frozen=True)
class Fit:
    """Coefficients (k,) with their covariance (k, k); nan where the design does not identify them."""

    estimate: np.ndarray
    covariance: np.ndarray
    trials: int
    clusters: int
    separated: bool = False
    note: str = ""
    cluster: np.ndarray | None = None  # (clusters,) their numbers
    influence: np.ndarray | None = None  # (clusters, k), U with U'U = covariance; None: no cluster-robust error

    @property
    def standard_error(self) -> np.ndarray:
        """Square root of the variances."""
        return np.sqrt(np.diag(self.covariance))

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wald interval with Student's t on clusters − 1 degrees of freedom."""
        half = student.ppf((1 + level) / 2, max(self.clusters - 1, 1)) * self.standard_error
        return self.estimate - half, self.estimate + half


def logit(design: np.ndarray, outcome: np.ndarray, pattern: np.ndarray, cluster: np.ndarray) -> Fit:
    """Logistic regression logit P(y = 1) = X b, errors robust to dependence within clusters.

    Trials with equal predictors are collapsed to binomial cells, which leaves the likelihood exact and the fit fast.
    With separated data the maximum of the likelihood lies at infinity: then the estimate maximises the likelihood times
    Jeffreys' prior, |X'WX|^½, and the errors are those of the penalised likelihood, not cluster-robust.

    Parameters
    ----------
    design : array (trials, k)
        Predictors X with their constant column.
    outcome : array (trials,)
        y, 0 or 1.
    pattern : array (trials,)
        Whole numbers; trials of equal pattern have equal predictors.
    cluster : array (trials,)
        Whole numbers; trials of equal number depend on each other.

    References
    ----------
    Liang & Zeger 1986, Biometrika 73:13 (sandwich, with the factor G/(G − 1) · (n − 1)/(n − k)); Firth 1993,
    Biometrika 80:27; Heinze & Schemper 2002, Stat Med 21:2409 (separation).
    """
    n, k = design.shape
    clusters = len(np.unique(cluster))
    missing = Fit(np.full(k, np.nan), np.full((k, k), np.nan), n, clusters)
    if n <= k:
        return Fit(missing.estimate, missing.covariance, n, clusters, note="too few trials")
    _, first, cell = np.unique(pattern, return_index=True, return_inverse=True)
    rows = design[first]
    trials = np.bincount(cell).astype(float)
    successes = np.bincount(cell, outcome)
    if np.linalg.matrix_rank(rows * np.sqrt(trials)[:, None]) < k:
        return Fit(
            missing.estimate, missing.covariance, n, clusters, note="a predictor does not vary, or repeats others"
        )
    estimate = _maximum_likelihood(rows, successes, trials)
    if estimate is None or np.abs(rows @ estimate).max() > 10:  # only then can the data be separated
        if separated(rows, successes, trials):
            penalised, covariance = firth(rows, successes, trials)
            return Fit(penalised, covariance, n, clusters, True, "separated: Firth estimate, model-based error")
        if estimate is None:
            return Fit(missing.estimate, missing.covariance, n, clusters, note="the fit did not converge")
    note = "" if clusters >= 10 else f"{clusters} clusters: robust errors are uncertain"
    if clusters < 2:
        return Fit(estimate, missing.covariance, n, clusters, note="one cluster: no error")
    numbers, parts = influence(design, outcome, estimate, cluster)
    return Fit(estimate, parts.T @ parts, n, clusters, note=note, cluster=numbers, influence=parts)


def _maximum_likelihood(rows, successes, trials) -> np.ndarray | None:
    import statsmodels.api as sm
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    model = sm.GLM(np.column_stack([successes, trials - successes]), rows, family=sm.families.Binomial())
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # separation is dealt with by the caller
        try:
            result = model.fit(maxiter=100, tol=1e-10)
        except (PerfectSeparationError, np.linalg.LinAlgError, ValueError):
            return None
    return np.asarray(result.params) if result.converged and np.isfinite(result.params).all() else None


def influence(
    design: np.ndarray, outcome: np.ndarray, estimate: np.ndarray, cluster: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Split the error of the estimate into clusters: their numbers, and what each adds, √c A⁻¹ s_g (clusters, k).

    s_g = Σ_{i ∈ g} x_i (y_i − p_i), A = X'WX, c = G/(G − 1) · (n − 1)/(n − k). The sum of squares over clusters is the
    cluster-robust covariance c A⁻¹ (Σ_g s_g s_g') A⁻¹.
    """
    n, k = design.shape
    p = expit(design @ estimate)
    numbers, group = np.unique(cluster, return_inverse=True)
    score = np.stack([np.bincount(group, column * (outcome - p)) for column in design.T], 1)
    bread = np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)
    groups = len(score)
    return numbers, np.sqrt(groups / (groups - 1) * (n - 1) / (n - k)) * score @ bread


def separated(rows: np.ndarray, successes: np.ndarray, trials: np.ndarray) -> bool:
    """Whether some direction b splits the outcomes, completely or quasi-completely, so that no finite maximum exists.

    It does if Σ |x'b| > 0 is possible with x'b ≥ 0 wherever y = 1 occurs and x'b ≤ 0 wherever y = 0 occurs: a
    linear programme (Konis 2007, DPhil thesis, Oxford). ``rows`` are cells (cells, k) of full column rank.
    """
    signed = np.concatenate([rows[successes > 0], -rows[successes < trials]])
    found = linprog(-signed.sum(0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=[(-1, 1)] * rows.shape[1])
    return bool(found.status == 0 and -found.fun > 1e-9)


def firth(
    rows: np.ndarray, successes: np.ndarray, trials: np.ndarray, iterations: int = 500
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression penalised by Jeffreys' prior: Newton steps on the modified score X'(s − n p + h (½ − p)).

    h are the leverages of the cells under W = n p (1 − p). Returns estimate (k,) and (X'WX)⁻¹ (k, k). Firth 1993.
    """
    estimate = np.zeros(rows.shape[1])
    for _ in range(iterations):
        p = expit(rows @ estimate)
        weight = trials * p * (1 - p)
        covariance = np.linalg.inv((rows * weight[:, None]).T @ rows)
        leverage = weight * np.einsum("ij,jk,ik->i", rows, covariance, rows)
        step = covariance @ (rows.T @ (successes - trials * p + leverage * (0.5 - p)))
        step *= min(1, 1 / max(np.abs(step).max(), 1e-12))  # at most one logit per step, as logistf does
        estimate = estimate + step
        if np.abs(step).max() < 1e-9:
            break
    return estimate, covariance


def freedom(fits: list[Fit], population: bool, shared: int = 0) -> int:
    """Degrees of freedom of a mean over subjects: n − 1 of a population; of fixed subjects Σ (clusters − 1); 1 or more.

    Fixed subjects on ``shared`` episodes have those of the subject with the most clusters: the episodes are the same.
    Subjects without an estimate are left out; one subject is a fixed one.
    """
    kept = [f for f in fits if np.isfinite(f.estimate).all()]
    if population and len(kept) > 1:
        return len(kept) - 1
    own = [f.clusters - 1 for f in kept]
    return max(max(own, default=0) if shared else sum(own), 1)


def together(fits: list[Fit], shared: int) -> np.ndarray:
    """Covariance of the sum of several subjects' estimates on the same episodes, (k, k).

    The influences of the subjects are added up within each episode before they are squared, Σ_g u_g u_g' with
    u_g = Σ_s u_sg: what an episode does to all subjects does not average out. Clusters are episodes, numbered through
    all subjects in turn, so that equal remainders on division by ``shared`` are the same episode.

    A fit without influences (a separated one) may err with the others in any way. Then the covariance is the upper
    bound (Σ w_i) Σ V_i / w_i of the covariance of a sum, with w_i = √(trace V_i): exact where all err alike.
    """
    added = np.zeros((shared, len(fits[0].estimate)))
    parts = []
    for fit in fits:
        if fit.influence is None:
            parts.append(fit.covariance)
        else:
            np.add.at(added, fit.cluster % shared, fit.influence)
    parts.append(added.T @ added)
    weights = np.sqrt([np.trace(part) for part in parts])
    return weights.sum() * np.sum([part / w if w != 0 else part for part, w in zip(parts, weights)], 0)


def _common(fits: list[Fit], shared: int) -> np.ndarray:
    """Mean covariance between two subjects' estimates, through the episodes that they share, (k, k).

    (Σ_st C_st − Σ_s C_ss) / (n (n − 1)), negative eigenvalues set to 0. Subjects without an error are left out.
    """
    known = [f for f in fits if np.isfinite(f.covariance).all()]
    n, k = len(known), len(fits[0].estimate)
    if n < 2:
        return np.zeros((k, k))
    between = (together(known, shared) - np.sum([f.covariance for f in known], 0)) / (n * (n - 1))
    values, vectors = np.linalg.eigh(between)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def combine(fits: list[Fit], population: bool, level: float = 0.95, shared: int = 0):
    """Mean of the subjects' coefficients, with its covariance and interval.

    ``population``: covariance of the subjects' estimates over n, interval Student's t on n − 1 degrees of freedom: it
    speaks of subjects like these. Otherwise the subjects are fixed: (1/n²) Σ covariance, Student's t on
    Σ (clusters − 1) degrees of freedom, and it speaks of these subjects only. Subjects without an estimate are left
    out.

    ``shared``: number of episodes of each subject if all met the same ones in one session each, else 0. Such subjects
    do not err independently: fixed ones have the covariance of `together` over n², on episodes − 1 degrees of freedom;
    to the covariance over a population the mean covariance between two subjects is added (n − 1 degrees of freedom
    stay, which errs on the side of a wider interval).

    Returns
    -------
    estimate, covariance, low, high, n
        (k,), (k, k), (k,), (k,), number of subjects in the mean; nan where there is none.
    """
    k = len(fits[0].estimate)
    kept = [f for f in fits if np.isfinite(f.estimate).all()]
    n = len(kept)
    if not n:
        empty = np.full(k, np.nan)
        return empty, np.full((k, k), np.nan), empty, empty, 0
    stacked = np.stack([f.estimate for f in kept])
    if population and n > 1:
        covariance = np.cov(stacked, rowvar=False).reshape(k, k) / n
        if shared:
            covariance = covariance + _common(kept, shared)
    elif shared:
        covariance = together(kept, shared) / n**2
    else:
        covariance = np.sum([f.covariance for f in kept], 0) / n**2
    half = student.ppf((1 + level) / 2, freedom(kept, population, shared)) * np.sqrt(np.diag(covariance))
    mean = stacked.mean(0)
    return mean, covariance, mean - half, mean + half, n
