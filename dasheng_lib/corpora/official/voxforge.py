"""VoxForge: which of six languages is read aloud (voxforge.org)."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.corpora.official.files import Recording, audio_in, official, there

# The repository's folders of the six; two of them have a second name.
LANGUAGES = {
    **{language: language for language in ("de", "en", "es", "fr", "it", "ru")},
    "SpeechCorpus": "en",
    "Russian": "ru",
}
LIST = "voxforge_urls.txt"


def read(folder: Path) -> list[Recording]:
    """Submissions, ``…/LANGUAGE/…/SPEAKER-DATE-ID/wav/``, such as the archives unpack to.

    The split is that of TensorFlow Datasets, see :func:`splits`, over the speakers of all archives
    that its list names if ``voxforge_urls.txt`` is in ``folder``, else over those that are there.
    As there, "anonymous" is one speaker, and submissions in flac alone are left out.

    Raises:
        UserError: no submission in a folder of a language.
    """
    found = []
    for inner, _, _ in os.walk(folder):
        place = Path(inner).relative_to(folder)
        language = next((part for part in place.parts if part in LANGUAGES), None)
        if language and place.name == "wav":
            paths = audio_in(Path(inner)).values()
            found += [(path, LANGUAGES[language], place.parent.name) for path in paths]
    if not found:
        named = ", ".join(LANGUAGES)
        raise UserError(f"{folder} has no LANGUAGE/SUBMISSION/wav: languages are {named}.")

    here = {submission for *_, submission in found}
    archives = _archives(folder / LIST) if (folder / LIST).is_file() else here
    if lost := sorted(archives - here):
        said = tell("archive of its list is", lost, "archives of its list are")
        warnings.warn(f"{folder}: {said} not there.", stacklevel=2)
    split_of = splits(_speaker(submission) for submission in archives | here)
    return there(
        folder,
        (
            (path, (language,), split_of[_speaker(submission)], _speaker(submission))
            for path, language, submission in found
        ),
    )


def splits(speakers: Iterable[str]) -> dict[str, str]:
    """Split of each speaker: of the shuffled names 7 in 10 train, 1 selects and 2 test.

    Source: TensorFlow Datasets, voxforge 1.0.0, from which HARES has it.
    """
    names = sorted(set(speakers))
    np.random.RandomState(0).shuffle(names)  # the generator is theirs, for their order
    first, second = int(0.7 * len(names)), int((0.7 + 0.1) * len(names))
    return {
        name: "train" if place < first else "valid" if place < second else "test"
        for place, name in enumerate(names)
    }


def _archives(path: Path) -> set[str]:
    with official(path):
        lines = path.read_text(encoding="utf-8").split()
    return {Path(line.strip("\"'")).name.removesuffix(".tgz") for line in lines}


def _speaker(submission: str) -> str:
    return submission.split("-")[0]
