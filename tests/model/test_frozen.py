"""Encoders prepared for inference: the same numbers in float32, close ones in bfloat16."""

import pytest
import torch
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import DashengEncoder, load_encoder
from dasheng_lib.model import Encoder, EncoderConfig
from dasheng_lib.model import frozen as frozen_module
from dasheng_lib.model.frozen import FrozenLinear, freeze


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(dim=128, depth=4, heads=2))
    encoder.norm_in(torch.randn(4, 64, 500) * 20 - 40)
    return encoder.eval()


@pytest.fixture(params=["packed", "plain"])
def way(request, monkeypatch):
    """Both ways of a frozen linear layer, where this machine has both."""
    if request.param == "plain":
        monkeypatch.setattr(frozen_module, "_can_pack", lambda dtype: False)
    elif not frozen_module._can_pack(torch.float32):
        pytest.skip("this torch cannot pack weights")
    return request.param


def clips(seed=0):
    lengths = torch.tensor([480, 16_000, 90_000, 170_000, 330_000])
    wave = torch.randn(5, 330_000, generator=torch.Generator().manual_seed(seed)) * 0.1
    return wave, lengths


def test_float32_differs_by_rounding_only(encoder, way):
    wave, lengths = clips()
    with torch.inference_mode():
        expected, got = encoder(wave, lengths), freeze(encoder)(wave, lengths)
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-5)


def test_bfloat16_has_the_direction_of_float32(encoder, way):
    wave, lengths = clips()
    with torch.inference_mode():
        expected, got = encoder(wave, lengths), freeze(encoder, "bfloat16")(wave, lengths)
    there = torch.arange(got.shape[1]) < (lengths // 160 + 1)[:, None] // 4
    assert got.dtype == torch.float32
    assert F.cosine_similarity(got[there], expected[there], dim=1).min() > 0.9999
    assert not torch.equal(got, expected)


def test_in_bfloat16_too_a_clip_does_not_depend_on_its_neighbours(encoder, way):
    wave, lengths = clips()
    features = DashengEncoder(encoder, "small", "bfloat16")
    together = features.clips(wave, lengths)
    for row, n in enumerate(lengths.tolist()):
        alone = features.clips(wave[row : row + 1, :n])[0]
        # A product summed in another order may round a bfloat16 the other way.
        torch.testing.assert_close(together[row], alone, rtol=0, atol=1e-3)


def test_a_frozen_layer_is_a_linear_layer_and_gelu(way):
    torch.manual_seed(0)
    linear, x = torch.nn.Linear(48, 96), torch.randn(3, 7, 48)
    with torch.inference_mode():
        expected = F.gelu(linear(x))
        for dtype, tolerance in ((torch.float32, 1e-6), (torch.bfloat16, 2e-2)):
            got = FrozenLinear(linear, dtype, gelu=True)(x)
            assert got.dtype == dtype
            torch.testing.assert_close(got.float(), expected, rtol=0, atol=tolerance)


def test_freezing_leaves_the_encoder_as_it_was(encoder):
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    frozen = freeze(encoder, "bfloat16")
    assert frozen.norm.weight is encoder.norm.weight
    assert encoder.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_freezing_in_place_gives_the_weights_up(way):
    encoder = Encoder(EncoderConfig(dim=128, depth=1, heads=2)).eval()
    wave = torch.randn(1, 16_000)
    with torch.inference_mode():
        expected, frozen = encoder(wave), freeze(encoder, in_place=True)
        torch.testing.assert_close(frozen(wave), expected, rtol=0, atol=2e-5)
    assert frozen is encoder and not any("qkv" in name for name, _ in encoder.named_parameters())


def test_precisions_have_fingerprints_of_their_own():
    one, other = (load_encoder("random:nano", p).fingerprint for p in ("float32", "bfloat16"))
    assert one != other
    with pytest.raises(UserError, match="float16"):
        load_encoder("random:nano", "float16")
