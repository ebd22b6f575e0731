"""Files laid out as Dasheng's authors lay them out: read exactly, or refused by name."""

import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

from dasheng_lib.checkpoint import load_published
from dasheng_lib.checkpoint.published import from_upstream, upstream_shape
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import DashengEncoder
from dasheng_lib.features import LogMel
from dasheng_lib.model import Encoder, EncoderConfig

SIZE = EncoderConfig(dim=32, depth=2, heads=4)
OPTIONS = {"embed_dim": 32, "depth": 2, "num_heads": 4, "target_length": 1008}
LONG = 170_000  # samples: 265 tokens, more than a table of positions holds


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    encoder = Encoder(SIZE)
    encoder.norm_in(torch.randn(4, 64, 500) * 20 - 40)
    return encoder.eval()


@pytest.fixture
def weights(encoder):
    """The encoder's weights as upstream names and shapes them."""
    named = OrderedDict()
    for name, value in encoder.state_dict().items():
        theirs, shape = upstream_shape(name, list(value.shape))
        value = value.T if name == "time" else value
        named[theirs] = value.reshape(shape).contiguous().clone()
    return named


def wave(samples=LONG):
    return torch.randn(1, samples, generator=torch.Generator().manual_seed(0)) * 0.1


def front_end():
    return {
        "front_end.0.spectrogram.window": LogMel().window,
        "front_end.0.mel_scale.fb": LogMel().filters,
    }


def prefixed(weights, prefix):
    return {f"{prefix}{name}": value for name, value in weights.items()}


HEAD = {"outputlayer.0.weight": torch.zeros(527, 32), "outputlayer.0.bias": torch.zeros(527)}
LAYOUTS = {
    "nested": lambda w: {"model": w, "config": OPTIONS},
    "with its front end": lambda w: {"model": {**front_end(), **w}, "config": OPTIONS},
    "as train.py writes it": lambda w: {
        "model": w,
        "config": {"model_args": OPTIONS, "outputdir": Path("runs")},
        "optimizer": {"state": {}},
    },
    "without a configuration's entries": lambda w: {"model": w, "config": {"num_heads": 4}},
    "fine-tuned on AudioSet": lambda w: {"model": {**w, **HEAD}, "config": OPTIONS},
    "of a parallel run": lambda w: {"model": prefixed(w, "module."), "config": OPTIONS},
    "without a count of batches": lambda w: {
        "model": {k: v for k, v in w.items() if "num_batches" not in k},
        "config": OPTIONS,
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_encoder(encoder, weights, tmp_path, layout):
    torch.save(LAYOUTS[layout](weights), tmp_path / "published.pt")
    read = load_published(tmp_path / "published.pt")
    assert read.config == SIZE and not read.training
    with torch.no_grad():
        assert torch.equal(read(wave()), encoder(wave()))


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "9f86d081", "as.bin"])
def test_hugging_face_and_bare_files(weights, tmp_path, name):
    """They say no number of heads: a width of 64 a head, as in all published sizes but one.

    What kind of file it is shows in its content, not in its name.
    """
    path = tmp_path / name
    save = torch.save if name == "model.bin" else safetensors.torch.save_file
    save({**prefixed(weights, "encoder."), **HEAD}, path)
    hugging_face = load_published(path, heads=4)
    save(dict(weights), path)
    bare = load_published(path)
    assert bare.config.heads == 1 and hugging_face.config.heads == 4
    for name, value in from_upstream(weights).items():
        assert torch.equal(bare.state_dict()[name], value)
        assert torch.equal(hugging_face.state_dict()[name], value)


@pytest.mark.parametrize("stored", [1, 100, 250, 252, 253, 300])
@pytest.mark.parametrize("said", [None, 1008, 400])
def test_positions_are_cut_or_interpolated(weights, tmp_path, stored, said):
    weights["time_pos_embed"] = table = torch.randn(1, 32, 1, stored)
    options = OPTIONS | {"target_length": said}
    torch.save({"model": weights, "config": options}, tmp_path / "published.pt")
    read = load_published(tmp_path / "published.pt")
    positions = (said or 1008) // 4
    expected = table[..., :positions]
    if stored < positions:
        expected = F.interpolate(table, (1, positions), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(read.time.detach(), expected[0, :, 0].T, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32(encoder, weights, tmp_path, dtype):
    weights = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
    torch.save({"model": weights, "config": OPTIONS}, tmp_path / "published.pt")
    read = load_published(tmp_path / "published.pt")
    assert {value.dtype for value in read.parameters()} == {torch.float32}
    with torch.no_grad():
        torch.testing.assert_close(read(wave()), encoder(wave()), atol=0.1, rtol=0)


def without(name):
    return lambda w: {"model": {k: v for k, v in w.items() if k != name}, "config": OPTIONS}


def having(**changes):
    return lambda w: {"model": {**w, **changes}, "config": OPTIONS}


def saying(**options):
    return lambda w: {"model": w, "config": {**OPTIONS, **options}}


FAULTS = {
    "blocks.1.attn.qkv.bias": without("blocks.1.attn.qkv.bias"),
    "time_pos_embed": without("time_pos_embed"),
    "unknown blocks.0.gamma": having(**{"blocks.0.gamma": torch.zeros(32)}),
    # under names or shapes of ours, which a careless reader would take
    "unknown patch.weight": having(**{"patch.weight": torch.zeros(32, 256)}),
    "unknown pos_embed": having(pos_embed=torch.zeros(1, 252, 32)),
    "patch_embed.proj.weight is [32, 1, 16, 16]": having(
        **{"patch_embed.proj.weight": torch.zeros(32, 1, 16, 16)}
    ),
    "freq_pos_embed is [1, 1, 32]": having(freq_pos_embed=torch.zeros(1, 1, 32)),
    "time_pos_embed is [1, 32, 2, 252]": having(time_pos_embed=torch.zeros(1, 32, 2, 252)),
    "time_pos_embed is [252, 32]": having(time_pos_embed=torch.zeros(252, 32)),
    "norm.weight is [33], not [32]": having(**{"norm.weight": torch.zeros(33)}),
    "norm.bias is no dense tensor": having(**{"norm.bias": "a word"}),
    "unknown foo": lambda w: {**prefixed(w, "encoder."), "foo": torch.zeros(1)},
    "unknown optimizer": lambda w: {**prefixed(w, "encoder."), "optimizer": {}},
    "hop_size=320": saying(hop_size=320),
    "top_db=60": saying(top_db=60),
    "front_end.0.mel_scale.fb": having(**{"front_end.0.mel_scale.fb": torch.zeros(257, 64)}),
    "num_heads='2'": saying(num_heads="2"),
    "num_heads=-2": saying(num_heads=-2),
    "target_length=3": saying(target_length=3),
    "target_length=1008.0": saying(target_length=1008.0),
    "a list": lambda w: {"model": [w], "config": OPTIONS},
    "first names are a, b": lambda w: {"a": torch.zeros(1), "b": torch.zeros(1)},
    "0 blocks": lambda w: {k: v for k, v in w.items() if not k.startswith("blocks")},
}


@pytest.mark.parametrize("named", FAULTS)
def test_what_does_not_fit_is_named_as_in_the_file(weights, tmp_path, named):
    torch.save(FAULTS[named](weights), tmp_path / "published.pt")
    with pytest.raises(UserError) as caught:
        load_published(tmp_path / "published.pt")
    assert named in str(caught.value)


def test_all_missing_keys_are_named(weights, tmp_path):
    gone = ["blocks.0.norm1.weight", "blocks.1.mlp.fc2.bias", "norm.weight"]
    torch.save({k: v for k, v in weights.items() if k not in gone}, tmp_path / "published.pt")
    with pytest.raises(UserError) as caught:
        load_published(tmp_path / "published.pt")
    assert all(f"missing {name}" in str(caught.value) for name in gone)


class Hostile:
    def __reduce__(self):
        return (Path.touch, (Path(self.target),))


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_file_is_not_run(weights, tmp_path, how):
    hostile = Hostile()
    hostile.target = str(tmp_path / "executed")
    stored = {"model": dict(weights), "config": {"x": hostile}}
    path = tmp_path / "published.pt"
    if how == "torch":
        torch.save(stored, path)
    else:
        path.write_bytes(pickle.dumps(stored))
    with pytest.raises(UserError, match="refused"):
        load_published(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_file_cut_short_is_refused(weights, tmp_path, suffix):
    path = tmp_path / f"published.{suffix}"
    torch.save(dict(weights), path) if suffix == "pt" else safetensors.torch.save_file(
        dict(weights), path
    )
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(UserError, match="download it again"):
        load_published(path)


def test_cut_pieces_have_no_padding_of_a_reference():
    with pytest.raises(ValueError, match="cut"):
        EncoderConfig(long_audio="cut", padding="reference")


@pytest.mark.parametrize(
    ("long_audio", "padding"),
    [
        (a, p)
        for a in ("short", "pad", "cut")
        for p in ("own", "reference")
        if (a, p) != ("cut", "reference")
    ],
)
def test_a_clip_vector_is_the_mean_over_its_own_tokens(weights, tmp_path, long_audio, padding):
    torch.save({"model": weights, "config": OPTIONS}, tmp_path / "published.pt")
    choices = {"long_audio": long_audio, "padding": padding}
    features = DashengEncoder(load_published(tmp_path / "published.pt", **choices), "it")
    lengths = torch.tensor([8000, LONG, 320_000])
    batch = torch.zeros(3, 320_000)
    for row, samples in zip(batch, lengths.tolist(), strict=True):
        row[:samples] = wave(samples)[0]
    together = features.clips(batch, lengths)
    frames = features.frames(batch, lengths)
    for row, samples in enumerate(lengths.tolist()):
        tokens = features.encoder.tokens(samples)
        assert not frames[row, tokens:].any()
        torch.testing.assert_close(together[row], frames[row, :tokens].mean(0))
        if padding == "own":
            alone = features.clips(wave(samples))[0]
            torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("samples", "tokens"),
    # X-ARES cuts every 10.0 s and fills the last piece up to 1 s; what is not cut stays as it is.
    [(480, 1), (8000, 12), (160_000, 250), (160_001, 275), (176_000, 275), (320_000, 500)],
)
def test_tokens_of_audio_that_is_cut(encoder, samples, tokens):
    cut = Encoder(EncoderConfig(dim=32, depth=2, heads=4, long_audio="cut")).eval()
    with torch.no_grad():
        assert cut(wave(samples)).shape[1] == cut.tokens(samples) == tokens


def test_a_bit_of_a_zip_is_noticed(tmp_path, weights):
    """torch writes sums into its zips and does not look at them."""
    path = tmp_path / "x.pt"
    torch.save({"model": weights, "config": OPTIONS}, path)
    data = bytearray(path.read_bytes())
    place = data.index(weights["patch_embed.proj.weight"].numpy().tobytes()[:64])
    data[place + 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="could not be read as plain tensors"):
        load_published(path)


def test_whole_numbers_are_no_weights(tmp_path, weights):
    """As one letter of a safetensors header makes of float32."""
    name = "blocks.0.norm1.weight"
    torch.save({**weights, name: weights[name].int()}, tmp_path / "x.pt")
    with pytest.raises(UserError, match=f"{name} is no dense tensor of real numbers"):
        load_published(tmp_path / "x.pt")
