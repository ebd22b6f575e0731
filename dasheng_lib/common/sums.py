"""Whether a folder still holds what was written into it: sizes and hashes of its files, in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

SUMS = "sums.json"
# A larger file is not read if nothing has touched it: whoever writes into it changes its ctime.
# Reading a smaller one takes no longer than the ticks that a ctime is counted in.
_LARGE = 1 << 24  # bytes


def sums_of(folder: Path, names: Iterable[str] | None = None) -> str:
    """The text of :data:`SUMS`: size, ctime and SHA-256 of files, by default of all below."""
    if names is None:
        # Locks and parts are nobody's result.
        files = (path for path in folder.rglob("*") if path.suffix not in (".lock", ".part"))
        names = sorted(str(path.relative_to(folder)) for path in files if path.is_file())
    stats = {name: (folder / name).stat() for name in names if name != SUMS}
    told = {
        name: [stat.st_size, stat.st_ctime_ns, sha256_of(folder / name)]
        for name, stat in stats.items()
    }
    return json.dumps(told, indent=1)


def damaged(folder: Path) -> str | None:
    """A file of ``folder`` that is no longer as it was written; None if there is none.

    A folder without a list, from before they were written, is taken as it is.
    """
    try:
        told = json.loads((folder / SUMS).read_bytes())
        return next((name for name, sums in told.items() if not _same(folder / name, *sums)), None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return SUMS


def sha256_of(path: Path) -> str:
    """Hex.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(path: Path, size: int, ctime_ns: int, sha256: str) -> bool:
    try:
        stat = path.stat()
        if stat.st_size != size:
            return False
        return (size > _LARGE and stat.st_ctime_ns == ctime_ns) or sha256_of(path) == sha256
    except OSError:
        return False
