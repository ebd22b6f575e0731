"""Interventions: each has a closed form that it must meet, and moves what it is meant to."""

import numpy as np
import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.probes import classifier
from dasheng_lib.knn import knn_predict
from dasheng_lib.rank import rankme
from dasheng_lib.rank.interventions import KINDS, UNSEEN_BY_LINEAR, fit, kind

N, D = 600, 12
NAMES = ["as is", "centre", "standardise", "scale:1.5", "rotate", "flatten:0.5", "whiten"]
NAMES += ["sharpen", "drop:3", "keep:4"]


@pytest.fixture(scope="module")
def Z_ND():
    """Rows with a mean, a falling spectrum and no column along a component."""
    rng = np.random.default_rng(3)
    mix_DD = np.linalg.qr(rng.standard_normal((D, D)))[0]
    rows_ND = rng.standard_normal((N, D)) * 0.7 ** np.arange(D) @ mix_DD
    return (rows_ND + 2 * rng.standard_normal(D)).astype(np.float32)


def moved(name, Z_ND, seed=0):
    return fit(name, Z_ND, seed)(Z_ND).astype(np.float64)


def deviations(Z_ND):
    """Of the principal components, by an SVD, the largest first."""
    centred = Z_ND - Z_ND.mean(0, dtype=np.float64)
    return np.linalg.svd(centred, compute_uv=False) / np.sqrt(len(Z_ND))


def test_centring_and_standardising_are_what_they_are_called(Z_ND):
    assert np.abs(moved("centre", Z_ND).mean(0)).max() < 1e-6
    standard_ND = moved("standardise", Z_ND)
    assert np.abs(standard_ND.mean(0)).max() < 1e-6
    np.testing.assert_allclose(standard_ND.std(0), 1, rtol=1e-6)


def test_a_constant_column_survives_standardising(Z_ND):
    flat_ND = np.column_stack([Z_ND, np.full(N, 7, np.float32)])
    standard_ND = moved("standardise", flat_ND)
    assert np.isfinite(standard_ND).all()
    assert np.abs(standard_ND[:, -1]).max() < 1e-6


def test_whitening_gives_the_identity_as_covariance_and_full_rank(Z_ND):
    white_ND = moved("whiten", Z_ND)
    np.testing.assert_allclose(white_ND.T @ white_ND / N, np.eye(D), atol=1e-5)
    assert rankme(white_ND) == pytest.approx(D, rel=1e-5)


@pytest.mark.parametrize(("name", "power"), [("flatten:0.5", 0.5), ("sharpen", -1), ("whiten", 1)])
def test_flattening_raises_the_deviations_to_one_less_the_power(Z_ND, name, power):
    want = np.sort(deviations(Z_ND) ** (1 - power))[::-1]
    np.testing.assert_allclose(deviations(moved(name, Z_ND)), want, rtol=1e-4)


def test_flattening_turns_no_direction(Z_ND):
    np.testing.assert_allclose(moved("flatten:0", Z_ND), moved("centre", Z_ND), atol=1e-5)
    for name in ("flatten:0.5", "whiten", "sharpen"):
        matrix_DD = fit(name, Z_ND).matrix_DD
        np.testing.assert_allclose(matrix_DD, matrix_DD.T, atol=1e-9, err_msg=name)
        assert np.linalg.eigvalsh(matrix_DD).min() > 0, name


def test_dropped_and_kept_components_make_up_the_whole(Z_ND):
    whole = deviations(Z_ND)
    dropped_ND, kept_ND = moved("drop:4", Z_ND), moved("keep:4", Z_ND)
    np.testing.assert_allclose(deviations(dropped_ND)[:-4], whole[4:], rtol=1e-4)
    np.testing.assert_allclose(deviations(kept_ND)[:4], whole[:4], rtol=1e-4)
    assert max(deviations(dropped_ND)[-4:].max(), deviations(kept_ND)[4:].max()) < 1e-6
    np.testing.assert_allclose(dropped_ND + kept_ND, moved("centre", Z_ND), atol=1e-5)


def test_a_rotation_keeps_rank_neighbours_and_angles(Z_ND):
    turned_ND = moved("rotate", Z_ND)
    assert rankme(turned_ND) == pytest.approx(rankme(Z_ND), rel=1e-6)
    assert rankme(turned_ND, centred=True) == pytest.approx(rankme(Z_ND, centred=True), rel=1e-6)
    np.testing.assert_allclose(turned_ND @ turned_ND.T, Z_ND @ Z_ND.T, atol=1e-4)
    assert np.abs(turned_ND - Z_ND).max() > 0.1, "something was turned"
    y_N = np.arange(N) % 5
    for half in (slice(0, 300), slice(300, None)):
        rest = np.setdiff1d(np.arange(N), np.arange(N)[half])
        np.testing.assert_array_equal(
            knn_predict(Z_ND[rest], y_N[rest], Z_ND[half]),
            knn_predict(turned_ND[rest], y_N[rest], turned_ND[half]),
        )


def test_scaling_columns_leaves_their_correlations_and_moves_the_rank(Z_ND):
    scaled_ND = moved("scale:2", Z_ND)
    np.testing.assert_allclose(
        np.corrcoef(scaled_ND.T), np.corrcoef(Z_ND.T), atol=1e-5, err_msg="correlations"
    )
    assert rankme(scaled_ND) < rankme(Z_ND) / 1.5
    assert not np.allclose(scaled_ND, moved("scale:2", Z_ND, seed=1))


def test_the_linear_probe_sees_none_of_those_that_it_is_said_not_to_see(Z_ND):
    y_N = (Z_ND[:, 0] + Z_ND[:, 5] > Z_ND[:, 0].mean() + Z_ND[:, 5].mean()).astype(int)
    y_N += np.random.default_rng(0).integers(0, 2, N)  # so that it errs

    def guesses(name):
        rows_ND = fit(name, Z_ND[:400])(Z_ND)
        scores_MC = classifier("linear")(rows_ND[:400], np.eye(3)[y_N[:400]], rows_ND[400:])
        return scores_MC.argmax(1)

    plain = guesses("as is")
    assert 0.4 < (plain == y_N[400:]).mean() < 0.95
    for name in UNSEEN_BY_LINEAR:
        name = {"scale": "scale:2"}.get(name, name)
        np.testing.assert_array_equal(guesses(name), plain, err_msg=name)
    assert (guesses("keep:2") != plain).any()


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_other_clips_go_through_the_map_of_the_fit(Z_ND, name):
    affine = fit(name, Z_ND[:400])
    np.testing.assert_allclose(affine(Z_ND[400:]), affine(Z_ND)[400:], atol=1e-5)
    assert affine(Z_ND).dtype == np.float32


def test_rescaling_alone_can_be_undone(Z_ND):
    for name in NAMES:
        affine = fit(name, Z_ND)
        whole = np.linalg.matrix_rank(affine.matrix_DD) == D
        assert whole == (kind(name) in ("control", "rescale")), name


def test_directions_that_are_rounding_do_not_blow_up(Z_ND):
    sums_NK = np.column_stack([(Z_ND[:, i] + Z_ND[:, i + 1]) / 3 for i in range(5)])
    white_ND = moved("whiten", np.column_stack([Z_ND, sums_NK]))
    np.testing.assert_allclose(deviations(white_ND), [1] * D + [0] * 5, atol=1e-4)


@pytest.mark.parametrize("name", ["bleach", "drop", "drop:x", "drop:12", "keep:0", "keep:99"])
def test_what_cannot_be_done_is_said_in_a_sentence(Z_ND, name):
    with pytest.raises(UserError, match=name.partition(":")[0]):
        fit(name, Z_ND)


def test_every_intervention_has_a_kind():
    assert {kind(name) for name in NAMES} == set(KINDS.values())
