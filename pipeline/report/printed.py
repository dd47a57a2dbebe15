"""What Wang et al. 2017 print of their training, experiment by experiment, and what counts as a departure from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

R = "reconstruction (R)"


@dataclass(frozen=True)
class Printed:
    """One entry: how the paper has it, and which of our values depart from it (None: nothing to depart from)."""

    text: str
    departs: Callable[[object], bool] | None = None

    @property
    def given(self) -> bool:
        """Whether the paper gives a value that ours can be held against."""
        return self.departs is not None


def _value(text: str, value) -> Printed:
    return Printed(text, lambda ours: ours != value)


# Task → its experiment in the paper; the monkeys' reversal task has none.
EXPERIMENTS: Mapping[str, int] = MappingProxyType(
    {"di": 1, **dict.fromkeys(("du", "de", "dm", "dh"), 2), "informative_arm": 3, "restless": 4, "restless_sd": 4}
    | {"two_step": 5}
)
TUNED = Printed(f"tuned; range {R}")
_FRAME = {  # the same in experiments 1 to 5
    "training_episodes": _value("20,000 is printed for experiment 1 only; here R", 20_000),
    "episodes_per_update": _value("1", 1),
    "learning_rate": TUNED,
    "discount": TUNED,
    "value_cost": _value(".05", 0.05),
    "trace": _value("n-step return of A2C/A3C", 1.0),
    "normalise_advantage": Printed("not mentioned", bool),
    "optimiser": Printed(R),
    "clip": Printed(R),
    "learning_rate_schedule": _value("no decay mentioned", "constant"),
    "entropy_schedule": _value("no decay mentioned", "constant"),
    "time_input": Printed(f"t; its scaling {R}"),
    "stop_at_chance": Printed(R),
    "trials": _value("100", 100),
    "test_episodes": Printed("300 is printed for experiment 1 only; here R"),
}
_SEARCHED = {
    "settings": _value("100", 100),
    "entropy_cost": _value(f".05 in the table, “sampled” in the text; range {R}", (0.05, 0.05)),
}
_ANNEALED = {
    "settings": Printed(f"one printed setting; number of networks {R}"),
    "learning_rate": _value(".001", (0.001, 0.001)),
    "discount": _value(".8", (0.8, 0.8)),
    "entropy_cost": _value("1 → 0", (1.0, 1.0)),
    "entropy_schedule": _value("annealed from 1 to 0; its course R", "linear"),
}
_EXPERIMENT = {
    1: _SEARCHED | {"training_episodes": _value("20,000", 20_000), "test_episodes": _value("300", 300)},
    2: _SEARCHED,
    3: _ANNEALED | {"trials": _value("5", 5)},
    4: _ANNEALED
    | {"trials": _value("150", 150), "test_episodes": _value("1,000, derived from the printed p values", 1000)},
    5: {
        "settings": Printed(f"tuned; number of settings {R}"),
        "entropy_cost": _value(".05", (0.05, 0.05)),
        "trials": _value("20 steps (10 trials)", 10),
    },
}


def printed(task: str, name: str) -> Printed | None:
    """Look up what the paper prints of one setting for a task; None for a task that is not in the paper."""
    experiment = EXPERIMENTS.get(task)
    return None if experiment is None else (_FRAME | _EXPERIMENT[experiment])[name]
