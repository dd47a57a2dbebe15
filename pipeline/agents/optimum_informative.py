"""Expected regret in the task with an informative arm: exact, of chance and of the optimum, by two short sums."""

from pipeline.agents.bayes_informative import solve
from pipeline.tasks import Task
from pipeline.tasks.informative_arm import OTHER, TARGET, informative_value


def best_reward(task: Task) -> float:
    """Reward of an episode if the target were always chosen, 5 T: what regret is counted from."""
    return TARGET * task.trials


def chance_regret(task: Task) -> float:
    """Return the exact expected regret of uniform choice among all J + 1 arms, in rewards per episode.

    5 T − T (5 + (J − 1) + ⟨j / J⟩) / (J + 1); with J = 10 and T = 5 it is 25 − 6.614.
    """
    told = informative_value(task).mean()
    return best_reward(task) - task.trials * (TARGET + (task.options - 2) * OTHER + told) / task.options


def optimal_regret(task: Task) -> tuple[float, float]:
    """Return the exact expected regret of the optimum, 5 T − V, and its standard error, 0.

    With J = 10 and T = 5 it is 25 − 20.55 = 4.45 rewards per episode (`pipeline.agents.bayes_informative.solve`).
    """
    return best_reward(task) - float(solve(task.options - 1, task.trials)[-1, -1].max()), 0.0


def blind_reward(task: Task) -> float:
    """Return what the best policy earns that sees no outcome, T (5 + (J − 1)) / J: 7 with J = 10 and T = 5.

    The prior is uniform on the J arms, so without outcomes every trial's best choice is any of them.
    """
    return task.trials * (TARGET + (task.options - 2) * OTHER) / (task.options - 1)
