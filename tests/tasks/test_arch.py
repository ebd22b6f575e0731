"""ARCH's tasks: what trains, selects and tests, how long clips are, what a part says of itself."""

import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from official_folders import SETS, esc50, ravdess, sound
from sklearn.model_selection import train_test_split

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.official_sets import benchmark_task, benchmark_tasks
from dasheng_lib.tasks import parts
from dasheng_lib.tasks.arch import ARCH, arch_task
from dasheng_lib.tasks.benchmarks import BENCHMARKS

SECONDS = {"esc50": 5, "us8k": 5, "fsd50k": 10, "vivae": 5, "fma_small": 30, "medleydb": 3,
           "magna_tag_a_tune": 30, "irmas": 5, "ravdess": 5, "audio_mnist": 5, "slurp": 10,
           "emovo": 5}  # fmt: skip
FOLDS = {"esc50": 5, "us8k": 10, "vivae": 4, "audio_mnist": 5, "emovo": 6}  # of the miniatures


@pytest.fixture
def task(tmp_path):
    def make(name, **how):
        SETS[name](tmp_path / name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return arch_task(name, tmp_path / name, progress=False, **how)

    return make


def names(task, *splits):
    return [clip.name for split in splits for clip in task.clips[split]]


def test_the_table_has_what_the_manifest_has():
    assert list(ARCH) == list(benchmark_tasks("arch")) and ARCH.keys() == SECONDS.keys()
    domains = Counter(task.domain for task in benchmark_tasks("arch").values())
    assert domains == {"environment": 4, "music": 4, "speech": 4}
    many = {name for name, task in benchmark_tasks("arch").items() if task.metric == "mAP"}
    assert many == {"fsd50k", "magna_tag_a_tune", "irmas"}


@pytest.mark.parametrize("name", SETS)
def test_a_task_is_sound(name, task):
    made = task(name)
    published = benchmark_task("arch", name)
    assert (made.name, made.probe, made.domain) == (name, "arch", published.domain)
    assert made.prediction == ("multilabel" if published.metric == "mAP" else "multiclass")
    many = published.metric == "mAP"
    assert made.metrics == (
        ("mAP", "weighted_mAP") if many else ("top1_acc", "macro_f1", "accuracy")
    )
    assert len(made.folds) == FOLDS.get(name, 1)
    everything = {clip.name for clip in made.pool}
    assert len(everything) == len(made.pool)
    tested = Counter(clip for fold in made.folds for clip in names(made, *fold.test))
    assert set(tested.values()) == {1}
    for fold in made.folds:
        said = [set(names(made, *part)) for part in (fold.train, fold.valid, fold.test)]
        assert set.union(*said) == everything and sum(map(len, said)) == len(everything)
    for clips in made.clips.values():
        for clip in clips:
            assert set(clip.labels) <= set(made.labels) and clip.labels
            assert len(clip.wave()) == clip.samples == SECONDS[name] * clip.rate
    assert made.part.startswith(f"{len(everything)} of {published.clips} clips")


@pytest.mark.parametrize("name", ["emovo", "us8k"])
def test_clips_may_keep_their_own_length(name, task):
    made = task(name, padded=False)
    assert {clip.samples / clip.rate for clip in made.pool} <= {0.08, 0.2}
    assert made.part.endswith("; not padded")


def test_channels_are_averaged_whichever_file_has_two(task, tmp_path):
    made = task("emovo")
    for name in ("f1/dis-f1-b1.wav", "f1/dis-f1-b3.wav"):  # mono, stereo
        stored, rate = soundfile.read(tmp_path / "emovo" / name, always_2d=True)
        (clip,) = [clip for clip in made.pool if clip.name == name]
        assert clip.rate == rate == 48_000
        np.testing.assert_allclose(clip.wave()[: len(stored)], stored.mean(1), atol=1e-6)
        assert not clip.wave()[len(stored) :].any()


@pytest.mark.parametrize("name", ["us8k", "vivae", "medleydb"])
def test_codings_other_than_16_bits_are_read_as_they_are(name, task, tmp_path):
    clip = task(name).pool[0]
    stored, _ = soundfile.read(tmp_path / name / clip.name, always_2d=True, dtype="float32")
    np.testing.assert_allclose(clip.wave()[: len(stored)], stored.mean(1), atol=1e-7)


def test_a_file_that_cannot_be_read_is_left_out_and_said(tmp_path):
    SETS["fma_small"](tmp_path)
    with pytest.warns(UserWarning) as said:
        made = arch_task("fma_small", tmp_path, progress=False)
    assert any("1 file cannot be read as audio (fma_small/000/000993.mp3)" in str(w.message)
               for w in said)  # fmt: skip
    assert len(made.pool) == 19
    # Pop and Jazz are genres of tracks that are not there: no output is kept for them.
    assert made.labels == ("Folk", "Rock")


def test_recordings_under_two_names_are_reported_where_one_trains_and_one_tests(tmp_path):
    ravdess(tmp_path)
    for seed in range(100):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            made = arch_task("ravdess", tmp_path, seed, progress=False)
        twins = [f"Actor_01/03-01-01-01-0{take}-01-01.wav" for take in (1, 2)]
        tested = set(names(made, *made.folds[0].test)) & set(twins)
        assert len(said) == (len(tested) == 1)
        if said:
            assert "1 recording is tested on that trains under another name" in str(said[0].message)
            return
    pytest.fail("no seed parts the two")


def test_what_is_drawn_is_what_scikit_learn_draws_from_sorted_names(task):
    made = task("ravdess")
    everything = sorted(clip.name for clip in made.pool)
    rest, test = train_test_split(everything, test_size=0.2, random_state=42)
    train, valid = train_test_split(rest, test_size=0.2, random_state=42)
    (fold,) = made.folds
    found = [names(made, *part) for part in (fold.train, fold.valid, fold.test)]
    assert found == [train, valid, test]


def test_fma_is_parted_in_80_10_10(monkeypatch):
    (whole,) = ARCH["fma_small"].part([None] * 8000, 42)
    assert [len(part) for part in whole[1:]] == [6400, 800, 800]


def test_the_next_speaker_selects_and_the_next_of_the_last_is_the_first(task):
    made = task("vivae")
    speakers = {fold.name: {n[9:12] for n in names(made, *fold.valid)} for fold in made.folds}
    assert speakers == {"S01": {"S02"}, "S02": {"S03"}, "S03": {"S04"}, "S04": {"S01"}}


def test_a_fold_of_audio_mnist_holds_speakers_of_no_other(task):
    made = task("audio_mnist")
    tested = [{n[5:7] for n in names(made, *fold.test)} for fold in made.folds]
    assert tested == [{"12", "47"}, {"26"}, {"28"}, {"36"}, {"43"}]
    assert {n[5:7] for n in names(made, *made.folds[0].valid)} == {"26"}


def test_one_fold_alone_is_parted_anew_by_recording_and_says_so(tmp_path):
    esc50(tmp_path, folds="4", per_class=20)
    with pytest.warns(UserWarning, match="2 of the 42"):
        made = arch_task("esc50", tmp_path, progress=False)
    assert made.part == "40 of 2000 clips; official fold 4 alone, in folds of ours"
    assert len(made.folds) == 5 and not any(fold.valid for fold in made.folds)
    for fold in made.folds:
        sources = [{n.split("-")[1] for n in names(made, *p)} for p in (fold.train, fold.test)]
        assert not set.intersection(*sources) and all(sources)


def test_a_part_that_cannot_be_trained_or_tested_is_a_sentence(tmp_path):
    sound(tmp_path / "f1" / "dis-f1-b1.wav")
    with pytest.raises(UserError, match="holds nothing to train or nothing to test emovo on"):
        arch_task("emovo", tmp_path, progress=False)
    with pytest.raises(UserError, match="no ARCH task 'gtzan': choose one of esc50, us8k, fsd50k"):
        arch_task("gtzan", tmp_path)


def test_copies_in_another_coding_give_the_same_parts_and_say_what_they_are(tmp_path):
    found = []
    for suffix in ("wav", "flac"):
        for speaker in ("f1", "f2", "m1"):
            for number in range(12):
                name = f"{('dis', 'tri')[number % 2]}-{speaker}-b{number}.{suffix}"
                sound(tmp_path / suffix / speaker / name)
        made = arch_task("emovo", tmp_path / suffix, progress=False)
        found.append([[n.rpartition(".")[0] for n in names(made, s)] for s in made.clips])
    assert found[0] == found[1]
    assert made.part == "36 of 588 clips; copies as .flac"
    assert BENCHMARKS["arch"] is arch_task


@given(st.lists(st.sampled_from("abcdefg"), min_size=3, max_size=60), st.integers(0, 99))
def test_held_out_and_in_turn_test_each_row_once(groups, seed):
    for found in (parts.held_out(groups, seed, 0.2), parts.in_turn(groups)):
        assert sorted(row for fold in found for row in fold.test) == list(range(len(groups)))
        for fold in found:
            assert {groups[row] for row in fold.test} == {fold.fold}
            rows = sorted(fold.train + fold.valid + fold.test)
            assert rows == list(range(len(groups))) or len(set(groups)) < 2


@given(st.integers(2, 300), st.integers(0, 99), st.floats(0.05, 0.5))
def test_a_drawn_share_is_as_large_as_asked(count, seed, share):
    (fold,) = parts.drawn(count, seed, share, 0.5)
    assert len(fold.test) == int(np.ceil(share * count)) and fold.train


# Reality, where it is at hand.


def test_the_whole_emovo_is_parted_as_published(real_clips):
    made = arch_task("emovo", real_clips / "emovo", progress=False)
    assert made.part == "copies as .ogg"
    sizes = [[len(names(made, *p)) for p in (f.train, f.valid, f.test)] for f in made.folds]
    assert sizes == [[441, 49, 98]] * 6
    assert len(made.labels) == benchmark_task("arch", "emovo").classes


def test_the_lists_of_whole_sets_have_the_published_counts(real_clips):
    esc = pd.read_csv(real_clips / "esc50" / "meta" / "esc50.csv")
    published = benchmark_task("arch", "esc50")
    assert (len(esc), esc["category"].nunique()) == (published.clips, published.classes)
    medley = pd.read_csv(real_clips / "medley-solos-db-20" / "Medley-solos-DB_metadata.csv")
    published = benchmark_task("arch", "medleydb")
    assert (len(medley), medley["instrument"].nunique()) == (published.clips, published.classes)
    subsets = dict(medley["subset"].value_counts())
    assert subsets == {"test": 12236, "training": 5841, "validation": 3494}
