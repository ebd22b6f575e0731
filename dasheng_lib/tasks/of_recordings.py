"""The clips of a data set in its official layout."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.corpora.official.files import Recording
from dasheng_lib.corpora.wav_facts import wav_facts
from dasheng_lib.tasks.clip import Clip, file_clip


def clips_of(
    folder: Path, recordings: Sequence[Recording], progress: bool = True
) -> list[tuple[Recording, Clip]]:
    """Each recording with its clip, which is whole; each file is looked at once.

    A file that cannot be read as audio or is empty (sets have a few) is left out, and said.

    Args:
        folder: of the set; clips are named by their path in it.

    Raises:
        UserError: none can be read.
    """
    folder = folder.absolute()
    # A set's parts may lie beside its folder.
    names = [Path(os.path.relpath(one.path.absolute(), folder)).as_posix() for one in recordings]
    found, unread = [], []
    for name, one, facts in zip(names, recordings, wav_facts(folder, names, progress), strict=True):
        if facts is None or not facts.rate or not facts.samples:
            unread.append(facts.named(name) if facts and facts.fault else name)
        else:
            found.append((one, file_clip(name, one.path, facts, labels=one.labels)))
    if unread:
        said = tell("file cannot be read as audio", unread, "files cannot be read as audio")
        if not found:
            raise UserError(f"{folder}: {said}.")
        warnings.warn(f"{folder}: {said}; left out.", stacklevel=2)
    return found
