"""Progress on stderr (a line rewritten on a terminal, a line now and then in a log) and polite interruption."""

import signal
import sys
import threading
import time


class Progress:
    """Rate and remaining time of a training."""

    def __init__(self, name: str, updates: int, done: int, trials_per_update: int, shown: bool = True):
        self.name, self.updates, self.start, self.trials = name, updates, done, trials_per_update
        self.shown, self.terminal = shown, sys.stderr.isatty()
        self.began = self.last = time.monotonic()

    def show(self, done: int, reward: float, agents: int, last: bool = False) -> None:
        """Say how far the training is: at most twice a second on a terminal, every 15 s in a log."""
        now = time.monotonic()
        if not self.shown or (not last and now - self.last < (0.5 if self.terminal else 15)):
            return
        self.last = now
        speed = (done - self.start) / max(now - self.began, 1e-9)
        left = (self.updates - done) / speed if speed else 0
        line = (
            f"{self.name}: update {done}/{self.updates}, reward {reward:.3f} per trial, "
            f"{speed * self.trials * agents / 1e3:.0f} k agent-trials/s, {left:.0f} s left"
        )
        if self.terminal:
            print(f"\r{line:<100}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


class Interruption:
    """Within ``with``, SIGINT and SIGTERM only set ``signal``; on leaving, what was there before acts again.

    So an update is always finished and a checkpoint written before a training stops.
    """

    def __enter__(self):
        self.signal, self.before = None, {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number, frame):
        self.signal = number

    def __exit__(self, *error):
        for number, handler in self.before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def stop(self) -> None:
        """Leave the programme as the signal asks."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.signal)
