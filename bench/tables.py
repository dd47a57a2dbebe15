"""Behaviour to measure models on: for every card a table that it can be fitted to, made by the card itself."""

import numpy as np
import pandas as pd

from pipeline import trials
from pipeline.errors import UserError
from pipeline.models.card import STATES, ModelCard
from pipeline.models.likelihood import Learner
from pipeline.models.links import natural, transformed
from pipeline.rollout import sample

BLOCK, HIGH, COMMON = 40, 0.8, 0.7  # trials to a reversal; the better option's chance to pay; P(common transition)
SPREAD = 0.6745  # SD between subjects in units of its prior scale: the median of a half-normal prior
SECONDS = 2  # options at the second stage of a two-step task


def sample_table(card: ModelCard, subjects: int, episodes: int, length: int, seed: int = 1) -> pd.DataFrame:
    """Trial table of subjects who follow the model, scattered around typical parameters as its prior expects.

    One option pays with probability `HIGH`, the others with 1 − `HIGH`, and the next takes its place every `BLOCK`
    trials; in a two-step task these are the options of the second stage. Volatility differs between blocks, magnitudes
    between trials.

    Raises
    ------
    UserError
        If the card reads a column that is not made here.
    """
    generator = np.random.default_rng(seed)
    card, options = card.for_second(SECONDS), max(card.options_allowed[0], 2)
    shape = (subjects, episodes, length)
    frame, seen = columns(card, options, shape, generator)
    places = STATES * SECONDS if card.two_step else options
    good = (np.arange(length) // BLOCK + generator.integers(places, size=(*shape[:2], 1))) % places
    pays = generator.random((*shape, places)) < np.where(np.arange(places) == good[..., None], HIGH, 1 - HIGH)
    if "outcome" in seen:
        seen["outcome"] = pays * 1.0
    typical = transformed(card, np.array([p.typical for p in card.parameters]))
    spread = SPREAD * np.array([p.group_sd for p in card.parameters])
    eta = typical + spread * generator.standard_normal((subjects, 1, len(typical)))
    learner = Learner(card, natural(card, eta), options, shape[:2])
    uniform, found = generator.random((3, *shape)), []
    for t in range(length):
        now = {name: np.moveaxis(x[:, :, t], -1, 0) if x.ndim == 4 else x[:, :, t] for name, x in seen.items()}
        choice = sample(learner.policy(**now), uniform[0, ..., t])
        made, told, place = {"choice": choice}, {}, choice
        if card.two_step:
            state = np.where(uniform[1, ..., t] < COMMON, choice, 1 - choice)
            second = sample(learner.second_policy(choice, state, common=COMMON, **now), uniform[2, ..., t])
            told, place = {"state": state, "second": second, "common": COMMON}, SECONDS * state + second
            made |= {"second_state": state, "second_choice": second}
        reward = np.take_along_axis(pays[:, :, t], place[..., None], -1)[..., 0] * 1.0
        if "magnitude" in now:
            reward = reward * np.take_along_axis(seen["magnitude"][:, :, t], choice[..., None], -1)[..., 0]
        learner.update(learner.step(choice, reward, **told, **now))
        found.append(made | {"reward": reward})
    frame = frame.assign(**{name: np.stack([trial[name] for trial in found], -1).ravel() for name in found[0]})
    for name in set(seen) & {"outcome", "magnitude"}:
        frame = frame.assign(**{f"{name}_{k}": seen[name][..., k].ravel() for k in range(options)})
    return trials.conform(frame)


def columns(card: ModelCard, options: int, shape: tuple[int, int, int], generator) -> tuple[pd.DataFrame, dict]:
    """Columns of the table that do not depend on behaviour, and what the model sees of them on every trial.

    Of the second, arrays (subjects, episodes, trials) or, per option, (…, options); covariates standardised.
    """
    from pipeline.models.data import standardised

    subject, episode, trial = (axis.ravel() for axis in np.indices(shape))
    block = trial // BLOCK
    frame = pd.DataFrame({"source": "bench", "species": "learner", "task": "bench", "trial_type": "free"}, index=trial)
    frame = frame.reset_index(drop=True).assign(
        subject=[f"s{i:05d}" for i in subject], session=1, episode=episode + 1, trial=trial + 1, block=block + 1,
        options=options,
    )  # fmt: skip
    seen = {}
    for column in card.extra:
        if column == "volatility":  # spread evenly over 0 … .2, and never the same twice running
            frame["volatility"] = ((episode * 7 + block + subject) * 0.618 % 1) / 5
            seen[column] = standardised(frame, column).reshape(shape)
        elif column == "magnitude":
            seen[column] = generator.uniform(0.1, 1, (*shape, options)).round(2)
        elif column == "outcome":
            seen[column] = np.zeros((*shape, options))
        else:
            raise UserError(f"model {card.name!r} reads column {column!r}, of which bench/tables.py makes no sample")
    return frame, seen
