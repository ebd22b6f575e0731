"""Features of clips of any length, batch by batch: read ahead, padded little, and checked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dasheng_lib import audio
from dasheng_lib.audio import AudioError
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder, first_ms
from dasheng_lib.evaluation.bucketing import length_batches
from dasheng_lib.tasks.clip import Clip

# What one batch takes: on CPUs little more than one long clip, whose activations fit the cache.
BATCH_SECONDS = 40.0
AHEAD_SECONDS = 1200.0  # what is read while something else is computed
CARD_SECONDS = 400.0  # and on a card, which waits for whoever launches more than for arithmetic
Kind = Literal["clips", "frames"]


def embed_batches(
    encoder: AudioEncoder,
    clips: Sequence[Clip],
    kind: Kind = "clips",
    batch_seconds: float | None = None,
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Features of clips of any length, batch by batch, the longest first.

    Args:
        batch_seconds: audio in a batch with its padding; by default what suits the device.

    Yields:
        Numbers of clips, int64 [B], and their features, float32 on the CPU: [B, ``encoder.dim``],
        or [B, T, D] for frames.
    """
    on_card = getattr(getattr(encoder, "device", None), "type", "cpu") != "cpu"
    budget = batch_seconds or (CARD_SECONDS if on_card else BATCH_SECONDS)
    samples = lengths_of(encoder, clips)
    jobs = _batches(samples, int(budget * encoder.sample_rate), kind)
    for rows, wave_BN in _read_ahead(clips, samples, jobs, encoder, 4 if on_card else 1):
        some = [clips[row] for row in rows]
        features = _features(encoder, wave_BN, samples[rows], some, kind)
        del wave_BN  # before the next is read, for it may be of hours
        yield rows, features


def lengths_of(encoder: AudioEncoder, clips: Sequence[Clip]) -> np.ndarray:
    """Samples of each clip as the encoder is given it, int64 [clips]."""
    resampled = [_samples(clip, encoder.sample_rate) for clip in clips]
    return np.maximum(np.array(resampled, np.int64), encoder.min_samples)


def _samples(clip: Clip, rate: int) -> int:
    """Length of a clip at ``rate`` Hz, as :func:`dasheng_lib.audio.resample` makes it."""
    up, down = audio.ratio(clip.rate, rate)
    return -(-clip.samples * up // down)


def _batches(samples: np.ndarray, budget: int, kind: Kind) -> Iterator[np.ndarray]:
    for rows in length_batches(samples, budget):
        cuts = np.flatnonzero(np.diff(samples[rows])) + 1 if kind == "frames" else []
        yield from np.split(rows, cuts)


def _read_ahead(
    clips: Sequence[Clip],
    samples: np.ndarray,
    jobs: Iterator[np.ndarray],
    encoder: AudioEncoder,
    workers: int,
) -> Iterator[tuple[np.ndarray, Tensor]]:
    """Rows and waves [B, N] of each job; the next ones are read while one is used, if short."""
    rate = encoder.sample_rate

    def read(rows: np.ndarray) -> Tensor:
        wave_BN = None
        for place, row in enumerate(rows):
            clip = clips[row]
            wave, promised = clip.resampled(rate), _samples(clip, rate)
            if len(wave) != promised:
                raise AudioError(f"{clip.name} is not as long as its header says: mend it.")
            if len(rows) == 1 and len(wave) == samples[row] and wave.flags.writeable:
                return torch.from_numpy(wave)[None]  # a clip of hours is not copied
            if wave_BN is None:
                wave_BN = np.zeros((len(rows), samples[rows].max()), np.float32)
            wave_BN[place, : len(wave)] = wave[: samples[row]]
        return torch.from_numpy(wave_BN)

    def oldest() -> tuple[np.ndarray, Tensor]:
        rows, wave = coming.popleft()
        return rows, wave.result()

    coming, pool = deque(), ThreadPoolExecutor(workers, "embed")
    try:
        for rows in jobs:
            while coming and samples[rows].max() > AHEAD_SECONDS * rate:
                yield oldest()
            coming.append((rows, pool.submit(read, rows)))
            if len(coming) > workers or samples[rows].max() > AHEAD_SECONDS * rate:
                yield oldest()
        while coming:
            yield oldest()
    finally:
        pool.shutdown(cancel_futures=True)


@torch.inference_mode()
def _features(
    encoder: AudioEncoder,
    wave_BN: Tensor,
    samples: np.ndarray,
    clips: Sequence[Clip],
    kind: Kind,
) -> Tensor:
    """Checked, float32 on the CPU: [B, D] or [B, T, D]."""
    if kind == "clips":
        found = encoder.clips(wave_BN, torch.from_numpy(samples))
        wanted, right = f"[{len(clips)}, {encoder.dim}]", (len(clips), encoder.dim)
    else:
        found = encoder.frames(wave_BN)
        wanted, right = f"[{len(clips)}, frames, width]", (len(clips),)
    shape = tuple(getattr(found, "shape", ()))
    if (
        not isinstance(found, Tensor)
        or shape[: len(right)] != right
        or len(shape) != (2 if kind == "clips" else 3)
        or 0 in shape
    ):
        raise UserError(
            f"{encoder.name} gave a {type(found).__name__} {list(shape)} for {len(clips)} clips of "
            f"{wave_BN.shape[1]} samples: {kind}() returns a tensor {wanted}."
        )
    if kind == "frames":
        _check_times(encoder, shape[1], 1000 * wave_BN.shape[1] / encoder.sample_rate, clips[0])
    found = found.detach().to("cpu", torch.float32)
    bad = (~found.flatten(1).isfinite().all(1)).nonzero()
    if len(bad):
        raise UserError(
            f"{encoder.name} gave a value that is not finite for {clips[int(bad[0])].name}: leave "
            "the clip out or mend the encoder."
        )
    return found


def _check_times(encoder: AudioEncoder, frames: int, length_ms: float, clip: Clip) -> None:
    first, hop = first_ms(encoder), encoder.hop_ms
    last = first + (frames - 1) * hop
    what = f"{encoder.name} gave {frames} frames at {first:g} + k · {hop:g} ms"
    if not hop > 0:
        raise UserError(f"{what}: hop_ms is above 0.")
    if last < length_ms / 100:
        raise UserError(
            f"{what} for {clip.name}, which lasts {length_ms:g} ms: hop_ms and first_ms look like "
            "seconds; they are milliseconds."
        )
    if frames > 1 and last > length_ms + hop:
        raise UserError(
            f"{what} for {clip.name}, so the last is at {last:g} ms of {length_ms:g} ms: mend "
            "hop_ms or first_ms."
        )
