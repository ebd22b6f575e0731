"""SlowFast NFNet: its parts by their closed forms, and what HARES and the release say of it."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from released_sfnfnet import taps
from torch.nn import functional as F

from dasheng_lib.model.nfnet import Block
from dasheng_lib.model.scaled_convolution import (
    ScaledConv,
    pad_same,
    same_padding,
    scaled_gelu,
    standardised,
)
from dasheng_lib.model.slowfast_encoder import SlowFastEncoder, SlowFastLogMel
from dasheng_lib.model.slowfast_nfnet import SlowFastConfig, SlowFastNFNet, sfnfnet_config


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(divisor=8, seed=0, **choices):
    torch.manual_seed(seed)
    return SlowFastNFNet(divisor, **choices)


def count(module):
    return sum(p.numel() for p in module.parameters())


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 4))
def test_same_padding_is_the_least_that_covers_all(size, kernel, stride):
    before, behind = same_padding(size, kernel, stride)
    outputs = (size + before + behind - kernel) // stride + 1
    assert outputs == math.ceil(size / stride) and 0 <= behind - before <= 1
    if before + behind:  # one less would be an output less
        assert (size + before + behind - 1 - kernel) // stride + 1 < outputs


def test_an_odd_zero_goes_behind():
    x = torch.arange(1.0, 5).view(1, 1, 4, 1)
    assert pad_same(x, (3, 1), (2, 1)).flatten().tolist() == [1, 2, 3, 4, 0]
    assert pad_same(x, (3, 1), (1, 1)).flatten().tolist() == [0, 1, 2, 3, 4, 0]


def test_the_reduction_takes_every_fourth_frame_or_the_largest_of_four():
    x = -torch.arange(1.0, 8).view(1, 1, 7, 1)  # 7 frames: one is missing, behind
    assert network().reduce(x).flatten().tolist() == [-1, -5]
    released = network(reduction="max-pool")
    assert released.reduce(x).flatten().tolist() == [-1, -5]
    assert released.reduce(-x).flatten().tolist() == [4, 7]
    assert released.reduce(x[:, :, :6]).flatten().tolist() == [-1, -4]  # two are: one before


def test_standardised_weights():
    weight, gain = noise(6, 5, 3, 2) * 7 + 3, noise(6, seed=1)
    got = standardised(weight, gain)
    torch.testing.assert_close(got.mean((1, 2, 3)), torch.zeros(6), rtol=0, atol=1e-6)
    torch.testing.assert_close(got.var((1, 2, 3), correction=0), gain.square() / 30)
    faint = torch.tensor([1e-3, -1e-3]).view(1, 2, 1, 1)  # fan-in x variance of 2e-6 counts as 1e-4
    torch.testing.assert_close(standardised(faint, torch.ones(1)), faint * 100)


def test_the_gain_gives_gelu_a_variance_of_one():
    assert scaled_gelu(noise(1_000_000).double()).var().item() == pytest.approx(1, abs=5e-3)
    assert scaled_gelu(torch.ones(1)).item() == pytest.approx(0.841192 * 1.7015043, abs=1e-5)


def test_parameter_counts():
    """HARES: 63 M. The paper's fast stem has 3x3 kernels where the release has 1x3."""
    with torch.device("meta"):
        released = SlowFastNFNet(fast_stem="release", reduction="max-pool")
        paper, without = SlowFastNFNet(), SlowFastNFNet(final_conv=False)
        final = count(released.slow.final) + count(released.fast.final)
        assert count(released) == 62_970_654
        assert count(paper) == 62_970_654 + 6 * (2 * 4 + 4 * 8)
        assert count(paper) - final == count(without) == pytest.approx(58.17e6, abs=0.005e6)
        assert count(SlowFastEncoder()) == count(without)
    assert (paper.dim, without.dim) == (3456, 1728)


@pytest.mark.parametrize("choices", [{}, {"fast_stem": "release", "reduction": "max-pool"}])
def test_shapes_of_the_paper_s_table(choices):
    """Table 5: 400 x 128."""
    with torch.device("meta"):
        model = SlowFastNFNet(**choices).eval()
        seen = taps(model)
        assert model(torch.empty(2, 400, 128)).shape == (2, 3456)
        without = SlowFastNFNet(final_conv=False, **choices).eval()
        assert without(torch.empty(2, 400, 128)).shape == (2, 1728)
    assert {name: tuple(stage.shape[1:]) for name, stage in seen.items()} == {
        "stem_slow": (25, 32, 128),
        "stem_fast": (100, 32, 16),
        "fused1": (25, 32, 192),
        "stage1_slow": (25, 32, 256),
        "stage1_fast": (100, 32, 32),
        "fused2": (25, 32, 512),
        "stage2_slow": (25, 16, 512),
        "stage2_fast": (100, 16, 64),
        "fused3": (25, 16, 1024),
        "stage3_slow": (25, 8, 1536),
        "stage3_fast": (100, 8, 192),
        "fused4": (25, 8, 2560),
        "stage4_slow": (25, 4, 1536),
        "stage4_fast": (100, 4, 192),
    }


def test_betas_and_drop_rates():
    for path in (network().slow, network().fast):
        betas = [1, 0.9806, 0.9806, 0.9623, 0.9806, 0.9623, 0.9449, 0.9285, 0.9129]
        betas += [0.8980, 0.9806, 0.9623]
        assert [block.beta for block in path.blocks] == pytest.approx(betas, abs=5e-5)
        assert [block.drop_rate for block in path.blocks] == pytest.approx(
            [0.1 * i / 12 for i in range(12)]
        )


@pytest.mark.parametrize("divisor", [1, 2, 4, 8, 16])
def test_divided_widths(divisor):
    config = sfnfnet_config(f"sfnfnet-{divisor}" if divisor > 1 else "sfnfnet")
    with torch.device("meta"):
        model = SlowFastNFNet(divisor)
        assert model.dim == 3456 / divisor and SlowFastEncoder(config).dim == 1728 / divisor
        for path, group in ((model.slow, 128), (model.fast, 16)):
            for block in path.blocks:
                assert block.conv1.weight.shape[1] == block.conv1b.weight.shape[1]
                assert block.conv1.weight.shape[1] == group / divisor
        # A 1x1 convolution of one input would be standardised to nothing.
        for module in model.modules():
            assert not isinstance(module, ScaledConv) or module.weight[0].numel() >= 3


@pytest.mark.parametrize("divisor", [0, 3, 12, 32, -2])
def test_groups_that_do_not_divide_the_widths_are_refused(divisor):
    with pytest.raises(ValueError, match="1, 2, 4, 8 or 16"):
        SlowFastNFNet(width_divisor=divisor)


def test_other_refusals():
    with pytest.raises(ValueError, match="groups of 3 channels do not divide a width of 8"):
        Block(4, 16, 8, 3, 3, (1, 1), 1.0, 0.0)
    with pytest.raises(ValueError, match="3 groups do not divide 4 and 6 channels"):
        ScaledConv(4, 6, groups=3)
    with pytest.raises(ValueError, match="fast_stem is"):
        SlowFastConfig(fast_stem="mule")
    with pytest.raises(ValueError, match="reduction is"):
        SlowFastConfig(reduction="mean")
    for size in ("sfnfnet-3", "sfnfnet-08", "nfnet", "sfnfnet-"):
        with pytest.raises(ValueError, match="8"):
            sfnfnet_config(size)
    with pytest.raises(ValueError, match=r"mel is .* got \[4, 80\]"):
        network()(torch.zeros(4, 80))


def wake(model, gain=1.0):
    """Give every block its say, which it begins without."""
    for path in (model.slow, model.fast):
        for block in path.blocks:
            block.skip_gain.data.fill_(gain)
    return model


@pytest.mark.parametrize("frames", [1, 2, 15, 16, 17, 75, 96])
@pytest.mark.parametrize("final_conv", [True, False])
def test_frames(frames, final_conv):
    model = wake(network(16, final_conv=final_conv)).eval()
    mel = noise(2, frames, 40)
    with torch.inference_mode():
        over_time, clip = model.frames(mel), model(mel)
    assert over_time.shape == (2, math.ceil(frames / 4), model.dim)
    sizes = [model.fast.dim, model.slow.dim]
    order = 1 if final_conv else -1
    fast, slow = over_time.split(sizes[::order], 2)[::order]
    of_fast, of_slow = clip.split(sizes[::order], 1)[::order]
    torch.testing.assert_close(fast.mean(1), of_fast)
    assert torch.equal(slow, slow[:, ::4].repeat_interleave(4, 1)[:, : slow.shape[1]])
    if frames % 16 == 0:
        torch.testing.assert_close(slow.mean(1), of_slow)


def test_stochastic_depth_is_of_a_clip_in_training_only_and_not_scaled_up():
    torch.manual_seed(0)
    block = Block(8, 8, 4, 2, 3, (1, 1), 1.0, drop_rate=0.25)
    block.skip_gain.data.fill_(1.0)
    x, drop = noise(4, 8, 5, 6), torch.tensor([0.0, 0.2, 0.25, 0.9])
    whole = block.eval()(x, drop)
    assert torch.equal(whole, block(x)) and not torch.equal(whole[0], x[0])
    trained = block.train()(x, drop)
    assert torch.equal(trained[:2], x[:2]) and torch.equal(trained[2:], whole[2:])


def test_a_training_step_is_a_function_of_its_numbers():
    model = wake(network(16)).train()
    mel, drop = noise(3, 32, 40), torch.rand(3, model.drops)
    first = model(mel, drop)
    assert model.drops == 24 and torch.equal(first, model(mel, drop))
    kept = model(mel, torch.ones(3, 24))
    assert torch.equal(kept, model.eval()(mel))
    model.train()
    for k in range(24):  # each number is one block's; the first of either path is never skipped
        one = torch.ones(3, 24)
        one[1, k] = 0
        changed = (model(mel, one) != kept).any(1).tolist()
        assert changed == [False, k not in (0, 12), False]
    torch.manual_seed(1)
    drawn = [model(mel) for _ in range(2)]
    assert not torch.equal(*drawn)


def test_the_blocks_are_silent_at_first():
    model = network(16).eval()
    x = noise(1, 24, 10, 20)
    for block in model.slow.blocks:
        if block.conv_shortcut is None:
            x = noise(1, block.conv0.weight.shape[1], 10, 20)
            assert torch.equal(block(x), x)


def test_a_block_keeps_the_variance_of_unit_noise():
    """Each alone, with its full say: a shortcut of 1 and a branch of ALPHA squared beside it.

    Where it pools two neighbours, the mean of two independent numbers has half their variance.
    """
    model = wake(network(4, fast_stem="release")).eval()
    with torch.inference_mode():
        for block in [*model.slow.blocks, *model.fast.blocks]:
            x = noise(4, block.conv0.weight.shape[1], 16, 16)
            out = block(x / block.beta)
            added = (out - block_without_its_branch(block, x / block.beta)).var() / 0.2**2
            assert 0.5 < added < 1.6, added
            shortcut = (out.var() - 0.04) * (block.beta**2 if block.conv_shortcut is None else 1)
            low, high = (0.35, 0.65) if block.stride != (1, 1) else (0.75, 1.3)
            assert low < shortcut < high, (block.stride, shortcut)


def block_without_its_branch(block, x):
    before = block.skip_gain.item()
    block.skip_gain.fill_(0)
    out = block(x)
    block.skip_gain.fill_(before)
    return out


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_variance_through_depth_at_initialisation(gain):
    """White noise in: 0.5 to 1.5 until something is pooled, and never under 0.03.

    Every stage's pool halves it, and a GELU passes less of what is small. Smooth input keeps less
    than noise: the band is of noise.
    """
    model = wake(network(4, fast_stem="release"), gain).eval()
    seen = taps(model)
    with torch.inference_mode():
        model(noise(4, 96, 80))
    for name in ("stem_slow", "stem_fast", "fused1", "stage1_slow", "stage1_fast"):
        assert 0.5 < seen[name].var() < 1.5, (name, seen[name].var())
    for name, stage in seen.items():
        assert 0.03 < stage.var() < 1.5, (name, stage.var())
    for path in ("slow", "fast"):
        falling = [seen[f"stage{i}_{path}"].var().item() for i in (1, 2, 3, 4)]
        for before, after in pairwise(falling):
            assert 0.2 < after / before < 0.8, falling


def test_bfloat16_is_finite_forward_and_backward():
    model = wake(network(8), 0.5).train()
    with torch.autocast("cpu", torch.bfloat16):
        out = model(noise(2, 96, 80))
        loss = out.square().mean()
    loss.backward()
    assert out.dtype == torch.float32 and out.isfinite().all()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        near = model.eval()(noise(2, 96, 80))
    with torch.inference_mode():
        whole = model(noise(2, 96, 80))
    assert F.cosine_similarity(near, whole).min() > 0.99


def test_overfits_32_clips():
    """Labels that nothing explains are learned by heart."""
    torch.manual_seed(0)
    model = SlowFastNFNet(16, final_conv=False)
    head = torch.nn.Linear(model.dim, 4)
    mel, label = noise(32, 16, 16), torch.randint(4, (32,))
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=5e-3)
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(head(model(mel)), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1 and losses[-1] < 0.05, losses
    assert (head(model.eval()(mel)).argmax(1) == label).all()


def test_no_mel_filter_lies_between_two_frequencies():
    for mels in (80, 128):
        assert (SlowFastLogMel(mels).filters.amax(0) > 0.3).all()
