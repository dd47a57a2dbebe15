"""The compiled likelihood as a node of a PyTensor graph, with the links around it.

PyTensor compiles through numba alone here (``cxx=`` in its flags): its C compiler's lock would make parallel jobs wait
for each other, whereas numba's cache, kept between runs, is written by renaming. An environment that names a
``base_compiledir`` has its way.
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
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key

from pipeline.models.card import LINKS, ModelCard


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
                elif links[i] == 2:
                    theta[u, i] = x
                else:
                    share = 1 / (1 + np.exp(-x))
                    theta[u, i] = 0.5 + 0.5 * share
                    slope[u, i] = 0.5 * share * (1 - share)
        loglik, gradient = np.zeros(eta.shape[0]), np.zeros(eta.shape)
        kernel(theta, inputs, length, unit, loglik, gradient)
        return loglik, gradient * slope

    return run


@register_funcify_default_op_cache_key(LikelihoodOp)
def _numba(op, node, **kwargs):
    return on_links(op)
