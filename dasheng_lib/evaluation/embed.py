"""Clip embeddings, computed once for a corpus.

Clips are sorted by length and batched with neighbours of about their own length, so little
padding is computed; the encoder masks what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from tqdm.auto import tqdm

from dasheng_lib.audio import ratio, resample
from dasheng_lib.common.cache import artefact
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.bucketing import length_batches

# What one batch takes: on CPUs little more than one long clip, whose activations fit the cache.
BATCH_SECONDS = 40.0
CARD_SECONDS = 400.0  # and on a card, which waits for whoever launches more than for arithmetic
VERSION = 1  # raise it when the same encoder would give other numbers


def embed(
    encoder: AudioEncoder, corpus: Corpus, clips: np.ndarray | None = None, progress: bool = True
) -> np.ndarray:
    """One vector for each clip, float32 ``[len(clips), encoder.dim]``, from the cache if there.

    Args:
        encoder: frozen.
        corpus: at any sample rate; clips are resampled to the encoder's.
        clips: rows of ``corpus.clips``; by default all.

    Raises:
        UserError: the encoder gives a wrong shape or NaN; the clip is named.
    """
    clips = np.arange(len(corpus)) if clips is None else np.asarray(clips, np.int64)
    recipe = {
        "encoder": encoder.fingerprint,
        "corpus": corpus.digest,
        "clips": clips.tolist(),
        "version": VERSION,
    }

    def make(folder):
        np.save(folder / "clips.npy", compute_embeddings(encoder, corpus, clips, progress))

    return np.load(artefact("embeddings", recipe, make) / "clips.npy", allow_pickle=False)


def compute_embeddings(
    encoder: AudioEncoder, corpus: Corpus, clips: np.ndarray, progress: bool = True
) -> np.ndarray:
    """As :func:`embed`, without the cache."""
    rates = corpus.sample_rate, encoder.sample_rate
    up, down = ratio(*rates)
    resampled = -(-corpus.clips["samples"].to_numpy()[clips] * up // down)
    samples = np.maximum(resampled, encoder.min_samples)

    def wave(row: int) -> np.ndarray:
        # torchaudio rounds lengths in float32, which is one off for some clips of minutes.
        return resample(corpus.wave(clips[row]), *rates)[: resampled[row]]

    on_card = getattr(getattr(encoder, "device", None), "type", "cpu") == "cuda"
    seconds = CARD_SECONDS if on_card else BATCH_SECONDS
    out = np.empty((len(clips), encoder.dim), np.float32)
    with tqdm(total=len(clips), desc=f"embed {corpus.name}", disable=not progress) as bar:
        for rows, vectors in embed_waves(encoder, wave, samples, seconds):
            _check(vectors, encoder, corpus, clips[rows])
            out[rows] = vectors.numpy()
            bar.update(len(rows))
    return out


def embed_waves(
    encoder: AudioEncoder,
    wave: Callable[[int], np.ndarray],
    samples: np.ndarray,
    batch_seconds: float = BATCH_SECONDS,
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Vectors of clips of any length, batch by batch, the longest first.

    Args:
        encoder: frozen.
        wave: from a number below ``len(samples)`` to that clip, float32 [at most its samples].
        samples: length of each clip, at least ``encoder.min_samples``; a shorter wave is filled
            up with zeros.
        batch_seconds: audio in a batch with its padding; a GPU wants more.

    Yields:
        Numbers of clips, int64 [B], and their vectors, float32 [B, dim] on the CPU.
    """
    for rows in length_batches(samples, int(batch_seconds * encoder.sample_rate)):
        wave_BN = torch.zeros(len(rows), int(samples[rows[0]]))
        for row_N, clip in zip(wave_BN, rows, strict=True):
            samples_n = wave(int(clip))
            row_N[: len(samples_n)] = torch.from_numpy(np.array(samples_n))
        yield rows, encoder.clips(wave_BN, torch.from_numpy(samples[rows])).cpu()


def _check(vectors: torch.Tensor, encoder: AudioEncoder, corpus: Corpus, clips: np.ndarray) -> None:
    if vectors.shape != (len(clips), encoder.dim):
        raise UserError(
            f"{encoder.name} gave {list(vectors.shape)} for {len(clips)} clips: clips() returns "
            f"[clips, {encoder.dim}]."
        )
    bad = (~vectors.isfinite().all(1)).nonzero()
    if len(bad):
        clip = corpus.clips.iloc[clips[int(bad[0])]]
        raise UserError(
            f"{encoder.name} gave a value that is not finite for {clip['package']} "
            f"{clip['member']}: leave the clip out or mend the encoder."
        )
