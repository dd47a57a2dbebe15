"""Training of recurrent actor–critics: a whole population in one batched computation.

Entry points: `train`, `Training` (settings), `Population` (result), `write_tables`; `pipeline.training.evaluate`
ranks and tests the trained agents. Imported on first use, so that reading settings does not import PyTorch.
"""

from importlib import import_module

_HOME = {
    "train": "pipeline.training.loop",
    "Training": "pipeline.training.settings",
    "Population": "pipeline.agents.population",
    "write_tables": "pipeline.training.tables",
}
__all__ = ["Population", "Training", "train", "write_tables"]


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
