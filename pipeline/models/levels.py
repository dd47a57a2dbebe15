"""What can be left out of a source: its sessions, its subjects or its episodes, and how each level is evaluated."""

import numpy as np
import pandas as pd

from pipeline.models.card import ModelCard
from pipeline.models.data import Trials, pack
from pipeline.models.diagnose import flat
from pipeline.models.importance import Points, SubjectPoints
from pipeline.models.modes import objective
from pipeline.models.priors import has_groups
from pipeline.models.refit import by_grid

DRAWS = 1000  # posterior draws, thinned
POINTS = 512  # importance points per unit
MANY = 150  # units from which on fewer points are laid where subjects are integrated out over their sessions


class Level:
    """One thing to leave out.

    ``units`` are names, ``n_trials`` (units,) the free choices scored, ``owner`` (blocks, lanes) the number of the unit
    that each episode belongs to; ``draws`` and ``refit_draws`` how many draws of the posterior, and of one without the
    unit, are worth their time.
    """

    name = ""
    draws = refit_draws = DRAWS

    def __init__(self, card: ModelCard, trials: Trials, idata, seed: int):
        self.card, self.trials, self.idata, self.seed = card, trials, idata, seed
        self.who, self.group = trials.unit_subject, trials.structure.subject_group
        self.units, self.n_trials, self.owner = trials.unit_label, trials.unit_trials, trials.unit

    def marginal(self, draws: dict[str, np.ndarray], only: int | None = None) -> np.ndarray:
        """Log p(y_u | φ_d) with what belongs to the unit alone integrated out: (units, draws), or (1, draws)."""
        raise NotImplementedError

    def by_grid(self, left_out: int) -> tuple[float, float] | None:
        """Leave one unit out without sampling: elpd and Pareto k, or None where that is not possible."""
        return None

    def shift(self, draws: dict[str, np.ndarray]) -> np.ndarray:
        """Compute what conditions add to each session, (draws, units, parameters)."""
        return np.einsum("uc,dcp->dup", self.trials.structure.design, draws["condition_effect"])

    def points(self, mean: np.ndarray, spread: np.ndarray) -> Points:
        """Lay points in the units' parameters for draws of the level above."""
        return Points(self.card, self.trials, mean.mean(0), np.sqrt((spread**2).mean(0)), POINTS, self.seed)


class Sessions(Level):
    """A new session of a known subject: η ~ N(subject + X γ, session SD)."""

    name = "session"

    def marginal(self, draws, only=None):
        """See `Level.marginal`."""
        mean, spread = draws["subject_parameters"][:, self.who] + self.shift(draws), draws["session_sd"]
        return self.points(mean, spread).marginal(mean, spread, None if only is None else [only])


class Subjects(Level):
    """A new subject with a single session: η ~ N(group mean + X γ, group SD)."""

    name = "subject"
    laid: Points | None = None

    def level_above(self, draws):
        """Mean and SD of each subject's parameters, (draws, subjects, parameters)."""
        place = self.group[self.who]
        return draws["group_mean"][:, place] + self.shift(draws), draws["group_sd"][:, place]

    def marginal(self, draws, only=None):
        """See `Level.marginal`."""
        mean, spread = self.level_above(draws)
        return self.points(mean, spread).marginal(mean, spread, None if only is None else [only])

    def by_grid(self, left_out):
        """See `Level.by_grid`: not where conditions differ, as their effects are estimated from all subjects."""
        if self.trials.structure.contrasts:
            return None
        if self.laid is None:
            self.laid = self.points(*self.level_above(draws_of(self.idata)))
        same = self.group[self.who] == self.group[self.who[left_out]]
        same[left_out] = False
        return by_grid(self.card, self.laid, left_out, np.flatnonzero(same), self.seed)


class WholeSubjects(Level):
    """A new subject with all its sessions: m ~ N(group mean, group SD), η ~ N(m + X γ, session SD)."""

    name = "subject"
    draws, refit_draws = 250, 500

    def __init__(self, card, trials, idata, seed):
        super().__init__(card, trials, idata, seed)
        self.units, self.owner = trials.subjects, self.who[trials.unit]
        self.n_trials = np.bincount(self.who, trials.unit_trials, len(trials.subjects)).astype(int)
        self.center = flat(idata, "subject_parameters").mean(0)

    def marginal(self, draws, only=None):
        """See `Level.marginal`."""
        mean, spread = draws["group_mean"][:, self.group], draws["group_sd"][:, self.group]
        within, shift = draws["session_sd"], self.shift(draws)
        counts = (256, 32) if self.trials.units < MANY else (128, 16)
        points = SubjectPoints(
            self.card, self.trials, self.center, np.sqrt((within**2).mean(0)), shift.mean(0), self.seed, *counts
        )
        return points.marginal(mean, spread, within, shift, only)


class Episodes(Level):
    """A new episode of a lone subject with one session, whose parameters all episodes share."""

    name = "episode"

    def __init__(self, card, trials, idata, seed, table: pd.DataFrame):
        super().__init__(card, pack(table, card, "episode"), idata, seed)

    def marginal(self, draws, only=None):
        """See `Level.marginal`."""
        count = self.trials.units
        eta = draws["subject_parameters"]
        found = np.stack([objective(self.card, self.trials, np.repeat(x, count, 0))[0] for x in eta], 1)
        return found if only is None else found[only][None]


def levels_of(card: ModelCard, trials: Trials, table: pd.DataFrame, idata, seed: int) -> list[Level]:
    """List what can be left out of a source, the main level first: of a lone episode, nothing."""
    common = (card, trials, idata, seed)
    if trials.nested:
        return [Sessions(*common), *([WholeSubjects(*common)] if has_groups(trials) else [])]
    if has_groups(trials):
        return [Subjects(*common)]
    return [Episodes(*common, table)] if len(trials.lanes) > 1 else []


def draws_of(idata, count: int = DRAWS) -> dict[str, np.ndarray]:
    """Thinned draws of every variable by name; ``condition_effect`` without contrasts where there is none."""
    found = {name: flat(idata, name) for name in ("subject_parameters", "group_mean", "group_sd", "session_sd")}
    total, size = len(found["subject_parameters"]), found["subject_parameters"].shape[2]
    effect = flat(idata, "condition_effect")
    found["condition_effect"] = np.zeros((total, 0, size)) if effect is None else effect
    thin = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
    return {name: values[thin] for name, values in found.items() if values is not None}
