"""HEAR folders: read as they are, and every fault named before anything is trained."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import soundfile
from hear_folder import TVT, edit, folds, make_task, write_wav

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import wav_facts
from dasheng_lib.metrics.events import Event
from dasheng_lib.tasks.hear.read import read_hear_task
from dasheng_lib.tasks.task import Fold

EVENTS, FOLDS = {"embedding": "event"}, {"splits": folds(3)}


def by_name(task, split):
    return sorted(task.clips[split], key=lambda clip: clip.name)


def test_a_scene_task(tmp_path):
    folder = make_task(tmp_path, clips=4)
    task = read_hear_task(folder)
    assert task.name == "made_up-v1-full"
    assert (task.embedding, task.prediction) == ("scene", "multiclass")
    assert task.labels == ("tone 0", "tone 1", "tone 2")
    assert task.metrics[0] == "top1_acc"
    assert task.stop_on_score and task.event_grid == ()
    assert list(task.clips) == list(TVT)
    clip = by_name(task, "valid")[1]
    assert (clip.name, clip.labels, clip.events) == ("valid-001.wav", ("tone 1",), ())
    assert (clip.samples, clip.rate) == (8000, 16000) and len(clip.identity) == 64
    assert clip.wave.args[0] == folder / "16000" / "valid" / "valid-001.wav"
    assert task.folds == (Fold("test", ("train",), ("valid",), ("test",)),)


def test_labels_that_are_numbers_are_those_of_the_vocabulary(tmp_path):
    folder = make_task(tmp_path, labels=[0, 1, 10], clips=3)
    assert json.loads((folder / "test.json").read_text())["test-002.wav"] == [10]
    task = read_hear_task(folder)
    assert task.labels == ("0", "1", "10") and by_name(task, "test")[2].labels == ("10",)


def test_the_vocabulary_is_in_the_order_of_idx_and_not_of_the_file(tmp_path):
    folder = make_task(tmp_path)
    (folder / "labelvocabulary.csv").write_text("idx,label\n2,tone 0\n0,tone 2\n1,tone 1\n")
    assert read_hear_task(folder).labels == ("tone 2", "tone 1", "tone 0")


def test_a_multilabel_task_may_have_clips_without_labels(tmp_path):
    task = read_hear_task(make_task(tmp_path, prediction="multilabel", clips=20))
    counts = {len(clip.labels) for clip in task.clips["train"]}
    assert 0 in counts and max(counts) > 1 and task.metrics[0] == "mAP"


def test_an_event_task(tmp_path):
    folder = make_task(tmp_path, embedding="event", clips=2)
    task = read_hear_task(folder)
    first = json.loads((folder / "train.json").read_text())["train-000.wav"][0]
    assert by_name(task, "train")[0].events[0] == Event(
        first["label"], first["start"], first["end"]
    )
    assert task.event_grid == ((250, 125), (250, 250))  # heareval's, where a task names none
    post = {"median_filter_ms": [150], "min_duration": [50]}
    other = make_task(
        tmp_path / "other",
        embedding="event",
        use_scoring_for_early_stopping=False,
        evaluation_params={"event_postprocessing_grid": post},
    )
    task = read_hear_task(other)
    assert task.event_grid == ((150, 50),) and not task.stop_on_score


@pytest.mark.parametrize("mode", ["presplit_kfold", "new_split_kfold"])
def test_k_folds_are_tested_in_turn(tmp_path, mode):
    folder = make_task(tmp_path, splits=folds(4), split_mode=mode)
    edit(folder / "task_metadata.json", lambda meta: meta["splits"].reverse())
    found = read_hear_task(folder).folds
    assert [fold.name for fold in found] == list(folds(4))
    assert found[0] == Fold("fold00", ("fold02", "fold03"), ("fold01",), ("fold00",))
    assert found[3] == Fold("fold03", ("fold01", "fold02"), ("fold00",), ("fold03",))
    for fold in found:
        assert sorted((*fold.train, *fold.valid, *fold.test)) == list(folds(4))


@pytest.mark.parametrize("root", ["hear-2021.0.6/tasks", "tasks", ""])
def test_both_roots_of_archives(tmp_path, root):
    folder = make_task(tmp_path, root=root)
    for place in (tmp_path, folder):
        found = by_name(read_hear_task(place), "test")[0].wave.args[0]
        assert found == folder / "16000" / "test" / "test-000.wav"


def test_a_folder_of_no_task_and_of_two(tmp_path):
    with pytest.raises(UserError, match=r"holds no task_metadata.json"):
        read_hear_task(tmp_path)
    make_task(tmp_path)
    make_task(tmp_path, name="other")
    with pytest.raises(UserError, match=r"holds 2 tasks: name one of them, such as .*made_up"):
        read_hear_task(tmp_path)


@pytest.mark.parametrize(
    ("there", "wanted", "taken"),
    [
        ((16000, 48000), None, 16000),
        ((16000, 48000), 48000, 48000),
        ((44100, 48000), None, 44100),
        ((48000,), 16000, 48000),
        ((22050, 8000), 32000, 22050),
    ],
)
def test_the_nearest_rate_is_taken(tmp_path, there, wanted, taken):
    folder = make_task(tmp_path, rate=there[0], clips=1)
    for rate in there[1:]:
        for i, split in enumerate(TVT):
            wave = np.random.default_rng(i).random(rate) / 9
            write_wav(folder / str(rate) / split / f"{split}-000.wav", wave, rate)
    (folder / "notes").mkdir()
    task = read_hear_task(folder, wanted)
    assert taken == task.clips["train"][0].rate


# ---- faults


def lose_split(task):
    (task / "valid.json").unlink()


def lose_wavs(task):
    for i in range(4):
        (task / f"16000/train/train-00{i}.wav").unlink()


def spoil_wav(task):
    (task / "16000/test/test-002.wav").write_bytes(b"RIFF nothing of the kind")


def other_rate(task):
    write_wav(task / "16000/test/test-002.wav", np.random.default_rng(9).random(99), 44100)


def strange_label(task):
    edit(task / "test.json", lambda clips: clips.update({"test-001.wav": ["tone 9"]}))


def two_labels(task):
    edit(task / "train.json", lambda clips: clips["train-001.wav"].append("tone 0"))


def no_label(task):
    edit(task / "train.json", lambda clips: clips["train-001.wav"].clear())


def gap(task):
    (task / "labelvocabulary.csv").write_text("idx,label\n0,tone 0\n1,tone 1\n3,tone 2\n")


def from_one(task):
    (task / "labelvocabulary.csv").write_text("idx,label\n1,tone 0\n2,tone 1\n3,tone 2\n")


def twice(task):
    (task / "labelvocabulary.csv").write_text("idx,label\n0,tone 0\n1,tone 1\n2,tone 1\n")


def no_header(task):
    (task / "labelvocabulary.csv").write_text("0,tone 0\n1,tone 1\n2,tone 1\n")


def same_name(task):
    edit(task / "test.json", lambda clips: clips.update({"train-000.wav": ["tone 0"]}))
    write_wav(task / "16000/test/train-000.wav", np.random.default_rng(9).random(99))


def same_audio(task):
    shutil.copy(task / "16000/train/train-003.wav", task / "16000/test/test-001.wav")


def outside(task):
    edit(task / "train.json", lambda clips: clips.update({"../../../x.wav": ["tone 0"]}))


def not_json(task):
    (task / "train.json").write_text('{"train-000.wav": ["tone 0"], ')


def a_list(task):
    (task / "train.json").write_text("[]")


def bare_label(task):
    edit(task / "train.json", lambda clips: clips.update({"train-001.wav": "tone 1"}))


def events_in_scenes(task):
    edit(task / "train.json", lambda clips: clips["train-001.wav"].append({"label": "tone 1"}))


def no_clips(task):
    (task / "train.json").write_text("{}")


def no_wavs(task):
    shutil.rmtree(task / "16000")


def no_kind(task):
    edit(task / "task_metadata.json", lambda meta: meta.pop("embedding_type"))


def other_kind(task):
    edit(task / "task_metadata.json", lambda meta: meta.update(split_mode="bootstrap"))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose_split, r"1 split file is missing \(valid.json\)"),
        (lose_wavs, r"4 wavs are missing \(train/train-000.wav, .*001.wav, .*002.wav, …\)"),
        (spoil_wav, r"1 wav cannot be read as audio \(test/test-002.wav\)"),
        (other_rate, r"1 wav is not at 16000 Hz \(test/test-002.wav: 44100\)"),
        (strange_label, r"1 label is not in labelvocabulary.csv \(test/test-001.wav: 'tone 9'\)"),
        (two_labels, r"1 clip has not one label \(train/train-001.wav: 2\)"),
        (no_label, r"1 clip has not one label \(train/train-001.wav: 0\)"),
        (gap, r"labelvocabulary.csv has idx 3 where 2 belongs"),
        (from_one, r"labelvocabulary.csv has idx 1 where 0 belongs"),
        (twice, r"labelvocabulary.csv names 'tone 1' twice"),
        (no_header, r"labelvocabulary.csv is not a table of idx and label"),
        (same_name, r"1 name is in two splits \(train-000.wav in train and test\)"),
        (same_audio, r"1 recording .* split \(train/train-003.wav = test/test-001.wav\).*keep dup"),
        (outside, r"train.json names '../../../x.wav', which is no file below its split"),
        (not_json, r"train.json is not JSON"),
        (a_list, r"train.json holds a list, not an object"),
        (bare_label, r"gives train-001.wav no list of labels but 'tone 1'"),
        (events_in_scenes, r"gives train-001.wav the labels .* a scene's are plain"),
        (no_clips, r"train.json names no clip"),
        (no_wavs, r"holds no folder of wavs"),
        (no_kind, r"task_metadata.json has no embedding_type"),
        (other_kind, r"says split_mode 'bootstrap': it is trainvaltest or"),
    ],
)
def test_a_fault_is_named(tmp_path, spoil, said):
    folder = make_task(tmp_path)
    read_hear_task(folder)  # sound so far
    spoil(folder)
    with pytest.raises(UserError, match=said):
        read_hear_task(folder)


def test_all_faults_are_told_at_once(tmp_path):
    folder = make_task(tmp_path)
    for spoil in (lose_wavs, other_rate, strange_label, same_name):
        spoil(folder)
    with pytest.raises(UserError) as caught:
        read_hear_task(folder)
    text = str(caught.value)
    assert re.search("4 wavs.*1 wav is not.*1 label is.*1 name is", text) and "\n" not in text


def change_event(**values):
    def change(task):
        edit(task / "train.json", lambda clips: clips["train-001.wav"][0].update(values))

    return change


def in_seconds(task):
    for split in TVT:
        for_all = json.loads((task / f"{split}.json").read_text())
        for event in (event for events in for_all.values() for event in events):
            event["start"] /= 1000
            event["end"] /= 1000
        (task / f"{split}.json").write_text(json.dumps(for_all))


def meta(**values):
    return lambda task: edit(task / "task_metadata.json", lambda found: found.update(values))


def post(**grid):
    return meta(evaluation_params={"event_postprocessing_grid": grid})


def epochs(**grid):
    return meta(evaluation_params={"task_specific_param_grid": grid})


@pytest.mark.parametrize(
    ("made", "spoil", "said"),
    [
        ({}, meta(evaluation=["top1_acc", "nonsense"]), r"evaluation .*nonsense.*scores for scene"),
        ({}, meta(evaluation="top1_acc"), r"evaluation 'top1_acc': it is a list"),
        ({}, meta(evaluation=["segment_1s_er"]), r"scores for scenes, of top1_acc"),
        (EVENTS, meta(evaluation=["top1_acc"]), r"scores for events, of event_onset_200ms_fms"),
        (EVENTS, post(median_filter_ms=[150]), r"it has median_filter_ms and min_duration"),
        (EVENTS, post(median_filter_ms=[], min_duration=[1]), r"median_filter_ms \[\]: it is a"),
        (EVENTS, post(median_filter_ms=[9], min_duration=["x"]), r"min_duration \['x'\]: it is"),
        (EVENTS, post(median_filter_ms=[-9], min_duration=[1]), r"median_filter_ms \[-9\]: it"),
        (FOLDS, meta(splits=None, nfolds="x"), r"nfolds 'x' and no splits: it is a whole number"),
        (FOLDS, meta(splits=None, nfolds=None), r"nfolds None and no splits"),
        (FOLDS, meta(splits="abc"), r"splits 'abc': it is a list of names"),
        ({}, epochs(hidden_layers=[1]), r"only max_epochs and check_val_every_n_epoch can be set"),
        ({}, epochs(max_epochs=[50, 100]), r"max_epochs \[50, 100\]: it is a list of one number"),
        ({}, epochs(max_epochs=[0]), r"max_epochs \[0\]: it is a list of one number above 0"),
        ({}, meta(evaluation_params=[1]), r"evaluation_params that are no object"),
    ],
)
def test_what_the_metadata_cannot_say_is_named(tmp_path, made, spoil, said):
    folder = make_task(tmp_path, clips=3, **made)
    read_hear_task(folder)
    spoil(folder)
    with pytest.raises(UserError, match=said):
        read_hear_task(folder)


def test_a_task_is_known_by_its_folder(tmp_path, monkeypatch):
    folder = make_task(tmp_path, clips=3, mode="5h")
    monkeypatch.chdir(folder)
    assert read_hear_task(folder).name == read_hear_task(".").name == "made_up-v1-5h"
    epochs(max_epochs=[7], check_val_every_n_epoch=[2])(folder)
    task = read_hear_task(folder)
    assert (task.max_epochs, task.validate_every) == (7, 2)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            change_event(end=1.5),
            r"1 event ends before it starts \(train/train-001.wav: 'tone .*1.5",
        ),
        (change_event(end=4051), r"1 event lies outside its clip \(.* to 4051 ms of 4000 ms\)"),
        (change_event(start=-1), r"1 event lies outside its clip \(train/train-001.wav: .* -1 to"),
        (change_event(label="bark"), r"1 label is not in .*\(train/train-001.wav: 'bark'\)"),
        (change_event(end=None), r"an event has a label, and a start and an end in milliseconds"),
        (change_event(end=float("nan")), r"an event has a label, and a start and an end"),
        (in_seconds, r"9 clips have all their events in their first 1 %.*look like seconds"),
    ],
)
def test_a_faulty_event_is_named(tmp_path, spoil, said):
    folder = make_task(tmp_path, embedding="event", clips=3)
    read_hear_task(folder)
    spoil(folder)
    with pytest.raises(UserError, match=said):
        read_hear_task(folder)


def test_an_event_may_end_a_little_behind_its_clip(tmp_path):
    folder = make_task(tmp_path, embedding="event", clips=3)
    change_event(end=4049)(folder)
    read_hear_task(folder)


def test_two_folds_are_too_few(tmp_path):
    with pytest.raises(UserError, match="k-fold needs 3 or more"):
        read_hear_task(make_task(tmp_path, splits=folds(2)))


def test_published_duplicates_can_be_kept(tmp_path):
    folder = make_task(tmp_path)
    same_audio(folder)
    with pytest.warns(UserWarning, match=r"train/train-003.wav = test/test-001.wav.*are kept"):
        assert len(read_hear_task(folder, duplicates="keep").clips["test"]) == 6
    shutil.copy(folder / "16000/train/train-003.wav", folder / "16000/train/train-004.wav")
    with pytest.raises(UserError, match=r"1 recording is in"):
        read_hear_task(folder)


@pytest.mark.parametrize("embedding", ["scene", "event"])
def test_an_empty_clip_stays_and_is_named(tmp_path, embedding):
    folder = make_task(tmp_path, embedding=embedding, empty="test")
    write_wav(folder / "16000/train/train-002.wav", np.empty(0))  # the same bytes in two splits
    edit(
        folder / "train.json", lambda clips: embedding == "event" and clips["train-002.wav"].clear()
    )
    with pytest.warns(UserWarning, match=r"2 clips are empty and count as silence \(train/train-0"):
        task = read_hear_task(folder)
    assert by_name(task, "test")[0].samples == 0 and len(task.clips["test"]) == 6


def test_wavs_are_looked_at_once_unless_they_change(tmp_path, monkeypatch):
    folder = make_task(tmp_path, clips=2)
    before = read_hear_task(folder)
    looked = []
    real = wav_facts._read
    monkeypatch.setattr(wav_facts, "_read", lambda path: looked.append(path.name) or real(path))
    assert read_hear_task(folder).clips == before.clips and looked == []
    changed = folder / "16000/test/test-001.wav"
    stat, samples = changed.stat(), soundfile.read(changed)[0]
    write_wav(changed, -samples)
    os.utime(changed, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # same size, same date
    after = read_hear_task(folder)
    assert looked == ["test-001.wav"]
    assert by_name(after, "test")[1].identity != by_name(before, "test")[1].identity


def test_a_wav_that_is_not_whole_is_named_and_so_is_one_of_another_length(tmp_path):
    folder = make_task(tmp_path)
    first, second = (folder / f"16000/test/test-00{i}.wav" for i in (1, 2))
    write_wav(second, soundfile.read(second)[0][:3000])
    with pytest.warns(UserWarning, match=r"1 clip is not 0\.5 s long \(test/test-002.wav: 0\.1"):
        read_hear_task(folder)
    whole = first.read_bytes()
    for data, reason in (
        (whole[:3000], "shorter than its header says"),
        (whole[:40] + bytes(4) + whole[44:], "shorter than its header says"),
        (whole[:24] + bytes([1, 0, 0, 0]) + whole[28:], "rate of no sound"),
    ):
        first.write_bytes(data)
        said = rf"1 wav cannot be read as audio \(test/test-001.wav: {reason}\)"
        with pytest.raises(UserError, match=said):
            read_hear_task(folder)
    first.unlink()
    os.mkfifo(first)
    with pytest.raises(UserError, match=r"1 wav cannot be read .*test-001.wav: no file"):
        read_hear_task(folder)
