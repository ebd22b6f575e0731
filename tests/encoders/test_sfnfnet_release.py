"""The released network's numbers, stage by stage; `tests/golden/README.md` has their source."""

import numpy as np
import pytest
import torch
from released_sfnfnet import shapes, taps, vectors, weights

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.sfnfnet import from_release, release_name

# Of the largest number; float32 by another library. Measured: 1.4e-6.
NEAR = 1e-5


@pytest.fixture(scope="module")
def golden():
    return vectors()


@pytest.fixture(scope="module")
def released():
    return weights()


@pytest.fixture(scope="module")
def network(released):
    return from_release(released)


def assert_near(got, expected, what):
    assert got.shape == expected.shape, what
    assert np.abs(got - expected).max() <= NEAR * np.abs(expected).max(), what


@pytest.mark.parametrize("tag", ["a", "odd", "paper"])
def test_every_stage_is_that_of_the_release(network, golden, tag):
    """``odd`` has 75 frames: uneven padding in stem, pooling and fusion; so has all of mel."""
    seen = taps(network)
    mel_BTF = torch.from_numpy(golden[f"{tag}/x"][..., 0])
    with torch.inference_mode():
        out = network(mel_BTF).numpy()
    seen = {name: stage.numpy() for name, stage in seen.items()}
    assert_near(out, golden[f"{tag}/out_3456"], "out")
    pooled = np.concatenate([seen[f"stage4_{path}"].mean((1, 2)) for path in ("slow", "fast")], 1)
    assert_near(pooled, golden[f"{tag}/pooled_1728"], "pooled")
    stages = {key.split("/")[1] for key in golden if key.startswith(f"{tag}/")}
    stages -= {"x", "out_3456", "pooled_1728"}
    assert stages == set(seen) and len(stages) == 14
    for stage in stages:
        if f"{tag}/{stage}" in golden:
            assert_near(seen[stage], golden[f"{tag}/{stage}"], stage)
        else:
            mean, std = golden[f"{tag}/{stage}/mean_std"]
            assert seen[stage].mean(dtype=np.float64) == pytest.approx(mean, abs=1e-6), stage
            assert seen[stage].std(dtype=np.float64) == pytest.approx(std, rel=1e-6), stage


def test_every_parameter_has_its_name(network):
    assert {release_name(ours) for ours in network.state_dict()} == set(shapes())
    assert len(network.state_dict()) == 474
    assert sum(p.numel() for p in network.parameters()) == 62_970_654


STEM = "slow_fast_nf_net/~/NFNet_1/~/stem_conv0"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({f"{STEM}/w": None}, rf"1 parameter is missing \({STEM}/w\); give all 474 arrays"),
        ({"params": np.zeros(3)}, r"1 is unknown \(params\); give"),
        (
            {f"{STEM}/w": np.zeros((16, 1, 1, 3)), f"{STEM}/gain": np.zeros((1, 16))},
            rf"2 have another shape \({STEM}/w is \[16, 1, 1, 3\], not \[1, 3, 1, 16\], ",
        ),
        (
            {f"{STEM}/w": None, f"{STEM}/bias": None, "b": 0.0},
            r"2 parameters are missing \(.*\), 1 is unknown \(b\);",
        ),
    ],
)
def test_what_is_not_the_release_s_is_refused(released, change, sentence):
    changed = {k: v for k, v in (released | change).items() if v is not None}
    with pytest.raises(UserError, match=sentence):
        from_release(changed)
