"""Prior and posterior predictive checks: behaviour simulated from a model beside the behaviour that was fitted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.models import MODELS
from pipeline.models.card import ModelCard
from pipeline.models.data import LANE, Trials, pack, resolve, used
from pipeline.models.diagnose import flat, hdi
from pipeline.models.links import natural
from pipeline.models.predictive_statistics import Behaved, Met, statistics
from pipeline.models.priors import draw as draw_prior
from pipeline.models.simulate import ModelAgent, Schedule, ScheduleUnknown, schedule
from pipeline.models.structure import ALL
from pipeline.rollout import play
from pipeline.seeds import generator

COLUMNS = (
    "source", "model", "subject", "statistic", "observed", "predicted", "low", "high", "p", "n_draws", "kind"
)  # fmt: skip
KINDS = ("posterior", "prior")
TRIALS = 4_000_000  # simulated at a time: a batch stays in a few hundred megabytes


@dataclass(frozen=True)
class Comparison:
    """What simulations of a source are compared with, made once: its trials, schedule, statistics and their owners."""

    card: ModelCard
    source: str
    trials: Trials
    plan: Schedule
    met: Met
    observed: Behaved
    owners: dict[str, np.ndarray]

    @classmethod
    def of(cls, table: pd.DataFrame, card: ModelCard) -> "Comparison":
        """Read a trial table.

        Raises
        ------
        ScheduleUnknown
            If the trials of the source cannot be simulated.
        """
        card = resolve(card, table)
        table = used(table, card)
        trials, plan = pack(table, card), schedule(table, card)
        kept = table[table["choice"].notna()].sort_values([*LANE, "trial"], kind="stable")
        met, observed = Met.of(kept, plan)
        return cls(card, str(table["source"].iloc[0]), trials, plan, met, observed, _owners(trials, plan))

    def simulated(self, eta: np.ndarray, draw: np.random.Generator) -> dict[str, np.ndarray]:
        """Every statistic of simulated data sets, (data sets, owners), from parameters of every unit.

        ``eta`` (data sets, units, parameters) is on the scale of the links.
        """
        theta = natural(self.card, eta[:, self.trials.lanes["unit"].to_numpy()])
        size = max(1, TRIALS // (len(self.plan.length) * self.plan.trials * self.plan.steps))
        parts = []
        for start in range(0, len(theta), size):
            agent = ModelAgent(self.card, theta[start : start + size], covariates=self.plan.covariates)
            behaviour = play(agent, self.plan, len(self.plan.length), draw)
            parts.append(statistics(Behaved(behaviour.choice, behaviour.reward), self.met, self.owners))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def rows(self, kind: str, eta: np.ndarray, draw: np.random.Generator) -> pd.DataFrame:
        """Compare the source with simulated data sets; see `predictive`."""
        real, fake = statistics(self.observed, self.met, self.owners), self.simulated(eta, draw)
        found = []
        for i, owner in enumerate(self.owners):
            for name, values in real.items():
                value, own = values[0, i], fake[name][:, i]
                own = own[np.isfinite(own)]
                if not len(own) or not np.isfinite(value):
                    continue
                low, high = hdi(own) if len(own) > 1 else (np.nan, np.nan)
                facts = (value, own.mean(), low, high, float((own >= value).mean()), len(own))
                found.append((self.source, self.card.name, owner, name, *facts, kind))
        return pd.DataFrame(found, columns=COLUMNS)


def predictive(
    table: pd.DataFrame,
    card: ModelCard,
    idata,
    draw: np.random.Generator,
    draws: int = 200,
    prior: bool = False,
) -> pd.DataFrame:
    """Compare summaries of the data with those of simulations from the posterior or the prior, on the same schedule.

    Every simulated data set takes one draw of the parameters and plays the source's own episodes (what its trials would
    have paid, outcomes drawn afresh where they are chancy, forced choices imposed) with each session's own parameters.

    Parameters
    ----------
    table : DataFrame
        Trial table of one source.
    card : ModelCard
        The model.
    idata : InferenceData or None
        The fit; not needed for prior predictions.
    draw : numpy Generator
    draws : int
        Data sets to simulate.
    prior : bool
        Whether the parameters come from the prior of the whole hierarchy (`pipeline.models.priors`) instead.

    Returns
    -------
    DataFrame
        One row per statistic (`pipeline.models.predictive_statistics.statistics`) of every subject, of every group by
        its name where there are groups, and of ``all``: the observed value, mean and 94 % interval of the simulated
        ones, the predictive p = P(simulated ≥ observed), the number of data sets in which the statistic exists, and
        ``kind``, posterior or prior.

    Raises
    ------
    ScheduleUnknown
        If the trials of the source cannot be simulated.
    """
    comparison = Comparison.of(table, card)
    return comparison.rows(KINDS[prior], _parameters(comparison, idata, draw, draws, prior), draw)


def check(table: pd.DataFrame, fit, seed: int, draws: int = 200) -> pd.DataFrame:
    """Check a `FitResult` by posterior predictions, and by half as many prior ones, which need be less exact.

    Without rows where the fit was not run or the schedule of the source is not known; ``attrs["reason"]`` then says
    why.
    """
    empty = pd.DataFrame(columns=COLUMNS)
    if fit.badge["status"] != "run":
        return empty
    card = MODELS[fit.badge["model"]]
    try:
        comparison = Comparison.of(table, card)
    except ScheduleUnknown as reason:
        empty.attrs["reason"] = str(reason)
        return empty
    found = []
    for kind in KINDS:
        names = ("predictive", fit.badge["source"], card.name, *(["prior"] if kind == "prior" else []))
        draw = generator(seed, *names)
        prior = kind == "prior"
        eta = _parameters(comparison, fit.idata, draw, max(draws // 2, 1) if prior else draws, prior)
        found.append(comparison.rows(kind, eta, draw))
    return pd.concat(found, ignore_index=True)


def _parameters(comparison: Comparison, idata, draw: np.random.Generator, draws: int, prior: bool) -> np.ndarray:
    """Parameters of every unit, on the scale of the links, (draws, units, parameters)."""
    trials, card = comparison.trials, comparison.card
    if prior:
        return np.stack([draw_prior(card, trials, draw)["unit"] for _ in range(draws)])
    eta = flat(idata, "session_parameters")
    if eta is None:
        eta = flat(idata, "subject_parameters")[:, trials.unit_subject]
    return eta[draw.choice(len(eta), min(draws, len(eta)), replace=False)]


def _owners(trials: Trials, plan: Schedule) -> dict[str, np.ndarray]:
    """Episodes (as a mask) of all, of every group where the table names any, and of every subject."""
    subject = plan.lanes["subject"].to_numpy(str)
    found = {"all": np.ones(len(subject), bool)}
    if trials.structure.groups != (ALL,):
        place = np.searchsorted(np.array(trials.subjects), subject)
        group = trials.structure.subject_group[place]
        found |= {name: group == g for g, name in enumerate(trials.structure.groups)}
    return found | {name: subject == name for name in trials.subjects}
