"""Provenance: facts that a report prints, and that never decide whether a rule runs."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from pipeline.provenance import LIBRARIES, fingerprint, git_state, provenance, run_times

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_provenance_is_plain_text_and_numbers_with_every_fact_a_report_needs():
    facts = provenance({"scale": "quick", "seed": 1}, 1, "abc", now=NOW)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["time"] == "2026-01-02 03:04:05 UTC" and facts["code"] == "abc" and facts["scale"] == "quick"
    assert set(facts["libraries"]) == set(LIBRARIES) and facts["libraries"]["numpy"][0].isdigit()
    assert facts["cpu"] and facts["cores"] >= 1 and facts["python"].count(".") == 2


def test_outside_a_checkout_the_commit_is_unknown(tmp_path):
    assert git_state(tmp_path) == ("unknown", None)


def test_without_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state() == ("unknown", None)


def test_uncommitted_changes_of_tracked_files_are_told(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
            check=True,
            capture_output=True,
        )

    git("init")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-m", "one")
    commit, dirty = git_state(tmp_path)
    assert len(commit) == 40 and dirty is False
    (tmp_path / "untracked").write_text("two")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path) == (commit, True)


def test_the_fingerprint_of_a_config_ignores_the_order_of_its_keys_and_sees_every_value():
    one = {"seed": 1, "scales": {"quick": {"draws": 3, "tune": 4}}}
    assert fingerprint(one) == fingerprint({"scales": {"quick": {"tune": 4, "draws": 3}}, "seed": 1})
    assert fingerprint(one) != fingerprint(one | {"seed": 2})


def test_run_times_sum_the_benchmarks_of_each_rule_and_skip_what_cannot_be_read(tmp_path):
    header = "s\th:m:s\tmax_rss\n"
    for name, text in {
        "train/a.tsv": header + "1.5\t0:00:01\t-\n",
        "train/b.tsv": header + "2\t0:00:02\t-\n",
        "claims.tsv": header + "3\t0:00:03\t-\n",
        "fit/x.tsv": "broken",
        "fit/y.tsv": header + "?\t-\t-\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert run_times(tmp_path) == {"claims": (1, 3.0), "train": (2, 3.5)}
    assert run_times(Path(tmp_path / "nowhere")) == {}
