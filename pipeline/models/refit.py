"""The posterior without one unit: what leave-one-out falls back on where importance weights fail."""

from dataclasses import replace

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.diagnose import diagnose, keep, smooth
from pipeline.models.importance import Points
from pipeline.models.laplace import em, group_grid
from pipeline.models.symbolic import inputs_of

R_HAT = 1.05  # largest of a refit that is used: of its draws only an average is taken
DRAWS, TUNE = 800, 300  # of all chains of a refit together; most per chain: a refit starts where the fit did


def silenced(card: ModelCard, trials: Trials, lanes: np.ndarray) -> Trials:
    """Leave the choices of these lanes, (blocks, lanes) of bool, out of the score; structure and order stay."""
    inputs, names = trials.inputs.copy(), inputs_of(card, trials.options)
    for name in ("score", "second_score"):
        if name in names:
            inputs[:, :, names.index(name)] *= ~lanes[:, None]
    score = inputs[trials.row_block, trials.row_trial, names.index("score"), trials.row_lane]
    owner = trials.unit[trials.row_block, trials.row_lane]
    return replace(trials, inputs=inputs, unit_trials=np.bincount(owner, score, trials.units).astype(int))


class Refits:
    """Sampling the same model anew with some episodes not scored; everything else as it was.

    Parameters
    ----------
    card, trials
        As fitted.
    compiled
        Program of the fit (`pipeline.models.hierarchy.program`), or None: then it is compiled when first needed.
    settings : mapping
        tune, chains, threads, target_accept of the sampler.
    seed : int
    most : int
        Refits at most.
    """

    def __init__(self, card: ModelCard, trials: Trials, compiled, settings, seed: int, most: int):
        self.card, self.trials, self.compiled, self.seed, self.most = card, trials, compiled, seed, most
        self.settings = {name: settings[name] for name in ("chains", "threads", "target_accept")}
        self.settings["tune"] = min(settings["tune"], TUNE)
        self.draws = max(-(-DRAWS // settings["chains"]), 100)
        self.count = 0

    def without(self, lanes: np.ndarray):
        """Draws from the posterior without these lanes; None where no refit is left or its chains disagree."""
        if self.count >= self.most:
            return None
        from pipeline.models import hierarchy

        self.count += 1
        silent = silenced(self.card, self.trials, lanes)
        laplace = em(self.card, silent)
        if self.compiled is None:
            self.compiled = hierarchy.program(self.card, silent, laplace)
        program = hierarchy.renew(self.compiled, self.card, silent, laplace)
        idata = keep(hierarchy.sample(program, draws=self.draws, seed=self.seed + self.count, **self.settings))
        worst = diagnose(idata)["max_r_hat"]
        return idata if worst is None or worst <= R_HAT else None


def by_grid(card: ModelCard, points: Points, left_out: int, rest: np.ndarray, seed: int, count: int = 1024):
    """Predict one subject from others of its group, ``rest``, without sampling: elpd and Pareto k.

    For subjects with one unit each and no conditions. Draws of φ come from the posterior in which each remaining
    subject is summarised by a normal likelihood, parameter by parameter: σ from a grid, μ given σ exactly. They are
    then weighted by the marginal likelihoods proper over the normal ones: exact where k of these weights is small.
    """
    generator = np.random.default_rng(seed)
    mean, spread = np.empty((2, count, len(card.parameters)))
    log_proposal = np.zeros(count)
    for i, p in enumerate(card.parameters):
        estimate, variance = points.estimate[rest, i], points.variance[rest, i]
        grid, probability, middle, precision = group_grid(p, estimate, variance)
        at = generator.choice(len(grid), count, p=probability)
        spread[:, i] = grid[at]
        mean[:, i] = middle[at] + generator.standard_normal(count) / np.sqrt(precision[at])
        log_proposal += norm.logpdf(estimate, mean[:, i, None], np.sqrt(grid[at, None] ** 2 + variance)).sum(1)
    marginal = points.marginal(np.repeat(mean[:, None], len(points.eta), 1), spread, [*rest, left_out])
    weights, k = smooth((marginal[:-1].sum(0) - log_proposal)[None])
    return float(logsumexp(weights[0] + marginal[-1])), float(k[0])
