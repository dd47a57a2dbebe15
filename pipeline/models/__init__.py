"""Models of choice: cards in the registry `MODELS`, and what is derived from each.

A card states a model once (`pipeline.models.card`); from its one-trial step come the compiled likelihood with its
gradient, the trial-by-trial quantities and the simulator, so that fit and simulation cannot drift apart. This module is
read when the workflow is parsed and imports none of the samplers.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.errors import UserError
from pipeline.models.baselines import BIASED_COIN, WIN_STAY_LOSE_SHIFT
from pipeline.models.bayesian import BAYESIAN_REVERSAL, POOLED_COUNT
from pipeline.models.card import ModelCard, Parameter, State, Step
from pipeline.models.counterfactual import FICTIVE, FORGETTING
from pipeline.models.magnitude import MAGNITUDE_RESCORLA_WAGNER, VOLATILITY_MAGNITUDE_RESCORLA_WAGNER
from pipeline.models.rescorla_wagner import ASYMMETRIC_STICKY, RESCORLA_WAGNER, RESCORLA_WAGNER_STICKY
from pipeline.models.two_step import (
    TWO_STEP_HYBRID,
    TWO_STEP_LATENT_STATE,
    TWO_STEP_MODEL_BASED,
    TWO_STEP_MODEL_FREE,
)
from pipeline.models.uncertainty import KALMAN, PEARCE_HALL
from pipeline.models.volatility import VOLATILITY_RESCORLA_WAGNER

MODELS: Mapping[str, ModelCard] = MappingProxyType(
    {
        card.name: card
        for card in (
            BIASED_COIN,
            WIN_STAY_LOSE_SHIFT,
            RESCORLA_WAGNER,
            RESCORLA_WAGNER_STICKY,
            ASYMMETRIC_STICKY,
            FICTIVE,
            FORGETTING,
            PEARCE_HALL,
            KALMAN,
            VOLATILITY_RESCORLA_WAGNER,
            MAGNITUDE_RESCORLA_WAGNER,
            VOLATILITY_MAGNITUDE_RESCORLA_WAGNER,
            BAYESIAN_REVERSAL,
            POOLED_COUNT,
            TWO_STEP_MODEL_FREE,
            TWO_STEP_MODEL_BASED,
            TWO_STEP_HYBRID,
            TWO_STEP_LATENT_STATE,
        )
    }
)

__all__ = ["MODELS", "ModelCard", "Parameter", "State", "Step", "fit", "model"]


def model(name: str) -> ModelCard:
    """Look a model up by name.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in MODELS:
        raise UserError(
            f"model {name!r} is not known; known are {', '.join(MODELS)} (add one in pipeline/models/__init__.py)"
        )
    return MODELS[name]


def fit(table, model_name, settings=None, source=None):
    """Fit a model to one source; see `pipeline.models.fitting.fit`."""
    from pipeline.models.fitting import fit as run

    return run(table, model_name, settings, source)
