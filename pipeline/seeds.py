"""Random generators: one root seed, and a name for everything that draws."""

import zlib

import numpy as np


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Independent generator for one named purpose, e.g. ``generator(1, "train", "lstm_du", 3)``.

    The same ``(seed, *names)`` gives the same stream on every machine and in every process, and two different
    names give independent streams (numpy ``SeedSequence``), so that adding a study never shifts another's draws.
    """
    entropy = [seed, *(zlib.crc32(str(name).encode()) for name in names)]
    return np.random.default_rng(np.random.SeedSequence(entropy))
