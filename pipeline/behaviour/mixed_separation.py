"""Which subjects' choices are separated by the predictors, so that alone they would have no finite estimate."""

import numpy as np

from pipeline.behaviour.logistic import separated
from pipeline.behaviour.mixed_design import Cells, flat
from pipeline.behaviour.mixed_kernel import information, likelihood

STEPS, RIDGE, FAR = 30, 1e-4, 10.0


def separated_subjects(cells: Cells) -> list[str]:
    """Names of the subjects whose trials alone are separated: see `pipeline.behaviour.logistic.separated`.

    Few need the linear programme: a subject is only suspected where the likelihood, all but free to rise, takes some
    trial beyond `FAR` log odds, or where a predictor that varies for others does not for this one.
    """
    first = np.searchsorted(cells.unit_subject, np.arange(len(cells.subjects) + 1))
    codes, scale, successes, trials, _ = cells.data()
    data, start = (codes, scale, successes, trials), cells.start[first]
    beta = _all_but_free(data, start)
    design, successes, trials, unit = flat(cells)
    subject, found = cells.unit_subject[unit], []
    far = np.abs((design * beta[subject]).sum(1)) > FAR
    for s in np.unique(subject[far]):
        own = subject == s
        varies = np.concatenate([[True], np.ptp(design[own][:, 1:], axis=0) > 0])
        if separated(design[own][:, varies], successes[own], trials[own]):
            found.append(cells.subjects[s])
    return found


def _all_but_free(data, start) -> np.ndarray:
    """Coefficients of each subject alone, (subjects, k), by damped Newton steps on a likelihood with a faint ridge."""
    codes, scale, _, trials = data
    beta = np.zeros((len(start) - 1, codes.shape[1]))
    for _ in range(STEPS):
        gradient = likelihood(beta, *data, start)[1] - RIDGE * beta
        curvature = information(beta, codes, scale, trials, start) + RIDGE * np.eye(beta.shape[1])
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        step *= np.minimum(1, 2 / np.maximum(np.abs(step).max(1), 1e-12))[:, None]
        beta = beta + step
        if np.abs(step).max() < 1e-3:
            break
    return beta
