"""Sound events: from frame probabilities to events, and from events to scores.

Post-processing as in heareval, scores as in sed_eval (Mesaros et al. 2016), which heareval calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from dasheng_lib.common.arrays import column, numbers

THRESHOLD = 0.5  # of a probability, strictly above
SEGMENT = 1.0  # seconds

# Limits of the onset in seconds and, where the offset counts, of the offset: the same again or
# this share of the reference event's length, whichever is more.
_LIMITS = {
    "event_onset_200ms_fms": (0.2, None),
    "event_onset_50ms_fms": (0.05, None),
    "event_onset_offset_50ms_20perc_fms": (0.05, 0.2),
}
EVENT_METRICS = (*_LIMITS, "segment_1s_er")


@dataclass(frozen=True)
class Event:
    """Something heard from ``start`` to ``end``, both in milliseconds."""

    label: str
    start: float
    end: float


def events_from_frames(
    scores_TC: np.ndarray,
    timestamps_T: np.ndarray,
    labels: Sequence[str],
    median_ms: float,
    minimum_ms: float,
) -> list[Event]:
    """Events of one clip: median filter over time, threshold, runs of active frames.

    Args:
        scores_TC: probabilities in [0, 1]; NaN counts as inactive.
        timestamps_T: time of each frame in milliseconds, increasing.
        labels: names of the C classes.
        median_ms: length of the filter, rounded to whole frames (half to even); 0 is none.
        minimum_ms: shortest event that is kept.

    Returns:
        Events by start, then by class. An event ends at the *time* of its last frame, not a frame
        later: one frame alone is 0 ms long.

    Raises:
        ValueError: shapes that do not fit, or times that do not increase.
    """
    scores_TC = numbers(scores_TC, "scores", 2)
    timestamps_T = column(timestamps_T, "timestamps").astype(float)
    if scores_TC.shape != (len(timestamps_T), len(labels)):
        raise ValueError(
            f"scores {scores_TC.shape} are not [{len(timestamps_T)} frames, {len(labels)} classes]"
        )
    hops = np.diff(timestamps_T)
    if (hops <= 0).any():
        raise ValueError("timestamps must increase")
    active_TC = scores_TC > THRESHOLD
    if median_ms and len(hops):
        active_TC = _median(active_TC, round(median_ms / float(hops.mean())))
    edges = np.diff(active_TC.T.astype(np.int8), axis=1, prepend=0, append=0)
    classes, first = np.nonzero(edges == 1)
    last = np.nonzero(edges == -1)[1] - 1
    start, end = timestamps_T[first], timestamps_T[last]
    kept = np.flatnonzero(end - start >= minimum_ms)
    kept = kept[np.argsort(start[kept], kind="stable")]
    return [Event(labels[classes[i]], float(start[i]), float(end[i])) for i in kept]


def _median(active_TC: np.ndarray, width: int) -> np.ndarray:
    """Where the median of ``width`` neighbouring frames is above the threshold.

    It is where enough of them are. For an even width that is half of them (the median is the
    upper of the two middle values) and the window is a frame longer on the left, as in
    ``scipy.ndimage.median_filter``; the ends are mirrored with the end frame repeated.
    """
    if width == 0 or len(active_TC) == 0:
        return active_TC
    left = width // 2
    padded = np.pad(active_TC, ((left, width - 1 - left), (0, 0)), mode="symmetric")
    count = np.pad(padded.cumsum(0), ((1, 0), (0, 0)))
    return count[width:] - count[:-width] >= width - left


def event_score(
    metric: str,
    reference: Mapping[str, Sequence[Event]],
    estimated: Mapping[str, Sequence[Event]],
) -> float:
    """The F-measure or error rate that :func:`event_scores` gives first."""
    return next(iter(event_scores(metric, reference, estimated).values()))


def event_scores(
    metric: str,
    reference: Mapping[str, Sequence[Event]],
    estimated: Mapping[str, Sequence[Event]],
) -> dict[str, float]:
    """Scores over all files and classes together (micro-averaged).

    Args:
        metric: one of ``EVENT_METRICS``.
        reference, estimated: the events of each file, in any order. A file that only one side
            names has no events on the other. heareval would leave a file out that the estimate
            does not name; there, every file is named.

    Returns:
        ``f_measure``, ``precision``, ``recall`` in [0, 1], or ``error_rate``, at least 0 and
        the lower the better. No estimated event makes precision and F NaN, no reference event
        recall and F; precision and recall 0 give F = 0. The error rate without a reference is
        0 if nothing was estimated and astronomic if something was, as in sed_eval.

    Raises:
        ValueError: unknown metric.
    """
    if metric not in EVENT_METRICS:
        raise ValueError(f"no event metric is called {metric!r}: {', '.join(EVENT_METRICS)}")
    files = {file: i for i, file in enumerate({**reference, **estimated})}
    labels: dict[str, int] = {}
    ref, est = (_table(side, files, labels) for side in (reference, estimated))
    if metric == "segment_1s_er":
        return {"error_rate": _error_rate(ref, est, len(files), len(labels))}
    hits = _matches(ref, est, len(labels), *_LIMITS[metric])
    precision = hits / len(est) if len(est) else float("nan")
    recall = hits / len(ref) if len(ref) else float("nan")
    f_measure = 0.0
    if precision != 0 or recall != 0:
        f_measure = 2 * precision * recall / (precision + recall)
    return {"f_measure": f_measure, "precision": precision, "recall": recall}


def _table(
    side: Mapping[str, Sequence[Event]], files: Mapping[str, int], labels: dict[str, int]
) -> np.ndarray:
    """Events as rows of file, label, start and end in seconds; new labels get the next number."""
    events = [event for listed in side.values() for event in listed]
    file = np.repeat([files[name] for name in side], [len(listed) for listed in side.values()])
    label = [labels.setdefault(event.label, len(labels)) for event in events]
    # In seconds before any subtraction: at a limit this rounding decides.
    start = np.array([event.start for event in events], float) / 1000
    end = np.array([event.end for event in events], float) / 1000
    return np.stack([file, label, start, end], axis=1)


def _matches(
    ref: np.ndarray, est: np.ndarray, labels: int, collar: float, share: float | None
) -> int:
    """Size of the largest one-to-one matching of estimated to reference events within limits."""
    if not len(ref) or not len(est):
        return 0
    slack = collar + 1e-3  # candidates generously, the limits themselves exactly below
    times = np.concatenate([ref[:, 2], est[:, 2]])
    origin, stride = times.min(), np.ptp(times) + 3 * slack  # so that groups lie apart
    key_ref, key_est = (
        (t[:, 0] * labels + t[:, 1]) * stride + (t[:, 2] - origin) for t in (ref, est)
    )
    by_key = np.argsort(key_est)
    low = np.searchsorted(key_est[by_key], key_ref - slack)
    high = np.searchsorted(key_est[by_key], key_ref + slack, side="right")
    i, place = _ranges(low, high)
    j = by_key[place]
    fits = np.abs(ref[i, 2] - est[j, 2]) <= collar
    if share is not None:
        limit = np.maximum(collar, share * (ref[i, 3] - ref[i, 2]))
        fits &= np.abs(ref[i, 3] - est[j, 3]) <= limit
    edges = np.ones(int(fits.sum()), np.int8)
    graph = csr_matrix((edges, (i[fits], j[fits])), shape=(len(ref), len(est)))
    return int((maximum_bipartite_matching(graph) >= 0).sum())


def _error_rate(ref: np.ndarray, est: np.ndarray, files: int, labels: int) -> float:
    """Substitutions, deletions and insertions in segments, over the active reference segments."""
    length = int(np.ceil(max(ref[:, 3].max(initial=0), est[:, 3].max(initial=0)) / SEGMENT))

    def roll(events: np.ndarray) -> np.ndarray:
        """Whether each label is active in each segment of each file, [files * length, labels]."""
        low = np.maximum(np.floor(events[:, 2] / SEGMENT), 0).astype(np.int64)
        high = np.maximum(np.ceil(events[:, 3] / SEGMENT).astype(np.int64), low)
        event, segment = _ranges(low, high)
        active = np.zeros((files * length, labels), bool)
        active[events[event, 0].astype(int) * length + segment, events[event, 1].astype(int)] = True
        return active

    in_ref, in_est = roll(ref), roll(est)
    most = np.maximum(in_ref.sum(1), in_est.sum(1)).sum()
    # S + D + I = (min - hits) + (ref - min) + (est - min) = max - hits in each segment
    errors = most - (in_ref & in_est).sum()
    return float(errors / max(in_ref.sum(), np.spacing(1)))


def _ranges(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All integers of all ranges [low, high): which range each is of, and the integer."""
    size = high - low
    owner = np.repeat(np.arange(len(size)), size)
    return owner, np.arange(len(owner)) - np.repeat(size.cumsum() - size, size) + low[owner]
