"""Whom the numbers of networks speak of: the selected part of a search; and in what cores differ besides wiring."""

from pipeline.plan import Plan
from pipeline.report.load import StudyResults
from pipeline.report.style import listed, task_label
from pipeline.training import Training

DRAWN = {"learning_rate": "learning rate", "discount": "γ", "entropy_cost": "β_e"}  # what a random search draws


def task_labels(tasks) -> str:
    """List tasks by their display names."""
    return listed(map(task_label, tasks))


def core_of(results: StudyResults, source: str) -> str:
    """Name of a core without a comma, to stand in a list: “LSTM (23 units)”."""
    name, _, rest = results.label(source).partition(", ")
    return f"{name} ({rest})" if rest else name


def drawn(trainings) -> tuple[list[str], list[str]]:
    """Name the hyperparameters that a random search draws (for some population at least), and those that are fixed."""
    trainings = list(trainings)
    varied = [f for f in DRAWN if any(low < high for low, high in (getattr(t, f) for t in trainings))]
    return [DRAWN[f] for f in varied], [DRAWN[f] for f in DRAWN if f not in varied]


def fixed_text(names: list[str]) -> str:
    """Write, in brackets, which hyperparameters are the same for all; empty if none is."""
    return f" ({listed(names)} {'is' if len(names) == 1 else 'are'} fixed)" if names else ""


def _asked(results: StudyResults, matched: bool | None) -> dict[str, Training]:
    plan = Plan(results.config)
    return {n: Training.from_mapping(plan.training(n)) for n in results.names("network", matched=matched)}


def _counts(results: StudyResults, found: dict[str, Training]) -> tuple[str, bool]:
    """Write how many settings were trained, and whether cores differ in it."""
    groups: dict[int, list[str]] = {}
    for name, own in found.items():
        groups.setdefault(own.settings, []).append(core_of(results, name))
    most = max(groups, key=lambda settings: len(groups[settings]))
    others = [f"{listed(dict.fromkeys(labels))} {n}" for n, labels in sorted(groups.items()) if n != most]
    return (f"{most} ({', '.join(others)})" if others else f"{most}"), bool(others)


def selection(results: StudyResults, matched: bool | None = False) -> str:
    """Say of whom networks' intervals speak, the selected part of a search, and in what else cores differ.

    ``matched``: as in `StudyResults.names`.
    """
    found = _asked(results, matched)
    if not found:
        return ""
    number, _ = _counts(results, found)
    varied, fixed = drawn(found.values())
    best = f"The networks of a core are the best {results.plan.best} of {number}"
    if varied:
        who = (
            f"{best} random hyperparameter settings, each with a seed, {listed(varied)} of its own{fixed_text(fixed)}: "
            "their means and intervals describe the selected upper part of a search, not a population of such networks."
        )
    else:
        who = (
            f"{best} by the ranking episodes, alike in all hyperparameters and different in their seed alone: their "
            "means and intervals describe the selected upper part of them, not a population of such networks."
        )
    return " ".join(filter(None, (who, unequal(results, matched))))


def unequal(results: StudyResults, matched: bool | None = False) -> str:
    """Say where cores differ in how many settings were tried and how long each was trained; empty if they do not."""
    found = _asked(results, matched)
    if not found:
        return ""
    tasks: dict[tuple, list[str]] = {}  # (label, training episodes) of every core → tasks
    for task in results.plan.tasks:
        own = {core_of(results, n): t.training_episodes for n, t in found.items() if results.source(n).task == task}
        if len(set(own.values())) > 1:
            tasks.setdefault(tuple(own.items()), []).append(task)
    said = []
    for own, where in tasks.items():
        lengths: dict[int, list[str]] = {}
        for label, episodes in own:
            lengths.setdefault(episodes, []).append(label)
        parts = [f"{listed(labels)} {episodes:,}" for episodes, labels in sorted(lengths.items(), reverse=True)]
        place = f"On {task_labels(where)}, training" if len(results.plan.tasks) > 1 else "Training"
        said.append(f"{place} episodes: {'; '.join(parts)}.")
    apart = _counts(results, found)[1]
    if not said and not apart:
        return ""
    what = " and ".join(filter(None, ("selection" if apart else "", "training" if said else "")))
    return " ".join([*said, f"A difference between cores is therefore one of {what}, too."])
