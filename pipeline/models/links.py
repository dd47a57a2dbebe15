"""Links between a parameter's natural scale and the unbounded scale on which it is modelled."""

import numpy as np
from scipy.special import expit, logit

from pipeline.models.card import ModelCard

FORWARD = {"logit": logit, "log": np.log, "identity": np.asarray, "upper_half": lambda v: logit(2 * v - 1)}
INVERSE = {"logit": expit, "log": np.exp, "identity": np.asarray, "upper_half": lambda x: 0.5 + 0.5 * expit(x)}


def natural(card: ModelCard, transformed: np.ndarray) -> np.ndarray:
    """Natural values of parameters (…, parameters) given on the scale of their links."""
    transformed = np.asarray(transformed, float)
    return np.stack([INVERSE[p.link](transformed[..., i]) for i, p in enumerate(card.parameters)], -1)


def transformed(card: ModelCard, values: np.ndarray) -> np.ndarray:
    """Values of parameters (…, parameters) on the scale of their links."""
    values = np.asarray(values, float)
    return np.stack([FORWARD[p.link](values[..., i]) for i, p in enumerate(card.parameters)], -1)


def slope(card: ModelCard, values: np.ndarray) -> np.ndarray:
    """Differentiate the natural value by the transformed one, at natural values (…, parameters)."""
    values = np.asarray(values, float)
    rules = {
        "logit": lambda v: v * (1 - v),
        "log": lambda v: v,
        "identity": np.ones_like,
        "upper_half": lambda v: (2 * v - 1) * (1 - v),  # ½ p (1 − p) with p = 2 v − 1
    }
    return np.stack([rules[p.link](values[..., i]) for i, p in enumerate(card.parameters)], -1)
