"""RAVDESS, speech: 1,440 acted sentences, 8 emotions, 24 actors (Livingstone and Russo, 2018).

``Actor_{01..24}/03-01-{emotion}-{intensity}-{sentence}-{repetition}-{actor}.wav``. A few of the
files are stereo, and one recording is there under two names.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, by_name

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


def read(folder: Path) -> list[Recording]:
    """Its clips: one emotion, and the actor as the group. Song and video are passed by.

    Raises:
        UserError: this is not the set.
    """
    found = by_name(folder, r"03-01-0([1-8])-\d\d-\d\d-\d\d-(\d\d)")
    return [Recording(path, (EMOTIONS[int(name[1]) - 1],), group=name[2]) for path, name in found]
