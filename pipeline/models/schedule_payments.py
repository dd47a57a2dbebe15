"""What the trials of a source would have paid, read from its table: how each kind of task pays, and how much."""

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.models.card import STATES, ModelCard
from pipeline.models.data import COMMON, DAW, LANE

BAITED = ("rutledge_foraging",)  # tasks in which a reward, once armed, waits until its option is chosen
SECOND = 2 * STATES  # second-stage options


class ScheduleUnknown(UserError):
    """A source whose trials cannot be simulated, because what they would have paid is not known."""

    def __init__(self, why: str):
        super().__init__(f"cannot simulate this source: {why}")


def known(kept: pd.DataFrame, names) -> bool:
    """Whether a table has all these columns, without gaps."""
    return all(name in kept and kept[name].notna().all() for name in names)


def one_stage(kept: pd.DataFrame, options: int) -> dict:
    """Read how a one-stage task pays, and what: fields ``pays`` and ``payment`` (rows, options) of a `Schedule`."""
    baited = str(kept["task"].iloc[0]) in BAITED
    outcome, magnitude, probability = (
        [f"{name}_{k}" for k in range(options)] for name in ("outcome", "magnitude", "reward_probability")
    )
    reward, choice = kept["reward"].to_numpy(float), kept["choice"].to_numpy(int)
    amount = kept[magnitude].to_numpy(float) if known(kept, magnitude) else None
    most = 1.0 if amount is None else amount[np.arange(len(kept)), choice]
    if not baited and known(kept, outcome):
        paid = kept[outcome].to_numpy(float) * (1.0 if amount is None else amount)
        if not np.allclose(paid[np.arange(len(kept)), choice], reward, atol=1e-6):
            raise ScheduleUnknown("its rewards are not outcome_k × magnitude_k of the option chosen")
        return {"pays": "replayed", "payment": paid}
    if not known(kept, probability):
        raise ScheduleUnknown(
            "its table has no latent reward probabilities (reward_probability_0, …), nor the outcomes of all options "
            "(outcome_0, …)"
        )
    if not np.logical_or(np.isclose(reward, 0, atol=1e-6), np.isclose(reward, most, atol=1e-6)).all():
        raise ScheduleUnknown(
            "its rewards are neither 0 nor " + ("1" if amount is None else "the magnitude_k of the option chosen")
        )
    found = {"pays": "baited" if baited else "bernoulli", "payment": kept[probability].to_numpy(float)}
    return found if amount is None or baited else found | {"amount": amount}


def arming(kept: pd.DataFrame, probability: np.ndarray, lane: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Read p0 of baited options, (rows, options), constant within a block, from the probabilities that rewards wait.

    Just after option k was chosen, and on trial 1, P_t(k) = p0(k). Where it was never chosen in a block, p0 = 1 −
    (1 − P_t) / (1 − P_{t−1}) of its first trials without a choice of k.
    """
    if not known(kept, ["block"]):
        raise ScheduleUnknown("the blocks of its baited options are not known")
    trial, choice = kept["trial"].to_numpy(int), kept["choice"].to_numpy(int)
    block = kept["block"].to_numpy(int)
    stretch = np.unique(np.stack([lane, block]), axis=1, return_inverse=True)[1].ravel()
    follows = (position > 0) & (np.diff(trial, prepend=0) == 1)  # the trial before has a choice, in the row before
    before = np.r_[0, choice[:-1]]
    same = follows & (np.r_[-1, stretch[:-1]] == stretch)
    found = np.full(probability.shape, np.nan)
    for k in range(probability.shape[1]):
        p = probability[:, k]
        fresh = np.where((follows & (before == k)) | ((position == 0) & (trial == 1)), p, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            waited = np.where(same & (before != k), 1 - (1 - p) / (1 - np.r_[0, p[:-1]]), np.nan)
        first = pd.DataFrame({"fresh": fresh, "waited": waited}).groupby(stretch).first()
        found[:, k] = first["fresh"].fillna(first["waited"]).to_numpy(float)[stretch]
        if np.isnan(found[:, k]).any():
            row = kept.iloc[int(np.isnan(found[:, k]).argmax())]
            raise ScheduleUnknown(
                f"reward_probability_{k} does not tell how option {k} is armed in block "
                f"{row['block']} of {', '.join(f'{name} {row[name]}' for name in LANE)}"
            )
        if np.nanmax(np.abs(fresh - found[:, k]), initial=0) > 1e-5:
            raise ScheduleUnknown(
                f"reward_probability_{k} just after a choice of option {k} varies within "
                "a block, as it does not for baited options"
            )
    return found


def two_step(card: ModelCard, kept: pd.DataFrame) -> dict:
    """Read the fields of a two-step `Schedule`; arrays (rows, …)."""
    chosen = "second_choice" in kept and bool(kept["second_choice"].notna().any())
    if chosen and not card.two_step:
        raise ScheduleUnknown(f"model {card.name!r} does not say what is chosen at the second stage")
    for name in ("transition", *(["second_choice"] if chosen else [])):
        if not known(kept, [name]):
            raise ScheduleUnknown(f"column {name!r} is missing on some trials with a choice")
    common = COMMON.get(str(kept["task"].iloc[0]), DAW)
    mean = _second_stage(kept, common, chosen)
    reward = kept["reward"].to_numpy(float)
    binary = bool(np.isin(reward, (0, 1)).all())
    place = 2 * kept["second_state"].to_numpy(int) + (kept["second_choice"].to_numpy(int) if chosen else 0)
    if not binary and not np.allclose(mean[np.arange(len(kept)), place], reward, atol=1e-6):
        raise ScheduleUnknown(
            "its rewards are graded and differ from second_outcome_0 … second_outcome_3, so that chance enters in a "
            "way that the table does not tell"
        )
    if binary and (mean.min() < 0 or mean.max() > 1):
        raise ScheduleUnknown("its rewards are 0 and 1, but second_outcome_0 … second_outcome_3 are no probabilities")
    forced = np.zeros(len(kept), bool)
    if chosen and "second_trial_type" in kept:
        forced = (kept["second_trial_type"] == "forced").to_numpy(bool, na_value=False)
    return {
        "pays": "two_step",
        "payment": mean,
        "binary": binary,
        "common": common,
        "transition": (kept["transition"] == "common").to_numpy(bool),
        "second_options": SECOND // STATES if chosen else 0,
        "second_forced": np.where(forced, kept["second_choice"].to_numpy(int) if chosen else 0, -1),
    }


def _second_stage(kept: pd.DataFrame, common: float, chosen: bool) -> np.ndarray:
    """Mean outcome of every second-stage option, (rows, 4); those of a state are alike where nothing is chosen there.

    Where the table holds P(reward) of the first-stage options alone, R_k = c p_k + (1 − c) p_{1−k} is solved for the
    states' p_k.
    """
    names = [f"second_outcome_{j}" for j in range(SECOND)]
    if known(kept, names):
        return kept[names].to_numpy(float)
    planned = [f"reward_probability_{k}" for k in range(STATES)]
    if chosen or not known(kept, planned):
        raise ScheduleUnknown(
            "its table lacks what the second-stage options would have paid (second_outcome_0 … second_outcome_3)"
        )
    p = kept[planned].to_numpy(float)
    state = (common * p - (1 - common) * p[:, ::-1]) / (2 * common - 1)
    return np.clip(state.round(6), 0, 1).repeat(SECOND // STATES, 1)
