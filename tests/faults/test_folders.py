"""Broken folders of HEAR, ARCH and HARES: what is lost is told, whatever is in their lists."""

import json
import shutil
import warnings

import hares_sets
import pytest
from hear_folder import folds, make_task
from mutations import mutated, mutated_text, pick
from official_folders import SETS

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
from dasheng_lib.tasks.arch import arch_task
from dasheng_lib.tasks.hear.read import read_hear_task

HARES = {
    audioset.read: hares_sets.audioset, birdsong.read: hares_sets.birdsong,
    tut18.read: hares_sets.tut18, speech_commands.words: hares_sets.speech_commands,
    speech_commands.twelve: hares_sets.speech_commands, voxforge.read: hares_sets.voxforge,
    fluent_speech_commands.read: hares_sets.fluent_speech_commands,
    voxceleb.read: hares_sets.voxceleb, nsynth.families: hares_sets.nsynth,
}  # fmt: skip


def broken_task(rng, task, canary):
    """One file of a HEAR task is another."""
    texts = ["task_metadata.json", "labelvocabulary.csv", *(p.name for p in task.glob("*0*.json")),
             *(p.name for p in task.glob("t*n.json"))]  # fmt: skip
    if rng.random() < 0.8:
        path = task / pick(rng, texts)
        what, data = mutated_text(path.read_text(), rng, canary)
    else:
        path = pick(rng, sorted(task.rglob("*.wav")))
        what, data = mutated(path.read_bytes(), rng)
    path.write_bytes(data)
    return f"{path.name}: {what}"


@pytest.mark.parametrize("kind", ["scene", "multilabel", "event", "folds"])
def test_a_hear_folder(attacked, watch, kind):
    more = {
        "scene": {},
        "multilabel": {"prediction": "multilabel"},
        "event": {"embedding": "event", "seconds": 1.0},
        "folds": {"splits": folds(3)},
    }[kind]
    whole = make_task(watch.work / "whole", clips=3, **more)

    def one(rng):
        task = watch.work / f"t{rng.integers(1 << 60)}" / whole.name
        shutil.copytree(whole, task)
        what = broken_task(rng, task, str(watch.canary))

        def right(found, told):
            for split, clips in found.clips.items():
                entries = json.loads((task / f"{split}.json").read_text())
                if {clip.name.rpartition("/")[2] for clip in clips} != set(entries):
                    return f"{split}: {len(clips)} clips of {len(entries)}"
                known = set(found.labels)
                if any(not set(clip.labels) <= known for clip in clips):
                    return "labels that are not in the vocabulary"
                if any(clip.wave().shape != (clip.samples,) for clip in clips):
                    return "clips of other lengths"
            return ""

        return what, lambda: read_hear_task(task, progress=False), right

    attacked(f"folders: HEAR {kind}", 8, one)


def damage(rng, folder, canary):
    """One file of a set is another, or gone."""
    path = pick(rng, sorted(p for p in folder.rglob("*") if p.is_file()))
    is_text = path.suffix in (".csv", ".txt", ".json", ".jsonl", ".tsv")
    if rng.random() < 0.5:  # the lists are few among many sounds
        lists = [
            p for p in sorted(folder.rglob("*")) if p.suffix in (".csv", ".txt", ".json", ".jsonl")
        ]
        path, is_text = (pick(rng, lists), True) if lists else (path, is_text)
    if rng.random() < 0.1:
        path.unlink()
        return f"{path.name} is gone"
    if is_text:
        what, data = mutated_text(path.read_text(errors="replace"), rng, canary)
    else:
        what, data = mutated(path.read_bytes(), rng)
    path.write_bytes(data)
    return f"{path.name}: {what}"


@pytest.fixture
def sets(watch):
    """A whole folder of a set, made once; and a copy of it to damage."""

    def copied(rng, name, make):
        whole = watch.work / "whole" / name
        if not whole.exists():
            make(whole)
        folder = watch.work / f"s{rng.integers(1 << 60)}" / name
        shutil.copytree(whole, folder)
        return whole, folder

    return copied


def test_an_official_folder_of_arch(attacked, watch, sets):
    clips = {}

    def one(rng):
        name = pick(rng, list(SETS))
        whole, folder = sets(rng, name, SETS[name])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if name not in clips:
                clips[name] = len(arch_task(name, whole, progress=False).pool)
        what = damage(rng, folder, str(watch.canary))

        def right(task, told):
            lost = clips[name] - len(task.pool)
            a_sound = not what.endswith("gone") and ".csv:" not in what and "json" not in what
            if lost > 0 and a_sound and ".txt:" not in what and not told:
                return f"{lost} clips are lost"
            return ""

        return f"{name}, {what}", lambda: arch_task(name, folder, progress=False), right

    attacked("folders: ARCH", 14, one)


def test_an_official_folder_of_hares(attacked, watch, sets):
    def one(rng):
        read = pick(rng, list(HARES))
        name = read.__module__.rpartition(".")[2]
        _, folder = sets(rng, name, HARES[read])
        what = damage(rng, folder, str(watch.canary))

        def right(found, told):
            return "" if all(one.path.is_file() and one.labels for one in found) else "no file"

        return f"{name}, {what}", lambda: read(folder), right

    attacked("folders: HARES", 14, one)
