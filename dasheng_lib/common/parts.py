"""Unfinished work: files and folders that are written before they have their name.

Beside NAME one is called ``.NAME.0.part``, and ``.NAME.1.part`` where two write NAME at once. Who
writes it holds a lock on it, of which the system lets go when the process ends, however it ends: so
the next that writes NAME knows what was killed, and removes it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_LOOKED_AT = 8  # more than will write one name at once
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EBADF)  # of some network disks


@contextlib.contextmanager
def own_part(destination: Path, folder: bool) -> Iterator[Path]:
    """An empty file or folder beside ``destination``, for this process alone.

    At the end it is removed, unless it was moved away.

    Raises:
        OSError: nothing can be written there.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Of a long name the beginning: 255 bytes are the most that a name may have.
    beside = destination.with_name(f".{destination.name[:60]}")
    for number in range(_LOOKED_AT):
        _sweep(Path(f"{beside}.{number}.part"))
    taken = (_take(Path(f"{beside}.{number}.part"), folder) for number in itertools.count())
    path, handle = next(part for part in taken if part is not None)
    mine = os.fstat(handle)
    try:
        yield path
    finally:
        # Not by its name alone: once it is moved, another process may write under that.
        with contextlib.suppress(OSError):
            if os.path.samestat(mine, path.stat()):
                _remove(path)
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove the parts in a folder that nobody holds."""
    for path in folder.glob(".*.part"):
        _sweep(path)


def _sweep(path: Path) -> None:
    """Remove a part that nobody holds."""
    if os.path.lexists(path) and (handle := _lock(path, new=False)) is not None:
        with contextlib.suppress(OSError):  # of another user: it stays, and another name is taken
            _remove(path)
        os.close(handle)


def _take(path: Path, folder: bool) -> tuple[Path, int] | None:
    """A new part and the handle that holds its lock; None if there is one of this name."""
    try:
        if folder:
            path.mkdir(mode=0o700)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return None
    handle = _lock(path, new=True)
    return None if handle is None else (path, handle)


def _lock(path: Path, new: bool) -> int | None:
    """A handle with the lock on a part; None if it is another's, or was moved meanwhile."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError:
        if new:
            raise
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(handle), path.stat())
    except OSError as error:
        ours = new and error.errno in _NO_LOCKS
    if not ours:
        os.close(handle)
    return handle if ours else None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
