"""The hierarchical model in PyMC, on the compiled likelihood, sampled by nutpie: its chains are threads of one process.

A compiled program serves every data set of the same structure (subjects, sessions, groups, conditions and their order):
`renew` gives it other data, its coordinates and its starting point.
"""

from dataclasses import replace

import numpy as np

from pipeline.models.op import LikelihoodOp  # first: it sets PyTensor's flags  # isort: skip
import nutpie
import pymc as pm
import pytensor.tensor as pt

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials
from pipeline.models.laplace import LaplaceFit, Summary
from pipeline.models.priors import has_groups, scales

PACKED = ("inputs", "length", "unit")  # what the likelihood reads of packed trials
JITTERED = ("group_mean", "subject_parameters")  # the latter where it is free, for a lone subject


def build(card: ModelCard, trials: Trials, laplace: LaplaceFit) -> pm.Model:
    """State the hierarchical model.

    On the scale of each parameter's link, independently for every parameter::

        group_mean       ~ Normal(mean, sd)        group_sd   ~ HalfNormal(group_sd)     of each group
        condition_effect ~ Normal(0, group_sd)     session_sd ~ HalfNormal(session_sd)
        subject          ~ Normal(group_mean, group_sd)
        session          ~ Normal(subject + X · condition_effect, session_sd)
        choice           ~ model(inverse link(session))

    Every group has an SD of its own, that of few subjects or one largely from its prior. X is the design of
    `pipeline.models.structure`; the prior SD of an effect is the card's scale of the SD between subjects
    (`pipeline.models.priors`). The session level is there when some subject has more than one session; else the session
    is subject + X · condition_effect. A lone subject has the prior of a group mean instead of a group. Subjects and
    sessions are sampled in the coordinates of `_normal`.
    """
    prior, s = scales(card), trials.structure
    coords = {
        "parameter": card.names, "group": s.groups, "contrast": s.contrasts, "subject": trials.subjects,
        "unit": trials.unit_label,
    }  # fmt: skip
    with pm.Model(coords={name: values for name, values in coords.items() if values}, check_bounds=False) as model:
        effect = shift = None
        if s.contrasts:
            effect = pm.Normal("condition_effect", 0, prior["condition_sd"], dims=("contrast", "parameter"))
        dims = ("subject", "parameter")
        if has_groups(trials):
            group_mean = pm.Normal("group_mean", prior["mean"], prior["sd"], dims=("group", "parameter"))
            group_sd = pm.HalfNormal("group_sd", prior["group_sd"], dims=("group", "parameter"))
            mean, sd = (x[0] if len(s.groups) == 1 else x[s.subject_group] for x in (group_mean, group_sd))
            if effect is not None:  # what a subject's sessions say of the subject depends on what conditions do
                shift = (pm.Data("subject_design", laplace.subject_design) * effect).sum(1)
            subject = _normal("subject_parameters", mean, sd, _of_subject(trials, laplace), dims, shift)
        else:
            subject = pm.Normal("subject_parameters", prior["mean"], prior["sd"], dims=dims)
        unit, dims, name = subject, ("unit", "parameter"), "session_parameters"
        if trials.nested or effect is not None:
            unit = subject[trials.unit_subject]
        if effect is not None:
            unit = unit + pt.dot(pt.as_tensor_variable(s.design), effect)
        if trials.nested:
            session_sd = pm.HalfNormal("session_sd", prior["session_sd"], dims="parameter")
            unit = _normal(name, unit, session_sd, laplace.of_unit, dims)
        elif effect is not None:
            unit = pm.Deterministic(name, unit, dims=dims)
        packed = [pm.Data(name, getattr(trials, name)) for name in PACKED]
        loglik, _ = LikelihoodOp(card, trials.options)(unit, *packed)
        pm.Potential("loglik", loglik.sum())
    return model


def _of_subject(trials: Trials, laplace: LaplaceFit) -> Summary:
    """Summarise what the data say of subjects, were conditions to have no effect."""
    if not trials.structure.contrasts:
        return laplace.of_subject
    back = np.einsum("scp,cp->sp", laplace.subject_design, laplace.condition_effect)
    return Summary(laplace.of_subject.estimate + back, laplace.of_subject.variance)


def _normal(name: str, mean, sd, data: Summary, dims, shift=None):
    """Declare a normal variable in coordinates in which its posterior is nearly standard normal.

    η ~ Normal(mean, sd) is written as η = w η̂ + (1 − w) mean + √(1 − w) sd z with w = sd² / (sd² + v), where the data
    alone say η̂ with variance v (EM–Laplace), less ``shift`` where that depends on another variable. Were the likelihood
    normal, z would be standard normal and independent of mean and sd a posteriori. w is the centring weight
    λ = 1 − var/sd² (Papaspiliopoulos et al. 2007; Gorinova et al. 2020) as a function of sd: non-centred where the data
    say little, centred where they say much, at every sd, so that a group SD near zero is no funnel. It is a change of
    variables: the posterior does not depend on η̂ and v.
    """
    estimate, variance = (pm.Data(f"{name}_{part}", getattr(data, part)) for part in ("estimate", "variance"))
    if shift is not None:
        estimate = estimate - shift
    z = pm.Flat(f"{name}_z", dims=dims)
    weight = sd**2 / (sd**2 + variance)
    scale = sd * pt.sqrt(variance / (sd**2 + variance))
    value = pm.Deterministic(name, weight * estimate + (1 - weight) * mean + scale * z, dims=dims)
    density = -0.5 * ((value - mean) / sd) ** 2 - pt.log(sd) + pt.log(scale)  # N(η; mean, sd) |∂η/∂z|
    pm.Potential(f"{name}_prior", density.sum())
    return value


def data_of(card: ModelCard, trials: Trials, laplace: LaplaceFit) -> dict[str, np.ndarray]:
    """Everything that changes between data sets of the same structure: what `program` compiles as data, by name."""
    found = {name: getattr(trials, name) for name in PACKED}
    levels = {"session_parameters": laplace.of_unit} if trials.nested else {}
    if has_groups(trials):
        levels["subject_parameters"] = _of_subject(trials, laplace)
        if trials.structure.contrasts:
            found["subject_design"] = laplace.subject_design
    for name, data in levels.items():
        found |= {f"{name}_estimate": data.estimate, f"{name}_variance": data.variance}
    return found


def start(trials: Trials, laplace: LaplaceFit) -> dict[str, np.ndarray]:
    """Values of the free variables at the EM–Laplace fit."""
    point = {}
    if trials.structure.contrasts:
        point["condition_effect"] = laplace.condition_effect
    if has_groups(trials):
        point["group_mean"], point["group_sd"] = laplace.group_mean, laplace.group_sd
        point["subject_parameters_z"] = np.zeros_like(laplace.subject)
    else:
        point["subject_parameters"] = laplace.subject
    if trials.nested:
        point["session_sd"] = laplace.session_sd
        point["session_parameters_z"] = np.zeros_like(laplace.unit)
    return point


def program(card: ModelCard, trials: Trials, laplace: LaplaceFit):
    """Compile the model for nutpie, started at the EM–Laplace fit, its mean jittered by U(−1, 1).

    The mean is the group's, or a lone subject's own: chains that started at one point could not tell R-hat anything.
    """
    model = build(card, trials, laplace)
    names = [variable.name for variable in model.value_vars]
    point = start(trials, laplace)
    compiled = nutpie.compile_pymc_model(model, backend="numba", initial_points=point, jitter_rvs=set())
    return replace(compiled, initial_point_func=_Start(names, point))


def renew(compiled, card: ModelCard, trials: Trials, laplace: LaplaceFit):
    """Give a compiled program other data of the same structure; it draws what `program` of these data would draw."""
    fresh = compiled.with_data(**data_of(card, trials, laplace))
    return replace(fresh, initial_point_func=_Start(compiled.initial_point_func.names, start(trials, laplace)))


class _Start:
    """Starting point of a chain, by its seed: one flat vector in the order of the program, SDs as logarithms."""

    def __init__(self, names: list[str], point: dict[str, np.ndarray]):
        self.names, self.parts = names, []
        for name in names:
            value = np.log(point[name.removesuffix("_log__")]) if name.endswith("_log__") else point[name]
            self.parts.append((np.ravel(value), name in JITTERED))

    def __call__(self, seed=None) -> np.ndarray:
        generator = np.random.default_rng(seed)
        return np.concatenate([x + generator.uniform(-1, 1, x.size) if loose else x for x, loose in self.parts])


def sample(compiled_model, draws: int, tune: int, chains: int, threads: int, target_accept: float, seed: int):
    """Draw from the posterior; returns ArviZ ``InferenceData`` with sampler statistics."""
    return nutpie.sample(
        compiled_model, draws=draws, tune=tune, chains=chains, cores=threads, seed=seed, target_accept=target_accept,
        save_warmup=False, progress_bar=False,
    )  # fmt: skip
