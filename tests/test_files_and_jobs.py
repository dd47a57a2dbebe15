"""Files appear whole or not at all; a step ends with one clear message."""

import sys

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.files import replacing
from pipeline.jobs import job
from pipeline.seeds import generator


def test_an_interrupted_write_leaves_the_old_file_and_no_fragment(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("finished")
    with pytest.raises(KeyboardInterrupt), replacing(target) as path:
        path.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "finished"
    assert list(tmp_path.iterdir()) == [target]


def test_a_user_error_ends_a_step_with_its_message_alone(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, job(str(tmp_path / "step.log")):
        raise UserError("choice = 7 on a two-armed task")
    assert caught.value.code == 1
    assert "error: choice = 7 on a two-armed task" in (tmp_path / "step.log").read_text()
    assert "Traceback" not in capsys.readouterr().err


def test_an_unforeseen_error_keeps_its_traceback_in_the_log(tmp_path):
    terminal = sys.stderr
    with pytest.raises(ZeroDivisionError), job(str(tmp_path / "step.log")):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in (tmp_path / "step.log").read_text()
    assert sys.stderr is terminal


def test_named_streams_repeat_and_differ():
    same = generator(1, "test", "du", 3).random(4), generator(1, "test", "du", 3).random(4)
    np.testing.assert_array_equal(*same)
    for other in (generator(2, "test", "du", 3), generator(1, "rank", "du", 3), generator(1, "test", "du", 4)):
        assert not np.allclose(other.random(4), same[0])
