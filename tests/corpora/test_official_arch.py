"""Readers of ARCH's official layouts, on miniatures with what breaks in practice and on reality."""

import importlib
import shutil
import warnings
from collections import Counter

import pytest
from official_folders import SETS, esc50, sound

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official import audio_mnist
from dasheng_lib.corpora.official.magna_tag_a_tune import TAGS
from dasheng_lib.corpora.official_sets import benchmark_tasks

ABSENT = {"esc50": "2 of the 22", "us8k": "1 of the 21", "fsd50k": "1 of the 11",
          "fma_small": "1 of the 21", "magna_tag_a_tune": "1 of the 8", "irmas": "1 of the 13",
          "slurp": "1 of the 10"}  # fmt: skip


def reader(name):
    return importlib.import_module(f"dasheng_lib.corpora.official.{name}").read


def read(name, folder):
    """What a reader finds, (labels, split, group) by path in the folder; and what it warns of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = reader(name)(folder)
    rows = {
        one.path.relative_to(folder).as_posix(): (one.labels, one.split, one.group) for one in found
    }
    assert len(rows) == len(found)
    return rows, [str(warning.message) for warning in said]


@pytest.fixture
def made(tmp_path):
    def make(name, **how):
        SETS[name](tmp_path / name, **how)
        return read(name, tmp_path / name)

    return make


@pytest.mark.parametrize("name", SETS)
def test_a_clip_that_a_list_names_and_that_is_absent_is_counted_once_and_said(name, made):
    _, said = made(name, **({"per_class": 2} if name == "esc50" else {}))
    if name not in ABSENT:
        assert said == []
    else:
        (words,) = said
        assert f"{ABSENT[name]} clips that its lists name are not there and are left out" in words


@pytest.mark.parametrize("name", SETS)
def test_the_order_is_of_names_whatever_the_file_system_gives(name, tmp_path, made, monkeypatch):
    first, _ = made(name)
    reverse = tmp_path / "again" / name
    for path in sorted((tmp_path / name).rglob("*"), reverse=True):
        if path.is_file():
            (reverse / path.relative_to(tmp_path / name)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, reverse / path.relative_to(tmp_path / name))
    second, _ = read(name, reverse)
    assert list(first.items()) == list(second.items())


def test_the_order_is_of_names_whatever_that_of_a_list_is(tmp_path, made):
    first, _ = made("esc50")
    path = tmp_path / "esc50" / "meta" / "esc50.csv"
    heading, *lines = path.read_text().splitlines()
    path.write_text("\n".join([heading, *reversed(lines)]))
    second, _ = read("esc50", tmp_path / "esc50")
    assert list(first.items()) == list(second.items())


@pytest.mark.parametrize("name", SETS)
def test_a_folder_that_is_not_the_set_is_a_sentence(name, tmp_path):
    (tmp_path / name).mkdir()
    for folder in (tmp_path / name, tmp_path / "nowhere"):
        with pytest.raises(UserError, match=rf"^{folder}.*(missing|holds no)"):
            reader(name)(folder)


@pytest.mark.parametrize("name", ["esc50", "us8k", "fsd50k", "medleydb", "magna_tag_a_tune"])
def test_labels_without_any_clip_are_a_sentence(name, tmp_path):
    SETS[name](tmp_path / name)
    for path in (tmp_path / name).rglob("*"):
        if path.suffix in (".wav", ".flac", ".mp3"):
            path.unlink()
    with pytest.raises(UserError, match=r"holds none of the \d+ clips that its lists name"):
        reader(name)(tmp_path / name)


def test_a_table_without_its_columns_is_a_sentence(tmp_path):
    esc50(tmp_path)
    (tmp_path / "meta" / "esc50.csv").write_text("filename,fold\n1-1-A-0.wav,1\n")
    with pytest.raises(UserError, match=r"esc50.csv: 2 columns are missing \(category, src_file\)"):
        reader("esc50")(tmp_path)


def test_esc50_says_class_fold_and_recording(made):
    rows, _ = made("esc50")
    assert len(rows) == 40 and all(not name.startswith("audio/._") for name in rows)
    assert rows["audio/3-300-B-0.wav"] == (("dog",), "3", "300")


def test_an_archive_may_have_a_folder_of_its_own_around_a_set(tmp_path):
    esc50(tmp_path / "esc50" / "ESC-50-master")
    rows, _ = read("esc50", tmp_path / "esc50")
    assert rows["ESC-50-master/audio/3-300-B-0.wav"] == (("dog",), "3", "300")


def test_us8k_says_class_fold_and_recording(made):
    rows, _ = made("us8k")
    assert len(rows) == 20
    assert rows["audio/fold10/1010-1-0-10.wav"] == (("drilling",), "10", "1010")


def test_fsd50k_says_all_classes_and_the_split(made):
    rows, _ = made("fsd50k")
    assert Counter(split for _, split, _ in rows.values()) == {"train": 6, "valid": 2, "test": 2}
    assert rows["FSD50K.dev_audio/3.flac"] == (("Motor_vehicle_(road)",), "train", "")
    assert rows["FSD50K.eval_audio/50.wav"] == (("Rain", "Water"), "test", "")


def test_vivae_is_the_full_set_and_says_emotion_and_speaker(made):
    rows, _ = made("vivae")
    assert len(rows) == 8
    assert rows["full_set/S02_fear_low_01.wav"] == (("fear",), "", "S02")


def test_fma_small_is_its_own_tracks_and_says_genre_split_and_artist(made):
    rows, _ = made("fma_small")
    assert len(rows) == 20
    assert rows["fma_small/000/000994.ogg"] == (("Rock",), "train", "2")
    assert rows["fma_small/001/001009.mp3"] == (("Folk",), "train", "9")


def test_magna_tag_a_tune_drops_clips_without_a_frequent_tag(made):
    rows, _ = made("magna_tag_a_tune")
    songs = {name[:1]: (labels, split) for name, (labels, split, _) in rows.items()}
    assert songs == {
        "0": (("rock",), "train"), "a": (("rock", "no vocal"), "train"), "b": (("harp",), "train"),
        "c": (("harp",), "valid"), "d": (("rock",), "test"), "f": (("rock", "harp"), "test"),
        "2": (("rock",), "train"),
    }  # fmt: skip
    assert len(TAGS) == len(set(TAGS)) == 50


def test_irmas_reads_names_as_they_are_and_labels_with_tabs(made):
    rows, _ = made("irmas")
    assert len(rows) == 12
    assert rows["IRMAS-TrainingData/pia/[pia][jaz_blu]0002__2.wav"] == (
        ("piano",), "train", "[pia][jaz_blu]0002"
    )  # fmt: skip
    test = {name.rpartition("/")[2]: labels for name, (labels, s, _) in rows.items() if s == "test"}
    assert test == {
        "Ain't [No] Sunshine (live)-3.wav": ("cello", "piano"),
        "02 - It's 100% (Don't)-12.wav": ("piano",),
    }


def test_medleydb_reads_the_double_ending(made):
    rows, _ = made("medleydb")
    assert len(rows) == 6
    name = "audio/Medley-solos-DB_validation-1_1-validation.wav.wav"
    assert rows[name] == (("piano",), "valid", "001")


def test_ravdess_takes_each_name_of_speech_once(made):
    rows, _ = made("ravdess")
    assert len(rows) == 24 and all(name.startswith("Actor_") for name in rows)
    assert rows["Actor_03/03-01-08-01-02-01-03.wav"] == (("surprised",), "", "03")


def test_audio_mnist_has_the_published_folds(made):
    rows, _ = made("audio_mnist")
    assert rows["data/26/1_26_0.wav"] == (("1",), "2", "26")
    assert sorted(speaker for fold in audio_mnist.FOLDS for speaker in fold) == list(range(1, 61))
    assert {len(fold) for fold in audio_mnist.FOLDS} == {12}


def test_slurp_says_the_intent_of_every_real_recording(made, tmp_path):
    rows, _ = made("slurp")
    assert Counter(split for _, split, _ in rows.values()) == {"train": 5, "valid": 2, "test": 2}
    assert rows["slurp_real/audio-3.flac"] == (("qa_factoid",), "train", "")
    (tmp_path / "slurp" / "test.jsonl").write_text('{"intent": "alarm_set"}\n')
    with pytest.raises(UserError, match=r"test\.jsonl is not as its set has it"):
        reader("slurp")(tmp_path / "slurp")


def test_slurp_may_be_a_checkout_of_its_repository(tmp_path):
    SETS["slurp"](tmp_path)
    (tmp_path / "audio").mkdir()
    (tmp_path / "dataset" / "slurp").mkdir(parents=True)
    (tmp_path / "slurp_real").rename(tmp_path / "audio" / "slurp_real")
    for path in tmp_path.glob("*.jsonl"):
        path.rename(tmp_path / "dataset" / "slurp" / path.name)
    assert len(read("slurp", tmp_path)[0]) == 9


def test_emovo_says_emotion_and_actor(made):
    rows, _ = made("emovo")
    assert len(rows) == 36
    assert rows["f1/dis-f1-b2.ogg"] == (("disgust",), "", "f1")


def test_of_a_clip_in_several_codings_the_wav_is_read(tmp_path):
    SETS["emovo"](tmp_path)
    sound(tmp_path / "m3" / "tri-m3-b1.flac")
    sound(tmp_path / "f1" / "dis-f1-b2.mp3")
    rows, _ = read("emovo", tmp_path)
    assert "m3/tri-m3-b1.wav" in rows and "f1/dis-f1-b2.ogg" in rows and len(rows) == 36


# Reality, where it is at hand.


def test_the_whole_emovo(real_clips):
    rows, said = read("emovo", real_clips / "emovo")
    published = benchmark_tasks("arch")["emovo"]
    assert len(rows) == published.clips and said == []
    assert Counter(group for _, _, group in rows.values()) == dict.fromkeys(
        ("f1", "f2", "f3", "m1", "m2", "m3"), 98
    )
    assert set(Counter(labels for labels, _, _ in rows.values()).values()) == {84}


def test_a_fold_of_esc50_beside_the_list_of_all(real_clips):
    rows, (said,) = read("esc50", real_clips / "esc50")
    assert "1600 of the 2000 clips" in said
    assert {split for _, split, _ in rows.values()} == {"4"}
    assert set(Counter(labels for labels, _, _ in rows.values()).values()) == {8}
    rows, said = read("esc50", real_clips / "esc50-5")
    assert sorted(split for _, split, _ in rows.values()) == list("12345") and said == []


def test_some_of_medley_solos_db_beside_the_list_of_all(real_clips):
    rows, (said,) = read("medleydb", real_clips / "medley-solos-db-20")
    assert f"of the {benchmark_tasks('arch')['medleydb'].clips} clips" in said
    assert Counter((labels, split) for labels, split, _ in rows.values()) == {
        (("clarinet",), "test"): 10,
        (("female singer",), "train"): 10,
    }


def test_three_clips_of_fsd50k(real_clips):
    rows, said = read("fsd50k", real_clips / "fsd50k-3")
    assert said == [] and {name: (len(r[0]), r[1]) for name, r in rows.items()} == {
        "FSD50K.dev_audio/21914.wav": (1, "valid"),
        "FSD50K.dev_audio/64760.wav": (5, "train"),
        "FSD50K.eval_audio/99.wav": (14, "test"),
    }
