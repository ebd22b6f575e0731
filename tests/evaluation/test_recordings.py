"""Recordings in pieces, answers in slots, what trains on which split: every probe of the table."""

from dataclasses import replace

import numpy as np
import pytest
from given import D, Given, given_clip, given_split
from short_probes import SHORT, shorten

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation import by_mlps
from dasheng_lib.evaluation.evaluate import embed_task, evaluate, probe_folds
from dasheng_lib.evaluation.probes import PROBES, Probe
from dasheng_lib.evaluation.rows import of_recordings, rows_of
from dasheng_lib.evaluation.scoring import pooled
from dasheng_lib.metrics.scene import all_slots
from dasheng_lib.tasks.task import Fold, Task


@pytest.fixture(autouse=True)
def short(monkeypatch, tmp_path):
    """A cache of its own."""
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    shorten(monkeypatch, max_epochs=6, hidden=16)


def made(test=None, valid=None, metrics=("top1_acc", "accuracy"), **settings):
    clips = {
        "train": given_split("a", 60, 3, seed=0, frames=2),
        "valid": valid or given_split("b", 30, 3, seed=1, frames=2),
        "test": test or given_split("c", 45, 3, seed=2, frames=2),
    }
    fold = Fold("test", ("train",), ("valid",), ("test",))
    settings = {"labels": ("c0", "c1", "c2"), "folds": (fold,), **settings}
    return Task("given", clips, metrics=metrics, **settings)


def said(task, probe, **options):
    (tested,) = probe_folds(Given(), task, probe, progress=False, **options)
    return tested


def cut(clip, count):
    """Pieces of a clip that are all alike."""
    return [replace(clip, name=f"{clip.name}#{i}", part_of=clip.name) for i in range(count)]


@pytest.mark.parametrize("probe", SHORT)
def test_pieces_that_are_alike_are_as_the_whole(probe):
    whole = made()
    split = {
        name: tuple(p for i, clip in enumerate(clips) for p in cut(clip, 1 + i % 3))
        for name, clips in whole.clips.items()
        if name != "train"
    }
    pieces = replace(whole, clips={**whole.clips, **split})
    if PROBES[probe].valid != "unused":  # pieces train and select one by one
        pieces = replace(pieces, clips={**pieces.clips, "valid": whole.clips["valid"]})
    tables = [evaluate(Given(), task, probe, progress=False) for task in (whole, pieces)]
    np.testing.assert_allclose(
        said(whole, probe).scores_NC, said(pieces, probe).scores_NC, atol=1e-5
    )
    for column in ("metric", "fold", "score", "clips", "low", "high"):
        assert tables[0][column].equals(tables[1][column])
    assert list(tables[0]["clips"]) == [45, 45]


def echo(seen):
    """A probe whose scores are the embeddings, and that keeps what trains."""

    def make(multilabel):
        def scores(train_ND, train_NC, test_MD):
            seen.append(train_NC)
            return test_MD[:, : train_NC.shape[1]]

        return scores

    return Probe("echo", make)


def test_scores_of_pieces_are_averaged_and_each_trains(monkeypatch):
    seen = []
    monkeypatch.setitem(PROBES, "echo", echo(seen))
    x_KD = np.eye(D)[[0, 1, 1, 2]] * np.array([[5.0], [3], [3], [1]])
    test = [given_clip(f"r#{i}", x[None], "c1", part_of="r") for i, x in enumerate(x_KD[:3])]
    test.insert(1, given_clip("s", x_KD[3:], "c2"))
    train = tuple(p for clip in given_split("a", 9, 3, seed=0) for p in cut(clip, 4))
    task = made(tuple(test))
    task = replace(task, clips={**task.clips, "train": train})
    tested = said(task, "echo")
    assert [clip.name for clip in tested.rows.clips] == ["r", "s"]
    np.testing.assert_allclose(tested.scores_NC, [[5 / 3, 2, 0], [0, 0, 1]], rtol=1e-6)
    assert len(seen[0]) == 36 + 30
    score = pooled(task, [tested])
    assert len(score.correct) == 2 and score.accuracy == 1
    assert list(evaluate(Given(), task, "echo", progress=False)["clips"]) == [2, 2]


def test_mlps_are_chosen_by_recordings():
    piece = cut(given_clip("r", np.eye(D)[:1], "c0"), 3)
    task = made(valid=(*piece, given_clip("s", np.eye(D)[1:2], "c1")))
    part = by_mlps._part(task, rows_of(task, embed_task(Given(), task, False), "valid"))
    scores = np.array([[0, 1, 0], [4, 1, 0], [0, 1, 0], [1, 0, 0]], float)
    assert part.score(scores)[0] == 0.5  # piece by piece it would be a fourth


def test_rows_without_pieces_stay_as_they_are():
    task = made()
    rows = rows_of(task, embed_task(Given(), task, False), "test")
    scores = np.zeros((45, 3))
    assert of_recordings(rows, scores) == (rows, scores)


def slotted(count, seed, noise=0.3):
    """Two slots, whose labels lie between each other: at places 0 to 2, and 3 and 4."""
    rng, found = np.random.default_rng(seed), []
    for i in range(count):
        action, place = i % 3, rng.integers(2)
        x = noise * rng.normal(size=(1, D)) + 2 * (np.eye(D)[action] + np.eye(D)[3 + place])
        found.append(given_clip(f"{seed}-{i}", x, f"where={place}", f"do={action}"))
    return tuple(found)


def slots(noise=0.3):
    clips = {name: slotted(60, i, noise) for i, name in enumerate(("train", "valid", "test"))}
    labels = ("do=0", "where=0", "do=1", "where=1", "do=2")
    fold = Fold("test", ("train",), ("valid",), ("test",))
    metrics = ("all_slots", "accuracy")
    return Task("intents", clips, labels, (fold,), metrics, prediction="slots")


@pytest.mark.parametrize("probe", [name for name in SHORT if name != "mlp"])
def test_every_slot_has_its_answer(probe):
    task = slots()
    assert task.slots == ((0, 2, 4), (1, 3))
    table = evaluate(Given(), task, probe, progress=False)
    assert list(table["metric"]) == ["all_slots", "accuracy"]
    assert table["score"].nunique() == 1
    if probe in ("linear", "knn", "knn-softmax", "hares-svm"):
        assert table["score"].iloc[0] > 0.9  # others end before they are there


def test_a_slot_is_a_task_of_its_own():
    task = slots()
    one = {
        name: tuple(replace(clip, labels=clip.labels[1:]) for clip in clips)
        for name, clips in task.clips.items()
    }
    alone = replace(task, clips=one, labels=("do=0", "do=1", "do=2"), prediction="multiclass")
    both, own = said(task, "arch").scores_NC, said(alone, "arch").scores_NC
    np.testing.assert_array_equal(both[:, [0, 2, 4]], own)


def test_all_slots_have_to_be_right():
    scores = np.array([[0.9, 0, 0.2, 0.8], [0.9, 0, 0.8, 0.2], [0, 1, 0, 1], [1, 0, 0, 1]])
    truth = np.array([[1, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]])
    assert all_slots(scores, truth, [(0, 1), (2, 3)]) == 0.25
    assert all_slots(scores, truth, [(0, 1)]) == 0.5


def test_a_class_that_nobody_saw_is_left_out_in_its_slot():
    task = slots()
    new = given_clip("new", np.ones((1, D)), "where=1", "do=9")
    clips = {**task.clips, "test": (*task.clips["test"], new)}
    task = replace(task, clips=clips, labels=(*task.labels, "do=9"))
    assert len(pooled(task, [said(task, "knn")]).correct) == 60
    table = evaluate(Given(), task, "knn", progress=False)
    assert list(table["clips"]) == [61, 60]


def test_one_network_for_all_slots_is_refused():
    with pytest.raises(UserError, match="an answer in each slot, mlp one"):
        said(slots(), "mlp")


@pytest.mark.parametrize("probe", [name for name in SHORT if name not in ("majority", "mlp")])
def test_validation_trains_selects_or_is_left(probe):
    task = made()
    turned = [
        replace(clip, labels=(f"c{(i + 1) % 3}",)) for i, clip in enumerate(task.clips["valid"])
    ]
    other = replace(task, clips={**task.clips, "valid": tuple(turned)})
    same = np.array_equal(said(task, probe).scores_NC, said(other, probe).scores_NC)
    assert same == (PROBES[probe].valid == "unused")
    assert (PROBES[probe].valid == "trains") != probe.startswith(("arch", "hares"))


@pytest.mark.parametrize("probe", ["arch-best", "hares-svm", "mlp"])
def test_what_selects_needs_a_validation(probe):
    task = replace(made(), folds=(Fold("test", ("train",), (), ("test",)),))
    with pytest.raises(UserError, match=f"by which {probe} selects"):
        said(task, probe)
    assert said(task, "arch").scores_NC.shape == (45, 3)


def test_attention_reads_frames_of_clips_of_any_length(monkeypatch):
    """A clip's class is in one loud frame of several, among others that are noise."""
    shorten(monkeypatch, epochs=200)
    rng, clips = np.random.default_rng(0), {}
    for name, count in (("train", 90), ("valid", 9), ("test", 60)):
        found = []
        for i in range(count):
            x_TD = rng.normal(size=(3 + i % 4, D)) * [1, 1, 1, 0.1, 0.1, 0.1]
            x_TD[rng.integers(len(x_TD))] = 3 * np.eye(D)[i % 3] + 3 * np.eye(D)[4]
            found.append(given_clip(f"{name}{i}", x_TD, f"c{i % 3}"))
        clips[name] = tuple(found)
    task = replace(made(), clips=clips)
    mean, attended = (
        evaluate(Given(), task, probe, progress=False)["score"].iloc[0]
        for probe in ("arch", "arch-attention")
    )
    assert attended > mean and attended > 0.9
