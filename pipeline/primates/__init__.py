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
