"""Runs of the other families: kept, resumed to the same bits, judged, and read back frozen."""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import safetensors
import safetensors.torch
import torch
from scipy.stats import entropy
from smoke_book import ROOT

from dasheng_lib.checkpoint import load_autoencoder, load_objective, save_weights
from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.common.distributed import World
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.settings import settings
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.encoders.of_network import features_of
from dasheng_lib.encoders.waveform import WaveformFeatures
from dasheng_lib.masking import span_mask
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.objectives.hubert import HubertConfig
from dasheng_lib.train import TrainConfig, batches, mask_noise, pretrain
from dasheng_lib.train import run as runs
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.health import MASK_SEED, Validation, validate, verdict, warning
from dasheng_lib.train.recipes import RECIPES, family_defaults
from dasheng_lib.train.run import Execution, pretrain_into

OTHERS = list(FAMILIES)[1:]
MASKED = [f for f in OTHERS if "mask_ratio" in settings(FAMILIES[f].config)]
HEALTH = {
    "ssast": {"told", "chance", "painted"},
    "hubert": {"accuracy", "majority", "perplexity", "use", "answers"},
    "wav2vec2": {"accuracy", "majority", "perplexity", "use"},
    "simclr": {"accuracy", "majority", "reach"},
    "byol": {"spread"},
    "supervised": {"accuracy", "majority"},
}


def tiny(family, **changes):
    small = {"preset": "24x2x2", "batch": 4, "clip_seconds": 0.5, "train": TrainConfig(steps=6)}
    return replace(family_defaults(family), **{**small, **changes})


def trained(folder, corpus, config, every=2):
    data, held = batches_of(corpus, config)
    execution = Execution(checkpoint_every=every, progress=False)
    return pretrain_into(folder, data, held, config, None, execution)


@pytest.fixture(scope="module", autouse=True)
def few_crops():
    """A run is validated on 512 crops, which are most of the time of a tiny one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "VALIDATION_CROPS", 32)
        yield


@pytest.fixture(scope="module")
def whole(synthetic, tmp_path_factory):
    """A run of each family that nothing has stopped; ``second`` is HuBERT's second iteration."""
    place = tmp_path_factory.mktemp("whole")
    found = {
        family: trained(place / family, synthetic, tiny(family, hold_out=0.1)) for family in OTHERS
    }
    config = taught(found["hubert"], hold_out=0.1)
    return {**found, "second": trained(place / "second", synthetic, config)}


def taught(first, **changes):
    """HuBERT's second iteration, which learns from a run of the first."""
    task = HubertConfig(teacher=str(first.folder / "final.safetensors"))
    return tiny("hubert", task=task, **changes)


@pytest.mark.parametrize("name", [*OTHERS, "second"])
@pytest.mark.parametrize("stop", [1, 3])
def test_a_stopped_run_resumes_to_the_same_bits(whole, synthetic, tmp_path, name, stop):
    make = partial(taught, whole["hubert"]) if name == "second" else partial(tiny, name)
    config = make(hold_out=0.1)
    reached = []

    def dying(*arguments):
        for record in pretrain(*arguments):
            yield record
            reached.append(record.step)
            if len(reached) == stop:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "pretrain", dying)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path, synthetic, config)
    assert not (tmp_path / "final.safetensors").exists()
    resumed = trained(tmp_path, synthetic, config)
    for step in (None, *resumed.steps):
        ours, theirs = (run.model(step).state_dict() for run in (whole[name], resumed))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), step
    columns = ["step", "loss", "lr", "grad_norm"]
    assert whole[name].log[columns].equals(resumed.log[columns])
    judged = [c for c in resumed.validation if c != "speed"]
    assert whole[name].validation[judged].equals(resumed.validation[judged])


def test_the_second_iteration_learns_from_the_last_weights_of_the_first(whole):
    first = whole["hubert"].model().encoder.state_dict()
    for step in (0, 3, 6):
        teacher = whole["second"].model(step).teacher.state_dict()
        assert all(torch.equal(value, first[name]) for name, value in teacher.items())
    kept = whole["second"].config
    assert kept["teacher_digest"] == state_digest(whole["hubert"].model().encoder)
    assert kept["teacher"] == str(whole["hubert"].folder / "final.safetensors")


def test_a_teacher_that_is_missing_or_another_is_refused(whole, synthetic, tmp_path):
    first = whole["hubert"].folder
    config = taught(whole["hubert"])

    def asked(teacher, folder=tmp_path / "run", **changes):
        task = replace(config.task, teacher=str(teacher))
        return trained(folder, synthetic, replace(config, task=task, **changes))

    with pytest.raises(UserError, match=r"no checkpoint at .*nowhere"):
        asked(tmp_path / "nowhere.safetensors")
    for wrong, changes in ((whole["ssast"].folder, {}), (first, {"preset": "12x1x2"})):
        with pytest.raises(UserError, match="of a run of the same family and size"):
            asked(wrong / "final.safetensors", **changes)
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes((first / "final.safetensors").read_bytes())
    whole_run = asked(moved)
    other = tmp_path / "elsewhere.safetensors"
    moved.rename(other)
    assert asked(other).folder == whole_run.folder  # the same weights at another place
    with pytest.raises(UserError, match="another teacher: choose an empty folder"):
        asked(first / "step-0.safetensors")


def test_files_of_the_version_whose_run_had_both_iterations_are_read(whole, tmp_path):
    """They say ``iteration`` and name no teacher."""
    path, old = whole["second"].folder / "final.safetensors", tmp_path / "old.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        metadata = dict(file.metadata())
    del metadata["sha256"]  # of the file as it was
    task = {"mask_ratio": 0.8, "span": 10, "clusters": 100, "iteration": 2, "layer": None}
    weights = safetensors.torch.load_file(path)
    safetensors.torch.save_file(weights, old, {**metadata, "task": json.dumps(task)})
    read = load_objective(old)
    assert read.config.teacher and torch.equal(
        read.teacher.mask_token, whole["hubert"].model().encoder.mask_token
    )


# Frozen encoders


@pytest.mark.parametrize("family", OTHERS)
def test_a_clip_s_vectors_are_its_own(whole, family):
    encoder = load_encoder(f"{family}:{whole[family].folder}/final.safetensors")
    assert encoder.name.startswith(f"{family}:") and encoder.dim == 24
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([8_000, 480, 16_000, 8_000, 3_333])
    wave = torch.randn(5, 16_000, generator=generator)
    frames, clips = encoder.frames(wave, lengths), encoder.clips(wave, lengths)
    for row, samples in enumerate(lengths.tolist()):
        alone = wave[row : row + 1, :samples]
        expected = encoder.frames(alone)[0]
        torch.testing.assert_close(frames[row, : len(expected)], expected, rtol=1e-4, atol=1e-5)
        assert (frames[row, len(expected) :] == 0).all()
        torch.testing.assert_close(clips[row], encoder.clips(alone)[0], rtol=1e-4, atol=1e-5)
    noise = wave.clone()
    noise[1, 480:] = 9.0  # what lies behind the end does not matter
    torch.testing.assert_close(encoder.clips(noise, lengths), clips, rtol=1e-4, atol=1e-5)
    assert encoder.frames(wave[:, : encoder.min_samples]).shape[1] == 1


def test_frames_lie_where_the_encoder_says(whole):
    """A click moves the frames that hear it: those whose middle is within 12.5 ms, and neighbours
    through the transformer less."""
    encoder = whole["wav2vec2"].encoder()
    assert isinstance(encoder, WaveformFeatures)
    assert (encoder.hop_ms, encoder.first_ms, encoder.sample_rate) == (20.0, 12.5, 16_000)
    at = 8_000
    wave = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)) * 0.1
    click = wave.clone()
    click[0, at] += 1.0
    with torch.inference_mode():
        moved = (encoder.encoder.features(click) - encoder.encoder.features(wave)).abs().sum(2)[0]
    middle = encoder.first_ms + encoder.hop_ms * int(moved.argmax())
    assert abs(middle - at / 16) <= 12.5


def test_fingerprints_tell_encoders_apart(whole):
    run = whole["hubert"]
    prints = [run.encoder(step).fingerprint for step in (0, 3, 6)]
    assert len(set(prints)) == 3 and run.encoder().fingerprint == prints[2]
    assert run.encoder(0).name == "untrained" and run.encoder(3).name == "step 3"


def test_files_say_their_family(whole, tmp_path):
    path = whole["hubert"].folder / "final.safetensors"
    with pytest.raises(UserError, match=f"another family: name it hubert:{path}"):
        load_encoder(f"dasheng:{path}")
    with pytest.raises(UserError, match="of hubert, which has no decoder"):
        load_autoencoder(path)
    with pytest.raises(UserError, match="no checkpoint at"):
        load_encoder("ssast:nowhere.safetensors")
    with pytest.raises(UserError, match=r"dasheng\|ssast\|hubert\|wav2vec2\|.*:PATH"):
        load_encoder("cpc:nowhere")
    model = new_model(tiny("wav2vec2"))
    model.family = "cpc"
    save_weights(model, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"family 'cpc' .* is not known"):
        load_objective(tmp_path / "other.safetensors")


# Health


def exam(synthetic):
    return [Crops(synthetic, 1.0, 16).batch(step) for step in range(2)]


def examined(model, synthetic):
    facts = {"step": 100, "hours": 1.0, "speed": 1.0}
    return validate(model, model, exam(synthetic), World(), **facts)


def calibrated(family, synthetic):
    model = new_model(tiny(family, preset="48x2x3"))
    model.calibrate([torch.from_numpy(Crops(synthetic, 1.0, 16).batch(9))])
    return model


def judged(found: Validation) -> str:
    return verdict(pd.DataFrame([found.row()]))


def test_wav2vec2_with_one_code_left_is_collapsed(synthetic):
    model = calibrated("wav2vec2", synthetic)
    before = examined(model, synthetic)
    assert before.health["use"] > 0.3 and judged(before) == "not learning"
    with torch.no_grad():
        model.quantiser.choose.weight.zero_()
        model.quantiser.choose.bias[::64] = 1.0
    found = examined(model, synthetic)
    assert found.health["perplexity"] == pytest.approx(2.0, abs=1e-6)  # one in each group
    assert judged(found) == "collapsed"
    assert "use 2.0 codes" in warning(pd.DataFrame([found.row()]), steps=100)


def test_wav2vec2_that_knows_every_answer_is_collapsed(synthetic, monkeypatch):
    """The contrastive loss near 0: frames that answer for themselves, whatever was hidden."""
    from dasheng_lib.objectives import wav2vec2

    def solved(guess_BTd, target_BTd, code_BTG, other_BTK):
        score = torch.zeros(*other_BTK.shape[:2], 1 + other_BTK.shape[2])
        score[..., 0] = 20.0
        return score

    monkeypatch.setattr(wav2vec2, "contrast", solved)
    found = examined(calibrated("wav2vec2", synthetic), synthetic)
    assert found.explained > 0.97 and judged(found) == "collapsed"


def test_hubert_with_few_clusters_is_collapsed(synthetic):
    model = calibrated("hubert", synthetic)
    assert examined(model, synthetic).health["use"] > 0.1
    model.centroids[3:] = 1e4
    found = examined(model, synthetic)
    assert found.health["perplexity"] <= 3 and judged(found) == "collapsed"


def hidden_labels(model, batches):
    """Labels at the hidden frames of each examined clip: distances and masks, not a step."""
    for number, wave in enumerate(map(torch.from_numpy, batches)):
        noise = mask_noise(model, *wave.shape, MASK_SEED, number)
        masks = span_mask(noise, model.config.mask_ratio, model.config.span)
        for rows, mask in zip(model.teacher(wave), masks, strict=True):
            yield torch.cdist(rows[mask], model.centroids).argmin(1).numpy()


def test_hubert_that_always_gives_one_answer_is_not_learning(synthetic):
    """Whichever answer: what the commonest gets and its surprise are the exam's own labels'."""
    model = calibrated("hubert", synthetic)
    labels = list(hidden_labels(model, exam(synthetic)))
    counts = np.bincount(np.concatenate(labels), minlength=100)
    shares = np.mean([np.bincount(y, minlength=100) / len(y) for y in labels], axis=0)
    calibration = model.labels(torch.from_numpy(Crops(synthetic, 1.0, 16).batch(9)))
    commonest, elsewhere = counts.argmax(), calibration.flatten().bincount().argmax()
    assert counts[elsewhere] < counts[commonest]  # or this could not tell the two apart
    scale = model.codes.norm(dim=1)
    for answer in (commonest, elsewhere):
        with torch.no_grad():
            model.project.weight.zero_()
            model.project.bias.copy_(model.codes[answer])
        health = examined(model, synthetic).row()
        assert health["accuracy"] == pytest.approx(counts[answer] / counts.sum(), rel=1e-12)
        assert health["majority"] == pytest.approx(counts.max() / counts.sum(), rel=1e-12)
        assert health["answers"] == pytest.approx(0.01)
        # Its cosines are those of the codes themselves, so its surprise can be had by hand.
        score = (model.codes @ model.codes[answer]) / scale / scale[answer] / 0.1
        surprise = -(score.log_softmax(0).detach().numpy() * shares).sum()
        explained = 1 - surprise / entropy(shares)
        assert explained < 0 and health["explained"] == pytest.approx(explained, rel=1e-4)
        assert verdict(pd.DataFrame([health])) == "not learning"
        row = {**health, "explained": 0.1, "rankme_centred": 20.0}
        assert verdict(pd.DataFrame([row])) == "not learning"
        assert "without looking" in warning(pd.DataFrame([row]), steps=100)


def test_an_embedding_of_one_direction_is_collapsed(synthetic):
    model = calibrated("hubert", synthetic)
    with torch.no_grad():
        for layer in model.encoder.net.encoder.layers:
            layer.final_layer_norm.weight[1:] = 0
            layer.final_layer_norm.bias[1:] = 0
    found = examined(model, synthetic)
    assert found.rankme_centred < 1.01
    row = {**found.row(), "explained": 0.1, "accuracy": 0.5}
    assert verdict(pd.DataFrame([row])) == "collapsed"


HEALTHY = {
    "step": 100,
    "loss": 3.0,
    "explained": 0.3,
    "rankme": 20.0,
    "rankme_centred": 25.0,
    "accuracy": 0.3,
    "majority": 0.1,
    "perplexity": 60.0,
    "use": 0.6,
    "answers": 0.3,
}


@pytest.mark.parametrize(
    "change, kind",
    [
        ({}, "healthy"),
        ({"use": 0.03}, "collapsed"),
        ({"explained": 0.99}, "collapsed"),
        ({"explained": 0.99, "accuracy": 0.05}, "collapsed"),  # the worst comes first
        ({"accuracy": 0.1}, "not learning"),
        ({"explained": 0.01, "accuracy": 0.105}, "not learning"),
        ({"explained": 0.01, "accuracy": np.nan, "majority": np.nan}, "not learning"),
        ({"explained": 0.21}, "healthy"),
        ({"answers": 0.01}, "collapsed"),
        ({"rankme_centred": 2.0}, "collapsed"),
        ({"spread": 0.03, "reach": 0.2}, "healthy"),
        ({"spread": 0.01}, "collapsed"),
        ({"reach": 0.05}, "collapsed"),
        ({"explained": 0.15}, "unstable"),
    ],
)
def test_a_verdict_is_one_word(change, kind):
    history = pd.DataFrame([{**HEALTHY, "step": 50}, {**HEALTHY, **change}])
    assert verdict(history) == kind
    assert bool(warning(history, steps=200)) == (kind != "healthy")


@pytest.mark.parametrize("rank, kind", [(15.0, "healthy"), (13.0, "collapsed"), (2.0, "collapsed")])
def test_few_directions_are_few_beside_the_untrained_encoder(rank, kind):
    start = {**HEALTHY, "step": 0, "explained": -0.1, "rankme_centred": 84.0}
    last = {**HEALTHY, "rankme_centred": rank}
    assert verdict(pd.DataFrame([start, last])) == kind
    assert verdict(pd.DataFrame([last])) == ("healthy" if rank > 3 else "collapsed")


def test_a_task_is_collapsed_if_the_embedding_fell_together_on_the_way():
    start = {**HEALTHY, "step": 0, "rankme_centred": 84.0}
    flat = {**HEALTHY, "step": 50, "rankme_centred": 4.0}
    last = {**HEALTHY, "explained": 0.01, "accuracy": 0.05}
    assert verdict(pd.DataFrame([start, flat, last])) == "collapsed"
    assert verdict(pd.DataFrame([start, last])) == "not learning"
    assert verdict(pd.DataFrame([start, flat, HEALTHY])) == "healthy"  # it has recovered


def test_a_contrastive_task_may_begin_slowly():
    slow = {**HEALTHY, "explained": 0.01}
    assert verdict(pd.DataFrame([slow])) == "healthy"
    assert verdict(pd.DataFrame([{**slow, "accuracy": 0.105}])) == "not learning"


@pytest.mark.parametrize("family", OTHERS)
def test_health_is_a_column_each_and_the_same_whoever_adds_it_up(whole, synthetic, family):
    table = whole[family].validation
    said = {name for names in HEALTH.values() for name in names} & set(table.columns)
    assert {"explained", "rankme_centred"} <= set(table.columns) and said == HEALTH[family]
    assert whole[family].verdict in ("healthy", "not learning", "collapsed")
    if FAMILIES[family].whole_batch:
        return  # what is right in a batch depends on who is in it
    model = calibrated(family, synthetic).eval()
    wave = torch.from_numpy(Crops(synthetic, 1.0, 8).batch(0))
    noise = model.draw_noise(8, 16_000, torch.Generator().manual_seed(0), 1.0)
    labels = (torch.arange(8) % 3,) if FAMILIES[family].labelled else ()
    one = model.health(model(wave, *labels, noise=noise).tally)
    parts = [
        model(*rows, noise=n).tally
        for *rows, n in zip(*(x.split(2) for x in (wave, *labels, noise)), strict=True)
    ]
    sums = {name: sum(part[name] for part in parts) for name in parts[0]}
    added = model.health(sums)
    if family == "wav2vec2":  # which codes are common is seen in a batch, of all processes
        added["majority"] = one["majority"]
    assert added == pytest.approx(one, rel=1e-3)
    assert all(np.isfinite(value) for value in one.values())


# Names


def test_a_family_brings_its_own_settings_and_options_change_them(tmp_path):
    parser = argparse.ArgumentParser()
    add_run_arguments(parser)

    def asked(*words):
        return config_from_args(parser.parse_args(words), seed=0)

    assert asked() == RECIPES["quick"]
    assert asked("--family", "dasheng") == RunConfig() == family_defaults("dasheng")
    for family in OTHERS:
        usual = family_defaults(family)
        assert asked("--family", family) == asked("--recipe", family) == usual
        assert (usual.preset, usual.batch, usual.clip_seconds) == ("nano", 64, 2.0)
        if family not in MASKED:
            continue
        changed = asked("--family", family, "--lr", "0.01", "--mask-ratio", "0.5")
        train = replace(usual.train, lr=0.01)
        assert changed == replace(usual, task=replace(usual.task, mask_ratio=0.5), train=train)
        assert new_model(replace(changed, preset="24x1x2")).config.mask_ratio == 0.5
    with pytest.raises(UserError, match=r"dasheng, ssast, hubert, wav2vec2, .*, not 'cpc'"):
        asked("--family", "cpc")
    with pytest.raises(UserError, match="spans of 10 leave none: use longer clips"):
        asked("--family", "hubert", "--clip-seconds", "0.1")


def test_seeds_give_other_weights_and_iterations_too():
    def token(seed, teacher=None):
        task, train = HubertConfig(teacher=teacher), TrainConfig(steps=6, seed=seed)
        return new_model(tiny("hubert", task=task, train=train)).encoder.mask_token

    assert torch.equal(token(0), token(0))
    different = [token(0), token(1), token(0, "a first run"), token(1, "a first run")]
    assert len({tuple(t.tolist()) for t in different}) == 4


OFFLINE = """
import json, socket, sys, time
def refuse(*_, **__):
    raise AssertionError("something asked the network")
socket.socket.connect = socket.getaddrinfo = refuse
from dasheng_lib.encoders import load_encoder
before = sorted(name for name in ("transformers", "sklearn") if name in sys.modules)
encoder = load_encoder(sys.argv[1])
import torch
from dasheng_lib.common.torchaudio import torchaudio
print(json.dumps([before, list(encoder.clips(torch.zeros(1, 8000)).shape), torchaudio.__name__]))
"""


def test_a_fresh_process_needs_no_network_and_no_torchaudio_that_loads(whole):
    name = f"wav2vec2:{whole['wav2vec2'].folder}/final.safetensors"
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, name], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    before, shape, torchaudio = json.loads(done.stdout.splitlines()[-1])
    assert before == [] and shape == [1, 24] and torchaudio == "torchaudio"
    assert done.stderr == ""


def test_without_the_library_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"need transformers .*: run `make env`"):
        new_model(tiny("hubert"))


def test_any_model_gives_frozen_features(synthetic):
    for family in FAMILIES:
        encoder = features_of(new_model(tiny(family)).eval(), "some")
        assert encoder.clips(torch.randn(2, 8_000)).shape == (2, 24)
