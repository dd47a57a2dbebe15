"""Draws from a density in Python by nutpie's NUTS, one chain, without a model graph or ArviZ in between."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import nutpie
import pyarrow
from nutpie.compiled_pyfunc import from_pyfunc


@dataclass(frozen=True)
class Chain:
    """Draws (draws, coordinates) after tuning, and how many of their transitions diverged."""

    draws: np.ndarray
    divergences: int


def sample(
    density: Callable, start: np.ndarray, draws: int, tune: int, seed: int, target_accept: float
) -> Chain | None:
    """Sample a density from a starting point; None if no trajectory can leave it (gradient zero or not finite).

    Parameters
    ----------
    density : callable
        x (coordinates,) → log density up to a constant, and its gradient.
    start : array (coordinates,)
    draws, tune : int
        Kept draws, and those before them that set step size and mass matrix.
    seed : int
    target_accept : float
        Mean acceptance that the step size is tuned to.
    """
    size = len(start)
    model = from_pyfunc(
        size, lambda: density, lambda *_: lambda x: {"x": x}, [np.dtype("float64")], [(size,)], ["x"],
        make_initial_point_fn=lambda _: start,
    )  # fmt: skip
    try:
        trace = nutpie.sample(
            model, draws=draws, tune=tune, chains=1, cores=1, seed=seed, target_accept=target_accept,
            save_warmup=False, progress_bar=False, return_raw_trace=True,
        )  # fmt: skip
    except RuntimeError as error:
        if "initialization points failed" in str(error):
            return None
        raise
    (points,), (statistics,) = ([pyarrow.record_batch(part) for part in parts] for parts in trace.get_arrow_trace())
    kept = ~statistics.column("tuning").to_numpy(zero_copy_only=False)
    diverging = statistics.column("diverging").to_numpy(zero_copy_only=False)
    return Chain(points.column("x").flatten().to_numpy().reshape(-1, size)[kept], int(diverging[kept].sum()))
