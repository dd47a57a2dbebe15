"""What a model is: a card of facts, and the one-trial step from which everything else is derived."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

STATES = 2  # second-stage states of a two-step task
LINKS = ("logit", "log", "identity", "upper_half")  # upper_half: ½ + ½ logistic(x), a probability above chance


@dataclass(frozen=True)
class Parameter:
    """One free parameter; its prior is a normal distribution on the scale of the link.

    ``mean`` and ``sd`` are the prior of the group mean, ``group_sd`` and ``session_sd`` the scales of the half-normal
    priors of the SD between subjects and between the sessions of a subject, all on the scale of the link. ``probe`` is
    the outcome after which a difference in this parameter is expressed as a choice probability
    (`pipeline.comparison.groups`). A parameter ``second_stage`` belongs to choices at the second stage of a two-step
    task and is left out where there are none.
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
    second_stage: bool = False


@dataclass(frozen=True)
class State:
    """One variable that the learner carries from trial to trial; set to ``start`` at the start of each episode.

    A list with one value per option; ``per_second``: one per second-stage option of a two-step task (entry
    ``state * n + choice``, n options per state, 1 where nothing is chosen there); or, with neither, a single value.
    """

    name: str
    start: float
    per_option: bool = True
    per_second: bool = False

    def size(self, options: int, second_options: int = 0) -> int | None:
        """Length of its list; None for a single value."""
        if self.per_second:
            return STATES * max(second_options, 1)
        return options if self.per_option else None


@dataclass(frozen=True)
class Step:
    """What one trial does, as expressions: `logits` decide the choice, `updates` are the states after the outcome.

    ``logits`` has one expression per option; ``second_logits``, in two-step tasks with a choice at the second stage,
    one per second-stage option of the state reached. ``updates`` maps each state's name to its next value (a list
    where the state is per option). ``latents`` are quantities worth looking at, evaluated with the states *before*
    the update.
    """

    logits: list
    updates: Mapping[str, object]
    latents: Mapping[str, object] = field(default_factory=dict)
    second_logits: list | None = None


@dataclass(frozen=True)
class ModelCard:
    """One model of choice; entry of the registry `pipeline.models.MODELS`.

    ``step(p, s, t)`` returns a `Step`. ``p.<name>`` are the parameters, ``s.<name>`` the states (a list where per
    option or per second-stage option), ``t.chosen`` the list of indicators of the option chosen, ``t.reward`` the
    outcome, ``t.<column>`` each further column in ``columns`` (a list where the column is per option; standardised
    where it is a covariate, see `pipeline.models.data.standardised`), ``t.options`` the number K of options, and
    ``t.where``, ``t.exp``, ``t.log``, ``t.sqrt`` the functions to be used instead of numpy's. With ``two_step``,
    ``t.state`` is the list of 2 indicators of the second-stage state reached, ``t.second`` that of the second-stage
    option chosen ([1.0] where nothing is chosen there), ``t.second_options`` their number (0: nothing is chosen) and
    ``t.common`` the probability that option k leads to state k. The step is evaluated with symbols (to generate the
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
    two_step: bool = False
    second_options: int = 0  # set by `for_second`
    options_allowed: tuple[int, int] = (1, 99)  # fewest and most options of the tasks that the model fits
    reward_range: tuple[float, float] | None = None  # of the rewards that the model can learn from; None: any

    def for_second(self, second_options: int) -> "ModelCard":
        """Give the card for a two-step task with so many second-stage options (0: nothing is chosen there)."""
        if not self.two_step or (second_options == self.second_options and second_options):
            return self
        kept = tuple(p for p in self.parameters if second_options or not p.second_stage)
        return replace(self, parameters=kept, second_options=second_options)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def extra(self) -> tuple[str, ...]:
        """Columns needed besides choice and reward (covariates)."""
        return tuple(c for c in self.columns if c not in ("choice", "reward"))
