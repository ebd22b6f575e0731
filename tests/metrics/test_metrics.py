"""Scores and intervals: the reference's numbers, known values, peers and coverage."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from dasheng_lib.metrics.intervals import paired_bootstrap, t_interval, wilson_interval
from dasheng_lib.metrics.scene import (
    SCENE_METRICS,
    average_precision,
    higher_is_better,
    roc_area,
    scene_score,
)

GOLDEN = Path(__file__).parents[1] / "golden"
SCENE_SCORES = json.loads((GOLDEN / "scene_scores.json").read_text())


@pytest.mark.parametrize("kind", SCENE_SCORES)
def test_scene_scores_are_those_of_the_reference(kind):
    with np.load(GOLDEN / "scene_scores.npz") as file:
        scores, targets = file["pred"], file[kind]
    found = {metric: scene_score(metric, scores, targets) for metric in SCENE_SCORES[kind]}
    assert found == pytest.approx(SCENE_SCORES[kind], abs=1e-9)


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_average_precision_and_area_agree_with_scikit_learn_also_at_ties(levels):
    rng = np.random.default_rng(levels)
    scores = rng.integers(levels, size=(80, 7)).astype(np.float32)
    targets = (rng.random((80, 7)) < 0.2).astype(float)
    np.testing.assert_allclose(
        average_precision(scores, targets),
        average_precision_score(targets, scores, average=None),
        atol=1e-12,
    )
    np.testing.assert_allclose(
        roc_area(scores, targets), roc_auc_score(targets, scores, average=None), atol=1e-12
    )


def test_the_second_metrics_of_arch_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    scores, targets = rng.random((60, 5)), rng.random((60, 5)) < [0.5, 0.1, 0.3, 0.02, 0.0]
    expected = average_precision_score(targets[:, :4], scores[:, :4], average="weighted")
    assert scene_score("weighted_mAP", scores, targets) == pytest.approx(expected)
    assert scene_score("weighted_mAP", scores, targets) != scene_score("mAP", scores, targets)
    assert scene_score("weighted_mAP", scores, 0 * targets) == 0
    # Three classes of which one is never told and one that nobody says is guessed, by hand.
    truth, guess = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 2, 0, 1])
    by_hand = np.mean([2 * 2 / (2 * 2 + 1 + 1), 2 * 1 / (2 * 1 + 0 + 1), 0])
    assert scene_score("macro_f1", np.eye(4)[guess], np.eye(4)[truth]) == pytest.approx(by_hand)
    assert f1_score(truth, guess, average="macro") == pytest.approx(by_hand)


def test_a_perfect_and_a_reversed_ranking():
    targets = np.array([[1.0], [1.0], [0.0], [0.0]])
    scores = np.array([[4.0], [3.0], [2.0], [1.0]])
    assert scene_score("mAP", scores, targets) == scene_score("aucroc", scores, targets) == 1
    assert scene_score("mAP", -scores, targets) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert scene_score("aucroc", -scores, targets) == 0
    assert scene_score("d_prime", scores, targets) == math.inf
    both = np.hstack([scores, -scores]), np.hstack([targets, targets])
    assert math.isnan(scene_score("d_prime", *both))


def test_only_the_order_counts():
    rng = np.random.default_rng(0)
    scores, targets = rng.random((50, 4)), (rng.random((50, 4)) < 0.4).astype(float)
    for metric in ("mAP", "aucroc", "d_prime"):
        plain = scene_score(metric, scores, targets)
        assert scene_score(metric, np.exp(9 * scores) - 7, targets) == plain


def test_octaves_are_forgiven_by_chroma_only():
    scores, targets = np.zeros((4, 88)), np.zeros((4, 88))
    targets[np.arange(4), [0, 13, 40, 60]] = 1
    scores[np.arange(4), [0, 25, 64, 61]] = 1
    assert scene_score("pitch_acc", scores, targets) == 0.25
    assert scene_score("top1_acc", scores, targets) == 0.25
    assert scene_score("chroma_acc", scores, targets) == 0.75


def test_the_first_of_equals_wins():
    scores, targets = np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]])
    assert scene_score("top1_acc", scores, targets) == 0
    assert scene_score("top1_acc", scores, 1 - targets) == 1


def test_classes_that_cannot_be_ranked():
    scores = np.array([[0.9, 0.1], [0.2, 0.3]])
    never = np.array([[1.0, 0.0], [0.0, 0.0]])
    assert scene_score("mAP", scores, never) == 0.5
    for metric in ("aucroc", "d_prime"):
        assert math.isnan(scene_score(metric, scores, never))
        assert math.isnan(scene_score(metric, scores, 1 - never))
    broken = np.where(scores > 0.5, np.nan, scores)
    for metric in ("mAP", "aucroc", "d_prime"):
        assert math.isnan(scene_score(metric, broken, np.eye(2)))


def test_direction():
    assert all(higher_is_better(metric) for metric in SCENE_METRICS)
    assert higher_is_better("event_onset_200ms_fms")
    assert not higher_is_better("segment_1s_er")


def test_bad_scores_are_named():
    with pytest.raises(ValueError, match="no scene metric"):
        scene_score("accuracy", np.ones((1, 1)), np.ones((1, 1)))
    for scores, targets in ((np.ones((2, 3)), np.ones((2, 2))), (np.ones((0, 3)), np.ones((0, 3)))):
        with pytest.raises(ValueError, match=r"must be \[N, C\]"):
            scene_score("mAP", scores, targets)


@pytest.mark.parametrize(("correct", "n"), [(0, 10), (3, 10), (10, 10), (64, 108)])
def test_wilson_agrees_with_scipy(correct, n):
    peer = binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson_interval(correct, n) == pytest.approx((peer.low, peer.high), abs=1e-12)


def test_t_interval_by_hand():
    low, high = t_interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-5)


def test_paired_bootstrap_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        b = rng.random(150) < 0.5
        a = np.where(rng.random(150) < 0.3, rng.random(150) < 0.8, b)  # true gain 0.3 * 0.3
        low, high = paired_bootstrap(a, b, rounds=300, seed=trial)
        hits += low <= 0.09 <= high
    assert 175 <= hits <= 199


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    talker = np.repeat(np.arange(6), 100)
    gain = np.repeat(rng.normal(0.1, 0.1, 6), 100) + rng.normal(0, 0.01, 600)
    plain = np.diff(paired_bootstrap(gain, np.zeros(600)))
    grouped = np.diff(paired_bootstrap(gain, np.zeros(600), talker))
    assert grouped > 3 * plain


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(3, 2)
    with pytest.raises(ValueError, match="seeds"):
        t_interval([1.0])
    with pytest.raises(ValueError, match="same length"):
        paired_bootstrap([1], [1, 0])
