"""EMOVO: 588 acted sentences in Italian, 7 emotions, 6 actors (Costantini et al., LREC 2014).

``{actor}/{emotion}-{actor}-{sentence}.wav``, most of them stereo.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, by_name

EMOTIONS = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


def read(folder: Path) -> list[Recording]:
    """Its clips: one emotion, and the actor f1 to f3 or m1 to m3 as the group.

    Raises:
        UserError: this is not the set.
    """
    found = by_name(folder, rf"({'|'.join(EMOTIONS)})-([fm]\d)-\w+")
    return [Recording(path, (EMOTIONS[name[1]],), group=name[2]) for path, name in found]
