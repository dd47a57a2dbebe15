"""The hierarchical model in PyMC, on the compiled likelihood, sampled by nutpie.

Chains of nutpie are threads of one process. PyTensor compiles through numba alone here (``cxx=`` in its flags): its C
compiler's lock would make parallel jobs wait for each other, whereas numba's cache, kept between runs, is written by
renaming. An environment that names a ``base_compiledir`` has its way.
"""

import os

from pipeline.models.kernel import cache_folder, compiled

if "base_compiledir" not in os.environ.get("PYTENSOR_FLAGS", ""):
    os.environ["PYTENSOR_FLAGS"] = ",".join(
        filter(
            None,
            [os.environ.get("PYTENSOR_FLAGS", ""), f"base_compiledir={cache_folder().parent / 'pytensor'}", "cxx="],
        )
    )

import numba
import numpy as np
import nutpie
import pymc as pm
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from pipeline.models.card import LINKS, ModelCard
from pipeline.models.data import Trials
from pipeline.models.laplace import LaplaceFit


class LikelihoodOp(Op):
    """Log-likelihood of each unit and its Jacobian, as two outputs of one node.

    Inputs: parameters (units, parameters) on the scale of their links, and the packed trials. The gradient is the
    second output times the incoming one; PyTensor merges the two uses into one call of the kernel. ``digest`` names
    the kernel's source, so that code compiled for an older definition of the model is never used again.
    """

    __props__ = ("name", "options", "digest")

    def __init__(self, card: ModelCard, options: int):
        self.name, self.options, self.card = card.name, options, card
        self.kernel = compiled(card, options)
        self.digest = self.kernel.__module__

    def make_node(self, eta, inputs, length, unit):
        """Declare the node; see `Op.make_node`."""
        arguments = [pt.as_tensor_variable(x) for x in (eta, inputs, length, unit)]
        return Apply(self, arguments, [pt.dvector(), pt.dmatrix()])

    def perform(self, node, arguments, outputs):
        """Compute in Python; see `Op.perform`."""
        outputs[0][0], outputs[1][0] = on_links(self)(*(np.ascontiguousarray(x) for x in arguments))

    def infer_shape(self, fgraph, node, shapes):
        """Give the shapes of the outputs; see `Op.infer_shape`."""
        return [(shapes[0][0],), shapes[0]]

    def L_op(self, inputs, outputs, output_gradients):
        """Multiply the Jacobian by the incoming gradient; see `Op.L_op`."""
        if not isinstance(output_gradients[1].type, DisconnectedType):
            raise NotImplementedError("second derivatives of the likelihood are not available")
        return [outputs[1] * output_gradients[0][:, None], *(DisconnectedType()() for _ in inputs[1:])]

    def connection_pattern(self, node):
        """Only the parameters can be differentiated; see `Op.connection_pattern`."""
        return [[True, True], *([False, False] for _ in node.inputs[1:])]


def on_links(op: LikelihoodOp):
    """Compile the kernel with the links around it: inverse links in front, the chain rule behind."""
    kernel, links = op.kernel, tuple(LINKS.index(p.link) for p in op.card.parameters)

    @numba.njit(nogil=True)
    def run(eta, inputs, length, unit):
        theta, slope = np.empty(eta.shape), np.ones(eta.shape)
        for i in range(eta.shape[1]):
            for u in range(eta.shape[0]):
                x = eta[u, i]
                if links[i] == 0:
                    theta[u, i] = 1 / (1 + np.exp(-x))
                    slope[u, i] = theta[u, i] * (1 - theta[u, i])
                elif links[i] == 1:
                    theta[u, i] = np.exp(x)
                    slope[u, i] = theta[u, i]
                else:
                    theta[u, i] = x
        loglik, gradient = np.zeros(eta.shape[0]), np.zeros(eta.shape)
        kernel(theta, inputs, length, unit, loglik, gradient)
        return loglik, gradient * slope

    return run


@register_funcify_default_op_cache_key(LikelihoodOp)
def _numba(op, node, **kwargs):
    return on_links(op)


def build(card: ModelCard, trials: Trials, laplace: LaplaceFit) -> pm.Model:
    """State the hierarchical model.

    On the scale of each parameter's link, independently for every parameter::

        group_mean ~ Normal(mean, sd)            group_sd   ~ HalfNormal(group_sd)
        subject    ~ Normal(group_mean, group_sd)
        session    ~ Normal(subject, session_sd) session_sd ~ HalfNormal(session_sd)
        choice     ~ model(inverse link(session))

    The session level is there when some subject has more than one session; a lone subject has the prior of the group
    mean instead of a group. Subjects and sessions are sampled in the coordinates of `_normal`.
    """
    names = ("mean", "sd", "group_sd", "session_sd")
    prior = {name: np.array([getattr(p, name) for p in card.parameters]) for name in names}
    coords = {"parameter": card.names, "subject": trials.subjects, "unit": trials.unit_label}
    with pm.Model(coords=coords, check_bounds=False) as model:
        dims = ("subject", "parameter")
        if len(trials.subjects) > 1:
            group_mean = pm.Normal("group_mean", prior["mean"], prior["sd"], dims="parameter")
            group_sd = pm.HalfNormal("group_sd", prior["group_sd"], dims="parameter")
            subject = _normal("subject_parameters", group_mean, group_sd, laplace.of_subject, dims)
        else:
            subject = pm.Normal("subject_parameters", prior["mean"], prior["sd"], dims=dims)
        if trials.nested:
            session_sd = pm.HalfNormal("session_sd", prior["session_sd"], dims="parameter")
            mean = subject[trials.unit_subject]
            unit = _normal("session_parameters", mean, session_sd, laplace.of_unit, ("unit", "parameter"))
        else:
            unit = subject
        packed = [pm.Data(name, getattr(trials, name)) for name in ("inputs", "length", "unit")]
        loglik, _ = LikelihoodOp(card, trials.options)(unit, *packed)
        pm.Potential("loglik", loglik.sum())
    return model


def _normal(name: str, mean, sd, data, dims):
    """Declare a normal variable in coordinates in which its posterior is nearly standard normal.

    η ~ Normal(mean, sd) is written as η = w η̂ + (1 − w) mean + √(1 − w) sd z with w = sd² / (sd² + v), where the data
    alone say η̂ with variance v (EM–Laplace). Were the likelihood normal, z would be standard normal and independent of
    mean and sd a posteriori. w is the centring weight λ = 1 − var/sd² (Papaspiliopoulos et al. 2007; Gorinova et al.
    2020) as a function of sd: non-centred where the data say little, centred where they say much, at every sd, so that
    a group SD near zero is no funnel. It is a change of variables: the posterior does not depend on η̂ and v.
    """
    estimate, variance = (pm.Data(f"{name}_{part}", getattr(data, part)) for part in ("estimate", "variance"))
    z = pm.Flat(f"{name}_z", dims=dims)
    weight = sd**2 / (sd**2 + variance)
    scale = sd * pt.sqrt(variance / (sd**2 + variance))
    value = pm.Deterministic(name, weight * estimate + (1 - weight) * mean + scale * z, dims=dims)
    density = -0.5 * ((value - mean) / sd) ** 2 - pt.log(sd) + pt.log(scale)  # N(η; mean, sd) |∂η/∂z|
    pm.Potential(f"{name}_prior", density.sum())
    return value


def start(trials: Trials, laplace: LaplaceFit) -> dict[str, np.ndarray]:
    """Values of the free variables at the EM–Laplace fit."""
    point = {}
    if len(trials.subjects) > 1:
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
    loose = {v for v in model.free_RVs if v.name in ("group_mean", "subject_parameters")}
    return nutpie.compile_pymc_model(model, backend="numba", initial_points=start(trials, laplace), jitter_rvs=loose)


def sample(compiled_model, draws: int, tune: int, chains: int, threads: int, target_accept: float, seed: int):
    """Draw from the posterior; returns ArviZ ``InferenceData`` with sampler statistics."""
    return nutpie.sample(
        compiled_model, draws=draws, tune=tune, chains=chains, cores=threads, seed=seed, target_accept=target_accept,
        save_warmup=False, progress_bar=False,
    )  # fmt: skip
