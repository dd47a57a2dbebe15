"""A fingerprint of the code that a result depends on.

Snakemake re-runs a rule when its script changes, but not when a module that the script imports does. Each rule
therefore carries this fingerprint as a parameter: the bytes of every `pipeline` module in the import closure of what it
calls. Registries are left out of the closure (adding a task must not retrain every network); the rule names the
*entries* it uses instead, and they are hashed as values.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
REGISTRIES = ("pipeline.tasks", "pipeline.agents", "pipeline.models", "pipeline.primates", "pipeline.report")


def code_hash(*modules: str, entries: tuple = ()) -> str:
    """Fingerprint of modules ("pipeline.training", or a factory "pipeline.agents.cores:LSTM") and registry entries."""
    digest = hashlib.sha256()
    for path in closure(*(name.split(":")[0] for name in modules)):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    for entry in entries:
        if " at 0x" in repr(entry):  # an address differs from run to run: everything would always be stale
            raise ValueError(f"code hash: {entry!r} has no lasting value; name its module instead")
        digest.update(repr(entry).encode())
    return digest.hexdigest()[:16]


def closure(*modules: str) -> list[Path]:
    """Source files of `pipeline` that the modules import, directly or not, lazily or not; sorted."""
    for name in modules:
        if _path(name) is None:  # a fingerprint of nothing would hide every later change
            raise ValueError(f"code hash: there is no module {name!r}")
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _path(name)
        if path is None or name in found:
            continue
        found[name] = path
        if name not in REGISTRIES:
            waiting += _imports(name, path.read_text())
        # importing a.b.c runs a and a.b first
        waiting += [name.rsplit(".", 1)[0]] if "." in name else []
    return sorted(path for name, path in found.items() if name not in REGISTRIES)


def _path(name: str) -> Path | None:
    base = PACKAGE.joinpath(*name.split(".")[1:])
    if name.split(".")[0] != PACKAGE.name:
        return None
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(module: str, source: str) -> tuple[str, ...]:
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = (
                    module.split(".") if (_path(module) or Path()).name == "__init__.py" else module.split(".")[:-1]
                )
                base = ".".join([*parent[: len(parent) - node.level + 1], *filter(None, [base])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.split(".")[0] == PACKAGE.name)
