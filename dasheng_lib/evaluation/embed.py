"""Embeddings of clips: one vector a clip or one a frame, computed once and mapped from disk.

What makes an embedding is hashed: the encoder's fingerprint, the way of reading (``VERSION``) and
what every clip holds. Work goes from the longest clip to the shortest, so that little is padded,
and is appended batch by batch, so that whoever stops it loses one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from dasheng_lib.common.cache import address, artefact, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder, first_ms
from dasheng_lib.evaluation.embed_batches import Kind, embed_batches, lengths_of
from dasheng_lib.evaluation.frame_times import frame_times
from dasheng_lib.evaluation.row_store import RowStore, read_rows
from dasheng_lib.tasks.clip import Clip

VERSION = 1  # raise it when the same encoder and clips would give other numbers


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

    def make(folder: Path) -> None:
        _embed_into(folder, encoder, clips, kind, progress)

    folder = artefact("embedded", _recipe(encoder, clips, kind), make, resumable=True)
    features, starts = read_rows(folder)
    if kind == "clips":
        return Embedded(features, starts)
    lengths_ms = np.array([1000 * clip.samples / clip.rate for clip in clips])
    times = frame_times(first_ms(encoder), encoder.hop_ms, np.diff(starts), lengths_ms)
    return Embedded(features, starts, times)


def embedded_folder(encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind = "clips") -> Path:
    """Where :func:`embed` keeps what it gives; it is there once that is whole."""
    return address("embedded", _recipe(encoder, clips, kind))


def _recipe(encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind) -> dict[str, Any]:
    """All that decides an embedding."""
    return {
        "encoder": encoder.fingerprint,
        "rate": encoder.sample_rate,
        "least": encoder.min_samples,
        "kind": kind,
        "times": [encoder.hop_ms, first_ms(encoder)] if kind == "frames" else None,
        "clips": len(clips),
        "audio": sha256("".join(clip.identity for clip in clips).encode()).hexdigest(),
        "version": VERSION,
    }


def compute_embeddings(encoder: AudioEncoder, clips: Sequence[Clip]) -> np.ndarray:
    """A vector a clip, float32 [clips, ``encoder.dim``], in memory and not from the cache."""
    out = np.empty((len(clips), encoder.dim), np.float32)
    for rows, vectors in embed_batches(encoder, clips):
        out[rows] = vectors.numpy()
    return out


def _embed_into(
    folder: Path, encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind, progress: bool
) -> None:
    samples = lengths_of(encoder, clips)
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
