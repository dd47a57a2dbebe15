"""Learners of the two-step task: model-based and model-free (Daw et al. 2011; Akam, Costa & Dayan 2015)."""

import numpy as np

from pipeline.agents.learner import Learner
from pipeline.errors import UserError
from pipeline.tasks import Task


class SecondStage(Learner):
    """What learners of two-step tasks share: which stage it is, what was chosen, where it led.

    Subclasses give `start`, `first_stage` (policy at S1) and `learn` (once per trial, at its outcome). The observation
    is one-hot over S1, S2, S3. At the second stage any action collects the outcome: the two are equally likely.
    """

    options = 2

    def __init__(self, task: Task):
        super().__init__(task)
        if task.steps != 2 or task.features != 3:
            raise UserError(
                f"learner {self.name!r} is defined for tasks of two steps per trial that show S1, S2 or S3; task "
                f"{task.name!r} has {task.steps} and shows {task.features} features"
            )

    def begin(self, task: Task, episodes: int) -> None:
        """Start afresh at S1."""
        self.require_options(task)
        self.choice, self.state = None, None
        self.start(episodes)

    def policy(self, observation: np.ndarray) -> np.ndarray:
        """Policy of this stage, (1, episodes, 2)."""
        observation = np.asarray(observation)
        if observation[..., 0].all():
            self.state = None
            return self.first_stage()
        self.state = observation[..., 1:].argmax(-1)
        return np.full((*self.state.shape, 2), 0.5)

    def observe(self, action: np.ndarray, reward: np.ndarray) -> None:
        """Keep the first-stage choice; learn from the outcome of the second stage. All (1, episodes)."""
        if self.state is None:
            self.choice = action
        else:
            self.learn(self.choice, self.state, reward)

    def start(self, episodes: int) -> None:
        """Forget everything."""
        raise NotImplementedError

    def first_stage(self) -> np.ndarray:
        """Policy at S1, (1, episodes, 2)."""
        raise NotImplementedError

    def learn(self, choice: np.ndarray, state: np.ndarray, reward: np.ndarray) -> None:
        """Take in one trial: action at S1, state (0 for S2, 1 for S3), outcome; all (1, episodes)."""
        raise NotImplementedError


class Valued(SecondStage):
    """A two-step learner with two values V, (1, episodes, 2), a learning rate α and softmax choice.

    Parameters
    ----------
    task : Task
        A two-step task.
    alpha : float
        Learning rate α in 0 … 1.
    beta : float
        Inverse temperature β ≥ 0.
    initial : float
        Value before any outcome.

    Raises
    ------
    UserError
        If α or β is out of range.
    """

    def __init__(self, task: Task, alpha: float = 0.5, beta: float = 5.0, initial: float = 0.5):
        if not 0 <= alpha <= 1:
            raise UserError(f"learner {self.name!r}: alpha is {alpha!r}; a learning rate lies in 0 … 1")
        if not beta >= 0:
            raise UserError(f"learner {self.name!r}: beta is {beta!r}; an inverse temperature is 0 or more")
        super().__init__(task)
        self.alpha, self.beta, self.initial = alpha, beta, initial

    def start(self, episodes: int) -> None:
        """Set both values to ``initial``."""
        self.values = np.full((1, episodes, 2), float(self.initial))

    def first_stage(self) -> np.ndarray:
        """Softmax of β Q, (1, episodes, 2)."""
        q = self.action_values()
        first = 1 / (1 + np.exp(self.beta * (q[..., 1] - q[..., 0])))
        return np.stack([first, 1 - first], -1)

    def action_values(self) -> np.ndarray:
        """Q of the two actions at S1, (1, episodes, 2)."""
        raise NotImplementedError

    def _update(self, place: np.ndarray, reward: np.ndarray) -> None:
        """V[place] += α (r − V[place])."""
        self.values += (place[..., None] == np.arange(2)) * self.alpha * (reward[..., None] - self.values)


class ModelBased(Valued):
    """Learn what the second-stage states are worth and plan through the known transitions.

        V(s) ← V(s) + α (r − V(s)) for the state s reached,    Q(a) = Σ_s P(s | a) V(s),    π(a) ∝ exp(β Q(a)).

    The transition probabilities are known, not learned.

    References
    ----------
    Daw et al. (2011), Neuron 69:1204; Akam, Costa & Dayan (2015), PLoS Comput Biol 11:e1004648.
    """

    name = "model_based"

    def __init__(self, task: Task, alpha: float = 0.5, beta: float = 5.0, initial: float = 0.5):
        super().__init__(task, alpha, beta, initial)
        common = task.settings["common"]
        self.transitions = np.array([[common, 1 - common], [1 - common, common]])

    def action_values(self) -> np.ndarray:
        """Σ_s P(s | a) V(s), (1, episodes, 2)."""
        return self.values @ self.transitions.T

    def learn(self, choice, state, reward) -> None:
        """Move the value of the state reached towards the outcome."""
        self._update(state, reward)


class ModelFree(Valued):
    """Credit the outcome to the first-stage choice, however it came about: TD(1).

        Q(c) ← Q(c) + α (r − Q(c)) for the action c taken at S1,    π(a) ∝ exp(β Q(a)).

    With λ = 1 the second-stage values pass nothing on, so that none are kept.

    References
    ----------
    Sutton & Barto (1998), Reinforcement Learning, for TD(1); Daw et al. (2011), Neuron 69:1204; Akam, Costa & Dayan
    (2015), PLoS Comput Biol 11:e1004648, for the interaction that it shows all the same.
    """

    name = "model_free"

    def action_values(self) -> np.ndarray:
        """Return the values themselves, (1, episodes, 2)."""
        return self.values

    def learn(self, choice, state, reward) -> None:
        """Move the value of the action taken at S1 towards the outcome."""
        self._update(choice, reward)
