"""Unfinished work is one process's own, and whoever comes next removes what was killed."""

import os
import signal
import subprocess
import sys

import pytest

from dasheng_lib.common.cache import atomic_file, atomic_folder, scratch_folder

WRITER = """
import os, signal, sys
from pathlib import Path
from dasheng_lib.common.cache import atomic_file, atomic_folder

kind, where = sys.argv[1:]
with (atomic_file if kind == "file" else atomic_folder)(where) as part:
    (part if kind == "file" else part / "x").write_text("half")
    print("writing", flush=True)
    sys.stdin.read(1)
"""


def writer(kind, where):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, kind, str(where)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "writing\n"
    return process


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_was_killed_is_removed_and_what_lives_is_left(tmp_path, kind):
    where = tmp_path / "made"
    killed, alive = writer(kind, where), writer(kind, where)
    assert names(tmp_path) == [".made.0.part", ".made.1.part"]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    with (atomic_file if kind == "file" else atomic_folder)(where) as part:
        (part if kind == "file" else part / "x").write_text("whole")
        assert names(tmp_path) == [".made.0.part", ".made.1.part"] and part.name == ".made.0.part"
    assert names(tmp_path) == [".made.1.part", "made"]
    alive.send_signal(signal.SIGKILL)
    alive.communicate()
    with scratch_folder(where):  # of the other kind
        pass
    assert names(tmp_path) == ["made"]
    assert (where if kind == "file" else where / "x").read_text() == "whole"


def test_two_in_one_process_do_not_meet(tmp_path):
    with atomic_file(tmp_path / "x") as one, atomic_file(tmp_path / "x") as two:
        one.write_text("one")
        two.write_text("two")
    assert names(tmp_path) == ["x"] and (tmp_path / "x").read_text() == "one"


def test_a_part_that_was_moved_is_not_removed_by_its_old_name(tmp_path):
    with scratch_folder(tmp_path / "x") as part:
        os.replace(part, tmp_path / "x")
        with scratch_folder(tmp_path / "x") as other:
            assert other == part
        part.mkdir()  # as of another process
    assert names(tmp_path) == [".x.0.part", "x"]


def test_names_may_be_as_long_as_the_system_allows(tmp_path):
    for name in ("a" * 255, "长" * 85):
        with atomic_file(tmp_path / name) as part:
            part.write_text(name)
        assert (tmp_path / name).read_text() == name
