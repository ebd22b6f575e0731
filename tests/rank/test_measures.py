"""RankMe's rivals against closed forms, brute force, reference values and known traps."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rank import rows

from dasheng_lib.rank import rankme
from dasheng_lib.rank.lidar import lidar
from dasheng_lib.rank.measures import MEASURES, measure
from dasheng_lib.rank.spectra import (
    alpha_req,
    participation_ratio,
    stable_rank,
    unbiased_participation_ratio,
    variance_rank,
)

REFERENCES = (Path(__file__).parents[2] / "book" / "references.bib").read_text()
SPECTRAL = ["rankme", "rankme_centred", "variance_rank", "participation_ratio", "nesum"]
SPECTRAL += ["stable_rank"]
DRAWS = {"kmeans_inertia"}  # whose start hangs on the order of the rows


def test_every_card_is_filled_in():
    for name, card in MEASURES.items():
        assert card.name == name and card.name.isidentifier()
        assert card.better in ("higher", "lower", "near 1", "neither")
        for text in (card.title, card.formula, card.source, card.range, card.traps):
            assert len(text) > 3
        assert card.formula.count("{") == card.formula.count("}")
        assert all(f"{{{key}," in REFERENCES for key in card.cites), "what is cited can be found"
        assert card.cites or not any(mark in card.source for mark in ("19", "20")), name
    assert [card.name for card in MEASURES.values() if card.needs_views] == ["lidar"]


@pytest.mark.parametrize("D", [1, 7, 32])
def test_equal_variances_give_the_width(D):
    Z = np.vstack([np.eye(D), -np.eye(D)]) * 3
    assert list(measure(Z, SPECTRAL).values()) == pytest.approx([D] * 6, rel=1e-6)


def test_one_direction_gives_one():
    Z = np.outer(np.linspace(-1, 1, 60), np.arange(1, 9))
    assert list(measure(Z, SPECTRAL).values()) == pytest.approx([1.0] * 6, rel=1e-6)


@pytest.fixture(scope="module")
def drawn():
    Z = rows(600, 24, mean=0.7)
    views = Z[:200, None] + 0.2 * np.random.default_rng(1).normal(size=(200, 5, 24))
    return Z, views, measure(Z, views_NqD=views)


def test_neither_scale_nor_rotation_nor_order_matters(drawn):
    Z, views, plain = drawn
    rng = np.random.default_rng(2)
    Q = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    order = rng.permutation(600)
    halved = {name for name in plain if name.endswith("corrected")}
    turned = measure(Z @ Q, views_NqD=views @ Q)
    # Every dimension has its own scale taken out, so this one alone knows which they are.
    assert turned.pop("rankme_standardised") != pytest.approx(
        plain["rankme_standardised"], rel=1e-3
    )
    for found, but in (
        (measure(1e3 * Z, views_NqD=1e3 * views), halved),
        (turned, halved),
        (measure(Z[order], views_NqD=views[::-1].copy()), DRAWS),
    ):
        for name, value in ((name, plain[name]) for name in found):
            # Other numbers make other halves.
            assert found[name] == pytest.approx(value, rel=0.05 if name in but else 1e-4), name


def test_standardised_rank_is_that_of_standardised_rows(drawn):
    Z = drawn[0] * np.geomspace(1, 1e4, 24) + 5.0
    standard = (Z - Z.mean(0)) / Z.std(0)
    told = measure(Z, ["rankme_standardised", "rankme_centred"])
    assert told["rankme_standardised"] == pytest.approx(rankme(standard), rel=1e-6)
    assert told["rankme_centred"] < 0.5 * told["rankme_standardised"]
    constant = np.hstack([Z, np.full((600, 3), 2.0)])
    assert measure(constant, ["rankme_standardised"]) == pytest.approx(
        measure(Z, ["rankme_standardised"])
    )


def test_one_seed_gives_the_same_numbers_twice(drawn):
    Z, views, plain = drawn
    assert measure(Z, views_NqD=views) == plain
    other = measure(Z, views_NqD=views, seed=1)
    assert {name for name in plain if other[name] != plain[name]} == DRAWS


@settings(deadline=None, max_examples=40)
@given(
    N=st.integers(1, 40),
    D=st.integers(1, 24),
    kind=st.sampled_from(["rows", "zero", "equal", "two values", "one zero row"]),
    dtype=st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]),
)
def test_any_rows_have_a_number_or_nan_for_every_name(N, D, kind, dtype):
    Z = rows(N, D)
    Z = {
        "rows": Z,
        "zero": 0 * Z,
        "equal": 0 * Z + Z[:1],
        "two values": Z[np.arange(N) % 2 % N],
        "one zero row": Z * (np.arange(N) > 0)[:, None],
    }[kind]
    found = measure(torch.from_numpy(Z).to(dtype))
    assert list(found) == list(MEASURES)
    assert all(isinstance(value, float) for value in found.values())
    for name in SPECTRAL:
        assert 0 <= found[name] <= min(N, D) + 1e-6
    for name in ("rankme_corrected", "rankme_centred_corrected"):
        assert found[name] <= D + 1e-9
    if kind == "equal":
        assert found["rankme"] == pytest.approx(1.0)
        assert found["rankme_centred"] == found["variance_rank"] == found["nesum"] == 0.0
        assert found["mean_ratio"] == math.inf
        assert N == 1 or found["uniformity"] == pytest.approx(0.0, abs=1e-5)


def test_what_is_missing_is_said():
    Z = rows(50, 4)
    assert math.isnan(measure(Z)["lidar"])
    with pytest.raises(ValueError, match="views_NqD"):
        measure(Z, ["lidar"])
    with pytest.raises(ValueError, match="no measure 'rank': choose among rankme"):
        measure(Z, ["rank"])
    with pytest.raises(ValueError, match="finite"):
        measure(np.array([[1.0, np.nan]]))
    for shape in ((0, 3), (3,)):
        with pytest.raises(ValueError, match="matrix"):
            measure(np.ones(shape))
    for shape in ((4, 3), (4, 1, 3), (1, 4, 3)):
        with pytest.raises(ValueError, match="two views"):
            lidar(np.ones(shape))


def test_only_the_asked_is_given_in_that_order():
    assert list(measure(rows(50, 4), ["nesum", "rankme"])) == ["nesum", "rankme"]


def wave_rows(N, D):
    """Rows of sines, whose reference values were computed once with `dimensionality` 0.1.4."""
    i, j = np.arange(N)[:, None] + 1.0, np.arange(D)[None] + 1.0
    power = 0.2 if N < D + 10 and D < 10 else 0.5
    return np.sin(i * j**1.3 + 0.7 * i) * j**-power + 0.4 / j


@pytest.mark.parametrize(
    ("N", "D", "naive", "row"),
    [
        (12, 9, 5.09053141714972, 9.084318986714614),
        (40, 30, 8.304914390714263, 10.4018078792898),
        (200, 60, 13.163878610603213, 14.05758702846235),
    ],
)
def test_participation_ratio_equals_its_authors(N, D, naive, row):
    found = measure(wave_rows(N, D), ["participation_ratio", "participation_ratio_unbiased"])
    assert list(found.values()) == pytest.approx([naive, row], rel=1e-10)


def test_participation_ratio_reads_low_by_one_over_rows_and_is_mended():
    """E[1/PR] is about 1/PR + 1/N where all columns are there."""
    rng, s = np.random.default_rng(0), np.arange(1, 65) ** -0.25
    right = participation_ratio(s**2)
    for N in (20, 60):
        names = ["participation_ratio", "participation_ratio_unbiased"]
        found = [list(measure(rng.normal(size=(N, 64)) * s + 1, names).values()) for _ in range(99)]
        plain, mended = np.mean(1 / np.array(found), axis=0)
        assert plain == pytest.approx(1 / right + 1 / N, rel=0.06)
        assert mended == pytest.approx(1 / right, rel=0.03)


def test_too_few_rows_have_no_unbiased_ratio():
    assert math.isnan(unbiased_participation_ratio(np.ones(5), 3, 1.0))
    assert unbiased_participation_ratio(np.zeros(5), 9, 0.0) == 0.0


@pytest.mark.parametrize("a", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("D", [15, 64, 192])
def test_alpha_of_a_power_law_is_its_exponent(a, D):
    assert alpha_req(7 * np.arange(1.0, D + 1) ** -a) == pytest.approx(a, rel=1e-9)


def test_alpha_hangs_on_the_range_and_equals_the_reference():
    j = np.arange(1, 193.0)
    bent = 1 / (j**0.5 + (j / 20) ** 2)
    assert alpha_req(bent) == pytest.approx(1.0043138606, rel=1e-7)  # reptrix 0.1.0, 10 .. 99
    assert alpha_req(bent, 1, 20) < 0.8 < 1.5 < alpha_req(bent, 50, 192)


def test_alpha_needs_variances_to_fit():
    assert math.isnan(alpha_req(np.ones(14)))
    assert math.isnan(alpha_req(np.append(np.ones(12), np.zeros(100))))
    assert alpha_req(np.append(np.arange(1.0, 31) ** -2, np.zeros(70))) == pytest.approx(2.0)


def test_spectra_of_two_values():
    """Variances 3 and 1, by hand."""
    two = np.array([3.0, 1.0])
    assert participation_ratio(two) == pytest.approx(16 / 10)
    assert stable_rank(two) == pytest.approx(4 / 3)
    assert variance_rank(two) == pytest.approx(4 / 3**0.75)
    assert stable_rank(0 * two) == participation_ratio(0 * two) == variance_rank(0 * two) == 0.0


def test_a_large_mean_is_all_that_the_uncentred_see():
    Z = rows(500, 16, power=0.2)
    near = measure(Z + 30, ["stable_rank", "rankme", "self_clustering", "uniformity"])
    assert near["stable_rank"] < 1.02 and near["rankme"] < 3
    assert near["self_clustering"] > 0.97 and near["uniformity"] > -0.1
    names = ["nesum", "variance_rank", "alpha_req", "kmeans_inertia", "two_nn"]
    for far, plain in zip(measure(Z + 30, names).values(), measure(Z, names).values(), strict=True):
        assert far == pytest.approx(plain, rel=1e-5)
