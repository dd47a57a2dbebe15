"""Training of a whole population in one batched computation, with checkpoints."""

import contextlib
import time
from pathlib import Path

import numpy as np
import torch

from pipeline import agents as agent_registry
from pipeline import tasks as task_registry
from pipeline.agents.heads import network_parameters
from pipeline.agents.inputs import Inputs
from pipeline.agents.population import Population, flatten, unflatten
from pipeline.errors import UserError
from pipeline.seeds import generator
from pipeline.tasks import Task
from pipeline.training import checkpoints
from pipeline.training.autograd import Autograd
from pipeline.training.handwritten import PASSES, Handwritten
from pipeline.training.loss import Costs
from pipeline.training.optimisers import OPTIMISERS, clip
from pipeline.training.progress import Interruption, Progress
from pipeline.training.search import draw_settings
from pipeline.training.settings import Training
from pipeline.training.tables import CURVE_ROWS, curve_table

CHECKPOINT_SECONDS = 20.0


def train(
    core_name: str,
    task_name: str,
    training: Training,
    seed: int,
    checkpoint_dir: Path | None = None,
    device: str = "auto",
    reward_input: bool = True,
    progress: bool = True,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Population:
    """Train a population of agents by advantage actor–critic; resume bit-identically from a checkpoint if there is one.

    Parameters
    ----------
    core_name, task_name : str
        Entries of the registries.
    training : Training
        All hyperparameters.
    seed : int
        Root seed; settings, weights and every update draw from generators named after it.
    checkpoint_dir : Path, optional
        Folder for the checkpoint; its name is a hash of config and code. Without it nothing is kept.
    device : str
        ``auto`` (a GPU where PyTorch finds one), ``cpu`` or ``cuda``.
    reward_input : bool
        Off: the ablation that withholds the reward from the network's input (reward still trains it).
    progress : bool
        Whether to report on stderr.
    checkpoint_seconds : float
        Least time between two checkpoints.

    Raises
    ------
    UserError
        If a name or the device is not known.
    """
    trainer = Trainer(core_name, task_name, training, seed, resolve(device), reward_input)
    name = f"{core_name}_{task_name}" + ("" if reward_input else "_noreward")
    path = None if checkpoint_dir is None else Path(checkpoint_dir) / f"{name}.{trainer.key}.safetensors"
    if path is not None and (found := checkpoints.load(path)) is not None:
        trainer.restore(*found)
    steps = trainer.inputs.steps * training.episodes_per_update
    report = Progress(name, training.updates, trainer.update, steps, progress)
    saved = time.monotonic()
    with Interruption() as interruption, one_thread():
        while trainer.update < training.updates:
            reward = trainer.advance()
            last = trainer.update == training.updates
            report.show(trainer.update, reward, len(trainer.active), last)
            stopping = interruption.signal is not None
            if path is not None and (last or stopping or time.monotonic() - saved >= checkpoint_seconds):
                checkpoints.save(path, *trainer.state())
                saved = time.monotonic()
            if stopping and not last:
                break
    if interruption.signal is not None:
        interruption.stop()
    return trainer.population()


def resolve(device: str) -> str:
    """``auto`` becomes ``cuda`` where PyTorch finds one, else ``cpu``."""
    if device not in ("auto", "cpu", "cuda"):
        raise UserError(f"device is {device!r}; it may be auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("device is 'cuda', but PyTorch finds no GPU; write auto or cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


@contextlib.contextmanager
def one_thread():
    """One thread (jobs run side by side), and denormal numbers, which slow a processor down, flushed to 0."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)


class Trainer:
    """State of a training, advanced one update at a time.

    Nothing random survives an update: each draws from its own generator, (seed, "train", core, task, update), so that
    resuming needs only the weights, the optimiser's moments and the number of updates done.
    """

    def __init__(self, core_name, task_name, training, seed, device="cpu", reward_input=True, dtype=torch.float32):
        entry, self.task = agent_registry.agent(core_name), task_registry.task(task_name)
        if entry.kind != "core":
            raise UserError(f"agent {core_name!r} is a {entry.kind}; only cores are trained")
        self.core_name, self.settings, self.training, self.seed = core_name, dict(entry.settings), training, seed
        self.core, self.inputs = entry.load()(**entry.settings), inputs_of(self.task, training, reward_input)
        self.tensor = {"device": device, "dtype": dtype}
        self.key = checkpoints.key(core_name, self.settings, self.task, training, seed, device=device,
                                   reward_input=reward_input, dtype=str(dtype))  # fmt: skip
        self.agents = draw_settings(training, core_name, generator(seed, "settings", core_name, task_name))
        self.weights, self.shapes = initial_weights(self.core, self.agents, self.inputs)
        self.weights = torch.tensor(self.weights, **self.tensor)
        self.curve = torch.full((CURVE_ROWS, len(self.agents), 3), torch.nan, dtype=torch.float64)
        self.update, self.active = 0, np.arange(len(self.agents))
        self.sums = torch.zeros(len(self.agents), 3, dtype=torch.float64)
        self._gather(OPTIMISERS[training.optimiser](self.weights))

    def _gather(self, optimiser) -> None:
        """Set up the batched computation of the active agents."""
        rows, t = self.active, self.training
        self.optimiser, self.flat = optimiser, self.weights[rows].clone()
        table = self.agents.iloc[rows]
        self.rate, self.discount, self.entropy = (
            torch.tensor(table[name].to_numpy(float), **self.tensor)
            for name in ("learning_rate", "discount", "entropy_cost")
        )
        path = Handwritten if type(self.core) in PASSES else Autograd
        self.path = path(self.core, self.shapes, self.inputs, len(rows), t.episodes_per_update, **self.tensor)

    def advance(self) -> float:
        """Make one update of all active agents; return their mean reward per trial."""
        t, draw = self.training, generator(self.seed, "train", self.core_name, self.task.name, self.update)
        size = (len(self.active), t.episodes_per_update)
        world = self.task.begin(*size, draw)
        race = draw.standard_exponential((world.steps, *size, world.actions), dtype=np.float32)
        race = torch.from_numpy(race).to(self.tensor["device"]).log_().to(self.tensor["dtype"])
        left = 1 - self.update / t.updates
        entropy = self.entropy * (left if t.entropy_schedule == "linear" else 1)
        costs = Costs(self.discount, entropy, t.value_cost, t.trace, t.normalise_advantage)
        gradient, outcome = self.path.gradient(self.flat, world, race, costs)
        self.update += 1
        rate = self.rate * (left if t.learning_rate_schedule == "linear" else 1)
        self.optimiser.step(self.flat, clip(gradient, t.clip), rate, self.update)
        reward = outcome.reward * self.task.steps  # of a trial, which may have several steps
        self._record(torch.stack([reward, outcome.entropy, outcome.value_loss], -1).double().cpu())
        if t.stop_at_chance and self.update == max(1, t.updates // 3):
            self._stop_at_chance()
        return float(reward.mean())

    def _record(self, measured: torch.Tensor) -> None:
        """Add to the current row of the curve; a row ends with every ``CURVE_ROWS``-th part of the training."""
        self.sums[self.active] += measured
        rows = min(CURVE_ROWS, self.training.updates)
        row = (self.update - 1) * rows // self.training.updates
        if self.update * rows // self.training.updates > row:
            first = -(-row * self.training.updates // rows)
            self.curve[row, self.active] = self.sums[self.active] / (self.update - first)
            self.sums.zero_()

    def _stop_at_chance(self) -> None:
        """Drop the agents whose reward, in the last three rows of the curve, is not 4 standard errors above chance."""
        chance, error = chance_reward(self.task, self.seed)
        rows = min(CURVE_ROWS, self.training.updates)
        recent = self.curve[: self.update * rows // self.training.updates][-3:].nanmean(0)[self.active, 0]
        kept = (recent > chance + 4 * error).numpy()
        if kept.all() or not kept.any():
            return
        self.weights[self.active] = self.flat
        self.agents.loc[self.active[~kept], "stopped"] = 1
        keep = torch.from_numpy(np.flatnonzero(kept)).to(self.tensor["device"])
        optimiser = OPTIMISERS[self.training.optimiser](self.flat[keep])
        for name in optimiser.names:
            getattr(optimiser, name).copy_(getattr(self.optimiser, name)[keep])
        self.active = self.active[kept]
        self._gather(optimiser)

    def state(self) -> tuple[dict, dict]:
        """Tensors and progress of a checkpoint. NaN marks rows of the curve still to come: kept as a number of rows."""
        self.weights[self.active] = self.flat
        tensors = {"weights": self.weights, "curve": self.curve.nan_to_num(-1), "sums": self.sums}
        tensors |= {name: getattr(self.optimiser, name) for name in self.optimiser.names}
        progress = {
            "update": self.update,
            "active": self.active.tolist(),
            "stopped": self.agents["stopped"].tolist(),
            "generator": [self.seed, "train", self.core_name, self.task.name, self.update],  # of the next update
        }
        return tensors, progress

    def restore(self, tensors: dict, progress: dict) -> None:
        """Go on from a checkpoint."""
        self.update, self.active = progress["update"], np.asarray(progress["active"])
        self.agents["stopped"] = progress["stopped"]
        self.weights = tensors["weights"].to(**self.tensor)
        self.curve = tensors["curve"].masked_fill(tensors["curve"][..., :1] < 0, torch.nan)
        self.sums = tensors["sums"]
        optimiser = OPTIMISERS[self.training.optimiser](self.weights[self.active])
        for name in optimiser.names:
            getattr(optimiser, name).copy_(tensors[name])
        self._gather(optimiser)

    def population(self) -> Population:
        """Bring the weights as they are now into a population."""
        self.weights[self.active] = self.flat
        weights = {name: t.cpu().numpy().copy() for name, t in unflatten(self.weights, self.shapes).items()}
        return Population(self.core_name, self.settings, self.task.name, self.inputs, weights, self.agents.copy(),
                          curve_table(self.curve.numpy(), self.agents, self.training))  # fmt: skip


def inputs_of(task: Task, training: Training, reward_input: bool) -> Inputs:
    """Describe the inputs of a task's network, with the steps and actions of its world."""
    world = task.begin(1, 1, np.random.default_rng(0))
    return Inputs.of(task, world.steps, world.actions, reward_input=reward_input, time=training.time_input)


def initial_weights(core, agents, inputs: Inputs) -> tuple[np.ndarray, dict]:
    """Draw initial weights of each agent from its own seed, (agents, parameters), and their shapes."""
    rows = []
    for seed in agents["seed"]:
        drawn = network_parameters(core, generator(int(seed), "weights"), 1, inputs.size, inputs.actions)
        row, shapes = flatten(drawn)
        rows.append(row)
    return np.concatenate(rows), shapes


def chance_reward(task: Task, seed: int, episodes: int = 2000) -> tuple[float, float]:
    """Mean reward per trial of uniform choice, and its standard error over episodes."""
    draw = generator(seed, "chance", task.name)
    world = task.begin(1, episodes, draw)
    total = sum(world.act(draw.integers(world.actions, size=(1, episodes))).astype(float) for _ in range(world.steps))
    mean = total[0] / task.trials
    return float(mean.mean()), float(mean.std() / np.sqrt(episodes))
