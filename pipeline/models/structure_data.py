"""Data sets on a reduced structure: simulated together, each as a trial table or packed for a fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.models.card import ModelCard
from pipeline.models.data import COMMON, DAW, Trials, pack, standardised
from pipeline.models.kernel import LANES
from pipeline.models.simulate import ModelAgent
from pipeline.models.structures import TrialStructure
from pipeline.models.symbolic import PER_OPTION, inputs_of, spread
from pipeline.rollout import Behaviour, play
from pipeline.trials import conform


def simulate(
    structure: TrialStructure, card: ModelCard, theta: np.ndarray, generator: np.random.Generator
) -> Behaviour:
    """Let a model behave in data sets with parameters of their own, through the session loop of every agent.

    Parameters
    ----------
    card : ModelCard
        As `resolve` gives it.
    theta : array (data sets, units, parameters)
        Natural values; a unit is a session of a subject, subjects first.
    generator : numpy Generator
        Draws the worlds first, then the choices.

    Returns
    -------
    Behaviour
        With data sets for agents; ``latent`` holds the world's columns.
    """
    lanes, count = structure.lanes, len(theta)
    unit = lanes.groupby(["subject", "session"]).ngroup().to_numpy()
    world = structure.begin(count, len(lanes), generator)
    latent = world.columns()
    given = {name: covariate(structure, name, latent[name]) for name in card.extra}
    agent = ModelAgent(card, np.asarray(theta)[:, unit], covariates=given)
    return play(agent, _Begun(structure.task, structure.options, structure.steps, world), len(lanes), generator)


def table(structure: TrialStructure, behaviour: Behaviour, dataset: int) -> pd.DataFrame:
    """Trial table of one of the data sets of `simulate`."""
    lanes = structure.lanes
    lane, trial = np.nonzero(np.arange(structure.trials) < lanes["trials"].to_numpy()[:, None])
    row = lanes.iloc[lane].reset_index(drop=True)
    found = {
        "source": f"{structure.name}_simulated", "species": "learner", "task": structure.task,
        **{name: row[name] for name in ("subject", "session", "episode", "group", "condition") if name in row},
        "trial": trial + 1, "trial_type": "free", "options": structure.options,
        "choice": behaviour.choice[dataset, lane, trial], "reward": behaviour.reward[dataset, lane, trial],
    }  # fmt: skip
    for name, values in behaviour.latent.items():
        chosen = values[dataset, lane, trial]
        if name == "better_option":  # worlds mark ties with −1
            chosen = pd.array(chosen, "Int32")
            chosen[chosen < 0] = pd.NA
        each = [chosen] if chosen.ndim == 1 else chosen.T
        found |= dict(zip([name] if chosen.ndim == 1 else [f"{name}_{k}" for k in range(len(each))], each))
    return conform(pd.DataFrame(found))


def data_sets(structure: TrialStructure, card: ModelCard, behaviour: Behaviour) -> Iterator[Trials]:
    """Pack all data sets of `simulate`, as `pipeline.models.data.pack` packs the table of each, but at once."""
    template, lanes = pack(table(structure, behaviour, 0), card), structure.lanes
    inside = np.arange(structure.trials) < lanes["trials"].to_numpy()[:, None]
    shape, latent = behaviour.choice.shape, behaviour.latent
    values = {"choice": behaviour.choice, "reward": behaviour.reward, "score": _free(latent, "trial_type", shape)}
    if card.two_step:
        values |= {"state": latent["second_state"], "common": np.full(shape, COMMON.get(structure.task, DAW))}
        if card.second_options:
            values["second"] = latent["second_choice"]
            values["second_score"] = _free(latent, "second_trial_type", shape)
    for name in card.extra:
        each = covariate(structure, name, latent[name])
        values |= {
            n: each[..., k] if name in PER_OPTION else each for k, n in enumerate(spread(name, structure.options))
        }
    slot = template.lanes["slot"].to_numpy()
    for d in range(len(behaviour.choice)):
        inputs = np.zeros_like(template.inputs)
        for i, name in enumerate(inputs_of(card, structure.options)):
            inputs[slot // LANES, : structure.trials, i, slot % LANES] = np.where(inside, values[name][d], 0.0)
        own = np.bincount(template.lanes["unit"], (values["score"][d] * inside).sum(1), template.units)
        yield replace(template, inputs=inputs, unit_trials=own.astype(int))


def covariate(structure: TrialStructure, name: str, values: np.ndarray) -> np.ndarray:
    """Column as models read it: standardised unless it has one value per option."""
    if name in PER_OPTION:
        return values
    frame = pd.DataFrame({"task": structure.task, name: np.ravel(values)})
    return standardised(frame, name).reshape(values.shape)


@dataclass(frozen=True)
class _Begun:
    """A structure whose episodes are drawn already; what the session loop asks of a task."""

    name: str
    options: int
    steps: int
    world: object

    def begin(self, agents: int, episodes: int, generator, shared: bool = False):
        return self.world


def _free(latent: Mapping, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """1 where a choice was free, 0 where it was forced."""
    return (latent[name] != "forced").astype(float) if name in latent else np.ones(shape)
