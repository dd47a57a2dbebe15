"""How a population is trained: every hyperparameter, its default and its allowed range, checked when it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from numbers import Real

from pipeline.errors import UserError

OPTIMISERS = ("adam", "rmsprop")
SCHEDULES = ("constant", "linear")


@dataclass(frozen=True)
class Training:
    """Settings of the training of one population; a pair (low, high) is a range that the random search draws from.

    A single number in place of a pair fixes that hyperparameter for all agents.
    """

    settings: int = 24
    # agents of the population, each with its own hyperparameters and its own seed
    training_episodes: int = 30_000
    # episodes that each agent is trained on (Wang et al. 2017 print 20,000)
    episodes_per_update: int = 16
    # episodes per agent in one gradient step
    learning_rate: tuple[float, float] = (1e-3, 2e-2)
    # log-uniform (Wang et al. 2017 tuned it; the range is a reconstruction, R; with 16 episodes per update there are
    # 16 times fewer updates than with 1, and 1e-4 would not leave chance in 30,000 episodes)
    entropy_cost: tuple[float, float] = (1e-3, 5e-2)
    # β_e, nats, log-uniform (R)
    discount: tuple[float, float] = (0.5, 0.9)
    # γ: 1 − γ is log-uniform between 1 − high and 1 − low (R; W17 and W18 print .8 and .9 where they print one)
    value_cost: float = 0.05
    # β_v of ½ (R − V)² (Wang et al. 2017)
    trace: float = 0.7
    # λ of the generalised advantage, a mean over n-step returns; 1: discounted return to the end of the episode
    normalise_advantage: bool = True
    # centre each agent's advantages and divide them by their standard deviation over the batch
    optimiser: str = "rmsprop"
    # rmsprop (the choice of A3C) or adam
    clip: float = 0.05
    # largest norm of each agent's gradient; 0 never clips
    learning_rate_schedule: str = "linear"
    # constant, or linear to 0 at the last update
    entropy_schedule: str = "constant"
    # constant, or linear to 0 at the last update
    time_input: str = "fraction"
    # t / T (fraction) or t itself (step) (R)
    stop_at_chance: bool = False
    # stop agents that are still at chance after a third of the training

    def __post_init__(self):
        for name in ("settings", "training_episodes", "episodes_per_update"):
            _whole(name, getattr(self, name))
        _range(self, "learning_rate", 1e-7, 0.1)
        _range(self, "entropy_cost", 0, 10)
        _range(self, "discount", 0, 1)
        for name, low, high in (("value_cost", 0, 10), ("trace", 0, 1), ("clip", 0, 1e6)):
            object.__setattr__(self, name, _number(name, getattr(self, name), low, high))
        for name, allowed in (
            ("optimiser", OPTIMISERS),
            ("learning_rate_schedule", SCHEDULES),
            ("entropy_schedule", SCHEDULES),
            ("time_input", ("fraction", "step")),
        ):
            if getattr(self, name) not in allowed:
                raise UserError(f"training: {name} is {getattr(self, name)!r}; it may be {' or '.join(allowed)}")
        for name in ("normalise_advantage", "stop_at_chance"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"training: {name} is {getattr(self, name)!r}; it may be true or false")
        if self.training_episodes < self.episodes_per_update:
            raise UserError(
                f"training: training_episodes is {self.training_episodes}, fewer than the {self.episodes_per_update} "
                "episodes_per_update; at least one update is needed"
            )

    @classmethod
    def from_mapping(cls, config: Mapping) -> "Training":
        """Read a section of the config; unknown keys are refused with the nearest known one."""
        known = [field.name for field in fields(cls)]
        for name in config:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                guess = f"; did you mean {near[0]!r}?" if near else ""
                raise UserError(f"training: unknown setting {name!r}{guess} Known are {', '.join(known)}")
        return cls(**config)

    @property
    def updates(self) -> int:
        """Number of gradient steps."""
        return self.training_episodes // self.episodes_per_update


def _whole(name: str, value) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        slip = " (write it without a decimal point or exponent)" if isinstance(value, float | str) else ""
        raise UserError(f"training: {name} is {value!r}; it must be a whole number, 1 or more{slip}")


def _number(name: str, value, low: float, high: float) -> float:
    if isinstance(value, str):  # YAML reads 1e-3, without a point, as text
        try:
            value = float(value)
        except ValueError:
            slip = f" (did you write {value} for {value.replace('-', 'e-', 1)}?)" if "-" in value.strip("-") else ""
            raise UserError(f"training: {name} is {value!r}, not a number{slip}") from None
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= value <= high:
        slip = " (did you write 1-3 for 1e-3?)" if isinstance(value, Real) and value < low else ""
        raise UserError(f"training: {name} is {value!r}; it must lie between {low:g} and {high:g}{slip}")
    return float(value)


def _range(training: Training, name: str, low: float, high: float) -> None:
    value = getattr(training, name)
    pair = list(value) if isinstance(value, tuple | list) else [value, value]
    if len(pair) != 2:
        raise UserError(f"training: {name} is {value!r}; it must be one number or a pair [low, high]")
    first, second = (_number(name, end, low, high) for end in pair)
    if first > second:
        raise UserError(f"training: {name} is [{first:g}, {second:g}]; the low end comes first")
    if name == "entropy_cost" and first == 0 < second:
        raise UserError(f"training: {name} is [0, {second:g}]; a log-uniform range cannot start at 0 (try 1e-4)")
    if name == "discount" and second == 1 > first:
        raise UserError(f"training: {name} is [{first:g}, 1]; 1 − discount is log-uniform and cannot reach 0 (try .99)")
    object.__setattr__(training, name, (first, second))
