"""Where errors become sentences: what the system says of a named file, no memory, a parser's no."""

import csv
import errno
import json
import os

import pytest

from dasheng_lib.common.errors import UserError, reading, sentence


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOENT, "x.csv cannot be used (No such file or directory): see that it is there"),
        (errno.EACCES, "x.csv cannot be used (Permission denied): change its rights"),
        (errno.EMFILE, "x.csv cannot be used (Too many open files): allow more open files"),
        (errno.ENAMETOOLONG, "x.csv cannot be used (File name too long): no name"),
        (errno.ENOSPC, "the disk is full (writing x.csv): free some space"),
        (errno.EFBIG, "the disk is full (writing x.csv): free some space"),
        (errno.ENOMEM, "there is not enough memory"),
    ],
)
def test_what_the_system_says_of_a_file_is_one_sentence(number, said):
    told = sentence(OSError(number, os.strerror(number), "x.csv"))
    assert told.startswith(said) and told.endswith(".")


def test_no_memory_is_one_sentence_whoever_had_none():
    numpy = MemoryError("Unable to allocate 3. GiB\nfor an array")
    torch = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
    for error in (numpy, torch, MemoryError()):
        assert sentence(error).startswith("there is not enough memory") and "\n" not in sentence(
            error
        )


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError("x"), FileNotFoundError(2, "x"), OSError(9, "x", 3)]
)
def test_a_bug_has_no_sentence(error):
    assert sentence(error) is None


def test_a_current_folder_that_is_gone_is_one_sentence(monkeypatch):
    def gone():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)
    assert sentence(FileNotFoundError(2, "No such file")).startswith("the current folder is gone")


def deep(path):
    path.write_text("[" * 100_000)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "cannot be read (No such file"),
        (lambda path: path.mkdir(), "cannot be read (Is a directory)"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not JSON ('utf-8' codec can't decode"),
        (lambda path: path.write_text("{"), "is not JSON (Expecting property name"),
        (deep, "is not JSON (maximum recursion depth"),
    ],
)
def test_whatever_is_wrong_with_a_file_names_it(tmp_path, make, said):
    path = tmp_path / "x.json"
    make(path)
    with pytest.raises(UserError) as told, reading(path, "JSON", "make it again"):
        json.loads(path.read_text())
    assert str(told.value).startswith(f"{path} {said}")
    assert str(told.value).endswith(": make it again.")


def test_reading_keeps_what_is_a_sentence_already_and_shortens_what_is_long():
    with pytest.raises(UserError, match=r"^mine$"), reading("x", "a table", "mend it"):
        raise UserError("mine")
    with pytest.raises(UserError) as told, reading("x", "a table", "mend it"):
        raise csv.Error("word " * 1000)
    assert len(str(told.value)) < 400
    with pytest.raises(UserError, match="x does not fit into memory"), reading("x", "", "mend it"):
        raise MemoryError
    with pytest.raises(KeyboardInterrupt), reading("x", "a table", "mend it"):
        raise KeyboardInterrupt
