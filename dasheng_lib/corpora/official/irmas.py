"""IRMAS: which of 11 instruments is predominant (Bosch et al., ISMIR 2012).

Training: 6,705 excerpts of 3 s with one instrument, ``IRMAS-TrainingData/{instrument}/{name}.wav``.
Test: 2,874 excerpts of 5 to 20 s with any number of them, in folders ``IRMAS-TestingData-Part…``;
beside each ``{name}.wav`` a ``{name}.txt`` with an instrument a line, behind which stands a tab.
Names hold brackets, blanks and apostrophes.
"""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.corpora.official.files import Recording, around, audio_in, there, within

INSTRUMENTS = {
    "cel": "cello",
    "cla": "clarinet",
    "flu": "flute",
    "gac": "acoustic guitar",
    "gel": "electric guitar",
    "org": "organ",
    "pia": "piano",
    "sax": "saxophone",
    "tru": "trumpet",
    "vio": "violin",
    "voi": "voice",
}


def read(folder: Path) -> list[Recording]:
    """Its clips: their instruments, the official split (train and test), and a training excerpt's
    song as its group.

    Raises:
        UserError: this is not the set, or none of its clips is there.
    """
    folder = within(folder, ["IRMAS-TrainingData"])
    training = folder / "IRMAS-TrainingData"
    excerpts = around(training, INSTRUMENTS)
    train = [
        (path, (INSTRUMENTS[code],), "train", name.rpartition("__")[0])
        for code in INSTRUMENTS
        for name, path in audio_in(excerpts / code).items()
    ]
    test = [
        (audio_in(text.parent).get(text.name.removesuffix(".txt")), labels, "test", "")
        for text in sorted(folder.rglob("*.txt"))
        if training not in text.parents
        and not text.name.startswith("._")
        and (labels := _labels(text))
    ]
    return there(folder, train + test)


def _labels(text: Path) -> tuple[str, ...]:
    """The instruments of a test clip; none of another text, such as a README."""
    codes = text.read_text(encoding="utf-8", errors="replace").split()
    known = all(code in INSTRUMENTS for code in codes)
    return tuple(dict.fromkeys(INSTRUMENTS[code] for code in codes)) if known else ()
