"""Posterior predictive checks: behaviour simulated from a fit beside the behaviour that was fitted."""

import numpy as np
import pandas as pd

from pipeline.models import MODELS
from pipeline.models.card import ModelCard
from pipeline.models.data import LANE, pack, used
from pipeline.models.diagnose import flat, hdi
from pipeline.models.links import natural
from pipeline.models.simulate import ModelAgent, ScheduleUnknown, schedule
from pipeline.rollout import play
from pipeline.seeds import generator

COLUMNS = ("source", "model", "subject", "statistic", "observed", "predicted", "low", "high", "p", "n_draws")


def predictive(
    table: pd.DataFrame, card: ModelCard, idata, draw: np.random.Generator, draws: int = 200
) -> pd.DataFrame:
    """Compare summaries of the data with those of simulations from the posterior, on the same schedule.

    Every simulated data set takes one posterior draw and plays the source's own episodes (same latent
    probabilities, outcomes drawn afresh, forced choices imposed) with each session's own parameters.

    Returns
    -------
    DataFrame
        One row per subject (and ``all``) and statistic: win_stay P(stay | reward > 0), lose_shift P(shift | no
        reward), better_choice P(better option); the observed value, mean and 94 % interval of the simulated ones, and
        the posterior predictive p = P(simulated ≥ observed).
    """
    table = used(table, card)
    trials, plan = pack(table, card), schedule(table, card)
    name = "session_parameters" if trials.nested else "subject_parameters"
    eta = flat(idata, name)
    eta = eta[draw.choice(len(eta), min(draws, len(eta)), replace=False)]
    theta = natural(card, eta[:, trials.lanes["unit"].to_numpy()])
    agent = ModelAgent(card, theta, covariates=plan.covariates)
    behaviour = play(agent, plan, len(plan.length), draw)
    kept = table[table["choice"].notna()].sort_values([*LANE, "trial"], kind="stable")
    lane = kept.groupby(LANE, sort=True, observed=True).ngroup().to_numpy()
    position = kept.groupby(LANE, sort=True, observed=True).cumcount().to_numpy()

    def dense(values, blank):
        array = np.full((1, len(plan.length), plan.trials), blank)
        array[0, lane, position] = values
        return array

    number = dense(kept["trial"].to_numpy(int), -9)
    free = dense((kept["trial_type"] == "free").to_numpy(), False)
    better = behaviour.latent["better_option"][:1]
    masks = {
        "pair": free[..., 1:] & (number[..., :-1] > 0) & (np.diff(number) == 1),
        "scored": free & (better >= 0),
    }
    owner = plan.lanes["subject"].to_numpy(str)
    groups = {"all": np.ones(len(owner), bool)} | {s: owner == s for s in trials.subjects}
    observed = (dense(kept["choice"].to_numpy(int), 0), dense(kept["reward"].to_numpy(float), 0.0))
    rows = []
    for subject, keep in groups.items():
        real = _summaries(*observed, better, masks, keep)
        fake = _summaries(behaviour.choice, behaviour.reward, better, masks, keep)
        for statistic, value in real.items():
            simulated = fake[statistic][np.isfinite(fake[statistic])]
            if not len(simulated) or not np.isfinite(value[0]):
                continue
            low, high = hdi(simulated) if len(simulated) > 1 else (np.nan, np.nan)
            share = float((simulated >= value[0]).mean())
            facts = (value[0], simulated.mean(), low, high, share, len(simulated))
            rows.append((str(table["source"].iloc[0]), card.name, subject, statistic, *facts))
    return pd.DataFrame(rows, columns=COLUMNS)


def check(table: pd.DataFrame, fit, seed: int, draws: int = 200) -> pd.DataFrame:
    """Check a `FitResult`; without rows where the fit was not run or the schedule of the source is not known."""
    if fit.badge["status"] != "run":
        return pd.DataFrame(columns=COLUMNS)
    card = MODELS[fit.badge["model"]]
    try:
        return predictive(table, card, fit.idata, generator(seed, "predictive", fit.badge["source"], card.name), draws)
    except ScheduleUnknown:
        return pd.DataFrame(columns=COLUMNS)


def _summaries(choice, reward, better, masks, keep) -> dict[str, np.ndarray]:
    """Each statistic for every data set, (data sets,)."""
    choice, reward, better = choice[:, keep], reward[:, keep], better[:, keep]
    pair, scored = masks["pair"][:, keep], masks["scored"][:, keep]
    stay, win = choice[..., 1:] == choice[..., :-1], reward[..., :-1] > 0

    def share(event, among):
        with np.errstate(invalid="ignore"):
            return (event & among).sum((1, 2)) / np.broadcast_to(among, event.shape).sum((1, 2))

    return {
        "win_stay": share(stay, pair & win),
        "lose_shift": share(~stay, pair & ~win),
        "better_choice": share(choice == better, np.broadcast_to(scored, choice.shape)),
    }
