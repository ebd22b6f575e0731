"""The data sets of HARES in miniature, in their official layouts, with what breaks in practice.

Each function fills a folder. Words in capitals below say what is odd about a clip.
"""

from __future__ import annotations

import csv
import zlib
from pathlib import Path

import numpy as np
import soundfile


def sound(path: Path, seconds=1.0, rate=16_000, subtype=None, channels=1, seed=None) -> Path:
    """Quiet noise, another for each name or ``seed``; the coding is that of the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(zlib.crc32(path.name.encode()) if seed is None else seed)
    wave = 0.1 * draw.standard_normal((round(seconds * rate), channels)).clip(-3, 3)
    soundfile.write(path, wave, rate, subtype=subtype)
    return path


def lines(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def table(path: Path, *rows: tuple) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def audioset(folder: Path) -> None:
    """Videos by five ways of naming; one GONE, one whose name begins with two DASHES."""
    names = 'index,mid,display_name\n0,/m/09x0r,Speech\n1,/m/05zppz,"Male speech, man speaking"\n'
    lines(folder / "class_labels_indices.csv", *names.split("\n")[:-1], "2,/m/04rlf,Music")
    head = (
        "# Segments csv created Sun Mar  5 10:54:31 2017",
        "# num_ytids=2",
        "# YTID, start, end",
    )
    lines(
        folder / "balanced_train_segments.csv",
        *head,
        '--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/m/05zppz"',
        '-0RWZT-miFs, 420.000, 430.000, "/m/04rlf"',
    )
    lines(
        folder / "unbalanced_train_segments.csv",
        *head,
        'aaaaaaaaaaa, 0.000, 10.000, "/m/04rlf"',
        'bbbbbbbbbbb, 10.000, 20.000, "/m/09x0r"',
    )
    lines(
        folder / "eval_segments.csv",
        *head,
        'ccccccccccc, 5.000, 15.000, "/m/09x0r"',
        'ddddddddddd, 0.000, 8.300, "/m/05zppz,/m/04rlf"',
        'GONEGONEGON, 0.000, 10.000, "/m/09x0r"',
    )
    balanced = folder / "audios" / "balanced_train_segments"
    sound(balanced / "Y--PJHxphWEs.wav", 10)
    sound(balanced / "-0RWZT-miFs_420.000.flac", 10)
    sound(folder / "unbalanced_train_segments" / "part00" / "aaaaaaaaaaa.wav", 10)
    sound(folder / "unbalanced_train_segments" / "part01" / "bbbbbbbbbbb_10.ogg", 10, 32_000)
    sound(folder / "eval_segments" / "ccccccccccc_5000_15000.wav", 10, channels=2)
    sound(folder / "eval_segments" / "ddddddddddd_0.wav", 8.3)
    lines(folder / "eval_segments" / "._ccccccccccc.wav", "macOS")


def birdsong(folder: Path) -> None:
    """Three sets: clips in wav/ or beside the csv, one in 32-BIT float, two GONE, an ending in a
    csv. By their names the first clip and three of the second set test."""
    own = folder / "freefield1010"
    table(
        own / "ff1010bird_metadata_2018.csv",
        ("itemid", "datasetid", "hasbird"),
        ("64486", "ff1010bird", "0"),
        ("2525", "ff1010bird", "1"),
    )
    sound(own / "64486.wav", 10, 44_100, "FLOAT")
    own = folder / "warblrb10k"
    names = [f"1d94fc4a-1c63-4da0-{number:04d}" for number in range(12)]
    gone = "759808e5-f824-401e-9058"
    rows = [(name, str(number % 2)) for number, name in enumerate(names)]
    table(own / "warblrb10k_public_metadata.csv", ("itemid", "hasbird"), *rows, (gone, "1"))
    for name in names:
        sound(own / "wav" / f"{name}.wav", 2.5, 44_100)
    lines(own / "wav" / f"._{gone}.wav", "macOS")
    own = folder / "dcase_birdVox20k"
    name = "00053d90-e4b9-4045-a2f1-f39efc90cfa9"
    table(
        own / "BirdVoxDCASE20k_csvpublic.csv",
        ("itemid", "datasetid", "hasbird"),
        (f"{name}.wav", "BirdVox-DCASE-20k", "1"),
    )
    sound(own / "wav" / f"{name}.ogg", 10, 44_100)


def tut18(folder: Path) -> None:
    """Stereo, 48 kHz, 24-BIT, in the folder of its archive; a line with a TRAILING tab, one clip
    GONE."""
    own = folder / "TUT-urban-acoustic-scenes-2018-development"
    train = ["airport-barcelona-0-0-a", "airport-barcelona-0-1-a", "bus-lyon-1000-4021-a"]
    test = ["airport-paris-7-200-a", "bus-milan-1100-40000-a", "metro-GONE-1-1-a"]
    for name in (*train, *test[:2]):
        sound(own / "audio" / f"{name}.wav", 10, 48_000, "PCM_24", channels=2)

    def row(name):
        return f"audio/{name}.wav\t{name.split('-')[0]}"

    setup = own / "evaluation_setup"
    lines(setup / "fold1_train.txt", *map(row, train[:2]), row(train[2]) + "\t")
    lines(setup / "fold1_evaluate.txt", *map(row, test), "")
    lines(setup / "fold1_test.txt", *(f"audio/{name}.wav" for name in test))


def speech_commands(folder: Path, test_set: bool = True) -> None:
    """v0.02: clips of 0.08 s and 0.77 s, one GONE, IDENTICAL ones of one speaker; silence without
    a speaker in its test set; an ogg and a wav of one name."""
    own = folder / "speech_commands_v0.02" if test_set else folder
    sound(own / "yes" / "0a7c2a8d_nohash_0.wav", 0.08)
    sound(own / "yes" / "0a7c2a8d_nohash_1.wav", seed=1)
    sound(own / "yes" / "0a7c2a8d_nohash_1.ogg", seed=2)
    sound(own / "yes" / "ffd2ba2f_nohash_0.wav", seed=1)
    sound(own / "no" / "1eddce1d_nohash_3.wav", 0.77)
    sound(own / "no" / "439c84f4_nohash_1.wav")
    sound(own / "bed" / "0c40e715_nohash_0.wav", seed=3)
    sound(own / "bed" / "0c40e715_nohash_1.wav", seed=3)
    sound(own / "bed" / "2f813234_nohash_0.wav")
    lines(own / "bed" / "._2f813234_nohash_0.wav", "macOS")
    sound(own / "_background_noise_" / "white_noise.wav", 3.5)
    sound(own / "_background_noise_" / "running_tap.wav", 2.0)
    lines(own / "_background_noise_" / "README.md", "about")
    lines(own / "validation_list.txt", "no/439c84f4_nohash_1.wav", "no/GONEGONE_nohash_0.wav")
    lines(
        own / "testing_list.txt",
        "bed/0c40e715_nohash_0.wav",
        "bed/0c40e715_nohash_1.wav",
        "yes/ffd2ba2f_nohash_0.wav",
        "no/1eddce1d_nohash_3.wav",
    )
    if test_set:
        speech_commands_test(folder / "speech_commands_test_set_v0.02")


def speech_commands_test(folder: Path) -> None:
    sound(folder / "yes" / "ffd2ba2f_nohash_0.wav", seed=1)
    sound(folder / "_silence_" / "1024.wav")
    sound(folder / "_unknown_" / "backward_0c540988_nohash_0.wav.ogg", 0.9)
    sound(folder / "_unknown_" / "bed_0c40e715_nohash_0.wav", seed=3)
    sound(folder / "_unknown_" / "bed_0c40e715_nohash_1.wav", seed=3)
    lines(folder / "README.md", "about")


def fluent_speech_commands(folder: Path) -> None:
    """A first column without a name, commas in a sentence; one clip of 4 s, one GONE."""
    own = folder / "fluent_speech_commands_dataset"
    head = ("", "path", "speakerId", "transcription", "action", "object", "location")
    said = {
        "train": ("2BqVo8kVB2Skwgyb", "Turn it up, please", "increase", "volume", "none"),
        "valid": ("4BrX8aDqK2cLZRYl", "Heat off", "deactivate", "heat", "none"),
        "test": ("7NEaXjeLX3sg3yDB", "Lights on in the kitchen", "activate", "lights", "kitchen"),
    }
    for split, (speaker, *rest) in said.items():
        paths = [f"wavs/speakers/{speaker}/{split}-{number}.wav" for number in range(3)]
        rows = [(number, path, speaker, *rest) for number, path in enumerate(paths)]
        table(own / "data" / f"{split}_data.csv", head, *rows)
        sound(own / paths[0], 2)
        if split != "valid":
            sound(own / paths[1], 4 if split == "train" else 7.5)
            sound(own / paths[2], 1)


def voxforge(folder: Path) -> None:
    """Six speakers, one with a BLANK, brackets and an apostrophe, two submissions by one; one
    submission in FLAC alone, which is left out."""
    english = folder / "SpeechCorpus" / "Trunk" / "Audio" / "Main" / "16kHz_16bit"
    sound(english / "anonymous-20080425-ast" / "wav" / "rb-01.wav", 3.5)
    sound(english / "anonymous-20080426-bst" / "wav" / "rb-01.wav", 2)
    sound(english / "o'neil [x]-20100101-abc" / "wav" / "a0001.wav", 6.2)
    sound(folder / "de" / "ralfherzog-20071220-de30" / "wav" / "de30-01.wav", 4)
    sound(folder / "de" / "flaconly-20071220-de31" / "flac" / "de31-01.flac", 4)
    sound(folder / "it" / "Paolo-20090101-it1" / "wav" / "it-01.wav", 3)
    sound(folder / "Russian" / "Ivan-20090101-ru1" / "wav" / "ru-01.wav", 3)
    sound(folder / "fr" / "Anne-20090101-fr1" / "wav" / "fr-01.wav", 3)
    lines(folder / "fr" / "Anne-20090101-fr1" / "etc" / "README", "about")


def voxceleb(folder: Path) -> None:
    """Both archives beside each other; a file of one name in each video, one clip GONE."""
    rows = []
    for speaker, part in (("id10001", "vox1_dev_wav"), ("id10270", "vox1_test_wav")):
        for number, video in enumerate(("-0abc_DEF12", "1zcIwhmdeo4", "7gWzIy6yIIk"), 1):
            name = f"{speaker}/{video}/00001.wav"
            rows.append(f"{number} {name}")
            sound(folder / part / "wav" / name, 4, seed=len(rows))
    lines(folder / "iden_split.txt", *rows, "3 id10002/GONEGONEGON/00007.wav")


def nsynth(folder: Path) -> None:
    """A family of two words, 32-BIT float, a file of macOS; examples.json lies beside."""
    notes = {
        "train": ("synth_lead_synthetic_001-060-100", "bass_electronic_018-022-127"),
        "valid": ("guitar_acoustic_010-060-127",),
        "test": ("guitar_acoustic_014-108-050", "bass_synthetic_134-060-050"),
    }
    for split, names in notes.items():
        own = folder / f"nsynth-{split}"
        for name in names:
            sound(own / "audio" / f"{name}.wav", 4, subtype="FLOAT")
            lines(own / "audio" / f"._{name}.wav", "macOS")
        lines(own / "examples.json", "{}")


def esc50(folder: Path, folds: str = "12345") -> None:
    """Two classes a fold, 5 s at 44.1 kHz; its csv lists all folds."""
    rows = []
    for fold in "12345":
        for label, target in (("dog", 0), ("rain", 10)):
            name = f"{fold}-{fold}0032-A-{target}.wav"
            rows.append((name, fold, target, label, "True", f"{fold}0032", "A"))
            if fold in folds:
                sound(folder / "audio" / name, 5, 44_100)
    head = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
    table(folder / "meta" / "esc50.csv", head, *rows)


def magna_tag_a_tune(folder: Path, tags: tuple[str, ...]) -> None:
    """29 s of which 7 s here; a clip WITHOUT one of the tags."""
    has = {
        "0/aba-0-29.mp3": ("guitar", "slow"),
        "3/bab-29-58.mp3": ("techno",),
        "c/abc-0-29.mp3": ("guitar",),
        "d/cab-0-29.mp3": ("guitar", "piano"),
        "f/none-0-29.mp3": (),
    }
    rows = [
        (number, *("1" if tag in own else "0" for tag in tags), "1", name)
        for number, (name, own) in enumerate(has.items())
    ]
    head = ("clip_id", *tags, "a rare tag", "mp3_path")
    lines(folder / "annotations_final.csv", *("\t".join(map(str, row)) for row in (head, *rows)))
    for name in has:
        sound((folder / name).with_suffix(".flac"), 7)
