"""One look for all pages: a colour per source (Okabe & Ito 2008, safe for colour-blind readers), labels, digits."""

import math
import re
from dataclasses import dataclass

from pipeline.agents import AGENTS
from pipeline.primates import DATASETS
from pipeline.tasks import TASKS

INK, MUTED, FAINT, GRID = "#1f2933", "#5f6b76", "#9aa5b1", "#e7eaee"
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
CORES = {"lstm": BLUE, "gru": ORANGE, "lowrank": GREEN, "vanilla": PURPLE}
PRIMATES = {"monkey": VERMILION, "human": SKY}
LEARNERS = {  # greys, told apart by their dashes
    "bayes_optimal": ("#1f2933", (1, 0)),
    "gittins": ("#4b5661", (7, 3)),
    "gittins90": ("#86919c", (10, 3)),
    "thompson": ("#6b7783", (4, 2)),
    "ucb": ("#86919c", (2, 2)),
    "rescorla_wagner": ("#6b7783", (7, 2, 2, 2)),
    "random": ("#a7b0b9", (1, 3)),
    "thompson_walk": ("#6b7783", (4, 2, 1, 2)),
    "thompson_target": ("#6b7783", (4, 3, 4, 1)),
    "rescorla_wagner_slow": ("#4b5661", (12, 3, 2, 3)),
    "rescorla_wagner_fast": ("#86919c", (3, 1, 1, 1)),
    "model_based": ("#4b5661", (9, 2)),
    "model_free": ("#86919c", (3, 4)),
    "bayes_knows_volatility": ("#1f2933", (14, 4)),
}
DASHES = ((1, 0), (5, 2), (2, 2), (7, 2, 2, 2), (1, 3), (9, 3))  # animals, in the order of the registry
SUBSCRIPTS = str.maketrans("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")  # the letters that Unicode has
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


@dataclass(frozen=True)
class Look:
    """How one source is named and drawn."""

    label: str
    colour: str
    dash: tuple[int, ...] = (1, 0)


def look(source) -> Look:
    """Name and colour of a source (`pipeline.plan.Source`): the same on every page."""
    if source.kind == "network":
        label = AGENTS[source.agent].title if source.agent in AGENTS else source.agent
        colour = CORES.get(source.agent.rstrip("0123456789"), SKY)  # lstm23 has the colour of lstm
        if source.matched:
            return Look(label, colour, (6, 2))
        return Look(label, colour) if source.reward_input else Look(f"{label}, no reward input", colour, (3, 2))
    if source.kind == "learner":
        colour, dash = LEARNERS.get(source.agent, (MUTED, (3, 3)))
        return Look(AGENTS[source.agent].title if source.agent in AGENTS else source.agent, colour, dash)
    entry = DATASETS.get(source.name)
    species = entry.species if entry else "monkey"
    return Look(f"{species.capitalize()}s ({study_of(source.name)})", PRIMATES.get(species, VERMILION))


def study_of(dataset: str) -> str:
    """Read authors and year off a dataset's name: ``costa2016_monkey_prl`` → Costa 2016."""
    found = re.match(r"([a-z_]+?)_?(\d{4})", dataset)
    return f"{found[1].replace('_', ' ').title()} {found[2]}" if found else dataset


def task_label(name: str) -> str:
    """Short name of a task: ``du`` → D_u (with a true subscript)."""
    return prose(TASKS[name].title.split(":")[0]) if name in TASKS else name


def task_title(name: str) -> str:
    """Full name of a task, with a true subscript."""
    title = TASKS[name].title if name in TASKS else name
    return task_label(name) + (f":{title.split(':', 1)[1]}" if ":" in title else "")


def reversal_window() -> str:
    """Trials on which the first reversed outcome of the reversal task can fall: ``31 to 50``."""
    settings = TASKS["reversal"].settings
    return f"{settings['first']} to {settings['last']}"


def animals(dataset: str, found) -> list[str]:
    """Animals in the order of the registry, so that each keeps its dash and shape on every page."""
    known = DATASETS[dataset].subjects if dataset in DATASETS else ()
    found = dict.fromkeys(str(name) for name in found)
    return [name for name in known if name in found] + [name for name in found if name not in known]


def prose(text: str) -> str:
    """Text with the distributions' subscripts written as such: D_u → Dᵤ."""
    return re.sub(r"\bD_([aehijklmnoprstuvx])\b", lambda m: "D" + m[1].translate(SUBSCRIPTS), text)


def missing(value) -> bool:
    """Whether a value from a CSV file is absent."""
    return value is None or (isinstance(value, float) and value != value) or str(value) in ("", "<NA>", "nan", "None")


def number(value, digits: int = 3) -> str:
    """Write a number at fixed decimals with a true minus sign; an en dash where missing."""
    if missing(value):
        return "–"
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def significant(value, digits: int = 3) -> str:
    """Write a number at so many significant digits, without exponent for common sizes."""
    if missing(value):
        return "–"
    value = float(value)
    if value == 0 or math.isinf(value):
        return number(value, 0)
    size = math.floor(math.log10(abs(value)))
    if size < -4:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    return number(value, max(0, digits - 1 - size))


def count(value) -> str:
    """Whole number with a thousands separator."""
    return "–" if missing(value) else f"{round(float(value)):,}"


def interval(low, high, digits: int = 3) -> str:
    """Interval in brackets; nothing where it is missing."""
    return "" if missing(low) or missing(high) else f"[{number(low, digits)}, {number(high, digits)}]"


def span(values, write=count) -> str:
    """Smallest and largest of some numbers, ``12 to 24``; one number where they are equal; an en dash without any."""
    values = [float(v) for v in values if not missing(v)]
    low, high = (write(end(values)) if values else "–" for end in (min, max))
    return low if low == high else f"{low} to {high}"


def plural(n: int, one: str, many: str = "") -> str:
    """``3 networks``, ``1 network``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(words) -> str:
    """Join words as a sentence lists them."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
