"""What lies in a package: every clip of it, whatever archive or bank it is packed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dasheng_lib.corpora.fetch.unpack import deb_members, zip_members
from dasheng_lib.corpora.pocket.gus import read_pat
from dasheng_lib.corpora.pocket.opensfx import read_cat
from dasheng_lib.corpora.pocket.soundfont import DRUMS, read_soundfont
from dasheng_lib.corpora.source import Source

AUDIO = {".ogg", ".oga", ".opus", ".flac", ".wav", ".aif", ".aiff", ".au", ".mp3"}
NOTE_SECONDS, DRUM_SECONDS = 1.0, 2.0


def package_sources(path: Path) -> Iterator[Source]:
    """Clips of one Debian package, in its order, as they are found.

    Raises:
        UnpackError: the package or an archive in it is damaged.
    """
    for member, data in deb_members(path):
        yield from member_sources(member, data)


def member_sources(member: str, data: bytes) -> Iterator[Source]:
    """Clips that one file holds: itself, the files of a pk3, the sounds of a bank, or none."""
    kind = PurePosixPath(member).suffix.lower()
    if kind in AUDIO:
        yield Source(member, data)
    elif kind in {".sf2", ".sf3"}:
        yield from read_soundfont(data, member, seconds=NOTE_SECONDS, drum_seconds=DRUM_SECONDS)
    elif kind == ".pat":
        number = PurePosixPath(member).name.split("_")[0]
        drum = "/Drum_" in member
        yield from read_pat(
            data,
            member,
            bank=DRUMS if drum else 0,
            program=int(number) if number.isdigit() else 0,
            seconds=DRUM_SECONDS if drum else NOTE_SECONDS,
        )
    elif kind == ".cat":
        yield from read_cat(data, member)
    elif kind == ".pk3":
        for inner, content in zip_members(data, member):
            if PurePosixPath(inner).suffix.lower() in AUDIO:
                yield Source(f"{member}#{inner}", content)
