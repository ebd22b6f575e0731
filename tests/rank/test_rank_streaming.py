"""The sums behind RankMe: halves, shards, processes, collapse, and what the correction is."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from smoke_book import ROOT
from test_rank import by_svd, rows

from dasheng_lib.rank import effective as rank
from dasheng_lib.rank import moments
from dasheng_lib.rank.effective import RankMe, in_first_half, rankme
from dasheng_lib.rank.moments import Moments, moments_of


def numbers(ranks):
    return [
        *(f(centred) for f in (ranks.compute, ranks.corrected) for centred in (False, True)),
        ranks.mean_ratio(),
    ]


@settings(deadline=None, max_examples=15)
@given(st.data())
def test_batches_and_shards_in_any_order_give_the_same_numbers(data):
    Z = rows(400, 12, seed=data.draw(st.integers(0, 9)), mean=2.0).astype(np.float32)
    whole = numbers(RankMe(12).update(Z))
    order = data.draw(st.permutations(range(6)))
    cuts = sorted(data.draw(st.lists(st.integers(0, 400), min_size=5, max_size=5)))
    shards = np.array_split(Z, cuts)
    merged = RankMe(12)
    for number in order:
        shard = RankMe(12)
        for batch in np.array_split(shards[number][::-1].copy(), 2):
            shard.update(batch)
        merged.merge(shard)
    assert merged.count == 400
    assert numbers(merged) == pytest.approx(whole, rel=1e-10)


def test_two_processes_give_the_numbers_of_one(tmp_path):
    Z = rows(900, 16, mean=3.0).astype(np.float32)
    np.save(tmp_path / "rows.npy", Z)
    done = subprocess.run(
        [sys.executable, "tests/support/rank_processes.py", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    alone = numbers(RankMe(16).update(Z))
    for said, mine in ((first, (300, 900)), (second, (600, 0))):
        assert [line[-1] for line in said] == list(mine)  # its own rows stay its own
        for line in said:
            assert line[0] == 900
            assert line[1:-1] == pytest.approx(alone, rel=1e-10)


def test_alone_all_reduce_gives_one_of_its_own():
    ranks = RankMe(12).update(rows(100, 12))
    whole = ranks.all_reduce()
    assert numbers(whole) == pytest.approx(numbers(ranks), rel=1e-12)
    whole.update(rows(50, 12, seed=1))
    assert (ranks.count, whole.count) == (100, 150)


@pytest.mark.parametrize(
    "Z",
    [
        np.random.default_rng(0).normal(size=(4000, 5)),
        np.eye(2000),
        np.random.default_rng(0).integers(0, 9, (4000, 30)),
        np.random.default_rng(0).normal(size=(4000, 200)).clip(0),
        np.arange(4000.0)[:, None],
    ],
)
def test_rows_are_halved_by_their_own_numbers(Z):
    first = in_first_half(torch.from_numpy(Z).float())
    assert first.double().mean().item() == pytest.approx(0.5, abs=0.04)
    order = np.random.default_rng(1).permutation(len(Z))
    assert (in_first_half(torch.from_numpy(Z[order]).double()) == first[order]).all()


def test_halves_are_like_random_ones():
    """Means of the halves of rows on a line differ no more than chance allows."""
    Z = np.random.default_rng(0).normal(size=(10_000, 3))
    first = in_first_half(torch.from_numpy(Z)).numpy()
    assert np.abs(Z[first].mean(0) - Z[~first].mean(0)).max() < 4 * 2 / 100


def test_corrected_is_richardson():
    Z = rows(600, 24)
    first = in_first_half(torch.from_numpy(Z)).numpy()
    n, m = first.sum(), (~first).sum()
    k = 600 * (1 / n + 1 / m) / 2
    halves = (by_svd(Z[first]) + by_svd(Z[~first])) / 2
    expected = (k * by_svd(Z) - halves) / (k - 1)
    assert RankMe(24).update(Z).corrected() == pytest.approx(expected, rel=1e-6)
    assert expected == pytest.approx(2 * by_svd(Z) - halves, rel=2e-3)  # for halves near equal


def test_unequal_halves_are_weighed(monkeypatch):
    """One half of a tenth: 2 R(N) - mean R(N / 2) would read 1.5 % high."""
    monkeypatch.setattr(rank, "in_first_half", lambda Z: torch.arange(len(Z)) % 10 == 0)
    rng, s = np.random.default_rng(0), np.arange(1, 49) ** -0.5
    p = s / s.sum()
    population = np.exp(-(p * np.log(p)).sum())
    found = [RankMe(48).update(rng.normal(size=(4000, 48)) * s).corrected() for _ in range(5)]
    assert np.mean(found) == pytest.approx(population, rel=2e-3)


def test_where_there_is_nothing_to_halve_nothing_is_corrected():
    assert RankMe(8).update(np.ones((50, 8))).corrected() == pytest.approx(1.0)
    assert RankMe(8).update(rows(1, 8)).corrected() == pytest.approx(1.0)
    assert RankMe(8).update(rows(10, 8)).corrected() <= 8


def test_the_half_of_a_row_is_the_sign_of_its_checksum_modulo_2_to_the_32():
    Z = np.random.default_rng(0).standard_normal((300, 7)).astype(np.float32)
    weight = [(odd * 0x9E3779B1) % 2**32 for odd in range(1, 14, 2)]
    words = Z.view(np.uint32).tolist()
    sums = [sum(w * bits for w, bits in zip(weight, row, strict=True)) % 2**32 for row in words]
    expected = [total >= 2**31 for total in sums]
    assert in_first_half(torch.from_numpy(Z)).tolist() == expected


def test_batches_whose_means_are_far_apart_add_up():
    rng = np.random.default_rng(1)
    parts = [at + rng.standard_normal((n, 5)) for n, at in ((700, 1e3), (300, -1e3), (11, 0.0))]
    moments = Moments(5)
    for part in parts:
        moments.add(torch.from_numpy(part.copy()))
    whole = np.concatenate(parts)
    np.testing.assert_allclose(moments.mean_D, whole.mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.scatter_DD, np.cov(whole.T, ddof=0) * 1011, rtol=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 512, 5000])
def test_small_batches_take_no_more_products_than_one_piece(monkeypatch, batch):
    taken = []
    one = moments._products
    monkeypatch.setattr(moments, "_products", lambda rows: taken.append(len(rows)) or one(rows))
    Z = torch.from_numpy(rows(9000, 6))
    ranks = RankMe(6)
    for part in Z.split(batch):
        ranks.update(part)
    assert ranks.count == 9000
    found = numbers(ranks)
    assert len(taken) <= 9000 // moments.GATHERED + 2
    assert found == numbers(RankMe(6).update(Z)), "to the last digit"


def test_rows_with_a_value_that_is_not_finite_are_not_added():
    Z = rows(3000, 6)
    ranks = RankMe(6).update(Z)
    bad = Z.copy()
    bad[-1, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        ranks.update(bad)
    assert ranks.count == 3000
    assert numbers(ranks) == numbers(RankMe(6).update(Z))


def test_memory_does_not_grow_with_rows():
    ranks = RankMe(6)
    for seed in range(3):
        ranks.update(rows(5000, 6, seed))
        held = [v.numel() for h in ranks.halves for v in vars(h).values() if torch.is_tensor(v)]
        assert sum(held) == 2 * (6 + 36)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_type_counts_at_its_own_value(dtype):
    Z = torch.from_numpy(rows(300, 10)).to(dtype)
    kept = Z.clone()
    assert numbers(RankMe(10).update(Z)) == numbers(RankMe(10).update(Z.double()))
    assert torch.equal(Z, kept)  # a copy was centred, not the caller's rows


@pytest.mark.parametrize("mean", [1.0, 1e4, 1e6])
def test_a_far_mean_takes_no_digits_from_the_centred_rank(mean):
    """Sums about zero would keep five digits up to ten thousand deviations, and then fewer."""
    Z = rows(800, 20)
    far = Z + mean * np.ones(20)
    assert rankme(far, centred=True) == pytest.approx(by_svd(Z, centred=True), rel=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e5])
def test_collapse_onto_one_vector_has_no_centred_rank(size, dtype):
    """Means of float64 rows are rounded, and what is left of the rows must not count."""
    vector = (size * np.random.default_rng(0).normal(size=40)).astype(dtype)
    ranks = RankMe(40)
    for n in (1, 700, 5000):
        ranks.update(np.tile(vector, (n, 1)))
    assert ranks.compute() == pytest.approx(1.0)
    assert ranks.compute(centred=True) == 0.0
    assert ranks.mean_ratio() == float("inf")


def test_mean_ratio_is_the_mean_over_the_spread():
    Z = np.array([[3.0, 1.0], [3.0, -1.0]])
    assert RankMe(2).update(Z).mean_ratio() == pytest.approx(3.0)
    assert np.isnan(RankMe(2).update(0 * Z).mean_ratio())
    assert RankMe(2).update(Z - [3, 0]).mean_ratio() == 0.0


def test_per_dimension():
    assert RankMe(16).update(np.eye(16)[:4]).per_dimension() == pytest.approx(4 / 16)
    assert RankMe(16).update(np.eye(16)).per_dimension(centred=True) == pytest.approx(15 / 16)


@pytest.mark.parametrize(("N", "D"), [(5, 12), (12, 5), (8, 8)])
def test_bounds(N, D):
    """min(N, D), and min(N - 1, D) when centred: white rows reach both."""
    white = np.eye(max(N, D))[:N, :D] if N <= D else np.linalg.qr(rows(N, D))[0]
    assert rankme(white) == pytest.approx(min(N, D))
    Z = rows(N, D, power=0.0)
    assert rankme(Z) <= min(N, D)
    assert rankme(Z, centred=True) <= min(N - 1, D) + 1e-9
    if N <= D:  # a simplex
        assert rankme(white, centred=True) == pytest.approx(N - 1)


def test_moments_are_those_of_the_rows():
    Z = torch.from_numpy(rows(9000, 7, mean=5.0))
    moments = moments_of(Z)
    torch.testing.assert_close(moments.mean_D, Z.mean(0))
    torch.testing.assert_close(moments.scatter_DD, torch.cov(Z.T, correction=0) * 9000)
    torch.testing.assert_close(moments.gram_DD(), Z.T @ Z)
    assert moments.rms() == pytest.approx(Z.square().sum(1).mean().sqrt().item())
    assert Moments(7).spread() == 0.0


def test_rows_that_are_not_finite_are_not_added():
    ranks = RankMe(2).update(np.eye(2))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            ranks.update(np.array([[1.0, bad]]))
    assert ranks.count == 2
