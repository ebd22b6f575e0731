"""One line on a terminal that tells which cell is running and for how long."""

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
