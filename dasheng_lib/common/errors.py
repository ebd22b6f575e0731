"""The one exception that is meant for people: a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Sequence


class UserError(Exception):
    """Something the reader can mend; its text is one sentence that says how.

    The command line prints the sentence and exits with 2; a notebook shows the sentence
    in place of a traceback. Anything else that is raised is a bug and keeps its traceback.
    """

    def _render_traceback_(self) -> list[str]:  # IPython's hook
        return [f"{type(self).__name__}: {self}"]


NAMED = 3


def tell(one: str, names: Sequence[str], many: str | None = None) -> str:
    """``"2 wavs are missing (a.wav, b.wav)"``; the first names only, and ``…`` for the rest."""
    listed = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    return f"{len(names)} {one if len(names) == 1 or many is None else many} ({listed})"
