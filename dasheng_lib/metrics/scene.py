"""Scores of predictions and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special
from sklearn.metrics import f1_score

from dasheng_lib.common.arrays import numbers

SCENE_METRICS = (
    "top1_acc", "pitch_acc", "chroma_acc", "macro_f1", "mAP", "weighted_mAP", "d_prime", "aucroc"
)  # fmt: skip
SEMITONES = 12


def higher_is_better(metric: str) -> bool:
    """Whether a larger value of a HEAR metric is the better one; false for error rates only."""
    return not metric.endswith("_er")


def scene_score(metric: str, scores_NC: np.ndarray, targets_NC: np.ndarray) -> float:
    """One of heareval's scores of whole clips, or of the two that ARCH adds.

    Args:
        metric: one of ``SCENE_METRICS``. ``top1_acc`` and ``pitch_acc`` are the share of clips
            whose highest score is at the highest target, the first of equals; ``chroma_acc`` the
            same after taking both class numbers modulo 12. ``macro_f1`` is of these guesses, the
            mean over the classes that are there or guessed. ``mAP`` and ``aucroc`` are plain means
            over classes, ``weighted_mAP`` weighs a class by its clips; ``d_prime`` is the mean of
            √2·Φ⁻¹(area) over classes.
        scores_NC: any real numbers; only their order within a class, or within a clip, counts.
        targets_NC: 0 or 1; one class a clip or any number of them.

    Returns:
        Accuracies, F1, mAP and aucroc in [0, 1], d_prime any number. A class without a positive
        clip has average precision 0. A class with positive or negative clips only makes aucroc and
        d_prime NaN; so does a NaN among the scores, which makes mAP NaN too.

    Raises:
        ValueError: unknown metric, shapes that differ, or no clip.
    """
    if metric not in SCENE_METRICS:
        raise ValueError(f"no scene metric is called {metric!r}: {', '.join(SCENE_METRICS)}")
    scores_NC, targets_NC = _tables(scores_NC, targets_NC)
    if metric in ("top1_acc", "pitch_acc", "chroma_acc", "macro_f1"):
        guess, truth = scores_NC.argmax(1), targets_NC.argmax(1)
        if metric == "chroma_acc":
            guess, truth = guess % SEMITONES, truth % SEMITONES
        if metric == "macro_f1":
            return float(f1_score(truth, guess, average="macro"))
        return float((guess == truth).mean())
    if np.isnan(scores_NC).any():
        return float("nan")
    if metric in ("mAP", "weighted_mAP"):
        weights_C = targets_NC.sum(0) if metric == "weighted_mAP" and targets_NC.any() else None
        return float(np.average(average_precision(scores_NC, targets_NC), weights=weights_C))
    area_C = roc_area(scores_NC, targets_NC)
    if metric == "aucroc":
        return float(area_C.mean())
    with np.errstate(invalid="ignore"):  # a perfect and a perfectly wrong class: ∞ - ∞
        return float((np.sqrt(2) * special.ndtri(area_C)).mean())


def all_slots(
    scores_NC: np.ndarray, targets_NC: np.ndarray, slots: Sequence[Sequence[int]]
) -> float:
    """Share of clips whose highest score is at the highest target in every slot, in [0, 1].

    Args:
        slots: the columns of each.
    """
    scores_NC, targets_NC = _tables(scores_NC, targets_NC)
    right = [scores_NC[:, s].argmax(1) == targets_NC[:, s].argmax(1) for s in map(list, slots)]
    return float(np.all(right, 0).mean())


def average_precision(scores_NC: np.ndarray, targets_NC: np.ndarray) -> np.ndarray:
    """Average precision of each class, [C], in [0, 1]: precision times step of recall, summed.

    Clips with equal scores enter together, as in scikit-learn. No positive clip gives 0.
    """
    positive_CN, true_CN, false_CN = _above(*_tables(scores_NC, targets_NC))
    precision_CN = true_CN / (true_CN + false_CN)
    return (positive_CN * precision_CN).sum(1) / np.maximum(positive_CN.sum(1), 1)


def roc_area(scores_NC: np.ndarray, targets_NC: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each class, [C], in [0, 1]; NaN if clips are all of a kind."""
    _, true_CN, false_CN = _above(*_tables(scores_NC, targets_NC))
    width_CN = np.diff(false_CN, prepend=0)
    before_CN = np.pad(true_CN, ((0, 0), (1, 0)))[:, :-1]
    area_C = (width_CN * (true_CN + before_CN) / 2).sum(1)
    with np.errstate(invalid="ignore"):
        return area_C / (true_CN[:, -1] * false_CN[:, -1])


def _tables(scores_NC: np.ndarray, targets_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays of one shape [N, C].

    Raises:
        ValueError: they are not, or there is no clip.
    """
    scores_NC, targets_NC = numbers(scores_NC, "scores", 2), numbers(targets_NC, "targets", 2)
    if scores_NC.shape != targets_NC.shape or not scores_NC.size:
        raise ValueError(f"scores {scores_NC.shape} and targets {targets_NC.shape} must be [N, C]")
    if scores_NC.dtype.kind != "f":  # the largest negative of what has no sign is 0
        scores_NC = scores_NC.astype(np.float64)
    return scores_NC, targets_NC


def _above(scores_NC: np.ndarray, targets_NC: np.ndarray) -> tuple[np.ndarray, ...]:
    """By falling score, for each clip: is it positive; how many positive and negative clips score
    at least as much. All [C, N]."""
    score_CN = np.ascontiguousarray(scores_NC.T)  # sorting neighbours is several times faster
    order_CN = np.argsort(-score_CN, axis=1)
    score_CN = np.take_along_axis(score_CN, order_CN, 1)
    positive_CN = np.take_along_axis(targets_NC.T != 0, order_CN, 1)
    places = np.arange(score_CN.shape[1])
    last_CN = np.ones(score_CN.shape, bool)  # of clips with equal scores
    last_CN[:, :-1] = score_CN[:, 1:] != score_CN[:, :-1]
    end_CN = np.where(last_CN, places, places[-1])
    end_CN = np.minimum.accumulate(end_CN[:, ::-1], axis=1)[:, ::-1]
    true_CN = np.take_along_axis(positive_CN.cumsum(1), end_CN, 1)
    return positive_CN, true_CN, end_CN + 1 - true_CN
