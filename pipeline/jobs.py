"""What every step of the workflow does around its science: a log, one clear error, and who made the output."""

import contextlib
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import UserError


class _Tee:
    """Write to the terminal and to the log."""

    def __init__(self, terminal, log):
        self.terminal, self.log = terminal, log

    def write(self, text):
        self.terminal.write(text)
        self.log.write(text)
        return len(text)

    def flush(self):
        self.terminal.flush()
        self.log.flush()

    def isatty(self):
        return False


@contextlib.contextmanager
def job(log: str) -> Iterator[None]:
    """Run one step: stderr goes to the terminal and to ``log``; a `UserError` ends it with its message alone."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    terminal, start = sys.stderr, time.monotonic()
    with open(log, "w") as file:
        sys.stderr = _Tee(terminal, file)
        try:
            yield
            print(f"done in {time.monotonic() - start:.1f} s", file=file)
        except UserError as error:
            print(f"\nerror: {error}\n", file=sys.stderr)
            sys.exit(1)
        except BaseException:
            traceback.print_exc(file=file)
            raise
        finally:
            sys.stderr = terminal
