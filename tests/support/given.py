"""Tasks of given embeddings: an encoder that hears its numbers in the samples, unchanged."""

from __future__ import annotations

import numpy as np
import torch

from dasheng_lib.tasks.clip import Clip

D = 6


class Given:
    """Frames of D samples each; a clip's vector is the mean of its frames."""

    name, fingerprint = "given", "given-1"
    sample_rate, dim, hop_ms, min_samples = 16_000, D, 1000 * D / 16_000, D

    def frames(self, wave_BN, lengths=None):
        return wave_BN.unflatten(1, (-1, D))

    def clips(self, wave_BN, lengths):
        sums = [w[:n].unflatten(0, (-1, D)).mean(0) for w, n in zip(wave_BN, lengths, strict=True)]
        return torch.stack(sums)


def given_clip(name: str, x_TD: np.ndarray, *labels: str, part_of: str = "") -> Clip:
    """A clip whose frames are ``x_TD``."""
    wave = np.ascontiguousarray(x_TD, np.float32).reshape(-1)
    identity = f"{name} {hash(wave.tobytes())}"
    return Clip(name, len(wave), 16_000, identity, lambda: wave, labels, part_of=part_of)


def given_split(
    name: str, count: int, classes: int, seed: int, frames: int = 1, noise: float = 1.0
) -> tuple[Clip, ...]:
    """Clips of classes ``c0`` to at most ``c5`` in turn; the mean of class i is 2 at place i."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        x_TD = noise * rng.normal(size=(frames, D)) + 2 * np.eye(D)[i % classes]
        found.append(given_clip(f"{name}{i}", x_TD, f"c{i % classes}"))
    return tuple(found)
