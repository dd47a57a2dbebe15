"""Likelihood of a model for one source: total and gradient by the kernel, trial by trial by the step itself."""

from types import SimpleNamespace

import numpy as np

from pipeline.models.card import STATES, ModelCard, Step
from pipeline.models.data import Trials
from pipeline.models.kernel import compiled
from pipeline.models.symbolic import PER_OPTION, inputs_of


def likelihood(card: ModelCard, trials: Trials, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of each unit and its gradient.

    Parameters
    ----------
    card : ModelCard
    trials : Trials
    theta : array (units, parameters)
        Natural values of the parameters.

    Returns
    -------
    loglik : array (units,)
        Σ over the unit's free choices of log P(choice).
    gradient : array (units, parameters)
        Its derivatives with respect to ``theta``, exact (forward tangents).
    """
    theta = np.ascontiguousarray(theta, float)
    if theta.shape != (trials.units, len(card.parameters)):
        raise ValueError(
            f"theta has shape {theta.shape}; expected {(trials.units, len(card.parameters))} (units, parameters)"
        )
    loglik, gradient = np.zeros(trials.units), np.zeros(theta.shape)
    compiled(card, trials.options)(theta, trials.inputs, trials.length, trials.unit, loglik, gradient)
    return loglik, gradient


class Learner:
    """A model's step run forward with arrays: the same definition that the kernel was generated from.

    ``theta`` (…, parameters) are natural values; states have the shape ``shape``, against which they broadcast.
    """

    def __init__(self, card: ModelCard, theta: np.ndarray, options: int, shape: tuple[int, ...]):
        self.card, self.options = card, options
        theta = np.asarray(theta)
        self.p = SimpleNamespace(**{name: theta[..., i] for i, name in enumerate(card.names)})
        self.state = SimpleNamespace()
        for s in card.states:
            size = s.size(options, card.second_options)
            blank = [np.full(shape, s.start) for _ in range(size or 1)]
            setattr(self.state, s.name, blank if size else blank[0])
        self.shape = shape

    def step(self, choice=None, reward=None, *, state=None, second=None, common=0.7, **extra) -> Step:
        """Evaluate the step at the present states; ``choice`` None stands for a choice not made yet.

        ``state``, ``second`` and ``common`` are the second-stage state, the choice there and P(common transition) of a
        two-step task; columns that are per option come as sequences of arrays.
        """
        blank = np.zeros(self.shape)

        def indicators(value, count):
            return [blank if value is None else (value == k) * 1.0 for k in range(count)]

        if self.card.two_step:
            count = self.card.second_options
            extra |= {"state": indicators(state, STATES), "second": indicators(second, count) or [1.0]}
            extra |= {"second_options": count, "common": common}
        trial = SimpleNamespace(
            chosen=indicators(choice, self.options), reward=blank if reward is None else reward, options=self.options,
            where=np.where, exp=np.exp, log=np.log, sqrt=np.sqrt, **extra,
        )  # fmt: skip
        return self.card.step(self.p, self.state, trial)

    def policy(self, **extra) -> np.ndarray:
        """Probability of each option at the next choice, (…, options)."""
        return softmax(np.stack(np.broadcast_arrays(*self.step(**extra).logits), -1))

    def second_policy(self, choice, state, **extra) -> np.ndarray:
        """Probability of each option at the second stage, in the state reached, (…, second options)."""
        step = self.step(choice, state=state, **extra)
        return softmax(np.stack(np.broadcast_arrays(*step.second_logits), -1))

    def update(self, step: Step, where=None) -> None:
        """Move to the states after the outcome, for the subjects marked by ``where`` only."""
        for s in self.card.states:
            old, new = getattr(self.state, s.name), step.updates[s.name]
            if where is not None:
                several = s.per_option or s.per_second
                new = [np.where(where, n, o) for n, o in zip(new, old)] if several else np.where(where, new, old)
            setattr(self.state, s.name, new)


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(x_k) / Σ exp(x) over the last axis, without overflow."""
    weight = np.exp(logits - logits.max(-1, keepdims=True))
    return weight / weight.sum(-1, keepdims=True)


def by_trial(card: ModelCard, trials: Trials, theta: np.ndarray) -> dict[str, np.ndarray]:
    """Log-likelihood, policy and latent variables of every trial, at given parameters.

    Parameters
    ----------
    card : ModelCard
    trials : Trials
    theta : array (units, parameters)
        Natural values.

    Returns
    -------
    dict of arrays (rows,)
        In the order of ``trials.rows`` (positions in the table): ``loglik`` of the trial's choices (0 for forced ones),
        ``policy_k``, ``second_policy_k`` where there is a choice at the second stage, and the step's latents
        before the update, ``<name>`` or ``<name>_k``: for Rescorla–Wagner values ``Q_k`` and
        ``prediction_error`` δ = r − Q_c.
    """
    inputs = trials.inputs.transpose(1, 2, 0, 3)  # (trials, input, blocks, lanes)
    shape = inputs.shape[2:]
    learner = Learner(card, np.asarray(theta)[trials.unit], trials.options, shape)
    names = inputs_of(card, trials.options)
    found: dict[str, list] = {}
    for row in inputs:
        given = dict(zip(names, row))
        choice, reward, score = (given.pop(name) for name in ("choice", "reward", "score"))
        second_score = given.pop("second_score", None)
        for column in set(card.extra) & PER_OPTION:
            given[column] = [given.pop(f"{column}_{k}") for k in range(trials.options)]
        step = learner.step(choice, reward, **given)
        log_policy = _log_softmax(step.logits)
        values = {"loglik": score * _picked(log_policy, choice)}
        values |= {f"policy_{k}": np.exp(log_policy[..., k]) for k in range(trials.options)}
        if card.second_options:
            log_second = _log_softmax(step.second_logits)
            values["loglik"] = values["loglik"] + second_score * _picked(log_second, given["second"])
            values |= {f"second_policy_{k}": np.exp(log_second[..., k]) for k in range(card.second_options)}
        for name, value in step.latents.items():
            if isinstance(value, (list, tuple)):
                values |= {f"{name}_{k}": v for k, v in enumerate(value)}
            else:
                values[name] = value
        for name, value in values.items():
            found.setdefault(name, []).append(np.broadcast_to(value, shape))
        learner.update(step)
    return {name: np.stack(v)[trials.row_trial, trials.row_block, trials.row_lane] for name, v in found.items()}


def _log_softmax(logits) -> np.ndarray:
    values = np.stack(np.broadcast_arrays(*logits), -1)
    shifted = values - values.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _picked(log_policy: np.ndarray, choice: np.ndarray) -> np.ndarray:
    return np.take_along_axis(log_policy, choice.astype(int)[..., None], -1)[..., 0]
