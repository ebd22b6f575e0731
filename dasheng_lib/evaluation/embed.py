"""Embeddings of clips: one vector a clip or one a frame, computed once and mapped from disk.

What makes an embedding is hashed: the encoder's fingerprint, the way of reading (``VERSION``) and
what every clip holds. Work goes from the longest clip to the shortest, so that little is padded,
and is appended batch by batch, so that whoever stops it loses one batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from dasheng_lib import audio
from dasheng_lib.audio import AudioError
from dasheng_lib.common.cache import artefact, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder, first_ms
from dasheng_lib.evaluation.bucketing import length_batches
from dasheng_lib.evaluation.frame_times import frame_times
from dasheng_lib.evaluation.row_store import RowStore, read_rows
from dasheng_lib.tasks.clip import Clip

VERSION = 1  # raise it when the same encoder and clips would give other numbers
# What one batch takes: on CPUs little more than one long clip, whose activations fit the cache.
BATCH_SECONDS = 40.0
AHEAD_SECONDS = 1200.0  # what is read while something else is computed
CARD_SECONDS = 400.0  # and on a card, which waits for whoever launches more than for arithmetic
Kind = Literal["clips", "frames"]


@dataclass(frozen=True, eq=False)
class Embedded:
    """Embeddings of clips, in the order in which they were asked for.

    Attributes:
        features: float32 [rows, D], mapped from disk and read-only.
        starts: int64 [clips + 1]; clip i has the rows ``starts[i]:starts[i + 1]``, one row if
            the kind is ``"clips"``.
        timestamps_ms: float64 [rows], the middle of each frame, from its clip's start; None for
            clips.
    """

    features: np.ndarray
    starts: np.ndarray
    timestamps_ms: np.ndarray | None = None

    def __len__(self) -> int:
        """Clips."""
        return len(self.starts) - 1

    def __getitem__(self, clip: int) -> np.ndarray:
        """The rows of one clip, float32 [its rows, D]."""
        return self.features[self.starts[clip] : self.starts[clip + 1]]

    def take(self, clips: np.ndarray) -> Embedded:
        """Those of some clips, by number; of neighbours nothing is copied."""
        counts = np.diff(self.starts)[clips]
        starts = np.concatenate([[0], np.cumsum(counts)])
        if len(clips) and (np.diff(clips) == 1).all():
            rows = slice(self.starts[clips[0]], self.starts[clips[-1] + 1])
        else:
            rows = np.repeat(self.starts[clips] - starts[:-1], counts) + np.arange(starts[-1])
        times = None if self.timestamps_ms is None else self.timestamps_ms[rows]
        return Embedded(self.features[rows], starts, times)


def embed(
    encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind = "clips", progress: bool = True
) -> Embedded:
    """Embed clips, or find them embedded.

    Samples are resampled to the encoder's rate, and a clip shorter than ``encoder.min_samples`` is
    filled up with zeros: so an empty clip is embedded as silence. Frame k of a clip is at
    ``first_ms + k · hop_ms``, see :func:`.frame_times.frame_times`.

    Killed half-way, it goes on there; a second process that asks for the same waits and finds it.

    Args:
        encoder: frozen. For ``"clips"`` a batch may hold clips of several lengths; for
            ``"frames"`` all are of one length, so that no frame is of padding.
        clips: files, or all rows of a corpus (:func:`dasheng_lib.tasks.of_corpus.corpus_clips`).
        kind: ``"clips"`` for a vector a clip, ``"frames"`` for one a frame.
        progress: show a bar in seconds of audio.

    Raises:
        UserError: the encoder gives a wrong shape, a value that is not finite, or frames whose
            times do not fit the clip (the clip is named); a file cannot be read or has changed;
            the disk is full.
        ValueError: no clips, or another kind.
    """
    if kind not in ("clips", "frames") or not len(clips):
        raise ValueError(f"kind is 'clips' or 'frames', not {kind!r}, of at least one clip")
    recipe = {
        "encoder": encoder.fingerprint,
        "rate": encoder.sample_rate,
        "least": encoder.min_samples,
        "kind": kind,
        "times": [encoder.hop_ms, first_ms(encoder)] if kind == "frames" else None,
        "clips": len(clips),
        "audio": sha256("".join(clip.identity for clip in clips).encode()).hexdigest(),
        "version": VERSION,
    }

    def make(folder: Path) -> None:
        _embed_into(folder, encoder, clips, kind, progress)

    folder = artefact("embedded", recipe, make, resumable=True)
    features, starts = read_rows(folder)
    if kind == "clips":
        return Embedded(features, starts)
    lengths_ms = np.array([1000 * clip.samples / clip.rate for clip in clips])
    times = frame_times(first_ms(encoder), encoder.hop_ms, np.diff(starts), lengths_ms)
    return Embedded(features, starts, times)


def compute_embeddings(encoder: AudioEncoder, clips: Sequence[Clip]) -> np.ndarray:
    """A vector a clip, float32 [clips, ``encoder.dim``], in memory and not from the cache."""
    out = np.empty((len(clips), encoder.dim), np.float32)
    for rows, vectors in embed_batches(encoder, clips):
        out[rows] = vectors.numpy()
    return out


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
    samples = _lengths(encoder, clips)
    jobs = _batches(samples, int(budget * encoder.sample_rate), kind)
    for rows, wave_BN in _read_ahead(clips, samples, jobs, encoder, 4 if on_card else 1):
        some = [clips[row] for row in rows]
        features = _features(encoder, wave_BN, samples[rows], some, kind)
        del wave_BN  # before the next is read, for it may be of hours
        yield rows, features


def _embed_into(
    folder: Path, encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind, progress: bool
) -> None:
    samples = _lengths(encoder, clips)
    order = np.argsort(-samples, kind="stable")
    store = RowStore(folder)
    done = len(store.counts)
    left = [clips[i] for i in order[done:]]
    seconds = samples[order] / encoder.sample_rate
    with tqdm(
        desc=f"embed {len(clips)} clips",
        total=seconds.sum(),
        initial=seconds[:done].sum(),
        unit="s",
        unit_scale=True,
        disable=not progress,
    ) as bar:
        for rows, features in embed_batches(encoder, left, kind):
            if store.width is None:
                frames = np.ceil(1000 * seconds / encoder.hop_ms).sum() if kind == "frames" else 0
                need_space(folder, 2 * 4 * max(len(clips), int(frames)) * features.shape[-1])
            try:
                store.add(features.numpy())
            except ValueError as error:
                raise UserError(f"{encoder.name} {error} for {left[rows[0]].name}.") from error
            bar.update(float(seconds[done:][rows].sum()))
    store.put_in_order(order)


def _lengths(encoder: AudioEncoder, clips: Sequence[Clip]) -> np.ndarray:
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
    low, high = found.flatten(1).aminmax(dim=1)  # NaN where one is; isfinite() would copy hours
    bad = (~(low.isfinite() & high.isfinite())).nonzero()
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
