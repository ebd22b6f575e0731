"""The tasks of HARES: declared as the paper prints them, and made of its sets in miniature."""

from collections import Counter

import hares_sets as made
import official_folders
import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official.magna_tag_a_tune import TAGS
from dasheng_lib.corpora.official_sets import absent, benchmark_tasks
from dasheng_lib.tasks.hares import HARES, hares_task

# As printed: samples in thousands, classes. Of MagnaTagATune we have fewer, see hares.yml.
PRINTED = {
    "audioset": (1900, 527),
    "birdsong": (36, 2),
    "tut18": (8.6, 10),
    "esc50": (2.0, 50),
    "speech_commands_v1": (90, 12),
    "speech_commands_v2": (96, 35),
    "fluent_speech_commands": (27, 31),
    "voxforge": (145, 6),
    "voxceleb": (147, 1251),
    "nsynth_instrument": (293, 11),
    "nsynth_pitch": (293, 128),
    "magna_tag_a_tune": (26, 50),
}
SPLITS = {"train": ("train",), "test": ("test",)}


def test_twelve_tasks_are_declared_as_printed():
    tasks = benchmark_tasks("hares")
    assert list(tasks) == list(HARES) == list(PRINTED)
    assert Counter(task.domain for task in tasks.values()) == {
        "environment": 4,
        "speech": 5,
        "music": 3,
    }
    for name, (thousands, classes) in PRINTED.items():
        assert tasks[name].classes == classes
        if name != "magna_tag_a_tune":
            digits = 1 if thousands < 10 else 0
            assert round(tasks[name].clips / 1000, digits) == thousands
    metrics = {name: task.metric for name, task in tasks.items() if task.metric != "top1_acc"}
    assert metrics == {
        "audioset": "mAP",
        "magna_tag_a_tune": "mAP",
        "fluent_speech_commands": "all_slots",
    }
    probes = {name: own.probe for name, own in HARES.items() if own.probe != "hares"}
    assert probes == {
        "audioset": "hares-mlp",
        "esc50": "hares-svm",
        "magna_tag_a_tune": "hares-mtt",
    }


def test_what_is_missing_says_in_a_sentence_how_to_get_it_and_where_to_put_it(tmp_path):
    for task in benchmark_tasks("hares").values():
        said = absent(task, tmp_path)
        assert said.endswith(").") and "?" not in said and "\n" not in said
        assert f"{tmp_path}/{task.set.name}" in said and task.set.holds in said
        assert f"licence: {task.set.licence}" in said and task.set.page in said
        assert task.set.how or f"`dasheng corpus fetch hares --task {task.name}`" in said


def read(name, folder):
    """The task, and its clips by the recording they are of."""
    task = hares_task(name, folder, progress=False)
    parts = {}
    for split, clips in task.clips.items():
        for clip in clips:
            assert clip.labels and set(clip.labels) <= set(task.labels)
            assert len(clip.wave()) == clip.samples
            parts.setdefault((split, clip.part_of or clip.name), []).append(clip)
    names = [clip.name for clips in task.clips.values() for clip in clips]
    assert len(set(names)) == len(names)
    assert task.domain == benchmark_tasks("hares")[name].domain and task.probe == HARES[name].probe
    return task, parts


def seconds(parts, split):
    """Of the pieces of each recording of a split."""
    return sorted(
        [clip.seconds for clip in clips] for (own, _), clips in parts.items() if own == split
    )


# Folder, seconds of the pieces of each recording that trains, and that tests.
MINIATURES = {
    "audioset": (made.audioset, [[3.0] * 3] * 4, [[3.0] * 10] * 2),
    "tut18": (made.tut18, [[5.0] * 2] * 3, [[5.0] * 2] * 2),
    "speech_commands_v1": (made.speech_commands, [[1.0]] * 3 + [[1.0] * 3], [[1.0]] * 5),
    "speech_commands_v2": (made.speech_commands, [[1.0]] * 3, [[1.0]] * 4),
    "fluent_speech_commands": (
        made.fluent_speech_commands,
        [[3.0]] * 3,
        [[3.0], [3.0], [3.0, 3.0]],
    ),
    "voxceleb": (made.voxceleb, [[3.0]] * 2, [[3.0]] * 2),
    "nsynth_instrument": (made.nsynth, [[4.0]] * 2, [[4.0]] * 2),
    "nsynth_pitch": (made.nsynth, [[1.0] * 4] * 2, [[1.0] * 4] * 2),
    "magna_tag_a_tune": (
        lambda folder: made.magna_tag_a_tune(folder, TAGS),
        [[3.0] * 2] * 2,
        [[3.0] * 2],
    ),
}


@pytest.mark.parametrize("name", MINIATURES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_clips_are_cut_as_the_paper_says(name, tmp_path):
    make, train, test = MINIATURES[name]
    make(tmp_path)
    task, parts = read(name, tmp_path)
    assert seconds(parts, "train") == sorted(train)
    assert seconds(parts, "test") == sorted(test)
    assert set(task.clips) == {"train", "test"}
    assert [(fold.train, fold.valid, fold.test) for fold in task.folds] == [
        (("train",), (), ("test",))
    ]
    assert "clips" in task.part


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_birdsong_and_voxforge_have_splits_of_their_own(tmp_path):
    made.birdsong(tmp_path / "birdsong")
    task, parts = read("birdsong", tmp_path / "birdsong")
    assert set(task.clips) == {"train", "test"} and task.labels == ("bird", "no bird")
    assert {len(clips) for clips in parts.values()} == {2, 10}
    made.voxforge(tmp_path / "voxforge")
    task, parts = read("voxforge", tmp_path / "voxforge")
    assert Counter(len(clips) for clips in parts.values()) == {1: 6, 2: 1}
    speakers = [{name.split("/")[-3].split("-")[0] for split, name in parts if split == own}
                for own in ("train", "test")]  # fmt: skip
    assert not speakers[0] & speakers[1]


def test_what_is_scored_how(tmp_path):
    made.nsynth(tmp_path / "nsynth")
    pitch = hares_task("nsynth_pitch", tmp_path / "nsynth", progress=False)
    assert len(pitch.labels) == 128 and pitch.prediction == "multiclass"
    assert pitch.part == "4 of 293301 clips"
    family = hares_task("nsynth_instrument", tmp_path / "nsynth", progress=False)
    assert family.labels == ("bass", "guitar", "synth_lead")
    made.magna_tag_a_tune(tmp_path / "mtt", TAGS)
    tags = hares_task("magna_tag_a_tune", tmp_path / "mtt", progress=False)
    assert tags.prediction == "multilabel" and tags.metrics == ("mAP",)
    assert not [clip for part in tags.clips.values() for clip in part if "none" in clip.name]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_intent_has_one_value_in_each_slot(tmp_path):
    made.fluent_speech_commands(tmp_path)
    task = hares_task("fluent_speech_commands", tmp_path, progress=False)
    assert task.prediction == "slots" and task.metrics == ("all_slots", "accuracy")
    slots = [label.split("=")[0] for label in task.labels]
    assert slots == sorted(slots) and set(slots) == {"action", "location", "object"}
    for part in task.clips.values():
        for clip in part:
            assert [label.split("=")[0] for label in clip.labels] == [
                "action",
                "location",
                "object",
            ]


def test_esc50_tests_each_fold(tmp_path):
    made.esc50(tmp_path)
    task = hares_task("esc50", tmp_path, progress=False)
    assert [fold.name for fold in task.folds] == list("12345")
    for fold in task.folds:
        assert fold.test == (fold.name,) and len(fold.valid) == 1
        assert sorted((*fold.train, *fold.valid, *fold.test)) == list("12345")


def test_one_fold_alone_is_parted_anew_by_recording_and_says_so(tmp_path):
    official_folders.esc50(tmp_path, folds="4", per_class=20)
    with pytest.warns(UserWarning, match="2 of the 42"):
        task = hares_task("esc50", tmp_path, progress=False)
    assert task.part == "40 of 2000 clips; official fold 4 alone, in folds of ours"
    assert list(task.clips) == list("12345") and sum(map(len, task.clips.values())) == 40
    sources = [{clip.name.split("-")[1] for clip in clips} for clips in task.clips.values()]
    assert sum(map(len, sources)) == len(set.union(*sources)) == 20


def test_a_test_set_alone_is_parted_by_speaker(tmp_path):
    made.speech_commands_test(tmp_path)
    with pytest.warns(UserWarning, match="least populated class"):
        task = hares_task("speech_commands_v1", tmp_path, progress=False)
    assert task.part.endswith("official test alone, in folds of ours")
    split_of = {clip.name: split for split, clips in task.clips.items() for clip in clips}
    one, other = (f"_unknown_/bed_0c40e715_nohash_{take}.wav#0" for take in range(2))
    assert split_of[one] == split_of[other] and len(set(split_of.values())) == 3


def test_what_cannot_be_parted_is_a_sentence(tmp_path):
    made.esc50(tmp_path, folds="4")  # two clips of two classes
    with (
        pytest.warns(UserWarning, match="8 of the 10 clips"),
        pytest.raises(UserError, match="nothing to train or nothing to test esc50 on, only 4"),
    ):
        hares_task("esc50", tmp_path, progress=False)
    with pytest.raises(UserError, match="no HARES task 'x': choose one of audioset, birdsong"):
        hares_task("x", tmp_path)


def test_a_recording_that_trains_and_tests_is_said(tmp_path):
    made.speech_commands(tmp_path, test_set=False)
    with pytest.warns(UserWarning) as said:
        hares_task("speech_commands_v2", tmp_path, progress=False)
    assert [str(one.message) for one in said if "more than one split" in str(one.message)] == [
        f"{tmp_path}: 1 recording is in more than one split "
        "(test/yes/ffd2ba2f_nohash_0.wav = train/yes/0a7c2a8d_nohash_1.wav); they stay."
    ]


def test_silence_is_cut_into_seconds_and_short_words_are_filled_up(tmp_path):
    made.speech_commands(tmp_path)
    with pytest.warns(UserWarning):
        task = hares_task("speech_commands_v1", tmp_path, progress=False)
    silent = [clip for clip in task.clips["train"] if clip.labels == ("_silence_",)]
    assert [clip.name.rpartition("/")[2] for clip in silent] == [
        f"white_noise.wav#{number}" for number in range(3)
    ]
    short = next(clip for clip in task.clips["train"] if "0a7c2a8d_nohash_0" in clip.name)
    wave = short.wave()
    assert len(wave) == 16_000 and wave[:1280].any() and not wave[1280:].any()
