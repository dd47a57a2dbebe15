"""What the tasks and learners rest on that the papers do not print: reconstructions (R), to be read on every page."""

from collections.abc import Mapping
from types import MappingProxyType

from pipeline.report.load import StudyResults

_RESTLESS = (
    "p1 starts uniform on [0, 1].",
    "“Reflecting” is read as folding: a step beyond a wall is mirrored back at it, not clipped to it.",
    "ν is the variance of a step, the paper's word, in the task restless, and its standard deviation in the task "
    "restless_sd, which can be added to the study.",
)
TASKS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "informative_arm": (
            "The reward is shown as one of 12 classes: one for each of the ten values of the informative arm, which "
            "are told apart by the arm (its 1 is not the others' 1), one for 1 and one for 5. The paper says "
            "one-hot, not which classes.",
        ),
        "restless": _RESTLESS,
        "restless_sd": _RESTLESS,
        "two_step": (
            "The state is observed as one of S1, S2, S3, one-hot.",
            "The second stage has the same two actions as the first, and both collect the outcome.",
            "The paper calls the transition of a2 to S3 rare, although it has .75: a slip; here it is common.",
        ),
    }
)
LEARNERS: Mapping[str, str] = MappingProxyType(
    {
        "thompson_walk": "Thompson sampling knows the walk and takes the middle of the tested range for ν.",
        "rescorla_wagner_slow": "The Rescorla–Wagner learners' β is not printed: the best of a grid on other episodes "
        "of the task.",
    }
)
MATRIX = (
    "Networks are ranked on ranking episodes of the task that they were trained on, and the same best ones are tested "
    "on every task."
)


def reconstructions(results: StudyResults) -> list[str]:
    """List the reconstructions that a study rests on, each once."""
    found = [line for task in results.plan.tasks for line in TASKS.get(task, ())]
    found += [LEARNERS[name] for name in results.names("learner") if name in LEARNERS]
    return list(dict.fromkeys([*found, *([MATRIX] if results.plan.train_by_test else [])]))
