"""Supervised pretraining: labels find their clips, and what they are worth is counted honestly."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Crops, Exam
from dasheng_lib.corpora.split import hold_out, labelled
from dasheng_lib.objectives.supervised import SupervisedConfig
from dasheng_lib.shards import ShardCrops
from dasheng_lib.train import TrainConfig, pretrain
from dasheng_lib.train.batches import batches_of, learned_from, reader, validation_batches
from dasheng_lib.train.build import new_model
from dasheng_lib.train.recipes import family_defaults
from dasheng_lib.train.run import Execution, pretrain_into


def tiny(**changes):
    small = {"preset": "24x2x2", "batch": 8, "clip_seconds": 0.5, **changes}
    return replace(family_defaults("supervised"), **small)


def test_labels_are_those_of_the_first_task_that_has_any(synthetic):
    tasks = ["syn_vowel", "syn_contour", "syn_event"]
    part = labelled(synthetic, tasks)
    names = [(task, name) for task in tasks for name in sorted(set(synthetic.task(task)["label"]))]
    said = {}
    for task in reversed(tasks):
        said |= {int(r.clip): (task, r.label) for r in synthetic.task(task).itertuples()}
    places = {offset: clip for clip, offset in enumerate(synthetic.clips["offset"])}
    found = {places[row.offset]: names[row.label] for row in part.clips.itertuples()}
    assert found == said and 0 < len(part) < len(synthetic)
    assert part.digest != synthetic.digest != labelled(synthetic, tasks[:1]).digest
    assert labelled(synthetic, tasks[::-1]).digest != part.digest
    with pytest.raises(UserError, match="no task 'nothing'"):
        labelled(synthetic, ["nothing"])


def test_a_batch_has_the_label_of_each_crop_s_clip_held_out_or_not(synthetic):
    """A crop that is padded begins with its clip, which says whose label it must be."""
    part = labelled(synthetic, ["syn_vowel"])
    by_wave = {part.wave(i)[:200].tobytes(): c for i, c in enumerate(part.clips["label"])}
    rest, held = hold_out(part, 0.2)
    longest = part.clips["seconds"].max()
    crops = Crops(rest, longest, 8, short="pad")
    exam = Exam(held, longest, 8, 16, short="pad")
    for data in (crops, exam):
        for step in range(2):
            labels = data.labels(step)
            assert labels.dtype == np.int64
            for wave, label in zip(data.batch(step), labels, strict=True):
                assert by_wave[wave[:200].tobytes()] == label
            rows = slice(2, 5)
            assert np.array_equal(data.labels(step, rows), labels[rows])


def test_a_run_learns_from_labels_only(synthetic, shards):
    config = tiny(task=SupervisedConfig(labels=("syn_event",)), hold_out=0.1)
    data, held = batches_of(synthetic, config)
    events = set(synthetic.clips["domain"][synthetic.task("syn_event")["clip"]])
    assert set(data.corpus.clips["domain"]) == events
    wave, label = reader(data, config, slice(0, 8))(3)
    assert wave.shape == (8, 8000) and label.shape == (8,)
    assert all(len(batch) == 2 for batch in validation_batches(held, config, slice(0, 8)))
    usual = learned_from(synthetic, tiny())  # all tasks that count
    assert len(usual) == len(set(synthetic.tasks["clip"]))
    few = replace(config, task=replace(config.task, classes=2))
    with pytest.raises(UserError, match=r"syn_event have .* set --classes"):
        batches_of(synthetic, few)
    with pytest.raises(UserError, match=r"learns labels, which .* has not: name a --corpus"):
        pretrain_into("unused", ShardCrops(shards, 0.5, 8), None, config)
    with pytest.raises(UserError, match="have no labels"):
        reader(Crops(synthetic, 0.5, 8), config, slice(0, 8))(0)
    with pytest.raises(ValueError, match="short is 'pad'"):
        replace(config, short="fill")


def test_clips_without_a_label_count_for_nothing(synthetic):
    model = new_model(tiny()).eval()
    wave, noise = torch.from_numpy(Crops(synthetic, 0.5, 6).batch(0)), torch.zeros(6, 0)
    label = torch.tensor([4, -1, 0, -1, -1, 4])
    out, some = model(wave, label, noise=noise), label >= 0
    part = model(wave[some], label[some], noise=noise[some])
    torch.testing.assert_close(out.loss, part.loss)
    assert out.tally.keys() == part.tally.keys()
    for name, value in out.tally.items():
        torch.testing.assert_close(value, part.tally[name])
    nothing = model(wave, noise=noise)
    assert nothing.loss.item() == 0 and np.isnan(model.health(nothing.tally)["explained"])


def test_the_shares_of_the_classes_explain_nothing(synthetic):
    """What a class's share alone gives away is the baseline, over all that was added up."""
    model = new_model(tiny(task=SupervisedConfig(classes=3))).eval()
    label = torch.tensor([0, 1, 1, 2, 1, 1, 0, 0])
    share = torch.bincount(label, minlength=3) / 8
    with torch.no_grad():
        model.classify.weight.zero_()
        model.classify.bias.copy_(share.log())
    wave, noise = torch.from_numpy(Crops(synthetic, 0.5, 8).batch(0)), torch.zeros(8, 0)
    out = model(wave, label, noise=noise)
    entropy = float(-(share * share.log()).sum())
    assert float(out.loss) == pytest.approx(entropy, rel=1e-5)
    assert float(out.baseline_loss) == pytest.approx(entropy, rel=1e-5)
    halves = [model(wave[s], label[s], noise=noise[s]).tally for s in (slice(0, 4), slice(4, 8))]
    health = model.health({name: halves[0][name] + halves[1][name] for name in halves[0]})
    assert health["explained"] == pytest.approx(0, abs=1e-5)
    assert health["accuracy"] == health["majority"] == 0.5
    with torch.no_grad():
        model.classify.bias.copy_(torch.tensor([0.0, 0.0, 9.0]))
    score = F.log_softmax(model.classify.bias, 0)
    found = model(wave, label, noise=noise)
    assert float(found.loss) == pytest.approx(-float((share * score).sum()), rel=1e-5)
    assert float(found.tally["right"]) == 1


def test_labels_are_learned(synthetic):
    part = labelled(synthetic, ["syn_event"])
    crops = Crops(part, 0.5, 16, short="pad")
    model = new_model(tiny(preset="48x2x3"))
    model.calibrate([torch.from_numpy(crops.batch(s)) for s in range(2)])
    steps = pretrain(
        model, lambda s: (crops.batch(s), crops.labels(s)), TrainConfig(steps=60, lr=3e-3)
    )
    losses = [r.loss for r in steps]
    assert np.mean(losses[-5:]) < 0.6 * np.log(len(set(part.clips["label"])))
    out = model.eval()(
        torch.from_numpy(crops.batch(99)),
        torch.from_numpy(crops.labels(99)),
        noise=torch.zeros(16, 0),
    )
    assert model.health(out.tally)["accuracy"] > 0.6


def test_labels_named_are_kept_with_the_run(synthetic, tmp_path):
    task = SupervisedConfig(labels=["syn_vowel", "syn_event"], classes=20)
    config = tiny(task=task, train=TrainConfig(steps=1))
    run = pretrain_into(
        tmp_path, *batches_of(synthetic, config), config, None, Execution(progress=False)
    )
    assert run.config["labels"] == ["syn_vowel", "syn_event"]
    assert run.model().config == task == SupervisedConfig(("syn_vowel", "syn_event"), 20)
    with pytest.raises(ValueError, match="at least 2"):
        SupervisedConfig(classes=1)
