"""Fingerprints of code: what a result depends on, and what it does not."""

import pytest

from pipeline import codehash
from pipeline.tasks import TASKS


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "pipeline"
    for name, text in {
        "__init__.py": "",
        "training/__init__.py": "",
        "training/train.py": "from pipeline import seeds\nfrom pipeline.agents import AGENTS\n",
        "agents/__init__.py": "import pipeline.models.fit\n",
        "models/__init__.py": "",
        "models/fit.py": "def fit():\n    from pipeline.models import kernel\n",
        "models/kernel.py": "from .links import logit\n",
        "models/links.py": "logit = 1\n",
        "seeds.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(codehash, "PACKAGE", root)
    return root


def names(paths, root):
    return {path.relative_to(root).as_posix() for path in paths}


def test_closure_follows_lazy_and_relative_imports(package):
    found = names(codehash.closure("pipeline.models.fit"), package)
    assert {"models/fit.py", "models/kernel.py", "models/links.py"} <= found


def test_closure_stops_at_registries_so_that_adding_an_entry_retrains_nothing(package):
    assert names(codehash.closure("pipeline.training.train"), package) == {
        "__init__.py", "seeds.py", "training/__init__.py", "training/train.py"}  # fmt: skip


def test_hash_changes_with_a_module_it_depends_on_and_not_with_another(package):
    fit, train = codehash.code_hash("pipeline.models.fit"), codehash.code_hash("pipeline.training.train")
    (package / "models/links.py").write_text("logit = 2\n")
    assert codehash.code_hash("pipeline.models.fit") != fit
    assert codehash.code_hash("pipeline.training.train") == train


def test_hash_changes_with_the_registry_entry_in_use():
    du, de = (codehash.code_hash("pipeline.seeds", entries=(TASKS[name],)) for name in ("du", "de"))
    assert du != de
    assert du == codehash.code_hash("pipeline.seeds", entries=(TASKS["du"],))


def test_training_and_rollouts_never_import_models():
    for module in ("pipeline.training.loop", "pipeline.rollout", "pipeline.agents.cores", "pipeline.tasks.reversal"):
        found = names(codehash.closure(module), codehash.PACKAGE)
        assert found, module
        assert not [path for path in found if path.startswith("models/")], module
