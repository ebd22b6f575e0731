"""Clip embeddings of a corpus, computed once.

Clips are sorted by length and batched with neighbours of about their own length, so little
padding is computed; the encoder masks what there is.
"""

from __future__ import annotations

import numpy as np
import torch
from tqdm.auto import tqdm

from dasheng_lib.cache import artefact
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.errors import UserError

BATCH_SECONDS = 160.0
VERSION = 1  # raise it when the same encoder would give other numbers


def embed(
    encoder: AudioEncoder, corpus: Corpus, clips: np.ndarray | None = None, progress: bool = True
) -> np.ndarray:
    """One vector for each clip, float32 ``[len(clips), encoder.dim]``, from the cache if there.

    Args:
        encoder: frozen.
        corpus: at the encoder's sample rate.
        clips: rows of ``corpus.clips``; by default all.

    Raises:
        UserError: the rates differ, or the encoder gives a wrong shape or NaN; the clip is named.
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
    if encoder.sample_rate != corpus.sample_rate:
        raise UserError(
            f"{encoder.name} wants {encoder.sample_rate} Hz and {corpus.name} is at "
            f"{corpus.sample_rate} Hz: resample the corpus."
        )
    samples = np.maximum(corpus.clips["samples"].to_numpy()[clips], encoder.min_samples)
    order = np.argsort(samples, kind="stable")[::-1]  # the largest batch first: memory fails early
    out = np.empty((len(clips), encoder.dim), np.float32)
    with tqdm(total=len(clips), desc=f"embed {corpus.name}", disable=not progress) as bar:
        while len(order):
            longest = samples[order[0]]
            size = max(int(BATCH_SECONDS * corpus.sample_rate / longest), 1)
            rows, order = order[:size], order[size:]
            wave_BN = torch.zeros(len(rows), longest)
            for row, clip in zip(wave_BN, clips[rows], strict=True):
                wave = corpus.wave(clip)
                row[: len(wave)] = torch.from_numpy(np.array(wave))
            vectors = encoder.clips(wave_BN, torch.from_numpy(samples[rows]))
            _check(vectors, encoder, corpus, clips[rows])
            out[rows] = vectors.numpy()
            bar.update(len(rows))
    return out


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
