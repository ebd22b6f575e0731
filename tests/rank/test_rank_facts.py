"""Numbers that the estimator is known for, computed again: bias, centring, precision, epsilon.

Rows are normal with variances j^-a. Where only the spectrum counts they are not drawn: a
triangular root of a Wishart matrix (Bartlett) has the singular values of as many rows as asked.
"""

import numpy as np
import pytest
import torch

from dasheng_lib.rank import RankMe, effective_rank, rankme
from dasheng_lib.rank.measures import measure


def deviations(D, a):
    return np.arange(1, D + 1) ** (-a / 2)


def entropy_rank(values, epsilon=0.0):
    p = values / values.sum() + epsilon
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def sampled(N, s, rng, repeats=1):
    """Mean RankMe of N normal rows with deviations s."""
    D, found = len(s), []
    for _ in range(repeats):
        if N < D:
            root = rng.normal(size=(N, D))
        else:
            root = np.triu(rng.normal(size=(D, D)), 1)
            root[np.diag_indices(D)] = np.sqrt(rng.chisquare(N - np.arange(D)))
        found.append(rankme(root * s))
    return np.mean(found)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("D", [96, 192, 384])
@pytest.mark.parametrize("a", [0.5, 1.0, 1.5, 2.0])
def test_the_bias_hangs_on_rows_over_dimensions_alone(D, a, rng):
    s = deviations(D, a)
    ratio = {r: sampled(int(r * D), s, rng, 1536 // D) / entropy_rank(s) for r in (0.5, 1, 2, 5)}
    assert 0.46 < ratio[0.5] < 0.61
    assert ratio[1] == pytest.approx(0.80, abs=0.03)
    assert ratio[2] == pytest.approx(0.92, abs=0.02)
    assert ratio[5] == pytest.approx(0.97, abs=0.01)


@pytest.mark.parametrize("a", [0.5, 1.0, 1.5])
def test_the_bias_fades_as_one_over_rows(a, rng):
    s = deviations(192, a)
    for r, expected, within in ((10, 0.985, 4e-3), (33, 0.996, 2e-3), (100, 0.999, 1e-3)):
        ratio = sampled(192 * r, s, rng, 12) / entropy_rank(s)
        assert ratio == pytest.approx(expected, abs=within)
        assert 1 - ratio == pytest.approx(0.14 / r, rel=0.5)


def test_at_the_published_width(rng):
    """25,600 rows of width 768: 605 of 608."""
    s = deviations(768, 1.0)
    assert sampled(25_600, s, rng) == pytest.approx(605.7, abs=1.5)
    assert entropy_rank(s) == pytest.approx(607.9, abs=0.05)


def test_steep_spectra_are_less_biased(rng):
    s = deviations(192, 3.0)
    for r, low, high in ((0.5, 0.75, 0.87), (1, 0.88, 0.95)):
        assert low < sampled(int(r * 192), s, rng, 40) / entropy_rank(s) < high


@pytest.mark.parametrize(
    ("N", "narrow", "wide"), [(1000, 0.99, 0.79), (5000, 0.998, 0.969), (20_000, 0.999, 0.993)]
)
def test_a_fixed_number_of_rows_bends_the_width_axis(N, narrow, wide, rng):
    for D, expected, repeats in ((96, narrow, 20), (1024, wide, 1)):
        s = deviations(D, 1.0)
        ratio = sampled(N, s, rng, repeats) / entropy_rank(s)
        assert ratio == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("a", [0.5, 1.0])
@pytest.mark.parametrize(
    ("r", "plain", "within"), [(2, -0.08, 0.05), (4, -0.036, 7.5e-3), (8, -0.017, 3e-3)]
)
def test_corrections(a, r, plain, within, rng):
    """Errors: plain, divided by 1 - 0.14 D / N, and from halves, which reads high at 2 D."""
    D = 128
    s, N = deviations(D, a), r * D
    ranks = [RankMe(D).update(rng.normal(size=(N, D)) * s) for _ in range(12)]
    error = np.mean([x.compute() for x in ranks]) / entropy_rank(s) - 1
    assert error == pytest.approx(plain, abs=5e-3)
    assert abs((1 + error) / (1 - 0.14 / r) - 1) < max(within, 7e-3 if r < 8 else 2e-3)
    for centred in (False, True):
        corrected = np.mean([x.corrected(centred) for x in ranks]) / entropy_rank(s) - 1
        assert abs(corrected) < within
        if r == 2:
            assert corrected > 0.02


@pytest.mark.parametrize(("N", "most"), [(1000, 4e-3), (16_000, 1e-3)])
def test_sampling_noise_is_small_beside_the_bias(N, most, rng):
    s = deviations(384, 1.0)
    found = [sampled(N, s, rng) for _ in range(6)]
    assert np.std(found) / np.mean(found) < most


def test_frames_of_few_clips_are_not_many_rows(rng):
    """Frames of 125 clips show nearly all of the rank of frames, and six sevenths of clips'."""
    D, C, T = 96, 125, 50
    between, within = deviations(D, 2.0), 0.6 * deviations(D, 0.5)
    of_frames = entropy_rank(np.sqrt(between**2 + within**2))
    of_clips = entropy_rank(np.sqrt(between**2 + within**2 / T))
    frames, clips = [], []
    for _ in range(4):
        Z = rng.normal(size=(C, 1, D)) * between + rng.normal(size=(C, T, D)) * within
        frames.append(rankme(Z.reshape(-1, D)))
        clips.append(rankme(Z.mean(1)))
    assert np.mean(frames) / of_frames > 0.97
    assert 0.8 < np.mean(clips) / of_clips < 0.9
    assert of_clips < 0.75 * of_frames  # and the two are different quantities


def test_a_mean_lowers_the_uncentred_rank(rng):
    """D = 768, 10,000 rows: 602, and 591, 537, 384, 134 with means of 0.3 to 10 deviations."""
    D, N, s = 768, 10_000, deviations(768, 1.0)
    root = np.triu(rng.normal(size=(D, D)), 1)
    root[np.diag_indices(D)] = np.sqrt(rng.chisquare(N - 1 - np.arange(D)))
    scatter = root * s  # about the mean row, which is independent of it
    direction = rng.normal(size=D)
    direction *= np.linalg.norm(s) / np.linalg.norm(direction)
    assert rankme(scatter) == pytest.approx(602, rel=3e-3)
    for ratio, expected in ((0.3, 591), (1, 537), (3, 384), (10, 134)):
        mean = ratio * direction + rng.normal(size=D) * s / N**0.5
        found = rankme(np.vstack([scatter, N**0.5 * mean]))
        assert found == pytest.approx(expected, rel=5e-3)


@pytest.fixture(scope="module")
def turned():
    """Orthonormal columns [1600, 768] and a rotation [768, 768]."""
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.normal(size=(n, 768)))[0] for n in (1600, 768))
    return U, V


@pytest.mark.parametrize(
    ("b", "right", "float32"), [(2, 5.08, 5.39), (3, 1.97, 2.29), (4, 1.40, 1.66)]
)
def test_a_float32_gram_inflates_steep_spectra(b, right, float32, turned):
    U, V = turned
    s = np.arange(1, 769.0) ** -b
    Z = torch.from_numpy(((U * s) @ V.T).astype(np.float32))
    gram = torch.linalg.eigvalsh(Z.T @ Z).clamp_min(0).sqrt()
    assert effective_rank(gram.double()) == pytest.approx(float32, rel=0.03)
    assert entropy_rank(s) == pytest.approx(right, abs=5e-3)
    assert rankme(Z) == pytest.approx(entropy_rank(s), rel=1e-4)


def test_float32_rows_in_a_float64_gram_agree_with_a_float32_svd(turned):
    U, V = turned
    Z = torch.from_numpy(((U * deviations(768, 2.0)) @ V.T).astype(np.float32))
    assert rankme(Z) == pytest.approx(effective_rank(torch.linalg.svdvals(Z).double()), rel=1e-5)


def test_rows_kept_in_bfloat16_inflate_steep_spectra(turned):
    """Variances j^-4: 5.06 from normal rows; 5.96 in bfloat16, 5.13 in float16."""
    U, V = turned
    Z = torch.from_numpy((np.sqrt(len(U)) * U * np.arange(1, 769.0) ** -2) @ V.T)
    assert rankme(Z) == pytest.approx(5.08, abs=5e-3)
    assert rankme(Z.bfloat16()) == pytest.approx(5.96, rel=0.02)
    assert rankme(Z.half()) == pytest.approx(5.14, rel=5e-3)


@pytest.mark.parametrize(
    ("epsilon", "D", "low", "high"),
    [
        (1e-7, 2048, 0.0, 0.003),
        (1e-6, 2048, 0.013, 0.03),
        (1e-5, 768, 0.044, 0.09),
        (1e-5, 2048, 0.145, 0.26),
    ],
)
def test_an_epsilon_fakes_rank_and_more_of_it_in_wide_models(epsilon, D, low, high):
    added = [
        entropy_rank(deviations(D, a), epsilon) / entropy_rank(deviations(D, a)) - 1
        for a in (0.5, 1, 2, 3, 4)
    ]
    assert low < min(added) < max(added) < high


@pytest.mark.parametrize(
    ("a", "expected"), [(1.0, (608, 152, 31.7, 7.2)), (2.0, (152, 5.1, 2.5, 1.6))]
)
def test_what_is_called_effective_rank(a, expected):
    """One spectrum, four conventions: RankMe, of variances, participation ratio, NESum."""
    s = deviations(768, a)
    Z = np.vstack([np.diag(s), -np.diag(s)])
    names = ["rankme", "variance_rank", "participation_ratio", "nesum"]
    found = measure(Z, names)
    assert list(found.values()) == pytest.approx(expected, rel=0.03)
    assert found["rankme"] == pytest.approx(entropy_rank(s), rel=1e-6)
