"""The cache: whole or not at all, made once, and one sentence when the disk will not have it."""

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dasheng_lib.common import cache, sums
from dasheng_lib.common.errors import UserError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def left(folder: Path) -> list[str]:
    """What lies in ``folder``, locks aside."""
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def refuse(number):
    def os_call(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return os_call


def test_folder_follows_the_environment(monkeypatch, tmp_path):
    assert cache.cache_dir("a", "b") == tmp_path / "cache/a/b"
    assert (tmp_path / "cache/a").is_dir() and not (tmp_path / "cache/a/b").exists()
    monkeypatch.setenv("DASHENG_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_dir("a") == tmp_path / "xdg/dasheng/a"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_dir("a") == tmp_path / "home/.cache/dasheng/a"
    monkeypatch.setenv("DASHENG_CACHE", "~/elsewhere")
    assert cache.cache_dir("a") == tmp_path / "home/elsewhere/a"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_unwritable_folder_is_one_sentence(monkeypatch, number):
    monkeypatch.setattr(Path, "mkdir", refuse(number))
    with pytest.raises(UserError, match=r"^Cannot write in .*DASHENG_CACHE[^.]*\.$"):
        cache.cache_dir("a")


def test_digest_sees_values_and_not_their_order():
    assert cache.digest({"a": 1, "b": [1.5, None]}) == cache.digest({"b": [1.5, None], "a": 1})
    assert cache.digest({"a": 1}) != cache.digest({"a": 2}) != cache.digest({"a": "2"})
    assert cache.digest({"a": 1}) == "015abd7f5cc57a2d"  # addresses outlive this process
    assert cache.digest("x", 7) == cache.digest("x")[:7]
    with pytest.raises(TypeError):
        cache.digest({"a": {1, 2}})


def test_file_appears_whole_with_ordinary_rights(root):
    with cache.atomic_file(root / "deep/x.txt") as path:
        path.write_text("whole")
        assert not (root / "deep/x.txt").exists()
    assert (root / "deep/x.txt").read_text() == "whole" and left(root / "deep") == ["x.txt"]
    (root / "plain").touch()
    assert (root / "deep/x.txt").stat().st_mode == (root / "plain").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_keeps_the_old_file_and_nothing_else(root, error):
    with cache.atomic_file(root / "x.txt") as path:
        path.write_text("old")
    with pytest.raises(error), cache.atomic_file(root / "x.txt") as path:
        path.write_text("half")
        raise error
    assert left(root) == ["x.txt"] and (root / "x.txt").read_text() == "old"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "The disk is full while writing .*x.txt; nothing half-written"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EACCES, "Cannot write in"),
    ],
)
@pytest.mark.parametrize("when", ["open", "fsync", "replace"])
def test_disk_trouble_is_one_sentence_and_leaves_nothing(root, monkeypatch, number, sentence, when):
    monkeypatch.setattr(os, when, refuse(number))
    with pytest.raises(UserError, match=sentence), cache.atomic_file(root / "x.txt") as path:
        path.write_text("text")
    assert left(root) == []


def test_disk_full_in_the_body_is_the_same_sentence(root):
    with pytest.raises(UserError, match="disk is full"), cache.atomic_folder(root / "x"):
        refuse(errno.ENOSPC)()
    assert left(root) == []


HIDDEN = """
import resource, sys
from pathlib import Path
import numpy as np, safetensors.torch, torch
from dasheng_lib.common.cache import atomic_file, atomic_folder
from dasheng_lib.common.errors import UserError

x = np.zeros(500_000, np.float32)
writers = {
    "numpy": lambda path: np.save(path.open("wb"), x),
    "tofile": lambda path: x.tofile(path),
    "torch": lambda path: torch.save(torch.from_numpy(x), path),
    "safetensors": lambda path: safetensors.torch.save_file({"x": torch.from_numpy(x)}, path),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
root = Path(sys.argv[1])
for name, write in writers.items():
    for kind, place in ((atomic_file, lambda p: p), (atomic_folder, lambda p: p / "x.npy")):
        try:
            with kind(root / "made") as path:
                write(place(path))
        except UserError as error:
            print(name, error)
"""


def test_a_full_disk_is_seen_where_a_library_hides_why_it_could_not_write(root):
    """A limit for the size of a file stands in for a full disk."""
    root.mkdir()
    command = [sys.executable, "-c", HIDDEN, str(root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.split()[0] for line in told] == [
        name for name in ("numpy", "tofile", "torch", "safetensors") for _ in range(2)
    ]
    assert all("The disk is full while writing" in line for line in told) and left(root) == []


def test_another_file_that_must_not_be_read_is_not_what_cannot_be_written(root, tmp_path):
    error = PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "input.wav"))
    with pytest.raises(PermissionError), cache.atomic_file(root / "x"):
        raise error


def test_a_name_as_long_as_names_can_be_is_written(root):
    name = "\u5b57" * 83 + ".wav"  # 253 bytes of 255
    with cache.atomic_file(root / name) as path:
        path.write_text("x")
    with cache.atomic_folder(root / name[1:]) as folder:
        (folder / "x").touch()
    assert left(root) == sorted([name, name[1:]])


@pytest.mark.parametrize("place", ["~nosuchuser/x", "~"])
def test_no_home_is_one_sentence(monkeypatch, place):
    def unknown(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", unknown)
    monkeypatch.setenv("DASHENG_CACHE", place)
    with pytest.raises(UserError, match=r"home folder of ~.* is not known.*DASHENG_CACHE"):
        cache.cache_dir("a")


def test_who_waits_says_what_for(root, monkeypatch, caplog):
    monkeypatch.setattr(cache, "_PATIENCE", 0.05)
    got = threading.Event()

    def wait():
        with cache.locked(root / "thing"):
            got.set()

    with cache.locked(root / "thing"):
        waiter = threading.Thread(target=wait)
        waiter.start()
        while not caplog.messages:
            assert waiter.is_alive()
        assert not got.is_set()
    waiter.join()
    assert got.is_set()
    assert caplog.messages == [f"waiting for another process that makes {root / 'thing'}"]
    with cache.locked(root / "thing"):
        assert len(caplog.messages) == 1


def test_other_trouble_keeps_its_name(root):
    with pytest.raises(FileNotFoundError), cache.atomic_file(root / "x"):
        (root / "absent").read_text()


def test_folder_appears_whole(root):
    with cache.atomic_folder(root / "made") as folder:
        (folder / "sub").mkdir()
        (folder / "sub/x").write_text("x")
        assert not (root / "made").exists()
    assert (root / "made/sub/x").read_text() == "x" and left(root) == ["made"]
    with pytest.raises(ValueError), cache.atomic_folder(root / "other") as folder:
        (folder / "x").write_text("half")
        raise ValueError
    assert left(root) == ["made"]


def test_artefact_is_made_once_for_a_recipe():
    made = []

    def make(folder):
        made.append(folder)
        (folder / "x").write_text(str(len(made)))

    first = cache.artefact("kind", {"steps": 3}, make)
    assert cache.artefact("kind", {"steps": 3}, make) == first and len(made) == 1
    assert (first / "x").read_text() == "1"
    assert json.loads((first / "recipe.json").read_text()) == {"steps": 3}
    assert cache.artefact("kind", {"steps": 4}, make) != first
    assert cache.artefact("other", {"steps": 3}, make) != first and len(made) == 3


def test_failed_artefact_leaves_nothing_and_is_made_next_time(root):
    def fail(folder):
        (folder / "x").write_text("half")
        raise ValueError("no")

    with pytest.raises(ValueError):
        cache.artefact("kind", {}, fail)
    assert left(root / "artefacts/kind") == []
    made = cache.artefact("kind", {}, lambda folder: (folder / "x").write_text("whole"))
    assert (made / "x").read_text() == "whole"


MAKER = """
import sys
from pathlib import Path
from dasheng_lib.common.cache import artefact

def make(folder):
    with open(sys.argv[1], "a") as file:
        file.write("made\\n")
    print("making", flush=True)
    sys.stdin.read(1)  # until the test lets go
    (folder / "x").write_text("whole")

print("asking", flush=True)
print(artefact("kind", {}, make) / "x", flush=True)
"""


def test_second_process_waits_and_finds_it(root, tmp_path):
    journal = tmp_path / "journal"

    def start():
        return subprocess.Popen(
            [sys.executable, "-c", MAKER, str(journal)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    first = start()
    assert [first.stdout.readline() for _ in range(2)] == ["asking\n", "making\n"]
    second = start()
    assert second.stdout.readline() == "asking\n"  # while the first is at work
    second.stdin.write("g")
    second.stdin.close()
    first.stdin.write("g")
    first.stdin.close()
    paths = [first.stdout.readline().strip(), second.stdout.readline().strip()]
    assert first.wait() == second.wait() == 0
    assert paths[0] == paths[1] and Path(paths[0]).read_text() == "whole"
    assert journal.read_text() == "made\n"


def test_killed_maker_leaves_nothing_that_is_taken_for_good(root, tmp_path):
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path / "journal")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert [maker.stdout.readline() for _ in range(2)] == ["asking\n", "making\n"]
    maker.kill()
    maker.communicate()
    made = cache.artefact("kind", {}, lambda folder: (folder / "x").write_text("again"))
    assert (made / "x").read_text() == "again"


def test_space_is_asked_for_before_the_work(root):
    cache.need_space(root / "not/there/yet", 1)
    with pytest.raises(UserError, match=r"MB free and .* MB are needed.*DASHENG_CACHE"):
        cache.need_space(root, 10**18)


def numbers(folder):
    (folder / "numbers").write_bytes(bytes(range(200)))
    (folder / "told.json").write_text('{"a": 1}')


@pytest.mark.parametrize("name", ["numbers", "told.json", "recipe.json", "sums.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b"\xff" + path.read_bytes()[1:]),
        lambda path: path.write_text("[" * 100_000),
    ],
)
def test_a_damaged_artefact_is_made_again_with_a_word(name, damage):
    folder = cache.artefact("kind", {}, numbers)
    damage(folder / name)
    with pytest.warns(UserWarning, match=f"{name} is damaged: its folder is made again"):
        assert cache.artefact("kind", {}, numbers) == folder
    assert (folder / "numbers").read_bytes() == bytes(range(200))
    assert left(folder.parent) == [folder.name]
    cache.artefact("kind", {}, lambda folder: pytest.fail("it is whole"))


def test_a_lost_file_is_damage_and_a_file_more_is_none():
    folder = cache.artefact("kind", {}, numbers)
    (folder / "more").write_text("mine")
    cache.artefact("kind", {}, lambda folder: pytest.fail("it is whole"))
    (folder / "numbers").unlink()
    with pytest.warns(UserWarning, match="numbers is damaged"):
        cache.artefact("kind", {}, numbers)
    assert (folder / "numbers").exists()
    (folder / "sums.json").unlink()  # as before sums were kept
    cache.artefact("kind", {}, lambda folder: pytest.fail("it is whole"))


def test_a_large_file_is_compared_when_it_was_touched(monkeypatch):
    monkeypatch.setattr(sums, "_LARGE", 0)
    folder = cache.artefact("kind", {}, numbers)
    monkeypatch.setattr(sums, "sha256_of", lambda path: pytest.fail("nothing touched it"))
    cache.artefact("kind", {}, lambda folder: pytest.fail("it is whole"))
    monkeypatch.undo()
    os.utime(folder / "numbers", (1, 1))  # as copying does
    assert sums.damaged(folder) is None
