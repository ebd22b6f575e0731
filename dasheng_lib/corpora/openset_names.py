"""What the names of open sets' clips say: what must not leak, and each task's label and fold.

One function a set: from a row of its manifest (``member``, and ``group``, ``label`` and ``fold``
where names do not say them) to the group and to ``(task, label, fold)`` of each task.
"""

from __future__ import annotations

import re
from typing import Any

Said = tuple[str, list[tuple[str, str, str]]]
_ESC10 = re.compile(r"\d{3} - ([^/]+)/(\d)-(\d+)-[A-Z]\d?\.ogg")
_ESC50 = re.compile(r"audio/4-(\d+)-[A-Z]\d?-\d+\.wav")
_FSDD = re.compile(r"recordings/(\d)_([a-z]+)_(\d+)\.wav")
_EMOVO = re.compile(r"([fm]\d)/([a-z]{3})-\1-[a-z]\d\.wav")
_EMOTIONS = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}


def names_say(name: str, row: Any) -> Said:
    """Group of a clip, and (task, label, fold) of each task that it is in.

    Args:
        name: of the set, one of ``OPENSETS``.
        row: of its manifest, with attributes.
    """
    ways = {
        "esc10": _esc10,
        "fsdd": _fsdd,
        "speech_commands_test": _speech_commands,
        "esc50_4": _esc50,
        "emovo": _emovo,
    }
    return ways[name](row)


def _esc10(row: Any) -> Said:
    kind, fold, recording = _ESC10.fullmatch(row.member).groups()
    return f"esc10/{recording}", [("esc10", kind.lower().replace(" ", "_"), fold)]


def _fsdd(row: Any) -> Said:
    digit, speaker, take = _FSDD.fullmatch(row.member).groups()
    side = "test" if int(take) < 5 else "train"
    return f"fsdd/{speaker}", [("fsdd", digit, speaker), ("fsdd-takes", digit, side)]


def _speech_commands(row: Any) -> Said:
    word = row.member.split("/")[0]
    return f"speech_commands/{row.group}", [("speech_commands_test", word, row.fold)]


def _esc50(row: Any) -> Said:
    (recording,) = _ESC50.fullmatch(row.member).groups()
    return f"esc50/{recording}", [("esc50_4", row.label, row.fold)]


def _emovo(row: Any) -> Said:
    speaker, emotion = _EMOVO.fullmatch(row.member).groups()
    return f"emovo/{speaker}", [("emovo", _EMOTIONS[emotion], speaker)]
