"""Dasheng encoders, ours and the published ones, as frozen features."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from dasheng_lib.checkpoint.weights import load_published
from dasheng_lib.common.errors import UserError
from dasheng_lib.features import MIN_SAMPLES, SAMPLE_RATE
from dasheng_lib.model.encoder import Encoder
from dasheng_lib.model.frozen import PRECISIONS, freeze
from dasheng_lib.objectives.family import LOG_MEL, Network


class DashengEncoder:
    """An :class:`dasheng_lib.model.encoder.Encoder` as features: tokens, and their mean for a clip.

    Pooling is the plain mean over all tokens of the last layer after its norm (Dasheng,
    section 3.1.3), and after its whitening if it has one.

    Args:
        encoder: left as it is; what runs is :func:`dasheng_lib.model.frozen.freeze` of it, on the
            device where it is now.
        name: for tables.
        precision: ``"float32"``, or ``"bfloat16"`` for the blocks: up to twice as fast where
            the processor has bfloat16 products, and of cosine 0.9999 or more to float32.
        in_place: give ``encoder`` up, so that its weights are never in memory twice.

    Raises:
        UserError: no such precision.
    """

    sample_rate = SAMPLE_RATE
    hop_ms = Encoder.hop_ms
    min_samples = MIN_SAMPLES

    def __init__(
        self, encoder: Encoder, name: str, precision: str = "float32", in_place: bool = False
    ) -> None:
        if precision not in PRECISIONS:
            raise UserError(f"precision is {' or '.join(PRECISIONS)}, not {precision!r}.")
        self.name = name
        self.dim = encoder.dim
        self.device = encoder.norm.weight.device
        self.fingerprint = _fingerprint(encoder)
        if precision != "float32":
            self.fingerprint += f"-{precision}"
        self.encoder = freeze(encoder, precision, in_place)

    @classmethod
    def untrained(
        cls, size: str, seed: int = 0, precision: str = "float32", device: str = "cpu"
    ) -> DashengEncoder:
        """A freshly initialised encoder of a size.

        Raises:
            UserError: no such size.
        """
        network = untrained_network(size, seed).to(device)
        return cls(network, f"untrained {size}", precision, in_place=True)

    @classmethod
    def from_published(
        cls,
        path: Path | str,
        precision: str = "float32",
        name: str | None = None,
        device: str = "cpu",
    ) -> DashengEncoder:
        """A file that Dasheng's authors published."""
        name = name or f"published:{path}"
        return cls(load_published(path).to(device), name, precision, in_place=True)

    @torch.inference_mode()
    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Tokens, ``[B, T, dim]``; those behind a clip's end are 0."""
        tokens_BTD = self.encoder(wave_BN.to(self.device, non_blocking=True), lengths)
        if lengths is None or self.encoder.config.padding == "own":
            return tokens_BTD
        behind_BT = torch.arange(tokens_BTD.shape[1]) >= self._counts(lengths)[:, None]
        return tokens_BTD.masked_fill(behind_BT.to(self.device)[..., None], 0)

    @torch.inference_mode()
    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Mean token of each clip, ``[B, dim]``."""
        if self.encoder.reads_in_parts(wave_BN, lengths):
            total_BD = sum(part.sum(1) for part in self.encoder.in_parts(wave_BN.to(self.device)))
            return total_BD / self.encoder.tokens(wave_BN.shape[1])
        tokens_BTD = self.frames(wave_BN, lengths)
        if lengths is None:
            return tokens_BTD.mean(1)
        return tokens_BTD.sum(1) / self._counts(lengths).to(self.device)[:, None]

    def _counts(self, lengths: Tensor) -> Tensor:
        return torch.tensor([self.encoder.tokens(samples) for samples in lengths.tolist()])


def untrained_network(size: str, seed: int = 0, kind: Network = LOG_MEL) -> nn.Module:
    """A freshly initialised network of a size and kind, in evaluation mode.

    Raises:
        UserError: no such size.
    """
    try:
        config = kind.size(size)
    except ValueError as error:
        raise UserError(f"{error}.") from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind.module(config).eval()


def _fingerprint(encoder: Encoder) -> str:
    config = asdict(encoder.config)
    del config["whitened"]  # its weights say it
    hashed = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name, value in sorted(encoder.state_dict().items()):
        hashed.update(name.encode())
        hashed.update(value.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()[:16]
