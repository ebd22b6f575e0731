"""Which files below a folder are audio: by one list of endings for all that look for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.common.errors import UserError

# What libsndfile reads, and what other programs call audio.
READ = (
    *("wav", "wave", "flac", "mp3", "ogg", "oga", "opus", "aif", "aiff", "aifc", "au", "snd"),
    *("w64", "rf64", "caf", "sph", "nist", "voc", "8svx", "svx", "sf", "ircam", "paf", "avr"),
)
OTHER = (
    *("m4a", "m4b", "mp4", "aac", "wma", "amr", "3gp", "webm", "mka", "weba", "ac3", "eac3", "dts"),
    *("ape", "wv", "tta", "spx", "mpc", "ra", "mp2", "alac", "dsf", "shn"),
)


def ending(name: str) -> str:
    """What a name ends in, in small letters and without the dot."""
    return os.path.splitext(name)[1][1:].lower()


def audio_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files below ``folder`` that end as audio that is read; and audio that is passed over.

    Passed over is what is hidden, or of a kind that libsndfile does not know. ``._`` files, which
    macOS leaves beside others under their names, are none.
    """
    found, passed = [], []
    for path in files_below(folder):
        kind = ending(path.name)
        if kind in READ and not path.name.startswith("."):
            found.append(path)
        elif kind in READ or kind in OTHER:
            passed.append(path)
    return sorted(found), sorted(passed)


def files_below(folder: Path) -> Iterator[Path]:
    """All files below ``folder`` but ``._`` files; a linked folder is followed, each folder once.

    Folders that are there come before linked ones, so that what lies in both has its own name.

    Raises:
        UserError: a folder cannot be read, so that what is in it would be left out.
    """
    seen, waiting, linked = set(), [folder] if folder.is_dir() else [], []
    while waiting or linked:
        here = waiting.pop() if waiting else linked.pop(0)
        try:
            stat = here.stat()
            if (stat.st_dev, stat.st_ino) in seen:
                continue
            seen.add((stat.st_dev, stat.st_ino))
            with os.scandir(here) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"{here} cannot be read ({error.strerror}): see to it.") from error
        for entry in inside:
            path = here / entry.name
            if entry.is_dir():
                (linked if entry.is_symlink() else waiting).append(path)
            elif entry.is_file() and not entry.name.startswith("._"):
                yield path
