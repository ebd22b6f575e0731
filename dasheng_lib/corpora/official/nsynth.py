"""NSynth: single notes of instruments, 4 s at 16 kHz (Engel et al., 2017, arXiv 1704.01279)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.corpora.official.files import Recording, around, audio_in, there

SPLITS = ("train", "valid", "test")
FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string",
    "synth_lead", "vocal",
)  # fmt: skip
PITCHES = tuple(f"{pitch:03d}" for pitch in range(128))
NOTE = re.compile(
    rf"(?P<instrument>(?P<family>{'|'.join(FAMILIES)})_(?:acoustic|electronic|synthetic)_\d{{3}})"
    r"-(?P<pitch>\d{3})-\d{3}"
)


def families(folder: Path) -> list[Recording]:
    """Notes by the family of their instrument; official splits, where training shares no
    instrument, which is the group, with another.

    They lie in ``nsynth-train/audio`` and so on, or ``folder`` is one of these parts. All is read
    off their names; ``examples.json`` says the same.

    Raises:
        UserError: a name that is no note's, or no clip.
    """
    return there(folder, _notes(folder, "family"))


def pitches(folder: Path) -> list[Recording]:
    """Notes by their MIDI pitch, ``"000"`` to ``"127"``; otherwise as :func:`families`."""
    return there(folder, _notes(folder, "pitch"))


def _notes(folder: Path, label: str) -> Iterator[tuple]:
    folder = around(folder, ["audio", *(f"nsynth-{split}" for split in SPLITS)])
    parts = {split: around(folder / f"nsynth-{split}", ["audio"]) for split in SPLITS}
    if (folder / "audio").is_dir():
        own = [split for split in SPLITS if folder.name.startswith(f"nsynth-{split}")]
        parts = {own[0] if own else "": folder}
    if not any((part / "audio").is_dir() for part in parts.values()):
        raise UserError(
            f"{folder} has none of nsynth-{{{','.join(SPLITS)}}}/audio: put them there."
        )
    for split, part in parts.items():
        found = audio_in(part / "audio")
        if strange := [name for name in found if not NOTE.fullmatch(name)]:
            said = tell("name is", strange, "names are")
            raise UserError(f"{part}: {said} not FAMILY_SOURCE_NUMBER-PITCH-VELOCITY.")
        for name, path in found.items():
            note = NOTE.fullmatch(name)
            yield path, (note[label],), split, note["instrument"]
