"""Measures of pairs, clusters, neighbours and views: brute force, closed forms, known traps."""

import math

import numpy as np
import pytest
import torch
from test_rank import rows

from dasheng_lib.rank.clusters import kmeans_inertia, self_clustering, uniformity
from dasheng_lib.rank.dimension import two_nn
from dasheng_lib.rank.lidar import lidar


@pytest.mark.parametrize("N", [5, 40, 5000])
def test_self_clustering_is_that_of_all_pairs(N):
    Z = torch.from_numpy(rows(N, 8, mean=0.5))
    unit = Z / Z.norm(dim=1, keepdim=True)
    expected = N + N * (N - 1) / 8
    brute = ((unit @ unit.T).square().sum() - expected) / (N**2 - expected)
    assert self_clustering(Z) == pytest.approx(brute.item(), rel=1e-9)


def test_self_clustering_of_known_rows():
    assert self_clustering(torch.ones(9, 4)) == pytest.approx(1.0)
    assert self_clustering(torch.eye(9)) == pytest.approx(-1 / 8)  # they avoid each other
    at_random = torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))
    assert self_clustering(at_random) == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("N", [2, 40, 2100])
def test_uniformity_is_that_of_all_pairs(N):
    Z = torch.from_numpy(rows(N, 6))
    unit = Z / Z.norm(dim=1, keepdim=True)
    pairs = torch.pdist(unit).square().mul(-2).exp().mean().log()
    assert uniformity(Z) == pytest.approx(pairs.item(), rel=1e-5)


def test_uniformity_of_known_rows():
    assert uniformity(torch.ones(9, 4)) == pytest.approx(0.0, abs=1e-6)
    assert uniformity(torch.tensor([[1.0, 0], [-2, 0]])) == pytest.approx(-8.0)
    at_random = torch.randn(2000, 256, generator=torch.Generator().manual_seed(0))
    assert uniformity(at_random) == pytest.approx(-4.0, abs=0.05)


def test_kmeans_inertia_is_the_share_of_variance_within():
    rng = np.random.default_rng(0)
    centres = 50 * np.eye(16)[:5]
    Z = torch.from_numpy(np.repeat(centres, 100, axis=0) + rng.normal(size=(500, 16)))
    within = 16 / (16 + (50**2) * (1 - 1 / 5))
    assert kmeans_inertia(Z, clusters=5) == pytest.approx(within, rel=0.06)
    assert kmeans_inertia(Z, clusters=2) > 10 * within
    assert kmeans_inertia(Z.expand(2, 500, 16).reshape(-1, 16)[:, :1] * 0 + 3.3) == 0.0
    white = torch.randn(500, 16, generator=torch.Generator().manual_seed(0))
    assert 0.6 < kmeans_inertia(white, clusters=20) < 0.95
    assert kmeans_inertia(white) == kmeans_inertia(white, clusters=50)  # a tenth of the rows


@pytest.mark.parametrize("d", [1, 2, 5])
def test_two_nn_finds_the_dimension_of_a_cube(d):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(40, 40)))[0][:d]
    Z = torch.from_numpy(rng.random((2000, d)) @ Q + 100)
    assert two_nn(Z) == pytest.approx(d, rel=0.07)


def test_two_nn_of_a_curved_surface():
    rng = np.random.default_rng(0)
    sphere = torch.from_numpy(rng.normal(size=(1500, 4)))
    sphere = sphere / sphere.norm(dim=1, keepdim=True)
    assert two_nn(sphere) == pytest.approx(3, rel=0.07)


def test_duplicates_do_not_move_two_nn():
    """Left in, every row that is there twice has r1 = 0."""
    Z = torch.from_numpy(np.random.default_rng(0).random((900, 3)))
    plain = two_nn(Z)
    for again in (Z[:400], Z[:400] + 1e-9, Z, torch.cat([Z[:300], Z[:300]])):
        assert two_nn(torch.cat([Z, again])) == pytest.approx(plain, rel=1e-5)
        assert two_nn(torch.cat([again, Z]).flip(0)) == pytest.approx(plain, rel=1e-5)


def test_two_nn_by_hand():
    """Eleven points on a line whose gaps double: r2 / r1 is 1.5 but at the end, where it is 3."""
    Z = torch.tensor([2.0**i for i in range(11)], dtype=torch.float64)[:, None]
    ratios = np.array([3.0, 2.0, *[1.5] * 9])  # 1: 1 and 3; 2: 1 and 2; 4: 2 and 3
    x, y = np.sort(np.log(ratios))[:9], -np.log(1 - np.arange(1, 10) / 11)
    assert two_nn(Z) == pytest.approx((x * y).sum() / (x * x).sum(), rel=1e-9)


def test_two_nn_needs_ten_different_rows():
    Z = torch.from_numpy(rows(9, 3))
    assert math.isnan(two_nn(Z)) and math.isnan(two_nn(Z.repeat(5, 1)))
    assert math.isnan(two_nn(torch.ones(50, 3)))


def known_views(between, within, repeats=4):
    """Views with exactly these diagonal covariances, between clips and within them."""
    D = len(between)
    number = np.arange(2 * repeats * D)
    sign, axis = np.where(number // D % 2, 1.0, -1.0), number % D
    clips = np.zeros((len(number), D))
    clips[number, axis] = sign * np.sqrt(D * between[axis])
    apart = np.zeros_like(clips)
    apart[number, axis] = np.sqrt(D * within[axis])
    return clips[:, None] + np.stack([apart, -apart], 1) + 5.0


def test_lidar_of_known_covariances():
    rng = np.random.default_rng(0)
    between, within = rng.random(12) + 0.1, rng.random(12) + 0.1
    ratio = between / within
    p = ratio / ratio.sum()
    views = known_views(between, within)
    expected = np.exp(-(p * np.log(p)).sum())
    assert lidar(views, delta=0.0) == pytest.approx(expected, rel=1e-9)
    assert lidar(views) == pytest.approx(expected, rel=1e-3)
    Q = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    assert lidar(1e3 * views.astype(np.float32) @ Q) == pytest.approx(lidar(views), rel=1e-4)


def test_lidar_counts_the_directions_that_clips_differ_in():
    """Five of twelve directions differ equally between clips: 5, however views differ."""
    between = (np.arange(12) < 5) * 1.0
    assert lidar(known_views(between, np.full(12, 0.3))) == pytest.approx(5.0, rel=1e-6)


def test_lidar_of_many_batches_is_that_of_one(monkeypatch):
    views = np.random.default_rng(0).normal(size=(90, 3, 8)) + rows(90, 8)[:, None]
    whole = lidar(views)
    monkeypatch.setattr("dasheng_lib.rank.lidar.PART", 7)
    assert lidar(views) == pytest.approx(whole, rel=1e-10)


def test_lidar_of_noise_reads_as_full_rank():
    """A trap: clips that do not differ still differ by 1/q of their views."""
    noise = np.random.default_rng(0).normal(size=(4000, 4, 10))
    assert lidar(noise) > 9.9


def test_lidar_where_there_is_nothing_to_compare():
    clips = rows(30, 5)
    assert math.isnan(lidar(np.repeat(clips[:, None], 3, axis=1)))  # views are all alike
    assert lidar(np.repeat(rows(3, 5)[None], 30, axis=0)) == 0.0  # clips are
