"""What a file of weights says of sizes is compared with what it holds before anything is built."""

import json
import os

import pytest
import safetensors
import safetensors.torch
import torch

from dasheng_lib.checkpoint import (
    load_objective,
    load_published,
    save_weights,
)
from dasheng_lib.common.errors import UserError
from dasheng_lib.model import Encoder, EncoderConfig
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig

SIZE = {"dim": 32, "depth": 2, "heads": 4}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Weights and metadata of a small masked autoencoder."""
    path = tmp_path_factory.mktemp("stored") / "model.safetensors"
    save_weights(new_model(RunConfig(preset="32x2x4", clip_seconds=0.5)), path)
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    del metadata["sha256"]  # as files from before there was a sum
    return safetensors.torch.load_file(path), metadata


HOSTILE = {
    "deep": {"encoder": json.dumps({**SIZE, "depth": 10**6})},
    "wide": {"encoder": json.dumps({**SIZE, "dim": 10**6})},
    "long": {"encoder": json.dumps({**SIZE, "positions": 10**9})},
    "no heads": {"encoder": json.dumps({**SIZE, "heads": 0})},
    "text": {"encoder": json.dumps({**SIZE, "depth": "2"})},
    "a list": {"encoder": "[1]"},
    "nested": {"encoder": "[" * 100_000},
    "deep decoder": {"task": json.dumps({"decoder_depth": 10**6})},
    "wide decoder": {"task": json.dumps({"decoder_dim": 10**5})},
    "junk": {"task": "junk"},
    "a number": {"task": "3"},
    "unknown setting": {"task": '{"no": 1}'},
    "unknown network": {"network": "no"},
    "network for family": {"family": "transformer"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_metadata_that_lie_are_one_sentence(stored, tmp_path, name):
    weights, metadata = stored
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(weights, path, metadata=metadata | HOSTILE[name])
    with pytest.raises(UserError, match=r"model\.safetensors"):
        load_objective(path)


def test_weights_that_are_no_numbers_are_refused(stored, tmp_path):
    weights, metadata = stored
    name = next(name for name in weights if name.endswith("norm1.weight"))
    bad = {**weights, name: torch.full_like(weights[name], torch.nan)}
    safetensors.torch.save_file(bad, tmp_path / "x.safetensors", metadata=metadata)
    with pytest.raises(UserError, match=f"{name} has values that are not finite"):
        load_objective(tmp_path / "x.safetensors")


def test_weights_that_were_killed_while_written_are_swept_up(tmp_path, monkeypatch):
    """safetensors itself writes under another name beside the one that it is given."""
    model, save = Encoder(EncoderConfig(dim=8, depth=1, heads=2)), safetensors.torch.save_file

    def killed(tensors, path, metadata):
        path.with_name(".tmpAbCdEf").write_bytes(b"half")
        os._exit(9)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(safetensors.torch, "save_file", killed)
        save_weights(model, tmp_path / "weights")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert safetensors.torch.save_file is save
    save_weights(model, tmp_path / "weights")
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]


def test_equal_weights_are_equal_files(tmp_path):
    model = new_model(RunConfig(preset="32x2x4", clip_seconds=0.5))
    files = set()
    for number in range(8):
        save_weights(model, tmp_path / f"{number}", steps="6", corpus='über "x"\\')
        files.add((tmp_path / f"{number}").read_bytes())
    assert len(files) == 1
    with safetensors.safe_open(tmp_path / "0", "pt") as file:
        assert file.metadata()["corpus"] == 'über "x"\\'
    assert torch.equal(
        load_objective(tmp_path / "0").encoder.patch.weight, model.encoder.patch.weight
    )


@pytest.fixture
def published():
    """A small encoder under upstream's names."""
    from dasheng_lib.checkpoint.published import upstream_shape

    named = {}
    for name, value in Encoder(EncoderConfig(**SIZE)).state_dict().items():
        theirs, shape = upstream_shape(name, list(value.shape))
        value = value.T if name == "time" else value
        named[theirs] = value.reshape(shape).clone()
    return named


PATCH = "patch_embed.proj.weight"
LIES = {
    "blocks.1000000.norm1.weight": lambda w: {**w, "blocks.1000000.norm1.weight": torch.zeros(32)},
    "a patch of one number": lambda w: {
        **w,
        PATCH: torch.zeros(1).expand(10**12)[:1].reshape(1, 1, 1, 1).expand(10**6, 1, 64, 4),
    },
    "meta": lambda w: {**w, "norm.weight": torch.zeros(32, device="meta")},
    "quantized": lambda w: {
        **w,
        "norm.weight": torch.quantize_per_tensor(torch.zeros(32), 1.0, 0, torch.quint8),
    },
    "not a number": lambda w: {**w, "norm.weight": torch.full((32,), torch.nan)},
    "heads of tensors": lambda w: {"model": w, "config": {"num_heads": torch.ones(3)}},
    "options of tensors": lambda w: {"model": w, "config": {"n_fft": torch.ones(3)}},
    "options of lists": lambda w: {"model": w, "config": {"n_fft": [512]}},
    "a table of a billion": lambda w: {"model": w, "config": {"target_length": 10**9}},
}


@pytest.mark.parametrize("name", LIES)
@pytest.mark.filterwarnings("ignore")
def test_published_files_that_lie_are_one_sentence(published, tmp_path, name):
    torch.save(LIES[name](published), tmp_path / "lie.pt")
    with pytest.raises(UserError, match=r"lie\.pt"):
        load_published(tmp_path / "lie.pt")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", ""])
def test_prefixes_of_wrappers_are_read_with_the_decoder_beside(published, tmp_path, prefix):
    stored = {f"{prefix}encoder.{name}": value for name, value in published.items()}
    stored[f"{prefix}decoder.blocks.0.norm1.weight"] = torch.ones(16)
    for key in ("model", "state_dict"):
        torch.save({key: stored}, tmp_path / "published.pt")
        encoder = load_published(tmp_path / "published.pt", heads=4)
        assert torch.equal(encoder.norm.weight, published["norm.weight"])


def test_of_two_encoders_none_is_chosen(published, tmp_path):
    twins = {
        f"{who}.{name}": value for who in ("encoder", "ema") for name, value in published.items()
    }
    torch.save(twins, tmp_path / "published.pt")
    with pytest.raises(UserError, match=r"holds 2 encoders.*'encoder.' and 'ema.'"):
        load_published(tmp_path / "published.pt")


def test_a_bit_of_what_was_written_is_noticed(tmp_path):
    """safetensors has no sums: another value, or another number of heads, was taken as it is."""
    path = tmp_path / "x.safetensors"
    save_weights(new_model(RunConfig(preset="32x2x4", clip_seconds=0.5)), path)
    data = path.read_bytes()
    load_objective(path)
    header = 8 + int.from_bytes(data[:8], "little")
    for at in (data.index(b'heads\\": 4') + 9, header, len(data) - 1):
        path.write_bytes(data[:at] + bytes([data[at] ^ 2]) + data[at + 1 :])
        with pytest.raises(UserError, match=r"x\.safetensors .*not as it was written"):
            load_objective(path)
