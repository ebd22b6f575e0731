"""The attacks can fail: entrances that are bad on purpose, one for each verdict, are seen."""

import contextlib
import mmap
import os
import pickle
import subprocess
import time

import numpy as np
import pytest
from attack import FAULTS, storm, tally

from dasheng_lib.common.errors import UserError


def bad_entrances(watch):
    """Verdict to what deserves it."""
    room = watch.room

    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {room}/canary",)

    def swallow():  # an entrance that swallows whatever comes still hangs
        for _ in range(100):
            with contextlib.suppress(Exception):
                time.sleep(0.1)

    def two_lines():
        raise UserError("one\ntwo")

    def took_much():
        with mmap.mmap(-1, 48 << 20) as block:  # not from what malloc has kept
            for at in range(0, len(block), 4096):
                block[at] = 1

    def asked_too_much():
        try:
            np.ones(1 << 50)
        except MemoryError as error:
            raise UserError("no memory.") from error

    return {
        "code run": [
            lambda: pickle.loads(pickle.dumps(Hostile())),
            lambda: subprocess.run(["true"], check=True),
            lambda: os.system("true"),
        ],
        "escape": [
            lambda: (room / "up.txt").write_text("x"),
            lambda: (watch.outside / "kept.txt").write_text("lost"),
            lambda: os.symlink("/etc/passwd", room / "link"),
            lambda: os.rename(watch.outside / "kept.txt", watch.work / "taken"),
            lambda: os.mkdir(watch.outside / "folder"),
        ],
        "hang": [swallow],
        "memory": [took_much, asked_too_much],
        "traceback": [lambda: {}["key"], lambda: [][0], two_lines],
        "silent": [lambda: 3],
    }


NUMBERS = dict(zip(FAULTS, (3, 5, 1, 2, 3, 1), strict=True))


@pytest.mark.parametrize(
    ("kind", "number"), [(kind, n) for kind, count in NUMBERS.items() for n in range(count)]
)
def test_a_bad_entrance_is_seen(watch, kind, number):
    watch.seconds, watch.bytes = (0.2 if kind == "hang" else 30.0), 32 << 20
    found = watch(bad_entrances(watch)[kind][number], lambda value, told: "not 2" * (value == 3))
    assert found.kind == kind


def test_good_ends_are_told_apart(watch):
    def refuse():
        raise UserError("mend it.")

    def refuse_a_value():
        raise ValueError

    assert watch(lambda: (watch.work / "x").write_text("x")).kind == "right"
    assert watch(lambda: (watch.outside / "kept.txt").read_text()).kind == "right"
    assert watch(refuse).kind == "sentence"
    assert watch(refuse_a_value).kind == "traceback"
    assert watch(refuse_a_value, refusals=(ValueError,)).kind == "sentence"
    assert watch(lambda: os.stat("/nowhere/x")).kind == "sentence"


def test_one_fault_among_many_inputs_fails_the_test(watch):
    drawn = []

    def one(rng):
        drawn.append(int(rng.integers(1000)))
        return f"{drawn[-1]}", lambda: 1 // (len(drawn) - 7), None

    with pytest.raises(AssertionError, match=r"1 of 9\nmine 6 \(\d+\): traceback: ZeroDivision"):
        storm(watch, "mine", 9, one)
    first = drawn.copy()
    drawn.clear()
    storm(watch, "mine", 6, one)
    assert drawn == first[:6]  # and input by input the same again
    del tally["mine"]  # which is none of the inputs
