"""Kill a piece of work again and again, let it go on, and compare all that it leaves on the disk.

Each life is a forked child in one folder, which is also where its cache is. The folder that work
leaves which was killed must be that of work which was left alone: the same names, the same bytes.
So whatever is lost, torn, believed half-written or left lying about is seen.
"""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PATIENCE = 300  # seconds after which a life is taken for one that hangs


@dataclass(frozen=True)
class Work:
    """Something that may be killed.

    Attributes:
        do: does it in the working folder, whatever is there of it already; an exit code, or
            anything else for 0.
        files: what lies in the folder at the beginning.
        look: called in the folder after each death; what it raises is a fault.
        share: of the deaths that are asked for, beside others.
        alike: pattern of paths that need not have the same bytes.
        starts: it starts other programs, which a limit of a file's size would stop as well, and
            is slow; it is killed where more than a few deaths are asked for.
    """

    do: Callable[[], object]
    files: dict[str, bytes] = field(default_factory=dict)
    look: Callable[[], object] = lambda: None
    share: float = 1.0
    alike: str = "^$"
    starts: bool = False


@dataclass(frozen=True)
class Death:
    """When a life ends: at the n-th change of the disk; at so many bytes of the file that is
    written from then on; or after so many seconds."""

    change: int | None = None
    byte: int | None = None
    after: float | None = None


def kill(work: Work, place: Path, deaths: int, moments: bool, seed: int = 0) -> dict:
    """Kill it ``deaths`` times, one to three times in a row, and compare after each row.

    Args:
        place: a folder of our own.
        moments: half of the deaths come by the clock, at any moment that a life has.

    Returns:
        deaths, rounds, how many changes of the disk a life makes, its seconds, and faults.
    """
    draw, folder = Random(seed), place / "here"
    began = time.monotonic()
    _begin(work, folder)
    changes = _life(work, folder, place / "said")
    seconds = time.monotonic() - began
    found = {"deaths": 0, "rounds": 0, "changes": changes, "seconds": seconds, "faults": []}
    if changes < 0:
        return found | {"faults": [f"left alone: {(place / 'said').read_text()}"]}
    whole, spared = _tree(folder), 0
    while found["deaths"] < deaths and spared < 20 + 5 * deaths:
        _begin(work, folder)
        row: list[Death] = []
        for _ in range(draw.randint(1, 3)):
            row.append(_death(draw, changes, seconds, moments, not work.starts))
            code = _life(work, folder, place / "said", row[-1])
            found["deaths"] += code == -1
            spared += code != -1
            if code < -1:
                found["faults"].append(f"{row}: {(place / 'said').read_text()}")
            found["faults"] += [f"{row}: {said}" for said in _looked(work, folder)]
            if found["deaths"] == deaths:
                break
        if _life(work, folder, place / "said") < 0:
            found["faults"].append(f"{row}, then: {(place / 'said').read_text()}")
        found["rounds"] += 1
        left = _tree(folder)
        left |= {n: whole[n] for n in left.keys() & whole if re.match(work.alike, n)}
        found["faults"] += [f"{row}: {said}" for said in _differences(whole, left)]
    if found["deaths"] < deaths:
        found["faults"].append("it hardly ever died")
    return found


def _begin(work: Work, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, data in work.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _death(draw: Random, changes: int, seconds: float, moments: bool, torn: bool) -> Death:
    if moments and draw.random() < 0.5:
        return Death(after=draw.uniform(0, seconds))
    torn = draw.random() < 0.5 and torn
    return Death(draw.randint(1, changes), draw.choice([0, 1, 100, 4000]) if torn else None)


def _life(work: Work, folder: Path, said: Path, death: Death | None = None) -> int:
    """The changes that it made to the disk; -1 if it was killed, -2 if it failed, as ``said``."""
    said.write_bytes(b"")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _live(work, folder, said, death or Death(), writer)
    os.close(writer)
    if death and death.after is not None:
        time.sleep(death.after)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(reader, "rb") as told:
        changes = int(told.read() or 0)
    return changes if code == 0 else -1 if code in (-signal.SIGKILL, -signal.SIGXFSZ) else -2


def _live(work: Work, folder: Path, said: Path, death: Death, writer: int) -> None:
    """In the child: never returns."""
    code = 1
    try:
        signal.alarm(PATIENCE)
        os.chdir(folder)
        os.environ["DASHENG_CACHE"] = str(folder / "cache")
        sys.stdout = sys.stderr = io.StringIO()  # no file that a limit could meet
        changes = _die_at(death)
        code = work.do()
        code = code if isinstance(code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        made, changes[0] = changes[0], -sys.maxsize  # what follows is not its own
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        said.write_text(sys.stderr.getvalue()[-2000:])
        os.write(writer, b"%d" % made)
        os._exit(code)


def _die_at(death: Death) -> list[int]:
    """Die at a change of this process to the disk, or in the write that follows it.

    A change is a file that is opened for writing, a rename, a removal, a folder. At a limit of
    its size the system lets a write reach that very byte, and kills with the next.

    Returns:
        a list with the changes until now.
    """
    count = [0]

    def hook(event: str, arguments: tuple) -> None:
        if event in CHANGES or (event == "open" and (arguments[2] or 0) & WRITES):
            count[0] += 1
            if count[0] != death.change:
                return
            if death.byte is None:
                os.kill(os.getpid(), signal.SIGKILL)
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (death.byte, hard))

    sys.addaudithook(hook)
    return count


def _looked(work: Work, folder: Path) -> Iterator[str]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        work.look()
    except Exception as error:
        yield f"seen half-way: {error!r}"
    finally:
        os.chdir(before)


def _tree(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path, with its bytes; folders too."""
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*"))}
    return {name: _timeless(path) if path.is_file() else b"" for name, path in paths.items()}


def _timeless(path: Path) -> bytes:
    """Its bytes, without when that and other files were written."""
    if path.suffix == ".npz":
        with np.load(path) as file:
            return b"".join(name.encode() + file[name].tobytes() for name in file)
    data = path.read_bytes()
    return re.sub(rb"\b1\d{18}\b", b"ns", data) if path.suffix == ".json" else data


def _differences(whole: dict[str, bytes], cut: dict[str, bytes]) -> Iterator[str]:
    yield from (f"{name} is lost" for name in whole if name not in cut)
    yield from (f"{name} is left over" for name in cut if name not in whole)
    for name in whole:
        if cut.get(name, whole[name]) != whole[name]:
            yield f"{name} differs ({len(cut[name])} bytes, not {len(whole[name])})"
