"""Broken weights: refused in a sentence, or bit for bit what was saved; nothing in them is run."""

import io
import json
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch
from mutations import NASTY, WORDS, cut, flipped, mutated, pick

from dasheng_lib.checkpoint import load_objective, load_published, save_weights
from dasheng_lib.checkpoint.published import upstream_shape
from dasheng_lib.hear_api import load_model
from dasheng_lib.model import Encoder, EncoderConfig
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig

SIZE = EncoderConfig(dim=32, depth=2, heads=4)
OPTIONS = {"embed_dim": 32, "depth": 2, "num_heads": 4, "target_length": 1008}


def same(model, wanted):
    """ "" if all weights are bit for bit the same."""
    found = model.state_dict()
    if found.keys() != wanted.keys():
        return "other names"
    other = [
        name for name in wanted if found[name].numpy().tobytes() != wanted[name].numpy().tobytes()
    ]
    return f"other values in {other[:3]}" if other else ""


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Bytes of a masked autoencoder that this library saved, and its weights."""
    path = tmp_path_factory.mktemp("ours") / "x.safetensors"
    model = new_model(RunConfig(preset="32x2x4", clip_seconds=0.5))
    save_weights(model, path, steps="6")
    return path.read_bytes(), model.state_dict()


@pytest.fixture(scope="module")
def theirs():
    """Weights as Dasheng's authors name them, and ours of them."""
    torch.manual_seed(0)
    encoder = Encoder(SIZE).eval()
    named = {}
    for name, value in encoder.state_dict().items():
        their_name, shape = upstream_shape(name, list(value.shape))
        value = value.T if name == "time" else value
        named[their_name] = value.reshape(shape).contiguous().clone()
    return named, encoder.state_dict()


def saved(stored):
    file = io.BytesIO()
    torch.save(stored, file)
    return file.getvalue()


def test_ours(attacked, watch, ours):
    data, weights = ours
    path = watch.work / "x.safetensors"
    path.write_bytes(data)
    assert not same(load_objective(path), weights)

    def one(rng):
        what, bad = mutated(data, rng)
        path.write_bytes(bad)
        return what, lambda: load_objective(path), lambda model, told: same(model, weights)

    attacked("weights: ours", 60, one)


def test_ours_with_other_metadata(attacked, watch, ours):
    path = watch.work / "x.safetensors"
    path.write_bytes(ours[0])
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    del metadata["sha256"]  # so that what lies behind it is seen
    weights = safetensors.torch.load_file(path)

    def one(rng):
        told = dict(metadata)
        key = str(rng.choice(["encoder", "task"]))
        config = json.loads(told[key])
        name = str(rng.choice(list(config)))
        config[name] = [*WORDS, *NASTY, [], {}, None, -1, 0.5, True][rng.integers(len(WORDS))]
        if rng.random() < 0.8:
            told[key] = json.dumps(config)
        else:
            told[pick(rng, list(told))] = pick(rng, NASTY).replace("\ud800", "")
        state = dict(weights)
        if rng.random() < 0.3:
            victim = pick(rng, list(state))
            value = state[victim]
            others = value.double(), value.to(torch.int32), value * np.nan, torch.tensor(1)
            state[victim] = pick(rng, [*others, torch.zeros(0), torch.zeros(1)])
        if rng.random() < 0.1:
            state["blocks.1000000.norm1.weight"] = torch.zeros(1)
        safetensors.torch.save_file(state, path, metadata=told)
        return f"{key}.{name}={config[name]!r:.60}", lambda: load_objective(path), None

    attacked("weights: ours, metadata", 30, one)


def test_published_pickles(attacked, watch, theirs):
    named, weights = theirs
    path = watch.work / "x.pt"
    files = [saved({"model": named, "config": OPTIONS}), saved(named)]

    def one(rng):
        what, bad = mutated(files[rng.integers(2)], rng)
        path.write_bytes(bad)
        return what, lambda: load_published(path), lambda model, told: same(model, weights)

    attacked("weights: published .pt", 60, one)


def test_published_safetensors(attacked, watch, theirs):
    named, weights = theirs
    data = safetensors.torch.save({f"encoder.{name}": value for name, value in named.items()})
    header = 8 + int.from_bytes(data[:8], "little")
    path = watch.work / "x.safetensors"

    def one(rng):
        if rng.random() < 0.5:  # it has no sums: of its values nobody can know
            what, bad = "cut", cut(data, rng)
        else:
            what, bad = "a bit of the header", flipped(data[:header], rng) + data[header:]
        path.write_bytes(bad)
        return what, lambda: load_published(path), lambda model, told: same(model, weights)

    attacked("weights: published .safetensors", 40, one)


def strange(named, rng):
    """Weights that are no weights, or options that are none."""
    state, options = dict(named), dict(OPTIONS)
    victim = str(rng.choice(list(state)))
    value = state[victim]
    strangers = [
        *(None, "x", [1, 2], {}, 3, torch.zeros(()), torch.zeros(0), value[..., None]),
        *(value * torch.nan, value.to(torch.complex64), value.to(torch.int8), value.bool()),
        *(value.to_sparse(), torch.zeros(1).expand(10**6, 10**6)),
        torch.empty(10**9, device="meta"),
    ]
    if rng.random() < 0.6:
        state[victim] = pick(rng, strangers)
    else:
        wrong = [0, -1, 10**9, 10**30, 1.5, "x", None, [4], {}, torch.tensor(4), True]
        options[pick(rng, list(options))] = pick(rng, wrong)
    if rng.random() < 0.2:
        number = pick(rng, [2, 10**6, 10**30])
        state[f"blocks.{number}.norm1.weight"] = torch.zeros(32)
    layouts = [
        *({"model": state, "config": c} for c in (options, options, {"model_args": options}, 3)),
        *(state, {"state_dict": state}, [state], {"model": [1]}),
    ]
    return f"{victim}, {options}", pick(rng, layouts)


def test_published_files_with_strange_content(attacked, watch, theirs):
    path = watch.work / "x.pt"

    def one(rng):
        what, stored = strange(theirs[0], rng)
        path.write_bytes(saved(stored))

        def right(model, told):
            bad = [n for n, v in model.state_dict().items() if not v.isfinite().all()]
            return f"{bad[:3]} not finite" if bad else ""

        return what[:90], lambda: load_published(path), right

    attacked("weights: published, strange", 40, one)


class Hostile:
    def __init__(self, how, argument):
        self.how, self.argument = how, argument

    def __reduce__(self):
        return self.how, (self.argument,)


def test_pickles_that_would_run_something(attacked, watch, theirs):
    place = str(watch.canary)
    run = [
        (os.system, f"touch {place}"),
        (exec, f"open({place!r}, 'w')"),
        (eval, f"__import__('os').mkdir({place!r})"),
        (pathlib.Path.touch, watch.canary),
    ]

    def one(rng):
        evil = Hostile(*pick(rng, run))
        stored = [evil, {"model": theirs[0], "config": evil}, {"model": {**theirs[0], "x": evil}},
                  [evil]][rng.integers(4)]  # fmt: skip
        file = io.BytesIO()
        kind = rng.integers(4)
        if kind == 0:
            torch.save(stored, file)
        elif kind == 1:
            torch.save(stored, file, _use_new_zipfile_serialization=False)
        elif kind == 2:
            pickle.dump(stored, file, int(rng.integers(2, 6)))
        else:
            with zipfile.ZipFile(file, "w") as out:
                out.writestr("archive/data.pkl", pickle.dumps(stored))
                out.writestr("archive/version", "3")
        path = watch.work / str(rng.choice(["x.pt", "x.bin", "x.safetensors", "x"]))
        path.write_bytes(file.getvalue())
        call = [
            lambda: load_published(path),
            lambda: load_objective(path),
            lambda: load_model(path),
        ]
        return f"{evil.how.__name__}, {kind}", call[rng.integers(3)], lambda model, told: "was read"

    attacked("weights: code", 25, one)
