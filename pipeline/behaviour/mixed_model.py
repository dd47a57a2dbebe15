"""The mixed logistic regression: its priors, its statement in PyMC, and its sampling by nutpie."""

import numpy as np

from pipeline.behaviour.mixed_density import Density
from pipeline.behaviour.mixed_design import Cells, flat
from pipeline.behaviour.mixed_equations import Prior

MEAN, SPREAD, WITHIN = 2.5, 1.0, 0.5
DIMS = {
    "group_mean": ("group", "parameter"),
    "group_sd": ("group", "parameter"),
    "condition_effect": ("contrast", "parameter"),
    "session_sd": ("parameter",),
    "subject_parameters": ("subject", "parameter"),
}


def prior(cells: Cells) -> Prior:
    """Weakly informative priors, the same for every regression and source.

    Each coefficient is judged by what it does over one unit u of its predictor (`mixed_design.Rows.unit`: the step
    between two kinds of trial, ±½; a past event against none). In log odds:

    - group means ~ Normal(0, 2.5 / u): a step that moves a choice from .5 to .92 is one SD, and one to .99 two (Gelman
      et al. 2008 and the default of rstanarm use this scale); wide against all effects known from animals and people,
      but finite, so that separated data have a posterior.
    - SDs between subjects ~ HalfNormal(1 / u): subjects between .27 and .73, or .82 and .97, are usual; ones that
      differ by more than 2 logits are not ruled out.
    - SDs between the sessions of a subject ~ HalfNormal(.5 / u): a subject differs from itself less than from others.
    - effects of a condition ~ Normal(0, 1 / u): about as large as differences between subjects.
    """
    step = 1 / cells.unit
    return Prior(MEAN * step, SPREAD * step, SPREAD * step, WITHIN * step)


def build(cells: Cells, prior: Prior):
    """State the model in PyMC: what `Density` samples, for reading and for tests; sampling it takes far longer.

    For every coefficient independently::

        group_mean       ~ Normal(0, mean)        group_sd   ~ HalfNormal(group_sd)     of each group
        condition_effect ~ Normal(0, condition)   session_sd ~ HalfNormal(session_sd)
        subject          ~ Normal(group_mean, group_sd)
        session          ~ Normal(subject + X · condition_effect, session_sd)
        y                ~ Binomial(n, logit⁻¹(predictors · session))

    A lone subject has the prior of a group mean instead of a group. Without several sessions of some subject there is
    no level of sessions. X is the design of `pipeline.models.structure`.
    """
    import pymc as pm

    s = cells.structure
    coords = {"parameter": cells.terms, "group": s.groups, "contrast": s.contrasts, "subject": cells.subjects,
              "unit": cells.unit_label}  # fmt: skip
    design, successes, trials, unit = flat(cells)
    with pm.Model(coords={name: values for name, values in coords.items() if values}) as model:
        dims = ("subject", "parameter")
        if len(cells.subjects) > 1:
            mean = pm.Normal("group_mean", 0, prior.mean, dims=DIMS["group_mean"])
            sd = pm.HalfNormal("group_sd", prior.group_sd, dims=DIMS["group_sd"])
            subject = pm.Normal("subject_parameters", mean[s.subject_group], sd[s.subject_group], dims=dims)
        else:
            subject = pm.Normal("subject_parameters", 0, prior.mean, dims=dims)
        session = subject[cells.unit_subject]
        if s.contrasts:
            effect = pm.Normal("condition_effect", 0, prior.condition, dims=DIMS["condition_effect"])
            session = session + s.design @ effect
        if cells.nested:
            sd = pm.HalfNormal("session_sd", prior.session_sd, dims="parameter")
            session = pm.Normal("session_parameters", session, sd, dims=("unit", "parameter"))
        pm.Binomial("y", trials, logit_p=(design * session[unit]).sum(1), observed=successes)
    return model


def sample(cells: Cells, density: Density, draws: int, tune: int, chains: int, threads: int, target_accept: float,
           seed: int):  # fmt: skip
    """Draw from the posterior; returns ArviZ ``InferenceData`` with sampler statistics, sessions' draws left out."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    s = cells.structure
    shapes = {name: value.shape for name, value in density.variables(density.start).items() if name in DIMS}
    coords = {"group": s.groups, "contrast": s.contrasts, "parameter": cells.terms, "subject": cells.subjects}

    def expand(seed_1, seed_2, chain):
        return lambda x: {name: value for name, value in density.variables(x).items() if name in shapes}

    def start(chain_seed):
        x = density.start.copy()
        x[density.loose] += np.random.default_rng(chain_seed).uniform(-1, 1, x[density.loose].size)
        return x

    model = from_pyfunc(
        len(density.start), lambda: density, expand, [np.dtype(float)] * len(shapes), list(shapes.values()),
        list(shapes), coords={name: list(coords[name]) for name in {d for n in shapes for d in DIMS[n]}},
        dims={name: DIMS[name] for name in shapes}, make_initial_point_fn=start,
    )  # fmt: skip
    return nutpie.sample(
        model, draws=draws, tune=tune, chains=chains, cores=threads, seed=seed, target_accept=target_accept,
        save_warmup=False, progress_bar=False,
    )  # fmt: skip
