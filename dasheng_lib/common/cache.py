"""The cache folder: where it is, how files get into it whole, and what they are called.

Nothing is ever written in place: a file or folder is made under a temporary name beside
its destination, flushed, and renamed, so that a reader sees all of it or none of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dasheng_lib.common.errors import FORBIDDEN, FULL, UserError
from dasheng_lib.common.parts import own_part
from dasheng_lib.common.places import expanded
from dasheng_lib.common.sums import SUMS, damaged, sums_of

_PATIENCE = 1.0  # seconds of waiting before it is said what for
_PROBED = 1 << 20  # bytes that are written to see whether a disk is full


def cache_dir(*parts: str) -> Path:
    """Path inside the cache folder, its parents made.

    The folder is ``$DASHENG_CACHE`` if set, else ``$XDG_CACHE_HOME/dasheng``, else
    ``~/.cache/dasheng``. It is shared between checkouts and may be deleted at any time.
    """
    root = os.environ.get("DASHENG_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "dasheng"
    )
    path = expanded(root).absolute().joinpath(*parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    return path


def digest(value: Any, length: int = 16) -> str:
    """First ``length`` hex digits of the SHA-256 of ``value`` as canonical JSON.

    Raises:
        TypeError: ``value`` holds something that JSON cannot express.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


@contextlib.contextmanager
def atomic_file(destination: Path | str) -> Iterator[Path]:
    """Yield a temporary path; on success it becomes ``destination``, on error it is removed.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """
    destination = Path(destination)
    with writing(destination), own_part(destination, folder=False) as temporary:
        with writing(destination, temporary):  # while what fills the disk is there
            yield temporary
        _flush(temporary)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, destination)
        _flush(destination.parent)


@contextlib.contextmanager
def atomic_folder(destination: Path | str) -> Iterator[Path]:
    """Yield a temporary folder; on success it becomes ``destination``, on error it is removed.

    ``destination`` must not exist; hold :func:`locked` where two processes may meet.

    Raises:
        UserError: the disk is full or the parent cannot be written.
    """
    with scratch_folder(destination) as temporary:
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        _publish(temporary, Path(destination))


@contextlib.contextmanager
def scratch_folder(destination: Path | str) -> Iterator[Path]:
    """An empty folder beside ``destination`` to work in, removed at the end.

    Raises:
        UserError: the disk is full or the parent cannot be written.
    """
    destination = Path(destination)
    part = own_part(destination, folder=True)
    # The inner one asks the disk while what fills it is there.
    with writing(destination), part as temporary, writing(destination):
        yield temporary


@contextlib.contextmanager
def locked(path: Path | str) -> Iterator[None]:
    """Hold the lock that stands beside ``path``: one process at a time makes it."""
    with _held(Path(f"{path}.lock"), timeout=-1):
        yield


@contextlib.contextmanager
def claimed(lock: Path | str) -> Iterator[bool]:
    """Whether no other process is at this work; until the end of the block it is ours.

    Args:
        lock: a file that stands for the work; it is made, and stays.
    """
    with _held(Path(lock), timeout=0) as ours:
        yield ours


@contextlib.contextmanager
def _held(lock: Path, timeout: float) -> Iterator[bool]:
    """Whether the lock was had within ``timeout`` seconds (-1: however long it takes)."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file_lock = FileLock(lock)
        try:
            file_lock.acquire(timeout if timeout >= 0 else _PATIENCE)
        except Timeout:
            if timeout >= 0:
                yield False
                return
            work = str(lock).removesuffix(".lock")
            said = "waiting for another process that makes %s"
            logging.getLogger("dasheng").warning(said, work)  # shown in a notebook too
            file_lock.acquire(-1)
    except OSError as error:
        raise _unwritable(lock.parent, error) from error
    try:
        yield True
    finally:
        file_lock.release()


def artefact(
    kind: str, recipe: dict[str, Any], make: Callable[[Path], None], resumable: bool = False
) -> Path:
    """Folder that ``make(folder)`` fills, made once for a recipe and found again ever after.

    Args:
        kind: first part of the address, such as ``"pretrain"``.
        recipe: everything that determines the result, as plain JSON values. Its hash is the
            address, and it is written beside the result as ``recipe.json``.
        make: fills a folder, empty at first. If it raises, nothing is taken for the result.
        resumable: what an interrupted ``make`` left is kept aside and handed to it again.

    Two processes that ask for one artefact at once: the second waits and finds it. One whose files
    are not as they were written is made again.
    """
    folder = address(kind, recipe)
    if folder.is_dir() and damaged(folder) is None:
        return folder
    with locked(folder):
        if folder.is_dir():
            wrong = damaged(folder)
            if wrong is None:
                return folder
            warnings.warn(f"{folder / wrong} is damaged: its folder is made again.", stacklevel=3)
            remove_folder(folder)
        if resumable:
            work = folder.with_name(f".{folder.name}.work")
            with writing(folder):
                work.mkdir(exist_ok=True)
                _fill(work, recipe, make)
                _publish(work, folder)
        else:
            with atomic_folder(folder) as temporary:
                _fill(temporary, recipe, make)
    return folder


def address(kind: str, recipe: dict[str, Any]) -> Path:
    """The folder of an :func:`artefact`, made or not."""
    return cache_dir("artefacts", kind, digest(recipe))


def _fill(folder: Path, recipe: dict[str, Any], make: Callable[[Path], None]) -> None:
    make(folder)
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1))
    (folder / SUMS).write_text(sums_of(folder))


def remove_folder(folder: Path) -> None:
    """Remove a folder at once: no half of it is left if the process is killed meanwhile.

    Raises:
        UserError: it cannot be removed.
    """
    with scratch_folder(folder) as aside:
        os.replace(folder, aside / folder.name)


def need_space(folder: Path, size: int) -> None:
    """Raise before the work rather than in it.

    Raises:
        UserError: fewer than ``size`` bytes are free where ``folder`` lies.
    """
    folder = next(p for p in [folder, *folder.parents] if p.exists())
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(
            f"{folder} has {free / 1e6:.0f} MB free and {size / 1e6:.0f} MB are needed: "
            "free some space or set DASHENG_CACHE to a folder on a larger disk."
        )


@contextlib.contextmanager
def writing(destination: Path, temporary: Path | None = None) -> Iterator[None]:
    """What the operating system says while ``destination`` is written, as one sentence.

    NumPy, torch and safetensors do not hand on why they could not write, so the disk is asked.

    Args:
        temporary: what is written in its place, and is of no more use after an error.

    Raises:
        UserError: the disk is full, or the folder cannot be written.
    """
    folder = destination.parent
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        number, about = getattr(error, "errno", None), getattr(error, "filename", None)
        if number in FULL or (number is None and _is_full(folder, temporary)):
            raise UserError(
                f"The disk is full while writing {destination}; nothing half-written was kept: "
                "free some space, or set DASHENG_CACHE to a folder on a larger disk, and give the "
                "same command again."
            ) from error
        # Another file, which is read meanwhile, is not what cannot be written.
        if number in FORBIDDEN and (about is None or str(about).startswith(str(folder))):
            raise _unwritable(folder, error) from error
        raise


def _is_full(folder: Path, file: Path | None) -> bool:
    """Whether not even a little can be written: no space, a used up quota, a limit for a file."""
    try:
        with file.open("ab", 0) if file else tempfile.TemporaryFile(dir=folder, buffering=0) as end:
            left = _PROBED
            while left:
                left -= end.write(bytes(left))
    except OSError as error:
        return error.errno in FULL
    return False


def _publish(work: Path, destination: Path) -> None:
    for path in work.rglob("*"):
        if path.is_file():
            _flush(path)
    os.replace(work, destination)
    _flush(destination.parent)


def _unwritable(folder: Path, error: OSError) -> UserError:
    return UserError(
        f"Cannot write in {folder} ({error.strerror}): make it writable, or name another folder "
        "(DASHENG_CACHE moves the cache)."
    )


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
