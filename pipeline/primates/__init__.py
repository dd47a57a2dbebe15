"""Primates: behaviour of monkeys and people, one reader per released dataset. Registry `DATASETS`.

The registry is read when the workflow is parsed, so readers are named, not imported. Files, addresses and checksums are
rows of ``resources/datasets.csv``; raw files are never part of the project.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType

from pipeline.errors import UserError


@dataclass(frozen=True)
class Dataset:
    """One entry of the registry: who was measured at what, who released it, and what to beware of."""

    name: str  # also the folder's name and the source of its trial table
    title: str
    species: str
    task: str  # a name of the registry TASKS, where networks do the same task
    subjects: tuple[str, ...]
    reader: str  # "module:function", {path: file} → trial table; imported only when the files are there
    citation: str
    licence: str
    repository: str
    commit: str
    description: str
    caveats: tuple[str, ...] = ()
    facts: str = ""  # "module:function", trial table → summary statistics, as kept in resources/ under `summary`
    summary: str = ""  # file in resources/ that stands in when the data cannot be had

    def load(self, what: str = "reader"):
        """Import and return the dataset's ``reader`` or ``facts`` function."""
        module, name = getattr(self, what).split(":")
        return getattr(import_module(module), name)


# People of Gagne et al. in the laboratory: their codes have gaps.
GAGNE_CB = (
    1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14, 17, 18, 19, 20, 22, 25, 28, 29, 30, 35, 44, 45, 46, 47, 49, 52, 53, 55, 57,
    63, 65, 68, 70, 73, 74, 75, 76, 77, 79, 80, 81, 82, 84, 88, 89, 92, 96, 97, 98, 99, 100, 101, 103, 105, 107,
    108, 200,
)  # fmt: skip
GAGNE_N = (
    3, 8, 10, 11, 13, 14, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42,
)  # fmt: skip

DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        dataset.name: dataset
        for dataset in (
            Dataset(
                name="costa2016_monkey_prl",
                title="Four rhesus monkeys, probabilistic object reversal",
                species="monkey",
                task="reversal",
                subjects=("BB6", "BB7", "BB8", "BB10"),
                reader="pipeline.primates.costa2016:read",
                facts="pipeline.primates.costa2016:facts",
                summary="costa2016_summary.csv",
                citation=(
                    "Data: Costa VD, Dal Monte O, Lucas DR, Murray EA, Averbeck BB (2016) Amygdala and ventral "
                    "striatum make distinct contributions to reinforcement learning. Neuron 92:505–517. Release: "
                    "Trepka E, Spitmaan M, Bari BA, Costa VD, Cohen JY, Soltani A (2021) Entropy-based metrics for "
                    "predicting choice behavior based on local response to reward. Nat Commun 12:6567."
                ),
                licence="MIT text (LICENSE.txt of the release; its year and name placeholders were left unfilled)",
                repository="https://github.com/DartmouthCCNL/trepka_etal_natcomm_2021",
                commit="d8210a351dc754cccfc18cc09f0b89984ba2554d",
                description=(
                    "Monkeys chose between two objects that were new in every problem of 80 trials. One object paid "
                    "with probability .8 and the other with .2 (551 problems), or .7 and .3 (555 problems), so that "
                    "p2 = 1 − p1; after 30 to 49 trials the two probabilities were exchanged, once per problem, "
                    "without a signal. 1,106 problems, 88,480 trials, four animals. Choice 0 is the file's object −1, "
                    "choice 1 its object +1; a problem is an episode, a recording day a session."
                ),
                caveats=(
                    "The reversal is labelled one trial late in the file: outcomes follow the reversed contingency "
                    "one trial before hr_side, rewardprob and block_addresses change (the old object pays .745 two "
                    "trials before the file's label and .236 one trial before it). Block, latent probabilities and "
                    "better option of the trial table start block 2 at that earlier trial, the first reversed outcome "
                    "(trials 31–50, counted from 1).",
                    "Sessions are inferred: problems are numbered within a recording day, and a number that does not "
                    "grow starts a new day (BB6 20, BB7 22, BB8 16, BB10 21 days).",
                    "Numbers within a day have gaps: problems next to each other in the table need not have followed "
                    "each other directly.",
                    "The release holds no screen side of the objects, no response times and no aborted trials; every "
                    "trial of the table is a completed free choice.",
                    "Four animals: each is shown, and nothing is claimed about a population of monkeys.",
                    "The README of the release describes r and c the wrong way round: c (−1, +1) is the choice, r (0, "
                    "1) the reward.",
                ),
            ),
            Dataset(
                name="miranda2020_monkey_twostep",
                title="Two macaques, two-step task with drifting reward levels",
                species="monkey",
                task="miranda_two_step",
                subjects=("Charlie", "Jacob"),
                reader="pipeline.primates.miranda2020:read",
                facts="pipeline.primates.miranda2020:facts",
                summary="miranda2020_summary.csv",
                citation=(
                    "Behaviour: Miranda B, Malalasekera WMN, Behrens TE, Dayan P, Kennerley SW (2020) Combined "
                    "model-free and model-sensitive reinforcement learning in non-human primates. PLoS Comput Biol "
                    "16:e1007944. Release: Miranda B, Butler JL, Malalasekera WMN, Behrens TEJ, Dayan P, Kennerley SW "
                    "(2025) Neural signatures of model-based and model-free reinforcement learning across prefrontal "
                    "cortex and striatum. eLife 14:RP106032."
                ),
                licence='no licence file; the README asks: "Please do cite our paper if you decide to use the data."',
                repository="https://github.com/jamesbutler01/TwoStepTask",
                commit="e1a50e7bfd8739aafbd34cdcccac32b8fc2fd723",
                description=(
                    "Monkeys chose between two pictures, each of which led to one of two pairs of pictures, commonly "
                    "(.7) to its own pair and rarely to the other; the choice within the pair brought a large, a "
                    "medium or no reward. Each of the four second-stage pictures had one such level at a time, kept "
                    "for 5 trials or more and then changed. On some trials the first or the second choice was forced. "
                    "57 sessions, 30,249 trials, two animals. Choice k is picture k + 1, which commonly leads to state "
                    "k; reward is 0, 1 or 2 (none, medium, large); a session is a recording day and one episode."
                ),
                caveats=(
                    "The codes 2 and 3 of the trial type are inferred: after a large reward and a common transition "
                    "trials of type 2 repeat the first choice about as often as not (.53), as a forced first choice "
                    "would, and on type 3 the better picture of the pair is taken on half of the trials (.51 and .50; "
                    ".67 and .66 of the others), as a forced second choice would.",
                    "Trials that the authors left out (1 to 31 % of a session) are gaps in the trial numbers; what "
                    "happened on them is unknown.",
                    "Rewards are the levels, 3 − level; the amount of juice that a level brought varied within and "
                    "between animals and is not in the table.",
                    "Two animals: each is shown, and nothing is claimed about a population of monkeys.",
                ),
            ),
            Dataset(
                name="rutledge2009_human_dynamic_foraging",
                title="78 people, young, elderly and with Parkinson's disease: baited dynamic foraging",
                species="human",
                task="rutledge_foraging",
                subjects=tuple(f"{group}{k:02d}" for group in ("young", "elderly", "parkinson") for k in range(1, 27)),
                reader="pipeline.primates.rutledge2009:read",
                facts="pipeline.primates.rutledge2009:facts",
                summary="rutledge2009_summary.csv",
                citation=(
                    "Data: Rutledge RB, Lazzaro SC, Lau B, Myers CE, Gluck MA, Glimcher PW (2009) Dopaminergic drugs "
                    "modulate learning rates and perseveration in Parkinson's patients in a dynamic foraging task. J "
                    "Neurosci 29:15104–15114. Release: Bari BA, Gershman SJ (2023) Undermatching is a consequence of "
                    "policy compression. J Neurosci 43:447–457."
                ),
                licence="no licence file",
                repository="https://github.com/bilalbari3/undermatching_compression",
                commit="98e1fd2746846e10071d44eff36de199de81c57c",
                description=(
                    "People chose between two options that were baited: on each trial a reward was armed on each "
                    "option with a probability of its own and kept until the option was chosen. The two probabilities "
                    "were 6:1 (.257 and .043) or 3:1 (.225 and .075), in blocks of 70 to 90 trials, without a signal. "
                    "26 young and 26 elderly people, and 26 people with Parkinson's disease off and on dopaminergic "
                    "drugs: 104 sessions, 82,864 trials. Choice k is the file's action k + 1; a session is a visit and "
                    "an episode."
                ),
                caveats=(
                    "Latent probabilities are those of a baited option, 1 − (1 − p0)^(n + 1) after n trials without a "
                    "choice of it, and depend on the person's own choices; the better option is the richer one of the "
                    "block, not the one that is likelier to pay on this trial.",
                    "p0 = .30 × the file's relative allocation is inferred, and so is that armed rewards outlast a "
                    "change of block: rewards follow these probabilities throughout, and those of options last chosen "
                    "in an earlier block are far less likely if blocks begin unarmed (log-likelihood −1,161 against "
                    "−901, 1,864 trials).",
                    "All 104 sessions are kept, with pauses of up to ten minutes; the authors of the release drop "
                    "elements 65 and 91 of the file (parkinson13 off and on; the second stops after 464 trials).",
                    "Off drugs is session 1 and on drugs session 2 of a person with Parkinson's disease; the order of "
                    "the two visits is not in the file.",
                    "The unit of the response times, ms, is inferred.",
                ),
            ),
            Dataset(
                name="gagne2020_human_volatility",
                title="235 people, stable and volatile reversal with amounts on offer, for gains and against losses",
                species="human",
                task="gagne_volatility",
                subjects=(
                    *(f"cb{k}" for k in GAGNE_CB),
                    *(f"n{k}" for k in GAGNE_N),
                    *(f"mturk{k}" for k in range(147)),
                ),
                reader="pipeline.primates.gagne2020:read",
                facts="pipeline.primates.gagne2020:facts",
                summary="gagne2020_summary.csv",
                citation=(
                    "Gagne C, Zika O, Dayan P, Bishop SJ (2020) Impaired adaptation of learning to contingency "
                    "volatility in internalizing psychopathology. eLife 9:e61387."
                ),
                licence="no licence file; the authors keep a permanent copy at https://osf.io/8mzuj/",
                repository="https://github.com/crgagne/volatility_paper_elife",
                commit="342a4201afe1d130599389615ba94789c8126220",
                description=(
                    "People chose between a green and a blue shape, each with an amount on display that changed "
                    "from trial to trial. On every trial the outcome fell on one of the two: its amount was won "
                    "(money, points) or suffered (electric stimulation, points lost) by whoever had chosen it. One "
                    "block of 90 trials was stable and one volatile, in either order, within a run of 180 trials. "
                    "In the laboratory 86 runs with pain and 85 with reward (88 people), online 147 with gain and "
                    "147 with loss (147 people): 465 runs, 83,700 trials. Choice 1 is green and 0 blue; amounts are "
                    "shares of the largest one, negative for pain and loss; a run is a session and one episode, "
                    "across its two blocks."
                ),
                caveats=(
                    "All runs are kept. The authors leave out 14 runs of the laboratory, on the grounds of "
                    "questions asked after the task (9 with pain: cb1, cb5, cb14, cb65, cb70, cb77, cb82, cb98, "
                    "cb200; 5 with reward: cb2, cb7, cb14, cb53, cb88; their script "
                    "data_processing_code/exclude.py), which leaves 157 of 171; "
                    "pipeline.primates.gagne2020.without_excluded does the same.",
                    "Latent probabilities and the moments of reversal are not in the files and not in the table; "
                    "volatility is the label of the block, 0 or 1.",
                    "A missed choice (.9 % of trials in the laboratory, .2 % online) is missing, as are its reward "
                    "and response time; its outcome is kept, though it is not in the files whether it was shown.",
                    "In the laboratory 1.9 % of response times are below 0.1 s, 89 of them 0: as in the files.",
                    "Most runs (406 of 465) had two pauses, after trials 60 and 120; the table does not mark them.",
                    "Which run came first is missing for seven people of the laboratory, whose other run was the "
                    "second. Five people have one run only.",
                    "Online, nearly all people met one of three sequences of outcomes.",
                ),
            ),
            Dataset(
                name="donahue_lee_monkey_prl_magnitude",
                title="One monkey, one session: stable and volatile reversal with amounts on offer",
                species="monkey",
                task="donahue_lee_magnitude",
                subjects=("monkey1",),
                reader="pipeline.primates.donahue_lee:read",
                facts="pipeline.primates.donahue_lee:facts",
                summary="donahue_lee_summary.csv",
                citation=(
                    "Release: Spitmaan M, Seo H, Lee D, Soltani A (2020) Multiple timescales of neural dynamics and "
                    "integration of task-relevant signals across cortex. PNAS 117:22522–22531. Task (inferred): "
                    "Donahue CH, Lee D (2015) Dynamic routing of task-relevant signals for decision making in "
                    "dorsolateral prefrontal cortex. Nat Neurosci 18:295–301; Massi B, Donahue CH, Lee D (2018) "
                    "Volatility facilitates value updating in the prefrontal cortex. Neuron 99:598–608."
                ),
                licence='no licence file; the README says "CCNL, Dartmouth College, (c) 2020"',
                repository="https://github.com/DartmouthCCNL/NeuroARMAX_LeeLabData",
                commit="c2c85c89be392cd840effd8e8f50535abaad6191",
                description=(
                    "A monkey chose between two colours, each with an amount on display (1, 2, 4 or 8). One colour "
                    "paid its amount with probability .8 and the other with .2; the two were exchanged every 80 "
                    "trials in stable and every 20 in volatile stretches of 160 trials, without a signal. 640 "
                    "trials. Choice is the colour; amounts and rewards are in units of 8, the largest; the session "
                    "is one episode."
                ),
                caveats=(
                    "Description only: one session of one animal supports no claim about monkeys or about volatility.",
                    "Who and when are not in the file, and neither is the task: it is inferred from the lengths of "
                    "the blocks, the probabilities and the amounts, as is the meaning of the columns with "
                    "probabilities, amounts and kind of stretch.",
                    "Whether the colour not chosen would have paid is unknown. Models that take the outcomes of the "
                    "two colours for complementary assume it: were it so, the likelier colour would have paid on "
                    ".833 of trials instead of .8.",
                    "Gaps before trials (53 of at least 3.5 s, marked in column 13) suggest that trials were "
                    "aborted between those kept.",
                    "The side of the colours is in the file and not in the table; so are times of saccades, whose "
                    "meaning is not documented.",
                ),
            ),
        )
    }
)


def dataset(name: str) -> Dataset:
    """Look a dataset up by name.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in DATASETS:
        raise UserError(
            f"dataset {name!r} is not known; known are {', '.join(DATASETS)} (add one in pipeline/primates/__init__.py)"
        )
    return DATASETS[name]
