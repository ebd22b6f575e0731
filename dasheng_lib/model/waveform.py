"""The network of Wav2Vec2 and HuBERT: convolutions over the waveform, then a transformer.

Its parts, their names and their first weights are those of ``Wav2Vec2Model`` in transformers
(Apache-2.0; HuBERT's has the same), so weights go either way. What runs them is written out here,
because training needs what lies between the parts, and because one of them can be had for an eighth
of its time.

Shapes: B clips, N samples, T frames (20 ms), C channels of the convolutions, D width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.model.encoder import encoder_config

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)
FIELD, HOP = 400, 320  # samples that a frame hears, and samples from one to the next


@dataclass(frozen=True)
class WaveformConfig:
    """Size of a network.

    Attributes:
        dim, depth, heads: width D, transformer blocks, attention heads.
        channels: width of the seven convolutions. They are most of the work of a small network:
            with the 512 of the published ones, eleven times the rest.
    """

    dim: int = 768
    depth: int = 12
    heads: int = 12
    channels: int = 512

    def __post_init__(self) -> None:
        if self.dim % self.heads:
            raise ValueError(f"width {self.dim} does not divide into {self.heads} heads")


def waveform_config(size: str) -> WaveformConfig:
    """The network of a size that :func:`dasheng_lib.model.encoder.encoder_config` knows.

    Raises:
        ValueError: no such size.
    """
    same = encoder_config(size)
    return WaveformConfig(same.dim, same.depth, same.heads, 512 if same.dim >= 768 else 64)


def frame_count(samples: int) -> int:
    """Frames that ``samples`` at 16 kHz give: frame k hears samples 320 k to 320 k + 399."""
    return max(samples - FIELD, -1) // HOP + 1


class WaveformEncoder(nn.Module):
    """``encoder(wave_BN)`` is one vector for each 20 ms: ``[B, T, D]``, after the last block.

    The first convolution is normalised over the whole clip, so a clip's vectors are its own only
    if nothing is padded; that is why no lengths are taken here (see
    :mod:`dasheng_lib.encoders.waveform`).

    Source: Baevski et al. 2020, section 2 and 4.2 (BASE); there is no dropout and no LayerDrop,
    so that a step is a function of its noise.

    Raises:
        UserError: transformers is not installed.
    """

    sample_rate = SAMPLE_RATE
    hop_ms = 20.0

    def __init__(self, config: WaveformConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or WaveformConfig()
        self.dim = config.dim
        self.net = _library_model(config)
        # Published: uniform in [0, 1). That is as large as all else together and in one direction,
        # and a small network needs twice the steps to see what lies around it.
        nn.init.normal_(self.net.masked_spec_embed, std=0.02)

    def forward(self, wave_BN: Tensor) -> Tensor:
        """Vectors of 16 kHz waveforms of one length.

        Raises:
            ValueError: not [B, N], or shorter than 400 samples.
        """
        return self.transform(self.project(self.features(wave_BN))[0])

    def features(self, wave_BN: Tensor) -> Tensor:
        """What the convolutions make of the waveform, ``[B, T, C]``."""
        if wave_BN.ndim != 2 or wave_BN.shape[1] < FIELD:
            raise ValueError(
                f"wave is [clips, samples] with at least {FIELD} samples (25 ms at 16 kHz), "
                f"got {list(wave_BN.shape)}"
            )
        x_BCT = standardised(wave_BN)[:, None]
        for layer in self.net.feature_extractor.conv_layers:
            x_BCT = layer(x_BCT)
        return x_BCT.transpose(1, 2)

    def project(self, features_BTC: Tensor) -> tuple[Tensor, Tensor]:
        """What the transformer reads, ``[B, T, D]``, and the normalised features ``[B, T, C]``."""
        return self.net.feature_projection(features_BTC)

    @property
    def mask_token(self) -> Tensor:
        """What stands in place of a hidden frame, ``[D]``."""
        return self.net.masked_spec_embed

    @property
    def blocks(self) -> nn.ModuleList:
        """Those of the transformer."""
        return self.net.encoder.layers

    def transform(self, x_BTD: Tensor) -> Tensor:
        """Positions, then block after block, ``[B, T, D]``."""
        encoder = self.net.encoder
        conv = encoder.pos_conv_embed.conv
        place_BTD = F.gelu(same_convolution(x_BTD, conv.weight, conv.bias))
        x_BTD = encoder.layer_norm(x_BTD + place_BTD)
        for block in self.blocks:
            x_BTD = block(x_BTD)
        return x_BTD


def standardised(wave_BN: Tensor) -> Tensor:
    """Each clip with mean 0 and variance 1, float32; silence stays 0."""
    variance_B1, mean_B1 = torch.var_mean(wave_BN.float(), 1, correction=0, keepdim=True)
    return (wave_BN - mean_B1) / (variance_B1 + 1e-7).sqrt()


def same_convolution(x_BTD: Tensor, weight_DcK: Tensor, bias_D: Tensor) -> Tensor:
    """``F.conv1d`` in groups with padding K // 2, cut to T frames; float32, ``[B, T, D]``.

    By FFT: a kernel of 128 frames over 99 of them takes an eighth of the time, gradients
    included.
    """
    B, T, D = x_BTD.shape
    _, c, K = weight_DcK.shape
    groups, size = D // c, next_fast_len(T + K // 2, real=True)
    with torch.autocast(x_BTD.device.type, enabled=False):
        x_BgcF = torch.fft.rfft(x_BTD.float().transpose(1, 2).reshape(B, groups, c, T), size)
        w_gdcF = torch.fft.rfft(weight_DcK.float().reshape(groups, c, c, K), size)
        y_BgdF = torch.einsum("bgcf,gdcf->bgdf", x_BgcF, w_gdcF.conj())
        y_BDS = torch.fft.irfft(y_BgdF, size).reshape(B, D, size)
        y_BDT = y_BDS.roll(K // 2, 2)[:, :, :T]  # the kernel begins K // 2 before its frame
        return y_BDT.transpose(1, 2) + bias_D


def _library_model(config: WaveformConfig) -> nn.Module:
    from dasheng_lib.common.torchaudio import tolerate

    tolerate()  # transformers imports torchaudio, which may be there and not load
    try:
        from transformers import Wav2Vec2Config, Wav2Vec2Model
    except ImportError as error:
        raise UserError(
            f"HuBERT and Wav2Vec2 need transformers ({error}): run `make env`, "
            "or pip install transformers."
        ) from error
    dropouts = ("hidden", "attention", "activation", "feat_proj", "final")
    return Wav2Vec2Model(
        Wav2Vec2Config(
            hidden_size=config.dim,
            num_hidden_layers=config.depth,
            num_attention_heads=config.heads,
            intermediate_size=4 * config.dim,
            conv_dim=(config.channels,) * len(KERNELS),
            conv_kernel=KERNELS,
            conv_stride=STRIDES,
            num_conv_pos_embedding_groups=math.gcd(config.dim, 16),
            layerdrop=0.0,
            # In bfloat16 on a CPU a product, a softmax and a product take a quarter of the time
            # of torch's fused kernel, gradients included; in float32 they take the same.
            attn_implementation="eager",
            **{f"{name}_dropout": 0.0 for name in dropouts},
        )
    )
