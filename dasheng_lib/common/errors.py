"""What is meant for people: sentences that say what to do, and where other errors become them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """Something the reader can mend; its text is one sentence that says how.

    The command line prints the sentence and exits with 2; a notebook shows the sentence
    in place of a traceback. Anything else that is raised is a bug and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"{type(self).__name__}: {self}"]


NAMED = 3
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a disk, a quota, `ulimit -f`
FORBIDDEN = (errno.EACCES, errno.EROFS, errno.EPERM)
_REMEDIES = {
    **dict.fromkeys(FORBIDDEN, "change its rights, or name another place"),
    errno.EMFILE: "allow more open files (ulimit -n) and run the same command again",
    errno.ENAMETOOLONG: "no name of a file is so long",
}


def tell(one: str, names: Sequence[str], many: str | None = None) -> str:
    """``"2 wavs are missing (a.wav, b.wav)"``; the first names only, and ``…`` for the rest."""
    listed = ", ".join(map(_short, names[:NAMED])) + (", …" if len(names) > NAMED else "")
    return f"{len(names)} {one if len(names) == 1 or many is None else many} ({listed})"


def sentence(error: BaseException) -> str | None:
    """What to print in place of a traceback; None for a bug.

    Besides a :class:`UserError`: whatever the operating system says of a file by its name, a full
    disk, no memory, and a current folder that is gone.
    """
    if isinstance(error, UserError):
        return str(error)
    if _is_no_memory(error):
        return (
            f"there is not enough memory ({one_line(error)}): use smaller files, batches or "
            "models, or a machine with more."
        )
    if not isinstance(error, OSError):
        return None
    name = None if isinstance(error.filename, int) else error.filename
    if error.errno in FULL:
        where = f" (writing {name})" if name else ""
        return (
            f"the disk is full{where}: free some space, or set DASHENG_CACHE to a folder on a "
            "larger disk, and run the same command again."
        )
    if name or error.errno == errno.EMFILE:
        remedy = _REMEDIES.get(error.errno, "see that it is there and what the command takes")
        return f"{name or 'a file'} cannot be used ({error.strerror or error}): {remedy}."
    try:
        os.getcwd()
    except OSError:
        return "the current folder is gone: cd to one that is there, and run the same command."
    return None


@contextmanager
def reading(path: Path | str, what: str, remedy: str) -> Iterator[None]:
    """Whatever goes wrong in the block, which reads and parses one file, is that file's fault.

    Args:
        what: the file should be, such as ``"JSON"``.
        remedy: what to do, as the end of a sentence.

    Raises:
        UserError: ``path`` is not there or cannot be read, does not fit into memory, is no
            ``what``.
    """
    try:
        if Path(path).is_char_device():  # /dev/zero never ends
            raise OSError("it is a device")
        yield
    except UserError:
        raise
    except OSError as error:
        why = error.strerror or one_line(error)
        raise UserError(f"{path} cannot be read ({why}): {remedy}.") from error
    except Exception as error:  # parsers fail in as many ways as there are parsers
        if _is_no_memory(error):
            raise UserError(f"{path} does not fit into memory: {remedy}.") from error
        raise UserError(f"{path} is not {what} ({one_line(error)}): {remedy}.") from error


def one_line(error: BaseException | str, longest: int = 300) -> str:
    """What an error or a reader says, without line breaks; its kind where it says nothing."""
    return _short(" ".join(str(error).split()) or type(error).__name__, longest)


def _short(text: str, longest: int = 300) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _is_no_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    # torch has kinds of its own; it is not imported for them.
    return isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)
    )
