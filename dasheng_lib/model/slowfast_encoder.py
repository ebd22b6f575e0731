"""SlowFast NFNet on waveforms: HARES' log-mel, then the network.

Shapes: B clips, N samples, F mel bins, T frames (10 ms, or 40 ms of features), D width, K blocks
of both paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.features import HOP, SAMPLE_RATE
from dasheng_lib.model.slowfast_nfnet import FRAMES_PER_FAST, SlowFastConfig, SlowFastNFNet

WINDOW = 400  # 25 ms
FFT = 1024  # with 512 the lowest of 128 mel filters would lie between two frequencies
RANGE_DB = 80.0
TOKEN_SAMPLES = HOP * FRAMES_PER_FAST


class SlowFastLogMel(nn.Module):
    """``SlowFastLogMel()(wave_BN)`` is the log-mel of each clip in dB, ``[B, F, ceil(N / 160)]``.

    Frame k is centred on sample 160 k; beyond both ends are zeros, so that one sample is enough.
    Cells more than 80 dB below a clip's loudest are raised to that level. Always float32.

    Source: HARES, section 3: 25 ms windows every 10 ms. It does not say which window (here Hann),
    scale (HTK), range (0 to 8 kHz) or floor.
    """

    def __init__(self, mels: int = 80) -> None:
        super().__init__()
        with torch.device("cpu"):  # torchaudio looks at the values, which "meta" has not
            filters = torchaudio.functional.melscale_fbanks(
                FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, mels, SAMPLE_RATE, norm=None, mel_scale="htk"
            )
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, wave_BN: Tensor) -> Tensor:
        """Log-mel of waveforms of one length.

        Raises:
            ValueError: not [B, N], or empty.
        """
        if wave_BN.ndim != 2 or not wave_BN.is_floating_point() or not wave_BN.shape[1]:
            raise ValueError(
                f"wave is a float tensor [clips, samples], got {list(wave_BN.shape)} "
                f"{wave_BN.dtype}"
            )
        with torch.autocast(wave_BN.device.type, enabled=False):
            spectrum_BKT = torch.stft(
                wave_BN.float(),
                FFT,
                HOP,
                WINDOW,
                self.window,
                pad_mode="constant",
                return_complex=True,
            )[..., : -(-wave_BN.shape[1] // HOP)]
            power_BKT = spectrum_BKT.real.square() + spectrum_BKT.imag.square()
            db_BFT = 10.0 * (self.filters.T @ power_BKT).clamp_min(1e-10).log10()
            return torch.maximum(db_BFT, db_BFT.amax((1, 2), keepdim=True) - RANGE_DB)


def standardised(mel_BFT: Tensor) -> Tensor:
    """Each spectrogram with mean 0 and deviation 1, float32; silence is 0 (HARES, section 3)."""
    with torch.autocast(mel_BFT.device.type, enabled=False):
        variance_B, mean_B = torch.var_mean(mel_BFT.float(), (1, 2), correction=0, keepdim=True)
        return (mel_BFT - mean_B) / variance_B.sqrt().clamp_min(1e-3)


def token_count(samples: int) -> int:
    """Vectors that a clip gives: one for each 40 ms that it has begun."""
    return -(-samples // TOKEN_SAMPLES)


class SlowFastEncoder(nn.Module):
    """``encoder(wave_BN)`` is one vector for each 40 ms: ``[B, ceil(N / 640), D]``.

    Vector k covers frames 4k to 4k + 3, whose windows are centred 40k to 40k + 30 ms after the
    start. Standardisation, padding and squeeze-excite look at the whole clip, so that a clip's
    vectors are its own only without padding; that is why no lengths are taken here.
    """

    sample_rate = SAMPLE_RATE
    hop_ms = 1000 * TOKEN_SAMPLES / SAMPLE_RATE

    def __init__(self, config: SlowFastConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SlowFastConfig()
        self.log_mel = SlowFastLogMel(config.mels)
        self.net = SlowFastNFNet(**asdict(config))
        self.dim, self.drops = self.net.dim, self.net.drops

    def forward(self, wave_BN: Tensor, drop_BK: Tensor | None = None) -> Tensor:
        """Vectors of 16 kHz waveforms of one length.

        Args:
            drop_BK: ``drops`` numbers in [0, 1) for each clip that decide which blocks it skips in
                training (stochastic depth); by default they come from torch's own generator.

        Raises:
            ValueError: not [B, N], or empty.
        """
        return self.of_mel(self.log_mel(wave_BN), drop_BK)

    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Nothing to set: each spectrogram is standardised by itself."""

    def of_mel(self, mel_BFT: Tensor, drop_BK: Tensor | None = None) -> Tensor:
        """Vectors of log-mels in dB, which may be mixed or cropped: ``[B, ceil(T / 4), D]``."""
        return self.net.frames(standardised(mel_BFT).transpose(1, 2), drop_BK)

    def pooled(self, wave_BN: Tensor) -> Tensor:
        """What the network makes of whole clips, ``[B, D]``: the means of its paths.

        The mean of the vectors is the same where a clip's frames are a multiple of 16; else the
        slow path's last frame, which is not full, counts a little less there.
        """
        mel_BFT = standardised(self.log_mel(wave_BN))
        return self.net(mel_BFT.transpose(1, 2))

    @property
    def blocks(self) -> list[nn.Module]:
        """Parts that may be compiled or recomputed one by one."""
        return [*self.net.slow.blocks, *self.net.fast.blocks]
