"""Work that a kill hurts: what test_kills.py must see, lest it sees nothing at all."""

import os
import tempfile
from pathlib import Path

from killing import Work


def torn() -> None:
    """Written in place, and believed when it is there."""
    if not Path("result").exists():
        Path("result").write_bytes(bytes(10_000))


def left_lying() -> None:
    """Written whole, under a name that nobody will know again."""
    with tempfile.NamedTemporaryFile(dir=".", delete=False) as file:
        file.write(bytes(10_000))
    os.replace(file.name, "result")


def told_twice() -> None:
    """A table that goes on behind whatever a dead process wrote."""
    with Path("table").open("a") as file:
        for row in range(1000):
            print(row, file=file)


CARELESS = {
    "torn": Work(torn, share=2),
    "left lying": Work(left_lying, share=2),
    "told twice": Work(told_twice, share=2),
}
