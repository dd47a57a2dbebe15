"""Progress of a check in its log: a line now and then, or one rewritten on a terminal."""

import sys
import time


class Progress:
    """Say how many data sets are done, how long each takes and how long the rest will."""

    def __init__(self, name: str, total: int, shown: bool = True):
        self.name, self.total, self.shown, self.terminal = name, total, shown, sys.stderr.isatty()
        self.began = self.last = time.monotonic()

    def __call__(self, done: int, refitted: int = 0, failed: int = 0) -> None:
        """Tell of a data set done: at most twice a second on a terminal, every 15 s in a log, and of the last one."""
        now, last = time.monotonic(), done >= self.total
        if not self.shown or (not last and now - self.last < (0.5 if self.terminal else 15)):
            return
        self.last = now
        each = (now - self.began) / max(done, 1)
        line = f"{self.name}: data set {done}/{self.total}, {each:.2f} s each, {each * (self.total - done):.0f} s left"
        line += f", {refitted} fitted twice" if refitted else ""
        line += f", {failed} not sound" if failed else ""
        end = ("\n" if last else "") if self.terminal else "\n"
        print(f"\r{line:<100}" if self.terminal else line, end=end, file=sys.stderr, flush=True)
