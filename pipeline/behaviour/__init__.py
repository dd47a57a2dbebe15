"""Behavioural analyses: the same numbers from every trial table, whoever behaved.

Registries `STATISTICS`, `CURVES` and `REGRESSIONS` name what is computed, with the equation and the reference that a
report prints beside it; reading them imports nothing. `pipeline.behaviour.run.analyse` computes all of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Statistic:
    """One number per subject: a row of the summary table."""

    name: str
    title: str
    equation: str
    unit: str = "probability"
    citation: str = ""


@dataclass(frozen=True)
class Curve:
    """One quantity against a trial axis or a lag."""

    name: str
    title: str
    equation: str
    x: str
    unit: str = "probability"
    citation: str = ""


@dataclass(frozen=True)
class Regression:
    """One regression; a term ``a:b`` is the product of predictors a and b."""

    name: str
    title: str
    terms: tuple[str, ...]
    equation: str
    needs: tuple[str, ...] = ()  # columns of the trial table without which it is not run
    citation: str = ""
    lags: int = 0  # each term stands once for every so many past trials
    scale: str = "log odds"  # or "probability": a linear model


DAW = "Daw et al. 2011, Neuron 69:1204"
LAU = "Lau & Glimcher 2005, J Exp Anal Behav 84:555"
MILLER = "Miller, Brody & Botvinick 2016, bioRxiv 096339"
TREPKA = "Trepka et al. 2021, Nat Commun 12:6567"
WANG = "Wang et al. 2017, arXiv:1611.05763"
LAGGED = "weight of the choice k trials back in the lagged two-step regression"
NEWLY = "share of choices of the newly better option, over reversals"

_STATISTICS = (
    Statistic("better_choice", "P(better)", "share of free choices of the option of highest latent probability"),
    Statistic("better_choice_trial_1", "P(better) on trial 1", "the same on the first trial; chance for new options"),
    Statistic("reward_rate", "Reward per trial", "mean reward of free choices", "reward"),
    Statistic("stay", "P(stay)", "P(c[t+1] = c[t]) over consecutive free trials of an episode"),
    Statistic("win_stay", "Win-stay", "P(c[t+1] = c[t] | r[t] > 0)"),
    Statistic("lose_shift", "Lose-shift", "P(c[t+1] ≠ c[t] | r[t] ≤ 0)"),
    Statistic("choice_entropy", "Choice entropy",
              "−Σ_k f_k log2 f_k, f_k choice shares of an episode; mean over episodes", "bits"),
    Statistic("erds", "ERDS", "H(stay or shift | last reward); mean over subjects", "bits", TREPKA),
    Statistic("eods", "EODS", "H(stay or shift | last choice better or not); mean over subjects", "bits", TREPKA),
    Statistic("erods", "ERODS", "H(stay or shift | both); mean over subjects", "bits", TREPKA),
    Statistic("newly_better_after_0", "P(newly better), first reversed trial", NEWLY),
    Statistic("newly_better_after_13", "P(newly better), 13 trials later", NEWLY),
    Statistic("perseveration", "Perseveration",
              "unbroken choices of the formerly better option from the first reversed trial on; mean over reversals",
              "trials"),
    Statistic("regret", "Expected regret per episode",
              "Σ_t (max_k μ[t, k] − μ[t, c[t]]), μ the latent reward probability or mean outcome", "reward", WANG),
    Statistic("episode_reward", "Reward per episode", "Σ_t r[t] of free choices; where outcomes are graded", "reward"),
    Statistic("informative_trial_1", "P(informative arm) on trial 1",
              "share of episodes whose first choice is the last option; the task with an informative arm only",
              citation=WANG),
    Statistic("optimal_episodes", "Episodes by the optimal policy",
              "share of episodes with the informative arm on trial 1 and the target on every later trial",
              citation=WANG),
)  # fmt: skip

_CURVES = (
    Curve("learning", "Learning curve", "P(better), first block only", "trial"),
    Curve("reversal", "Reversal-aligned curve", "P(newly better)", "trial from the first reversed one"),
    Curve("suboptimal", "Suboptimal choices", "1 − P(better), all blocks", "trial"),
    Curve("regret", "Cumulative expected regret", "Σ_{s ≤ t} mean over episodes of max_k μ[s, k] − μ[s, c[s]]", "trial",
          "reward", WANG),
    Curve("informative_choice", "P(informative arm)", "share of choices of the last option; that task only", "trial",
          citation=WANG),
    Curve("target_choice", "P(target)", "share of choices of the better option, beside an informative arm", "trial",
          citation=WANG),
    Curve("other_choice", "P(other arm)", "1 − P(informative arm) − P(target)", "trial", citation=WANG),
    Curve("reward_kernel", "Reward kernel", "b_k of the joint history regression", "lag (trials)", "log odds", LAU),
    Curve("choice_kernel", "Choice kernel", "a_k of the joint history regression", "lag (trials)", "log odds", LAU),
    Curve("reward_common", "Reward, common transition", f"{LAGGED}, trial t − k rewarded after a common transition",
          "lag (trials)", "log odds", MILLER),
    Curve("reward_rare", "Reward, rare transition", f"{LAGGED}, rewarded after a rare one", "lag (trials)", "log odds",
          MILLER),
    Curve("omission_common", "Omission, common transition", f"{LAGGED}, not rewarded after a common one",
          "lag (trials)", "log odds", MILLER),
    Curve("omission_rare", "Omission, rare transition", f"{LAGGED}, not rewarded after a rare one", "lag (trials)",
          "log odds", MILLER),
)  # fmt: skip

_REGRESSIONS = (
    Regression("stay", "Stay probability", ("intercept", "reward"),
               "logit P(stay) = b0 + b1 reward; last reward centred on the middle of its range (±½ for 0/1)", (), DAW),
    Regression("stay_trial", "Stay probability and time", ("intercept", "reward", "trial"),
               "the same + b2 trial; trial within the episode, in tens, centred", (), DAW),
    Regression("stay_transition", "Stay probability, two-step",
               ("intercept", "reward", "transition", "reward:transition"),
               "logit P(stay) = b0 + b1 reward + b2 transition + b3 reward × transition; +½ common, −½ rare",
               ("transition",), DAW),
    Regression("stay_difference", "Stay probability, two-step, as differences",
               ("intercept", "reward", "transition", "reward:transition"),
               "P(stay) = b0 + b1 reward + b2 transition + b3 reward × transition, ±½ coding: contrasts of the four "
               "stay probabilities, which stay finite where a learner always stays",
               ("transition",), DAW, scale="probability"),
    Regression("two_step_lags", "Choice by kind of past trial, two-step",
               ("reward_common", "reward_rare", "omission_common", "omission_rare"),
               "logit P(c[t] = 1) = a0 + Σ_k Σ_j b_jk X_j[t − k], X_j = ±1 (option 1, option 0) on trials of kind j, "
               "else 0; kinds {reward, omission} × {common, rare}, k = 1 … 5", ("transition",), MILLER, lags=5),
)  # fmt: skip

STATISTICS: Mapping[str, Statistic] = MappingProxyType({s.name: s for s in _STATISTICS})
CURVES: Mapping[str, Curve] = MappingProxyType({c.name: c for c in _CURVES})
REGRESSIONS: Mapping[str, Regression] = MappingProxyType({r.name: r for r in _REGRESSIONS})

# Regressions that are also fitted as hierarchical (mixed) models, subjects and sessions on every coefficient.
MIXED: Mapping[str, str] = MappingProxyType(
    {
        "stay": "logit P(stay) = b0 + b1 reward, last reward centred on the middle of its range.",
        "stay_transition": "logit P(stay) = b0 + b1 reward + b2 transition + b3 reward × transition (±½).",
        "two_step_lags": "log-odds of option 1 on past choices by kind of trial, {reward, omission} × {common, rare}.",
        "history": "log-odds of option 1 on past rewards and past choices jointly, lag by lag, with half-lives.",
    }
)
