"""The readers of HARES's sets: miniatures in the official layouts, and real clips where at hand."""

import hashlib
import re
import shutil
from collections import Counter

import hares_sets as made
import numpy as np
import pandas as pd
import pytest
import soundfile

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import CORPORA, data_places
from dasheng_lib.corpora.official import (
    audioset,
    birdsong,
    fluent_speech_commands,
    nsynth,
    speech_commands,
    tut18,
    voxceleb,
    voxforge,
)

READERS = {
    audioset.read: made.audioset,
    birdsong.read: made.birdsong,
    tut18.read: made.tut18,
    speech_commands.words: made.speech_commands,
    speech_commands.twelve: made.speech_commands,
    fluent_speech_commands.read: made.fluent_speech_commands,
    voxforge.read: made.voxforge,
    voxceleb.read: made.voxceleb,
    nsynth.families: made.nsynth,
    nsynth.pitches: made.nsynth,
}


def rows(recordings):
    """File, labels, split and group of each."""
    return [(one.path.name, one.labels, one.split, one.group) for one in recordings]


def files(recordings, split):
    return [one.path.name for one in recordings if one.split == split]


@pytest.mark.parametrize("read", READERS, ids=lambda read: f"{read.__module__}.{read.__name__}")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_every_reader_is_sorted_and_reads_no_file_of_macos(read, tmp_path):
    READERS[read](tmp_path)
    found = read(tmp_path)
    assert found == sorted(found, key=lambda one: (one.path.parent, one.path.name))
    assert len({one.path for one in found}) == len(found) > 1
    assert all(one.path.is_file() and not one.path.name.startswith("._") for one in found)
    again = tmp_path / "empty"
    again.mkdir()
    with pytest.raises(UserError, match=re.escape(str(again))) as error:
        read(again)
    assert str(error.value).count(". ") == 0


def test_audioset(tmp_path):
    made.audioset(tmp_path)
    with pytest.warns(UserWarning, match="1 of the 7 clips that its lists name are not there"):
        found = audioset.read(tmp_path)
    assert rows(found) == [
        ("-0RWZT-miFs_420.000.flac", ("Music",), "train", "-0RWZT-miFs"),
        (
            "Y--PJHxphWEs.wav",
            ("Speech", "Male speech, man speaking"),
            "train",
            "--PJHxphWEs",
        ),
        ("ccccccccccc_5000_15000.wav", ("Speech",), "test", "ccccccccccc"),
        ("ddddddddddd_0.wav", ("Male speech, man speaking", "Music"), "test", "ddddddddddd"),
        ("aaaaaaaaaaa.wav", ("Music",), "train", "aaaaaaaaaaa"),
        ("bbbbbbbbbbb_10.ogg", ("Speech",), "train", "bbbbbbbbbbb"),
    ]
    made.lines(tmp_path / "eval_segments.csv", 'ccccccccccc, 5.000, 15.000, "/m/unknown"')
    with pytest.raises(UserError, match="has no class /m/unknown"):
        audioset.read(tmp_path)
    (tmp_path / "eval_segments.csv").unlink()
    assert {one.split for one in audioset.read(tmp_path)} == {"train"}


def test_birdsong(tmp_path):
    made.birdsong(tmp_path)
    with pytest.warns(UserWarning, match="2 of the 16 clips"):
        found = {one.path.name: one for one in birdsong.read(tmp_path)}
    assert found["64486.wav"].labels == ("no bird",)
    assert found["00053d90-e4b9-4045-a2f1-f39efc90cfa9.ogg"].labels == ("bird",)
    assert Counter(one.labels for one in found.values()) == {("bird",): 7, ("no bird",): 7}
    # The zips may be unpacked into one folder; a csv beside them makes it the same set.
    for path in [*tmp_path.glob("*/*.csv"), *tmp_path.glob("*/*.wav")]:
        path.rename(tmp_path / path.name)
    for path in list(tmp_path.glob("*/wav/*")):
        (tmp_path / "wav").mkdir(exist_ok=True)
        path.rename(tmp_path / "wav" / path.name)
    with pytest.warns(UserWarning, match="2 of the 16 clips"):
        assert {one.path.name: one.split for one in birdsong.read(tmp_path)} == {
            name: one.split for name, one in found.items()
        }
    made.table(tmp_path / "more.csv", ("itemid", "hasbird"), ("64486", "yes"))
    with pytest.raises(UserError, match="hasbird of 64486 is 'yes', neither 0 nor 1"):
        birdsong.read(tmp_path)


def test_a_split_by_name_is_a_fifth_and_no_clip_moves_another():
    names = [f"{number}" for number in range(4000)]
    share = np.mean([birdsong.dealt(name) == "test" for name in names])
    assert share == pytest.approx(0.2, abs=0.03)
    # Their SHA-256, by another tool, end with 1 and 5 as decimal numbers.
    assert birdsong.dealt("64486") == "test"
    assert birdsong.dealt("1d94fc4a-1c63-4da0-0001") == "train"


def test_tut18(tmp_path):
    made.tut18(tmp_path)
    with pytest.warns(UserWarning, match="1 of the 6 clips"):
        found = tut18.read(tmp_path)
    assert rows(found) == [
        ("airport-barcelona-0-0-a.wav", ("airport",), "train", "barcelona-0"),
        ("airport-barcelona-0-1-a.wav", ("airport",), "train", "barcelona-0"),
        ("airport-paris-7-200-a.wav", ("airport",), "test", "paris-7"),
        ("bus-lyon-1000-4021-a.wav", ("bus",), "train", "lyon-1000"),
        ("bus-milan-1100-40000-a.wav", ("bus",), "test", "milan-1100"),
    ]
    assert soundfile.info(found[0].path).subtype == "PCM_24"
    inner = tmp_path / "TUT-urban-acoustic-scenes-2018-development"
    with pytest.warns(UserWarning, match="1 of the 6 clips"):
        assert tut18.read(inner) == found
    (inner / "evaluation_setup" / "fold1_evaluate.txt").unlink()
    with pytest.raises(UserError, match=r"missing \(evaluation_setup/fold1_evaluate.txt\)"):
        tut18.read(inner)


def test_every_word_of_speech_commands(tmp_path):
    made.speech_commands(tmp_path)
    with pytest.warns(UserWarning, match="1 of the 9 clips"):
        found = speech_commands.words(tmp_path)
    assert rows(found) == [
        ("0c40e715_nohash_0.wav", ("bed",), "test", "0c40e715"),
        ("0c40e715_nohash_1.wav", ("bed",), "test", "0c40e715"),
        ("2f813234_nohash_0.wav", ("bed",), "train", "2f813234"),
        ("1eddce1d_nohash_3.wav", ("no",), "test", "1eddce1d"),
        ("439c84f4_nohash_1.wav", ("no",), "valid", "439c84f4"),
        ("0a7c2a8d_nohash_0.wav", ("yes",), "train", "0a7c2a8d"),
        ("0a7c2a8d_nohash_1.wav", ("yes",), "train", "0a7c2a8d"),
        ("ffd2ba2f_nohash_0.wav", ("yes",), "test", "ffd2ba2f"),
    ]


def test_twelve_classes_of_speech_commands(tmp_path):
    made.speech_commands(tmp_path)
    with pytest.warns(UserWarning, match="1 of the 12 clips"):
        found = speech_commands.twelve(tmp_path)
    assert [(*one.labels, one.split) for one in found if one.path.parent.name == "bed"] == [
        ("_unknown_", "train")
    ]
    assert files(found, "valid") == ["running_tap.wav", "439c84f4_nohash_1.wav"]
    assert [row for row in rows(found) if row[2] == "test"] == [
        ("1024.wav", ("_silence_",), "test", ""),
        ("backward_0c540988_nohash_0.wav.ogg", ("_unknown_",), "test", "0c540988"),
        ("bed_0c40e715_nohash_0.wav", ("_unknown_",), "test", "0c40e715"),
        ("bed_0c40e715_nohash_1.wav", ("_unknown_",), "test", "0c40e715"),
        ("ffd2ba2f_nohash_0.wav", ("yes",), "test", "ffd2ba2f"),
    ]
    noise = [one for one in found if one.path.name == "white_noise.wav"]
    assert [(one.labels, one.split) for one in noise] == [(("_silence_",), "train")]


def test_speech_commands_without_a_test_set_and_the_test_set_alone(tmp_path):
    made.speech_commands(tmp_path / "archive", test_set=False)
    with pytest.warns(UserWarning, match="1 of the 11 clips"):
        found = speech_commands.twelve(tmp_path / "archive")
    assert {one.labels for one in found if one.split == "test"} == {
        ("_unknown_",),
        ("yes",),
        ("no",),
    }
    made.speech_commands_test(tmp_path / "test")
    assert {one.split for one in speech_commands.twelve(tmp_path / "test")} == {"test"}
    assert len(speech_commands.twelve(tmp_path / "test")) == 5


@pytest.mark.parametrize("read", [speech_commands.words, speech_commands.twelve])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_identical_recordings_of_speech_commands_are_in_one_group(read, tmp_path):
    made.speech_commands(tmp_path)
    found = read(tmp_path)
    copies = {}
    for one in found:
        content = (hashlib.sha256(one.path.read_bytes()).hexdigest(), one.labels)
        copies.setdefault(content, set()).add(one.group)
    beds = [one for one in found if "0c40e715" in one.path.name]
    assert len({one.path.read_bytes() for one in beds}) == 1 < len(beds)
    assert copies[hashlib.sha256(beds[0].path.read_bytes()).hexdigest(), beds[0].labels] == {
        "0c40e715"
    }


def test_fluent_speech_commands(tmp_path):
    made.fluent_speech_commands(tmp_path)
    with pytest.warns(UserWarning, match="2 of the 9 clips"):
        found = fluent_speech_commands.read(tmp_path)
    assert Counter(one.split for one in found) == {"train": 3, "valid": 1, "test": 3}
    first = found[0]
    assert first.labels == ("action=increase", "location=none", "object=volume")
    assert first.group == "2BqVo8kVB2Skwgyb" == first.path.parent.name
    assert all(
        [label.split("=")[0] for label in one.labels] == list(fluent_speech_commands.SLOTS)
        for one in found
    )


def test_voxforge(tmp_path):
    made.voxforge(tmp_path)
    found = voxforge.read(tmp_path)
    assert Counter(one.labels[0] for one in found) == {"en": 3, "de": 1, "it": 1, "ru": 1, "fr": 1}
    split_of = {}
    for one in found:
        assert split_of.setdefault(one.group, one.split) == one.split
    assert set(split_of) == {"anonymous", "o'neil [x]", "ralfherzog", "Paolo", "Ivan", "Anne"}
    assert Counter(split_of.values()) == {"train": 4, "test": 2}  # 0.7 and 0.8 of 6, cut off

    archives = ["anonymous-20080425-ast", "zzz-20110101-xyz", "gone-20110102-abc"]
    urls = [f'"www.repository.voxforge1.org/downloads/de/Trunk/{name}.tgz"' for name in archives]
    made.lines(tmp_path / "voxforge_urls.txt", *urls)
    with pytest.warns(UserWarning, match="2 archives of its list are .* not there"):
        listed = voxforge.read(tmp_path)
    split_of = {one.group: one.split for one in listed}
    assert split_of == {
        name: split
        for name, split in voxforge.splits([*split_of, "zzz", "gone"]).items()
        if name in split_of
    }


def test_the_shuffle_of_voxforge_is_the_one_of_the_generator_by_hand():
    names = sorted("dcbaefghij")
    order = list(names)
    draw = np.random.RandomState(0)
    for i in reversed(range(1, len(order))):  # Fisher and Yates, from the end
        j = draw.randint(0, i + 1)
        order[i], order[j] = order[j], order[i]
    found = voxforge.splits(names)
    assert [name for name in order if found[name] == "train"] == order[:7]
    # 0.7 + 0.1 is a little less than 0.8, there as here: none selects.
    assert Counter(found.values()) == {"train": 7, "test": 3}


def test_voxceleb(tmp_path):
    made.voxceleb(tmp_path)
    with pytest.warns(UserWarning, match="1 of the 7 clips"):
        found = voxceleb.read(tmp_path)
    assert [(one.labels, one.split, one.group) for one in found] == [
        ((speaker,), split, f"{speaker}/{video}")
        for speaker in ("id10001", "id10270")
        for video, split in (
            ("-0abc_DEF12", "train"),
            ("1zcIwhmdeo4", "valid"),
            ("7gWzIy6yIIk", "test"),
        )
    ]


def test_nsynth(tmp_path):
    made.nsynth(tmp_path)
    family = {one.path.stem: (one.labels[0], one.split) for one in nsynth.families(tmp_path)}
    assert family["synth_lead_synthetic_001-060-100"] == ("synth_lead", "train")
    assert family["guitar_acoustic_010-060-127"] == ("guitar", "valid")
    pitch = {one.path.stem: one.labels[0] for one in nsynth.pitches(tmp_path)}
    assert pitch["bass_electronic_018-022-127"] == "022" and set(pitch.values()) <= set(
        nsynth.PITCHES
    )
    assert {one.group for one in nsynth.pitches(tmp_path / "nsynth-test")} == {
        "guitar_acoustic_014",
        "bass_synthetic_134",
    }
    assert {one.split for one in nsynth.pitches(tmp_path / "nsynth-test")} == {"test"}
    made.sound(tmp_path / "odd" / "audio" / "guitar_electric_1-60-100.wav")
    with pytest.raises(UserError, match=r"1 name is \(guitar_electric_1-60-100\) not FAMILY"):
        nsynth.families(tmp_path / "odd")


def real(name):
    """The folder of real clips of a set, or skip."""
    for place in data_places():
        if (place / "official" / name).is_dir():
            return place / "official" / name
    pytest.skip(f"no official clips of {name} here")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_real_clips_of_the_three_bird_sets():
    found = birdsong.read(real("birds-3"))
    assert sorted((one.path.stem, *one.labels) for one in found) == [
        ("00053d90-e4b9-4045-a2f1-f39efc90cfa9", "bird"),
        ("64486", "no bird"),
        ("759808e5-f824-401e-9058", "bird"),
    ]


def test_real_notes_of_nsynth():
    folder = real("nsynth-test-60")
    found = nsynth.families(folder)
    assert len(found) == 60 and {one.split for one in found} == {"test"}
    assert len({one.labels for one in found}) == 10
    assert {one.labels for one in nsynth.pitches(folder)} == {("060",)}
    assert all(soundfile.info(one.path).frames == 64_000 for one in found)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_real_words_of_speech_commands_1():
    folder = real("speech_commands_v0.01-60")
    found = speech_commands.words(folder)
    assert set(Counter(one.labels for one in found).values()) == {2}
    assert len(found) == 60 and all(re.fullmatch("[0-9a-f]{8}", one.group) for one in found)
    lists = [(folder / name).read_text().split() for name in speech_commands.LISTS]
    for one in found:
        name = one.path.relative_to(folder).as_posix()
        assert [name in names for names in lists] == [one.split == "valid", one.split == "test"]
    twelve = Counter(one.labels[0] for one in speech_commands.twelve(folder))
    assert twelve == dict.fromkeys(speech_commands.COMMANDS, 2) | {"_unknown_": 40}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_real_small_archives_of_speech_commands_2(tmp_path):
    for archive in sorted(real("speech_commands_v0.02-small").glob("*.zip")):
        shutil.unpack_archive(archive, tmp_path / archive.stem.removesuffix("-small"))
    found = speech_commands.twelve(tmp_path)
    classes = Counter(one.labels[0] for one in found if one.split == "test")
    assert set(classes) == {*speech_commands.COMMANDS, "_silence_", "_unknown_"}
    assert len({one.labels for one in speech_commands.words(tmp_path)}) == 35


def test_the_real_test_set_of_speech_commands():
    found = speech_commands.twelve(real("speech_commands_test_set_v0.02"))
    assert len(found) == 4890 and len({one.labels for one in found}) == 12
    spoken = [one for one in found if one.labels != ("_silence_",)]
    assert len({one.group for one in spoken}) == 239 and "" not in {one.group for one in spoken}
    # The manifest of our own task keeps the recordings that occur twice together.
    known = pd.read_csv(CORPORA / "speech_commands_test.csv", dtype=str).set_index("member")[
        "group"
    ]
    for one in spoken:
        member = f"{one.path.parent.name}/{one.path.with_suffix('.wav').name}"
        assert known[member] == one.group


LISTS = {
    audioset.read: ("eval_segments.csv", "x, 0\n"),
    tut18.read: ("fold1_train.txt", "audio/a.wav\n"),
    speech_commands.words: ("testing_list.txt", "word\n"),
    voxceleb.read: ("iden_split.txt", "1 a.wav\n"),
}


@pytest.mark.parametrize("read", LISTS, ids=lambda read: read.__module__)
@pytest.mark.parametrize("bad", [None, b"\xff\xfe"])
def test_a_list_that_is_none_is_one_sentence(read, bad, tmp_path):
    READERS[read](tmp_path)
    name, text = LISTS[read]
    next(tmp_path.rglob(name)).write_bytes(bad or text.encode())
    with pytest.raises(UserError, match=re.escape(name) + r" is not as its set has it \(.+\): get"):
        read(tmp_path)
