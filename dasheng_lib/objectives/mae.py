"""Masked autoencoding: hide most tokens, encode the rest, reconstruct what was hidden.

Shapes: B clips, N samples, T tokens, K kept tokens, P numbers in a patch (256), D encoder width,
d decoder width.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import torch
from torch import Generator, Tensor, nn

from dasheng_lib.common.settings import setting
from dasheng_lib.masking import group_mask
from dasheng_lib.model.block import LAYER_NORM_EPS, Block, through
from dasheng_lib.model.encoder import (
    PATCH,
    Encoder,
    EncoderConfig,
    encoder_config,
    patches,
    token_count,
)
from dasheng_lib.objectives import Objective


@dataclass(frozen=True)
class MAEConfig:
    """Decoder size and masking; the masking by default is the paper's.

    Attributes:
        decoder_dim, decoder_depth, decoder_heads: its width, blocks and attention heads; by default
            those that go with the encoder, see :func:`with_decoder`.
        mask_ratio, group: see :func:`dasheng_lib.masking.group_mask`.
        positions: what the decoder's learned positions start from. ``"zeros"`` is upstream's;
            then all hidden tokens look alike at first, and a small model predicts one mean shape
            for hundreds of steps until it has learned to tell them apart. ``"sincos"`` are the
            sines and cosines of the masked autoencoder for images.
    """

    decoder_dim: int | None = setting(None, "width of the decoder")
    decoder_depth: int | None = setting(None, "its blocks")
    decoder_heads: int | None = setting(None, "its attention heads")
    mask_ratio: float = setting(0.75, "share of the tokens that is hidden")
    group: int = setting(2, "neighbouring tokens hidden together")
    positions: Literal["zeros", "sincos"] = setting(
        "zeros", "of the decoder at first: zeros, or sincos"
    )

    def __post_init__(self) -> None:
        if self.positions not in ("zeros", "sincos"):
            raise ValueError(f"positions is 'zeros' or 'sincos', not {self.positions!r}")
        if self.decoder_dim and self.decoder_heads and self.decoder_dim % self.decoder_heads:
            raise ValueError(f"{self.decoder_dim} does not divide into {self.decoder_heads} heads")
        if not 0.0 < self.mask_ratio < 1.0 or self.group < 1:
            raise ValueError(
                "mask ratio is above 0 and below 1 and group at least 1, "
                f"not {self.mask_ratio} and {self.group}"
            )


# One decoder for each encoder size (Table 3 and the authors' code: Dec-25M and Dec-56M; ours for
# the small sizes).
DECODERS = {
    "nano": MAEConfig(128, 2, 4),
    "tiny": MAEConfig(128, 2, 4),
    "small": MAEConfig(256, 4, 8),
    "base": MAEConfig(512, 8, 16),
    "0.6B": MAEConfig(512, 8, 16),
    "1536x24x24": MAEConfig(512, 8, 16),  # what the authors' training code calls 0.6B
    "1.2B": MAEConfig(768, 8, 24),
}


def decoder_config(size: str) -> MAEConfig:
    """The decoder that goes with an encoder size, see :func:`with_decoder`."""
    return with_decoder(MAEConfig(), encoder_config(size))


def with_decoder(config: MAEConfig, encoder: EncoderConfig) -> MAEConfig:
    """``config``, with the decoder that goes with an encoder where it does not name its own.

    Sizes without a name have that of nano, or one as wide as the encoder if that is narrower: a
    decoder that is wider than its encoder could do the encoder's work.
    """
    shape = (encoder.dim, encoder.depth, encoder.heads)
    sizes = {name: encoder_config(name) for name in DECODERS}
    known = [name for name, size in sizes.items() if (size.dim, size.depth, size.heads) == shape]
    usual = DECODERS[known[0] if known else "nano"]
    if encoder.dim < usual.decoder_dim:
        heads = max(h for h in range(1, usual.decoder_heads + 1) if encoder.dim % h == 0)
        usual = replace(usual, decoder_dim=encoder.dim, decoder_heads=heads)
    said = {name: value for name, value in asdict(config).items() if value is not None}
    return replace(usual, **said)


@dataclass(frozen=True)
class MAEOutput:
    """What one step computes, and what a notebook wants to draw.

    Attributes:
        loss: scalar, float32.
        mel_BFT: log-mel in dB that the target was cut from.
        keep_BK, mask_BT: see :func:`dasheng_lib.masking.group_mask`.
        prediction_BTP, target_BTP: patches in normalised units; the loss compares them where
            ``mask_BT`` is True.
        mean_BT1, scale_BT1: ``prediction * scale + mean`` is a patch in dB.
        tally: empty, see :mod:`dasheng_lib.objectives`.
    """

    loss: Tensor
    mel_BFT: Tensor
    keep_BK: Tensor
    mask_BT: Tensor
    prediction_BTP: Tensor
    target_BTP: Tensor
    mean_BT1: Tensor
    scale_BT1: Tensor
    tally: dict[str, Tensor] = field(default_factory=dict)

    @property
    def task_loss(self) -> Tensor:
        """The loss."""
        return self.loss

    @property
    def baseline_loss(self) -> Tensor:
        """The loss if every prediction were 0."""
        return masked_mse(torch.zeros_like(self.target_BTP), self.target_BTP, self.mask_BT)


class MaskedAutoencoder(Objective):
    """Encoder, decoder and loss of Dasheng's pretraining (section 2.2)."""

    family = "dasheng"

    def __init__(self, encoder: Encoder, config: MAEConfig | None = None) -> None:
        super().__init__()
        self.config = config = with_decoder(config or MAEConfig(), encoder.config)
        self.encoder = encoder
        self.decoder = Decoder(encoder.config.dim, encoder.config.positions, config)

    @classmethod
    def preset(cls, name: str) -> MaskedAutoencoder:
        """An encoder size with its decoder.

        Raises:
            ValueError: no such size.
        """
        return cls(Encoder.preset(name), decoder_config(name))

    @property
    def blocks(self) -> list[nn.Module]:
        """All transformer blocks."""
        return [*self.encoder.blocks, *self.decoder.blocks]

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """The ``noise`` of one step, a row a clip, see :func:`dasheng_lib.masking.group_mask`."""
        T = token_count(N)
        return torch.rand(B, T // min(self.config.group, T), generator=generator)

    def forward(
        self,
        wave_BN: Tensor,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
    ) -> MAEOutput:
        """One masked reconstruction of ``wave_BN`` (16 kHz, at most ``positions`` tokens).

        Args:
            wave_BN: float waveform, full scale 1.0.
            generator, noise: where the mask comes from, see
                :func:`dasheng_lib.masking.group_mask`.

        Raises:
            ValueError: wrong shape, too short (480 samples, or so short that nothing is hidden)
                or too long (10.08 s).
        """
        mel_BFT = self.encoder.log_mel(wave_BN)
        raw_BTP = patches(mel_BFT)
        B, T, _ = raw_BTP.shape
        if self.encoder.config.positions < T:
            raise ValueError(f"{T} tokens and {self.encoder.config.positions} positions: crop it")
        keep_BK, mask_BT = group_mask(
            B, T, self.config.mask_ratio, self.config.group, generator, noise
        )
        if keep_BK.shape[1] == T:  # the mean over no token is NaN
            raise ValueError(
                f"of {T} tokens in groups of {self.config.group} none is hidden: use longer clips"
            )
        keep_BK, mask_BT = keep_BK.to(wave_BN.device), mask_BT.to(wave_BN.device)

        # Positions are added before anything is removed.
        x_BTD = self.encoder.embed(patches(self.encoder.normalise(mel_BFT)))
        x_BKD = take(x_BTD, keep_BK)
        z_BKD = self.encoder.encode(x_BKD)
        prediction_BTP = self.decoder(z_BKD, keep_BK, T).float()

        target_BTP, mean_BT1, scale_BT1 = standardise(raw_BTP)
        loss = masked_mse(prediction_BTP, target_BTP, mask_BT)
        return MAEOutput(
            loss, mel_BFT, keep_BK, mask_BT, prediction_BTP, target_BTP, mean_BT1, scale_BT1
        )


class Decoder(nn.Module):
    """Kept tokens back at their places, a learned token everywhere else, then a few blocks."""

    def __init__(self, encoder_dim: int, positions: int, config: MAEConfig) -> None:
        super().__init__()
        dim = config.decoder_dim
        self.project = nn.Linear(encoder_dim, dim)
        self.mask_token = nn.Parameter(torch.randn(dim) * 0.02)
        # One spare row, as upstream, so that parameter counts agree.
        zeros = torch.zeros(positions + 1, dim)
        self.time = nn.Parameter(zeros if config.positions == "zeros" else sincos(*zeros.shape))
        self.blocks = nn.ModuleList(
            Block(dim, config.decoder_heads) for _ in range(config.decoder_depth)
        )
        self.norm = nn.LayerNorm(dim, LAYER_NORM_EPS)
        self.out = nn.Linear(dim, PATCH)
        self.apply(_truncated_normal)

    def forward(self, z_BKD: Tensor, keep_BK: Tensor, T: int) -> Tensor:
        z_BKd = self.project(z_BKD)
        B, K, d = z_BKd.shape
        filled_BTd = self.mask_token.to(z_BKd.dtype).expand(B, T, d)
        x_BTd = filled_BTd.scatter(1, keep_BK[..., None].expand(B, K, d), z_BKd) + self.time[:T]
        x_BTd = through(self.blocks, x_BTd)
        return self.out(self.norm(x_BTd))


def take(x_BTD: Tensor, keep_BK: Tensor) -> Tensor:
    """The kept tokens, ``[B, K, D]``."""
    return x_BTD.gather(1, keep_BK[..., None].expand(-1, -1, x_BTD.shape[2]))


def sincos(T: int, dim: int, scale: float = 0.5) -> Tensor:
    """Sines and cosines of ``dim // 2`` wavelengths from 2 pi to 20,000 pi tokens, ``[T, dim]``.

    Source: Vaswani et al. 2017, section 3.5; halved, for the tokens beside them are small.
    """
    angle = torch.arange(T)[:, None] * 10_000.0 ** -(torch.arange(dim // 2) / (dim // 2))
    return scale * torch.cat([angle.sin(), angle.cos()], 1)


def standardise(raw_BTP: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each patch minus its mean, over its deviation; with the mean and the deviation.

    The variance has the divisor P - 1 and 1e-6 added, as upstream; a constant patch becomes 0.
    The input is dB before batch normalisation: a target behind its learnable scale would let
    the loss shrink to nothing without anything being learned.
    """
    raw_BTP = raw_BTP.float()
    variance, mean = torch.var_mean(raw_BTP, -1, keepdim=True)
    scale = (variance + 1e-6).sqrt()
    return (raw_BTP - mean) / scale, mean, scale


def masked_mse(prediction_BTP: Tensor, target_BTP: Tensor, mask_BT: Tensor) -> Tensor:
    """Squared error, averaged over a patch and then over all removed tokens of the batch."""
    error_BT = (prediction_BTP - target_BTP).square().mean(-1)
    return (error_BT * mask_BT).sum() / mask_BT.sum()


def _truncated_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)
