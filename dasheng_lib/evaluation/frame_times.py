"""Where the frames of clips lie in time."""

from __future__ import annotations

import numpy as np


def frame_times(
    first_ms: float, hop_ms: float, counts: np.ndarray, lengths_ms: np.ndarray
) -> np.ndarray:
    """Middle of every frame in ms, clip after clip, float64 [sum of counts].

    Frame k is at ``first_ms + k · hop_ms``. Where a clip is shorter than the encoder's window, its
    only frame would lie behind its end: it is put in the clip's middle.

    Args:
        counts: frames of each clip.
        lengths_ms: of each clip, without padding.
    """
    counts = np.asarray(counts, np.int64)
    starts = np.cumsum(counts) - counts
    times = first_ms + hop_ms * (np.arange(counts.sum()) - np.repeat(starts, counts))
    lengths_ms = np.asarray(lengths_ms, np.float64)
    alone = (counts == 1) & (first_ms > lengths_ms)
    times[starts[alone]] = lengths_ms[alone] / 2
    return times
