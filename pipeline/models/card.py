"""What a model is: a card of facts, and the one-trial step from which everything else is derived."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace

LINKS = ("logit", "log", "identity")


@dataclass(frozen=True)
class Parameter:
    """One free parameter; its prior is a normal distribution on the scale of the link.

    ``mean`` and ``sd`` are the prior of the group mean, ``group_sd`` and ``session_sd`` the scales of the half-normal
    priors of the SD between subjects and between the sessions of a subject, all on the scale of the link. ``probe`` is
    the outcome after which a difference in this parameter is expressed as a choice probability
    (`pipeline.comparison.groups`).
    """

    name: str
    symbol: str
    meaning: str
    bounds: tuple[float, float]
    link: str  # one of LINKS: natural value = inverse link of the transformed one
    mean: float
    sd: float
    group_sd: float
    session_sd: float
    reason: str  # why this prior
    low: float
    typical: float
    high: float
    probe: float = 1.0


@dataclass(frozen=True)
class State:
    """One variable that the learner carries from trial to trial; set to ``start`` at the start of each episode."""

    name: str
    start: float
    per_option: bool = True


@dataclass(frozen=True)
class Step:
    """What one trial does, as expressions: `logits` decide the choice, `updates` are the states after the outcome.

    ``logits`` has one expression per option. ``updates`` maps each state's name to its next value (a list where the
    state is per option). ``latents`` are quantities worth looking at, evaluated with the states *before* the update.
    """

    logits: list
    updates: Mapping[str, object]
    latents: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """One model of choice; entry of the registry `pipeline.models.MODELS`.

    ``step(p, s, t)`` returns a `Step`. ``p.<name>`` are the parameters, ``s.<name>`` the states (a list where per
    option), ``t.chosen`` the list of indicators of the option chosen, ``t.reward`` the outcome, ``t.<column>`` each
    further column in ``columns``, ``t.options`` the number K of options, and ``t.where``, ``t.exp``, ``t.log``,
    ``t.sqrt`` the functions to be used instead of numpy's. The step is evaluated with symbols (to generate the
    likelihood and its gradient) and with arrays (to simulate and to look inside), and therefore must hold nothing but
    arithmetic.

    ``most_episodes`` is the number of episodes of each subject that a fit reads, the first ones in the order of the
    table's key (0: all): for models of tasks whose tables are so long that more would cost minutes and tell nothing.
    """

    name: str
    title: str
    citation: str
    equation: str
    parameters: tuple[Parameter, ...]
    states: tuple[State, ...]
    step: Callable[[SimpleNamespace, SimpleNamespace, SimpleNamespace], Step]
    columns: tuple[str, ...] = ("choice", "reward")
    description: str = ""
    most_episodes: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def extra(self) -> tuple[str, ...]:
        """Columns needed besides choice and reward (covariates)."""
        return tuple(c for c in self.columns if c not in ("choice", "reward"))
