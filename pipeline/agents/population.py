"""A trained population: its weights, what each agent was trained with, and how it is kept on disk."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline import agents as registry
from pipeline.agents.inputs import Inputs
from pipeline.errors import UserError
from pipeline.files import replacing
from pipeline.tasks import task as find_task

FORMAT = "learning-set population 1"


def flatten(parameters: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, tuple[int, ...]]]:
    """Lay the parameters of each agent end to end: (agents, parameters) and the shape of each, in order.

    One row per agent makes the optimiser, the clipping and the checkpoint one array each.
    """
    shapes = {name: tuple(array.shape[1:]) for name, array in parameters.items()}
    return np.concatenate([a.reshape(len(a), -1) for a in parameters.values()], 1), shapes


def unflatten(flat: Tensor, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """View the parameters (agents, …) in the rows of ``flat``; writing to either writes to both."""
    found, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name] = flat[:, start : start + size].unflatten(1, shape)
        start += size
    return found


def parameter_count(core: str, task: str) -> int:
    """Count the trainable parameters of one network of the registry on a task, policy and value heads included.

    Raises
    ------
    UserError
        If core or task is not known, or the agent has no parameters.
    """
    from pipeline.agents.heads import network_parameters

    entry = registry.agent(core)
    if entry.kind != "core":
        raise UserError(f"agent {core!r} is a {entry.kind}; only cores have parameters to count")
    inputs = Inputs.of(find_task(task))
    drawn = network_parameters(entry.load()(**entry.settings), np.random.default_rng(0), 1, inputs.size, inputs.actions)
    return sum(array[0].size for array in drawn.values())


@dataclass
class Population:
    """Weights of many agents of one core, trained on one task, and their hyperparameters.

    ``weights`` maps names to arrays (agents, …) float32; ``agents`` has one row per agent (subject, setting, seed,
    learning_rate, discount, entropy_cost, …, stopped); ``curve`` one row per agent and stretch of training.
    """

    core: str
    settings: dict
    task: str
    inputs: Inputs
    weights: dict[str, np.ndarray]
    agents: pd.DataFrame
    curve: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Identifiers of the agents, e.g. ``lstm001``."""
        return tuple(self.agents["subject"])

    def __len__(self) -> int:
        return len(self.agents)

    def build_core(self):
        """Make the recurrent core that the weights belong to."""
        return registry.agent(self.core).load()(**self.settings)

    def network(self, agents: Sequence[int] | None = None, device: str = "cpu"):
        """Frozen agents (`pipeline.agents.network.Network`): all, or those at the given positions."""
        from pipeline.agents.network import Network

        return Network(self, agents, device)

    def save(self, path: Path) -> None:
        """Write weights and description to one safetensors file (no pickles), whole or not at all."""
        from safetensors.numpy import save_file

        inputs = {**asdict(self.inputs), "kinds": list(self.inputs.kinds)}
        meta = {
            "format": FORMAT,
            "population": json.dumps(
                {"core": self.core, "settings": self.settings, "task": self.task, "inputs": inputs}
            ),
            "agents": self.agents.to_json(orient="split", double_precision=15),
            "curve": self.curve.to_json(orient="split", double_precision=15),
        }
        with replacing(path) as temporary:
            save_file({k: np.ascontiguousarray(v) for k, v in self.weights.items()}, temporary, metadata=meta)

    @classmethod
    def load(cls, path: Path) -> "Population":
        """Read a population.

        Raises
        ------
        UserError
            If the file is missing, damaged or something else.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), framework="numpy") as file:
                meta = file.metadata() or {}
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            if meta.get("format") != FORMAT:
                raise UserError(f"{path}: not a population of this version ({meta.get('format')!r}, not {FORMAT!r})")
            said = json.loads(meta["population"])
            tables = [_table(meta[name]) for name in ("agents", "curve")]
        except FileNotFoundError:
            raise UserError(f"{path}: there is no such population; has it been trained?") from None
        except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
            raise UserError(f"{path}: not a readable population ({error}); delete it and train again") from None
        inputs = Inputs(**{**said["inputs"], "kinds": tuple(said["inputs"]["kinds"])})
        return cls(said["core"], said["settings"], said["task"], inputs, weights, *tables)


def _table(text: str) -> pd.DataFrame:
    found = json.loads(text)
    return pd.DataFrame(found["data"], columns=found["columns"])


def as_tensors(weights: Mapping[str, np.ndarray], rows: Sequence[int], device: str) -> dict[str, Tensor]:
    """Copy the weights of some agents into tensors on a device."""
    return {name: torch.tensor(array[list(rows)], device=device) for name, array in weights.items()}
