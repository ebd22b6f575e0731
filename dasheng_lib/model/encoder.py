"""Dasheng's encoder: log-mel tokens of 40 ms through a plain pre-norm transformer.

Shapes: B clips, N samples, F mel bins (64), T tokens, P numbers in a patch (256), D width,
H heads. Published weights fit this module by :func:`dasheng_lib.checkpoint.weights.load_published`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.features import (
    HOP,
    MELS,
    PART_FRAMES,
    SAMPLE_RATE,
    Floor,
    LogMel,
    check_wave,
    frame_count,
    gathered,
    is_long,
)
from dasheng_lib.model.attention import Attention, attend, attend_in_runs, attend_to
from dasheng_lib.model.block import LAYER_NORM_EPS, Block, through, xavier
from dasheng_lib.model.input_norm import InputNorm
from dasheng_lib.model.packing import pack

PATCH_FRAMES = 4
PATCH = MELS * PATCH_FRAMES
TOKEN_SAMPLES = HOP * PATCH_FRAMES
CUT_SAMPLES = 10 * SAMPLE_RATE


@dataclass(frozen=True)
class EncoderConfig:
    """Size of an encoder, and its answers where the published code leaves room.

    Attributes:
        dim, depth, heads: width D, blocks, attention heads.
        positions: longest chunk in tokens (252 = 10.08 s); longer audio is read in chunks.
        floor: see :class:`dasheng_lib.features.LogMel`. The published code says ``"batch"``.
        long_audio: what becomes of the last chunk. ``"short"``: it is as long as it is
            (package 0.0.8 on). ``"pad"``: the normalised log-mel is filled up with zeros to a
            whole chunk (package 0.0.7 and before, at the time of the paper). ``"cut"``: the
            waveform is cut every 10.0 s, and the last piece filled up to 1 s (X-ARES).
        padding: what ``lengths`` does. ``"own"``: every clip is as if alone. ``"reference"``:
            padding takes part in the front end and is only left out as attention key.
        whitened: tokens go through a linear map at the end, which the pretext task does without,
            see :mod:`dasheng_lib.encoders.whitening`.
    """

    dim: int = 768
    depth: int = 12
    heads: int = 12
    positions: int = 252
    floor: Floor = "clip"
    long_audio: Literal["short", "pad", "cut"] = "short"
    padding: Literal["own", "reference"] = "own"
    whitened: bool = False

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"width {self.dim} does not divide into {self.heads} heads")
        if self.long_audio not in ("short", "pad", "cut"):
            raise ValueError(f"long_audio is 'short', 'pad' or 'cut', not {self.long_audio!r}")
        if self.padding not in ("own", "reference"):
            raise ValueError(f"padding is 'own' or 'reference', not {self.padding!r}")
        if (self.long_audio, self.padding) == ("cut", "reference"):
            raise ValueError("long_audio='cut' goes with padding='own': X-ARES pads no batches")

    def as_published(self) -> EncoderConfig:
        """The same size with every quirk of the published code (0.0.8 and later)."""
        return replace(self, floor="batch", long_audio="short", padding="reference")


# 0.6B as in the published checkpoint; Table 3 of the paper prints 1024 x 32 x 16, and the authors'
# training code builds 1536 x 24 x 24.
PRESETS = {
    "nano": EncoderConfig(192, 4, 3),
    "tiny": EncoderConfig(192, 12, 3),
    "small": EncoderConfig(384, 12, 6),
    "base": EncoderConfig(768, 12, 12),
    "0.6B": EncoderConfig(1280, 32, 16),
    "1.2B": EncoderConfig(1536, 40, 24),
}


def encoder_config(size: str) -> EncoderConfig:
    """The encoder of a named size, or of ``"WIDTHxDEPTHxHEADS"`` such as ``"96x4x3"``.

    Raises:
        ValueError: no such size.
    """
    if size in PRESETS:
        return PRESETS[size]
    if said := re.fullmatch(r"([1-9]\d*)x([1-9]\d*)x([1-9]\d*)", size):
        return EncoderConfig(*map(int, said.groups()))
    raise ValueError(
        f"There is no size {size!r}: choose {', '.join(PRESETS)} or WIDTHxDEPTHxHEADS, as in 96x4x3"
    )


def token_count(samples: int) -> int:
    """Tokens that ``samples`` at 16 kHz give: four frames each, frames left over are dropped."""
    return frame_count(samples) // PATCH_FRAMES


class Encoder(nn.Module):
    """``encoder(wave_BN)`` is one vector for each 40 ms: ``[B, T, D]``.

    Token k covers frames 4k to 4k + 3, whose windows are centred 40k to 40k + 30 ms after the
    start. Source: Dasheng, section 2; upstream ``AudioTransformerMAE_Encoder``.
    """

    sample_rate = SAMPLE_RATE
    hop_ms = 40.0

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EncoderConfig()
        self.dim = config.dim
        self.log_mel = LogMel(config.floor)
        self.norm_in = InputNorm(MELS, momentum=0.01)
        self.patch = nn.Linear(PATCH, config.dim)
        self.time = nn.Parameter(torch.randn(config.positions, config.dim) * 0.02)
        self.frequency = nn.Parameter(torch.randn(config.dim) * 0.02)
        self.blocks = nn.ModuleList(Block(config.dim, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.dim, LAYER_NORM_EPS)
        self.whiten = nn.Linear(config.dim, config.dim) if config.whitened else nn.Identity()
        self.blocks.apply(xavier)

    @classmethod
    def preset(cls, name: str) -> Encoder:
        """A freshly initialised encoder of a size, see :func:`encoder_config`.

        Raises:
            ValueError: no such size.
        """
        return cls(encoder_config(name))

    def forward(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Tokens of 16 kHz waveforms.

        Args:
            wave_BN: float, full scale 1.0, at least 480 samples.
            lengths: int64 [B], valid samples of each clip; by default all. With
                ``padding="own"`` a clip's tokens equal those of the clip alone, whatever lies
                behind it or beside it, and tokens behind its end are 0.

        Raises:
            ValueError: wrong shape, or a clip is shorter than 480 samples.
        """
        check_wave(wave_BN, lengths)
        own = self.config.padding == "own"
        if lengths is not None and own and self.config.long_audio != "short":
            alone = [self(w[None, :n])[0] for w, n in zip(wave_BN, lengths.tolist(), strict=True)]
            return nn.utils.rnn.pad_sequence(alone, batch_first=True)
        if self.config.long_audio == "cut":
            return self._cut(wave_BN)
        if self.reads_in_parts(wave_BN, lengths):
            return gathered(self.in_parts(wave_BN), self.tokens(wave_BN.shape[1]))
        return self.of_mel(self.log_mel(wave_BN, lengths if own else None), lengths)

    def reads_in_parts(self, wave_BN: Tensor, lengths: Tensor | None = None) -> bool:
        """Whether :meth:`in_parts` gives what :meth:`forward` does, in less memory."""
        own = self.config.padding == "own" or lengths is None
        return own and self.config.long_audio == "short" and is_long(wave_BN, lengths)

    def in_parts(self, wave_1N: Tensor) -> Iterator[Tensor]:
        """Tokens of one long clip, some chunks at a time: ``[1, some, D]``."""
        chunk = self.config.positions * PATCH_FRAMES
        for mel_1FT in self.log_mel.in_parts(wave_1N, max(PART_FRAMES // chunk, 1) * chunk):
            if mel_1FT.shape[2] >= PATCH_FRAMES:
                yield self.of_mel(mel_1FT)

    def of_mel(self, mel_BFT: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Tokens of log-mels in dB, which may be mixed or cropped: ``[B, frames // 4, D]``.

        Args:
            lengths: as in :meth:`forward`, of the waveforms.
        """
        own = self.config.padding == "own"
        mel_BFT = self.normalise(mel_BFT)
        T, chunk = mel_BFT.shape[2] // PATCH_FRAMES, self.config.positions * PATCH_FRAMES
        # Zeros behind batch normalisation are the mean spectrum, not silence: upstream's choice.
        if self.config.long_audio == "pad" and mel_BFT.shape[2] > chunk:
            mel_BFT = F.pad(mel_BFT, (0, -mel_BFT.shape[2] % chunk))
        patch_BTP = patches(mel_BFT)
        if lengths is not None and not own:
            return self._masked(patch_BTP, lengths // TOKEN_SAMPLES)[:, :T]
        return self._packed(patch_BTP, lengths)[:, :T]

    @torch.no_grad()
    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Set the running statistics of the input norm to those of a few batches ``[B, N]``.

        Upstream starts them at 0 and 1 and lets them drift there at 1 % a step. That is far from
        dB for hundreds of steps, in which an evaluated encoder sees numbers it was never trained
        on; and it would make "untrained" a straw man.
        """
        norm = self.norm_in.train()
        norm.reset_running_stats()
        norm.momentum, momentum = None, norm.momentum  # None: plain average over the batches
        for wave_BN in waves:
            norm(self.log_mel(wave_BN))
        norm.momentum = momentum

    def tokens(self, samples: int) -> int:
        """Tokens of a clip of this length; with ``"cut"`` every piece has its own."""
        if self.config.long_audio != "cut" or samples <= CUT_SAMPLES:
            return token_count(samples)
        whole, rest = divmod(samples, CUT_SAMPLES)
        last = token_count(max(rest, SAMPLE_RATE)) if rest else 0
        return whole * token_count(CUT_SAMPLES) + last

    def normalise(self, mel_BFT: Tensor) -> Tensor:
        """Batch normalisation of each mel bin, in float32."""
        with torch.autocast(mel_BFT.device.type, enabled=False):
            return self.norm_in(mel_BFT.float())

    def embed(self, patch_BTP: Tensor, places: Tensor | None = None) -> Tensor:
        """Patches to tokens with their positions, ``[B, T, D]``.

        Args:
            patch_BTP: normalised patches; T at most ``positions`` unless there are ``places``.
            places: int64 [T], the position of each; by default 0, 1, 2 and so on.
        """
        time_TD = self.time[: patch_BTP.shape[-2]] if places is None else self.time[places]
        return self.patch(patch_BTP) + time_TD + self.frequency

    def encode(self, x_BTD: Tensor, attention: Attention = attend) -> Tensor:
        """Tokens through the blocks and the last layer norm."""
        return self.norm(through(self.blocks, x_BTD, attention))

    def _packed(self, patch_BTP: Tensor, lengths: Tensor | None) -> Tensor:
        """Chunks of all clips in one row without padding; 0 behind the end of a clip."""
        B, T, _ = patch_BTP.shape
        tokens = [T] * B if lengths is None else [token_count(n) for n in lengths.tolist()]
        packing = pack(tokens, T, self.config.positions, patch_BTP.device)
        x_SD = self.embed(patch_BTP.flatten(0, 1)[packing.rows_S], packing.places_S)
        x_SD = self.whiten(self.encode(x_SD, partial(attend_in_runs, runs=packing.runs)))
        out_RD = x_SD.new_zeros(B * T, self.dim).index_copy(0, packing.rows_S, x_SD)
        return out_RD.view(B, T, self.dim)

    def _masked(self, patch_BTP: Tensor, tokens_B: Tensor) -> Tensor:
        """Chunk after chunk, with tokens behind the end of a clip computed but not attended to."""
        valid_BT = torch.arange(patch_BTP.shape[1]) < tokens_B.cpu()[:, None]
        valid_BT = valid_BT.to(patch_BTP.device)
        size = self.config.positions
        return torch.cat(
            [
                self.whiten(
                    self.encode(self.embed(chunk_BTP), partial(attend_to, valid_BT=chunk_BT))
                )
                for chunk_BTP, chunk_BT in zip(
                    patch_BTP.split(size, 1), valid_BT.split(size, 1), strict=True
                )
            ],
            1,
        )

    def _cut(self, wave_BN: Tensor) -> Tensor:
        chunks = wave_BN.split(CUT_SAMPLES, 1)
        last = chunks[-1]
        if len(chunks) > 1:  # a clip that is not cut is left as it is
            last = F.pad(last, (0, max(0, SAMPLE_RATE - last.shape[1])))
        return torch.cat(
            [
                self.whiten(self.encode(self.embed(patches(self.normalise(self.log_mel(chunk))))))
                for chunk in (*chunks[:-1], last)
            ],
            1,
        )


def patches(mel_BFT: Tensor) -> Tensor:
    """Cut ``[B, F, frames]`` into patches of all bins by four frames, ``[B, T, 256]``.

    The order within a patch is bin first (index = bin x 4 + frame), as upstream.
    """
    B, bins, frames = mel_BFT.shape
    T = frames // PATCH_FRAMES
    mel_BFT = mel_BFT[:, :, : T * PATCH_FRAMES]
    return mel_BFT.reshape(B, bins, T, PATCH_FRAMES).transpose(1, 2).reshape(B, T, -1)
