"""Data sets of ARCH in miniature, in their authors' layouts, with what breaks readers in practice.

Each function writes one into ``folder``; what it holds beside plain mono 16-bit wavs is said there.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dasheng_lib.common.places import data_places
from dasheng_lib.corpora.official.magna_tag_a_tune import TAGS

RATE = 16_000


@pytest.fixture(scope="session")
def real_clips():
    """The folder of real clips in official layouts; skips where it is not at hand."""
    for place in data_places():
        if (place / "official").is_dir():
            return place / "official"
    pytest.skip("no real clips in official layouts are here")


def sound(
    path: Path,
    hz: float = 440.0,
    seconds: float = 0.2,
    rate: int = RATE,
    channels: int = 1,
    **how: str,
) -> Path:
    """A tone in noise, another in every file; of two channels the second is silent."""
    noise = np.random.default_rng(list(path.name.encode())).standard_normal(round(seconds * rate))
    wave = 0.3 * np.sin(2 * np.pi * hz * np.arange(len(noise)) / rate) + 0.02 * noise
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([wave, 0 * wave], 1)[:, :channels], rate, **how)
    return path


def rows(path: Path, *lines: tuple, delimiter: str = ",") -> None:
    """A table, its heading first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(lines)


def esc50(folder: Path, folds: str = "12345", per_class: int = 4) -> None:
    """Clips of two takes of a recording; one stereo, ``._`` files, two clips that are not there."""
    lines = [("filename", "fold", "target", "category", "esc10", "src_file", "take")]
    for fold in folds:
        for target, label in enumerate(("dog", "rain")):
            for number in range(per_class):
                source, take = 100 * int(fold) + 10 * target + number // 2, "AB"[number % 2]
                name = f"{fold}-{source}-{take}-{target}.wav"
                lines.append((name, fold, target, label, True, source, take))
                two = 2 if number == 0 and fold == folds[0] else 1
                sound(folder / "audio" / name, 300 * (1 + target), channels=two)
    (folder / "audio" / f"._{lines[1][0]}").write_bytes(b"Mac OS X")
    lines += [
        ("9-1-A-0.wav", "1", 0, "dog", True, 1, "A"),
        ("9-2-A-1.wav", "2", 1, "rain", 1, 2, "A"),
    ]
    rows(folder / "meta" / "esc50.csv", *lines)


def us8k(folder: Path) -> None:
    """24 bit, 48 kHz and stereo, one mono, one of 0.08 s, one that is not there; ten folds."""
    lines = [
        ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class"),
    ]
    for fold in range(1, 11):
        for kind, label in enumerate(("siren", "drilling")):
            name = f"{1000 + fold}-{kind}-0-{fold}.wav"
            lines.append((name, 1000 + fold, 0.0, 4.0, 1, fold, kind, label))
            seconds = 0.08 if fold == 2 else 0.2
            path = folder / "audio" / f"fold{fold}" / name
            sound(path, 300 * (1 + kind), seconds, 48_000, 1 + (fold != 3), subtype="PCM_24")
    lines.append(("77-0-0-0.wav", 77, 0.0, 1.0, 1, 10, 0, "siren"))
    rows(folder / "metadata" / "UrbanSound8K.csv", *lines)


def fsd50k(folder: Path) -> None:
    """Several labels a clip, brackets in them; a clip that is not there; one as flac."""
    truth = folder / "FSD50K.ground_truth"
    dev = [("fname", "labels", "mids", "split")]
    dev += [(i, ("Rain,Water", "Motor_vehicle_(road)")[i % 2], "/m/1", ("train", "val")[i > 5])
            for i in range(8)]  # fmt: skip
    rows(truth / "dev.csv", *dev, (99, "Rain", "/m/1", "train"))
    rows(
        truth / "eval.csv",
        ("fname", "labels", "mids"),
        (50, "Rain,Water", "/m/1"),
        (51, "Water", ""),
    )
    for i in range(8):
        name = f"{i}.flac" if i == 3 else f"{i}.wav"
        sound(folder / "FSD50K.dev_audio" / name, 300 * (1 + i % 2))
    for i in (50, 51):
        sound(folder / "FSD50K.eval_audio" / f"{i}.wav")


def vivae(folder: Path, speakers: int = 4) -> None:
    """32-bit float; a core set of copies."""
    for speaker in range(1, speakers + 1):
        for kind, emotion in enumerate(("anger", "fear")):
            name = f"S{speaker:02d}_{emotion}_low_01.wav"
            sound(folder / "full_set" / name, 300 * (1 + kind), subtype="FLOAT")
            (folder / "core_set").mkdir(exist_ok=True)
            shutil.copy(folder / "full_set" / name, folder / "core_set" / name)


def fma_small(folder: Path, clips: int = 20) -> None:
    """mp3s, one damaged, one as ogg; tracks of other sizes, and of genres that none here has."""
    names = ["", "set", "set", "album", "artist", "track", "track"]
    columns = ["", "split", "subset", "title", "id", "genre_top", "title"]
    lines = [names, columns, ["track_id"] + [""] * 6]
    for i in range(clips):
        track, genre = 990 + i, ("Rock", "Folk")[i % 2]
        lines.append([track, "training", "small", "a, b", i // 2, genre, 'a "title"'])
        suffix = "ogg" if i == 4 else "mp3"
        sound(
            folder / "fma_small" / f"{track // 1000:03d}" / f"{track:06d}.{suffix}",
            300 * (1 + i % 2),
        )
    (folder / "fma_small" / "000" / "000993.mp3").write_bytes(b"")
    lines.append([5, "test", "large", "", 1, "Jazz", ""])
    lines.append([6, "test", "small", "", 1, "Pop", ""])
    rows(folder / "fma_metadata" / "tracks.csv", *lines)


def magna_tag_a_tune(folder: Path) -> None:
    """Names with brackets; one without a frequent tag, one empty file, one that is not there."""
    known = [*TAGS, "banjo"]
    lines = [("clip_id", *known, "mp3_path")]
    for number, (place, tags) in enumerate(
        [("0", ["rock"]), ("a", ["rock", "no vocal"]), ("b", ["harp"]), ("c", ["harp"]),
         ("d", ["rock"]), ("f", ["harp", "rock"]), ("1", ["banjo"]), ("2", ["rock"]),
         ("3", ["harp"])]
    ):  # fmt: skip
        name = f"{place}/band (live)-the album-0{number}-song_{number}-59-88.mp3"
        lines.append((number, *(int(tag in tags) for tag in known), name))
        if number < 7:
            sound(folder / name)
        elif number == 7:
            (folder / "2").mkdir()
            (folder / name).write_bytes(b"")
    rows(folder / "annotations_final.csv", *lines, delimiter="\t")


def irmas(folder: Path) -> None:
    """Names with brackets, blanks and apostrophes; tabs behind labels; README and ``._`` files."""
    for code in ("cel", "pia"):
        for number in range(1, 6):
            name = f"[{code}][jaz_blu]00{number:02d}__{number}.wav"
            sound(folder / "IRMAS-TrainingData" / code / name, channels=2)
    (folder / "IRMAS-TrainingData" / "README.txt").write_text("cel\n")
    (folder / "IRMAS-TrainingData" / "cel" / "._[cel]0001__1.wav").write_bytes(b"Mac OS X")
    for part, name, text in (
        ("IRMAS-TestingData-Part1/Part1", "Ain't [No] Sunshine (live)-3", "cel\t\npia\t\n"),
        ("IRMAS-TestingData-Part2/IRTestingData-Part2", "02 - It's 100% (Don't)-12", "pia\t\r\n"),
        ("IRMAS-TestingData-Part3/Part3", "no audio", "pia\n"),
    ):
        if name != "no audio":
            sound(folder / part / f"{name}.wav", channels=2)
        else:
            (folder / part).mkdir(parents=True)
        (folder / part / f"{name}.txt").write_text(text, newline="")
    (folder / "IRMAS-TestingData-Part3" / "README.txt").write_text("Testing data of IRMAS.\n")


def medleydb(folder: Path) -> None:
    """``.wav.wav``, 32-bit float, 44.1 kHz, in a folder of their own."""
    lines = [("subset", "instrument", "instrument_id", "song_id", "uuid4")]
    for subset in ("training", "validation", "test"):
        for kind, label in enumerate(("clarinet", "piano")):
            uuid = f"{kind}-{subset}"
            lines.append((subset, label, kind, f"{kind:03d}", uuid))
            name = f"Medley-solos-DB_{subset}-{kind}_{uuid}.wav.wav"
            sound(folder / "audio" / name, 300 * (1 + kind), rate=44_100, subtype="FLOAT")
    rows(folder / "Medley-solos-DB_metadata.csv", *lines)


def ravdess(folder: Path, actors: int = 6) -> None:
    """One stereo, two names for one recording, songs, ``._`` files, and all of it once more."""
    for actor in range(1, actors + 1):
        place = folder / f"Actor_{actor:02d}"
        for emotion in (1, 8):
            for take in (1, 2):
                name = f"03-01-{emotion:02d}-01-0{take}-01-{actor:02d}.wav"
                two = 2 if (actor, emotion, take) == (2, 1, 1) else 1
                sound(place / name, 100 * emotion, rate=48_000, channels=two)
        sound(place / f"03-02-01-01-01-01-{actor:02d}.wav")
        (place / f"._03-01-01-01-01-01-{actor:02d}.wav").write_bytes(b"Mac OS X")
    first = folder / "Actor_01"
    shutil.copy(first / "03-01-01-01-01-01-01.wav", first / "03-01-01-01-02-01-01.wav")
    shutil.copytree(folder, folder.parent / "copy")
    shutil.move(folder.parent / "copy", folder / "audio_speech_actors_01-24")


def audio_mnist(folder: Path, speakers: tuple[int, ...] = (12, 47, 26, 28, 36, 43)) -> None:
    """48 kHz."""
    for speaker in speakers:
        for digit in (0, 1):
            name = f"{digit}_{speaker:02d}_0.wav"
            sound(folder / "data" / f"{speaker:02d}" / name, 300 * (1 + digit), rate=48_000)


def slurp(folder: Path) -> None:
    """flac; several recordings of a sentence, one that is not there, synthetic speech."""
    number = 0
    for part, sentences in (("train", 3), ("devel", 1), ("test", 1)):
        lines = []
        for i in range(sentences):
            names = [f"audio-{number + k}.flac" for k in (0, 1)]
            number += 2
            intent = ("alarm_set", "qa_factoid")[i % 2]
            recordings = [{"file": name, "wer": 0.0, "status": "correct"} for name in names]
            row = {"slurp_id": i, "sentence": "wake me", "intent": intent, "recordings": recordings}
            lines.append(json.dumps(row))
            for name in names:
                if name != "audio-1.flac":
                    sound(folder / "slurp_real" / name)
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n")
    sound(folder / "slurp_synth" / "audio-1.flac")


def emovo(folder: Path, sentences: int = 3) -> None:
    """48 kHz stereo, one mono, one as ogg; an unrelated file."""
    for speaker in ("f1", "f2", "f3", "m1", "m2", "m3"):
        for kind, emotion in enumerate(("dis", "tri")):
            for number in range(1, sentences + 1):
                path = folder / speaker / f"{emotion}-{speaker}-b{number}.wav"
                alone = (speaker, emotion, number) == ("f1", "dis", 1)
                other = (speaker, emotion, number) == ("f1", "dis", 2)
                path = path.with_suffix(".ogg") if other else path
                sound(path, 300 * (1 + kind), rate=48_000, channels=1 if alone else 2)
    (folder / "f1" / "listen to this first.wav").write_bytes(b"no audio")


SETS = {
    make.__name__: make
    for make in (esc50, us8k, fsd50k, vivae, fma_small, magna_tag_a_tune, irmas, medleydb, ravdess,
                 audio_mnist, slurp, emovo)
}  # fmt: skip
