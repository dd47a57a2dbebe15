"""Checkpoints: all that a training needs to go on as if nothing had happened, in one safetensors file."""

import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from pipeline.files import replacing
from pipeline.training.settings import Training

FORMAT = "learning-set checkpoint 1"


def key(core: str, core_settings: dict, task, training: Training, seed: int, **options) -> str:
    """Hash of everything that decides the outcome, the code of agents, tasks and training included.

    A checkpoint made under another config or by other code is therefore never resumed from.
    """
    said = [core, core_settings, task.name, dict(task.settings), task.trials, asdict(training), seed, options]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True, default=list).encode())
    root = Path(__file__).parents[1]
    for folder in ("agents", "tasks", "training"):
        for file in sorted((root / folder).glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def save(path: Path, tensors: dict[str, Tensor], progress: dict) -> None:
    """Write tensors and JSON-able progress; an interruption leaves the previous checkpoint whole."""
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        metadata = {"format": FORMAT, "progress": json.dumps(progress)}
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, temporary, metadata)


def load(path: Path) -> tuple[dict[str, Tensor], dict] | None:
    """Read a checkpoint; None if there is none, or if it is damaged (said on stderr: training then starts afresh)."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            meta = file.metadata() or {}
            if meta.get("format") != FORMAT:
                raise ValueError(f"its format is {meta.get('format')!r}, not {FORMAT!r}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
                raise ValueError("it holds numbers that are not finite")
            return tensors, json.loads(meta["progress"])
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        print(f"{path}: ignored, not a usable checkpoint ({error}); training starts afresh", file=sys.stderr)
        return None
