"""HEAR folders that were broken or made to harm: one sentence that names the file, and soon."""

import json
import os

import pytest
from hear_folder import edit, folds, make_task

from dasheng_lib.common.errors import UserError
from dasheng_lib.tasks.hear.read import read_hear_task


def refused(task, *said):
    with pytest.raises(UserError) as told:
        read_hear_task(task)
    text = str(told.value)
    assert "\n" not in text and all(word in text for word in (task.name, *said)), text


@pytest.mark.parametrize(
    "name", ["/elsewhere", "../other", "a/b", ".", "..", "", "a\0b", "x" * 300]
)
def test_a_split_is_a_folder_of_the_task(tmp_path, name):
    """``splits: [/elsewhere/fold00]`` read labels and audio that were not the task's."""
    task = make_task(tmp_path, splits=folds(3), clips=3)
    outside = make_task(tmp_path, name="other", splits=folds(3), clips=3)
    if name == "/elsewhere":
        name = f"{outside}/fold00"
    elif name == "../other":
        name = f"../{outside.name}/fold00"
    edit(task / "task_metadata.json", lambda meta: meta.update(splits=[name, "fold01", "fold02"]))
    refused(task, "names the splits", "mend it")


@pytest.mark.parametrize("count", [10**6, 10**400, 1.5, True, "5"])
def test_folds_are_a_few(tmp_path, count):
    task = make_task(tmp_path, splits=folds(3), clips=3)
    edit(task / "task_metadata.json", lambda meta: meta.update(splits=None, nfolds=count))
    refused(task, "nfolds")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_not_read(tmp_path, kind):
    task = make_task(tmp_path, clips=3)
    wav = task / "16000/train/train-001.wav"
    wav.unlink()
    {"pipe": os.mkfifo, "device": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](
        wav
    )
    refused(task, "1 wav cannot be read as audio (train/train-001.wav: no file)")


@pytest.mark.parametrize(
    "file", ["train\0.wav", "\ud800.wav", "x" * 256, "../up.wav", "/up.wav", ""]
)
def test_a_name_that_no_file_can_have_is_said(tmp_path, file):
    task = make_task(tmp_path, clips=3)
    edit(task / "train.json", lambda entries: entries.update({file: ["tone 0"]}))
    refused(task, "is no file below its split")


def test_a_name_with_a_colon_is_a_name(tmp_path):
    task = make_task(tmp_path, clips=3)
    name = "2021-05-01T12:30:05.wav"
    (task / "16000/train/train-000.wav").rename(task / "16000/train" / name)
    edit(task / "train.json", lambda e: e.update({name: e.pop("train-000.wav")}))
    assert name in [clip.name for clip in read_hear_task(task).clips["train"]]


@pytest.mark.parametrize(
    "data",
    [
        b'idx,label\n0,"tone 0\n1,tone 1\n',
        b"idx,label\n0," + b"x" * 200_000,
        b"idx,label\n0,\xff\n",
    ],
    ids=["open quote", "large field", "latin-1"],
)
def test_a_broken_vocabulary_is_said(tmp_path, data):
    task = make_task(tmp_path, clips=3)
    (task / "labelvocabulary.csv").write_bytes(data)
    refused(task, "labelvocabulary.csv is not a table of idx and label")


@pytest.mark.parametrize("name", ["task_metadata.json", "train.json"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, f"[{'9' * 5000}]", "\ud800"])
def test_broken_json_is_said(tmp_path, name, text):
    task = make_task(tmp_path, clips=3)
    (task / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    refused(task, f"{name} is not JSON")


@pytest.mark.parametrize("time", [10**400, -(10**400), float("inf"), "1e999"])
def test_times_are_real_numbers(tmp_path, time):
    task = make_task(tmp_path, embedding="event", clips=3)
    event = [{"label": "tone 0", "start": 0, "end": time}]
    edit(task / "train.json", lambda entries: entries.update({"train-000.wav": event}))
    refused(task, "an event has a label")


@pytest.mark.parametrize(
    "grid",
    [
        {"median_filter_ms": [10**400], "min_duration": [1]},
        {"median_filter_ms": [1.0] * 40, "min_duration": [1.0] * 40},
    ],
)
def test_ways_to_find_events_are_few_and_short(tmp_path, grid):
    task = make_task(
        tmp_path,
        embedding="event",
        clips=3,
        evaluation_params={"event_postprocessing_grid": json.loads(json.dumps(grid))},
    )
    refused(task, "task_metadata.json says")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    task = make_task(tmp_path, clips=3)
    assert read_hear_task(f"~/{task.relative_to(tmp_path)}").name == task.name
