"""Views: within their bounds, functions of their random numbers, and equal to slow ways."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional as F

from dasheng_lib.objectives.views import (
    beta_5_2,
    boxes,
    cropped,
    mixed,
    partners,
    power_mixed,
    resized,
)

ALMOST_ONE = 1 - 2.0**-24  # the largest that torch.rand gives


def rand(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_partners_are_others_and_all_of_them_alike():
    drawn = torch.cat([partners(2, 5, torch.Generator().manual_seed(s)) for s in range(400)], 1)
    assert not (drawn == torch.arange(5)[:, None]).any()
    counts = np.stack([np.bincount(row.long(), minlength=5) for row in drawn])
    assert counts.shape == (5, 5)
    assert stats.chisquare(counts[~np.eye(5, dtype=bool)]).pvalue > 0.01
    assert partners(2, 1, torch.Generator()).tolist() == [[0, 0]]
    assert partners(1, 2, torch.Generator()).tolist() == [[1], [0]]


def test_shares_are_of_beta_5_2():
    drawn = beta_5_2(rand(4000, 6)).numpy()
    assert stats.kstest(drawn, stats.beta(5, 2).cdf).pvalue > 0.05
    assert stats.kstest(drawn, stats.beta(5, 3).cdf).pvalue < 1e-6


def test_a_crop_is_a_piece_of_its_clip():
    mel = torch.arange(3 * 2 * 20.0).view(3, 2, 20)
    crop = cropped(mel, torch.tensor([0.0, 0.5, ALMOST_ONE]), 8)
    for row, start in enumerate((0, 6, 12)):
        assert torch.equal(crop[row], mel[row, :, start : start + 8])
    assert torch.equal(cropped(mel, rand(3), 20), mel)
    starts = cropped(torch.arange(20.0).expand(3000, 1, 20), rand(3000), 8)[:, 0, 0]
    assert stats.chisquare(np.bincount(starts.long(), minlength=13)).pvalue > 0.01


def test_mixing_in_decibels_and_in_power():
    one, other = -60 * rand(2, 4, 5), -60 * rand(2, 4, 5, seed=1)
    share = torch.tensor([1.0, 0.25])
    torch.testing.assert_close(mixed(one, other, share)[0], one[0])
    torch.testing.assert_close(mixed(one, other, share)[1], one[1] / 4 + other[1] * 3 / 4)
    found = power_mixed(one, other, share)
    torch.testing.assert_close(found[0], one[0], rtol=1e-4, atol=1e-3)
    power = 10 ** (one[1].double() / 10) / 4 + 10 ** (other[1].double() / 10) * 3 / 4
    torch.testing.assert_close(found[1].double(), 10 * power.log10(), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(power_mixed(one, one, share), one, rtol=1e-4, atol=1e-3)


def test_boxes_lie_on_the_canvas():
    extremes = torch.cartesian_prod(*[torch.tensor([0.0, ALMOST_ONE])] * 4)
    top, height, left, width = boxes(torch.cat([extremes, rand(2000, 4)]), 64, 100).unbind(1)
    eps = 1e-3
    assert (top >= 0).all() and (top + height <= 64 + eps).all()
    assert (left >= -25 - eps).all() and (left + width <= 125 + eps).all()
    assert (height >= 0.6 * 64 - eps).all() and (width >= 60 - eps).all()
    assert height.max() == 64 and width.max() == pytest.approx(150, abs=0.1)
    assert left.min() < -20 and left.max() > 60 and top.max() > 20
    # Five ninths of the heights are as high as the clip, and their top is 0.
    assert ((height == 64) & (top.abs() < eps)).float().mean() == pytest.approx(5 / 9, abs=0.03)


def test_views_of_full_height_differ_in_time_alone():
    chance = rand(200, 4)
    whole, usual = boxes(chance, 64, 100, least_height=1.0), boxes(chance, 64, 100)
    assert torch.equal(whole[:, :2], torch.tensor([0.0, 64.0]).expand(200, 2))
    assert torch.equal(whole[:, 2:], usual[:, 2:])


def test_resizing_is_torch_s_own_where_the_edges_of_the_box_are_far():
    """A padded canvas, cut and interpolated: rows and columns near the cut see less there."""
    mel = torch.randn(1, 16, 40, generator=torch.Generator().manual_seed(0)) * 10 - 30
    canvas = F.pad(mel, (10, 10), value=float(mel.mean()))
    for top, height, left, width in ((0, 16, -10, 60), (2, 12, -6, 30), (0, 16, 3, 45)):
        box = torch.tensor([[top, height, left, width]], dtype=torch.float32)
        part = canvas[:, top : top + height, left + 10 : left + 10 + width]
        expected = F.interpolate(part[None], (16, 40), mode="bicubic", align_corners=False)[0]
        found = resized(mel, box)
        assert found.shape == mel.shape
        torch.testing.assert_close(
            found[:, 3:-3, 3:-3], expected[:, 3:-3, 3:-3], rtol=1e-4, atol=1e-3
        )
    whole = torch.tensor([[0.0, 16.0, 0.0, 40.0]])
    torch.testing.assert_close(resized(mel, whole), mel, rtol=1e-4, atol=1e-3)
    away = torch.tensor([[0.0, 16.0, 44.0, 10.0]])  # beyond the clip there is its mean
    torch.testing.assert_close(resized(mel, away), mel.mean().expand_as(mel), rtol=1e-4, atol=1e-3)
