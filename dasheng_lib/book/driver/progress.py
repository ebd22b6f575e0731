"""What a build tells meanwhile: which cell runs and for how long, and about how long is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


@contextmanager
def progress_line(name: str, out: TextIO) -> Iterator[Callable[[int, int], None]]:
    """Yield a function to call with (cell, of); the line is gone in the end.

    Silent where ``out`` is no terminal, as in a log.
    """
    if not out.isatty():
        yield lambda cell, of: None
        return
    state = ["starting"]
    started = time.monotonic()
    stop = threading.Event()

    def show() -> None:
        seconds = time.monotonic() - started
        print(f"\r\033[K{name}: {state[0]}, {seconds:.0f} s", end="", file=out, flush=True)

    def tick() -> None:  # a cell may take minutes, and a line that stands still looks dead
        while not stop.wait(1):
            show()

    def at(cell: int, of: int) -> None:
        state[0] = f"cell {cell} of {of}"
        show()

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield at
    finally:
        stop.set()
        ticker.join()
        print("\r\033[K", end="", file=out, flush=True)


class Left:
    """About how long the chapters that are still to run will take.

    Args:
        usual: seconds that each takes from an empty cache on two cores, by name; what those that
            have run took here says how this machine compares.
    """

    def __init__(self, usual: dict[str, float]) -> None:
        self._usual = usual
        self._left = dict(usual)
        self._spent = 0.0

    def ran(self, name: str, seconds: float) -> None:
        self._left.pop(name, None)
        self._spent += seconds

    def __str__(self) -> str:
        """``, about 3 min left``; nothing when it is under half a minute."""
        left = sum(self._left.values())
        usual = sum(self._usual.values()) - left
        minutes = left * (self._spent / usual if usual else 1) / 60
        return f", about {max(1, round(minutes))} min left" if minutes >= 0.5 else ""
