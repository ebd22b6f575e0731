"""Waveform to log-mel in decibels: the front end of Dasheng.

Shapes: B clips, N samples, F mel bins (64), T frames (10 ms).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from dasheng_lib.common.torchaudio import torchaudio

SAMPLE_RATE = 16_000
HOP = 160
WINDOW = 512
MELS = 64
MIN_SAMPLES = 480  # four frames, the shortest clip that makes one token
LONG_FRAMES = 1 << 14  # a clip of more, 164 s, is read in parts
PART_FRAMES = 1 << 12
Floor = Literal["batch", "clip"]


def frame_count(samples: int) -> int:
    """Frames that ``samples`` at 16 kHz give: one every 10 ms, both ends included."""
    return samples // HOP + 1


class LogMel(nn.Module):
    """``LogMel()(wave_BN)`` is the log-mel of each clip in dB, ``[B, 64, N // 160 + 1]``, float32.

    16 kHz mono at full scale 1.0; 512-point FFT of a periodic Hann window every 160 samples,
    ends mirrored; power; 64 HTK triangles from 0 to 8 kHz, not area-normalised;
    10 log10(max(power, 1e-10)); then everything more than 120 dB below the loudest value is
    raised to that level. Always float32, under autocast too.

    Args:
        floor: where the loudest value is sought. ``"batch"`` is what the published code does
            (one value for all clips, so a loud clip changes its quiet neighbours);
            ``"clip"`` keeps clips apart, and equals ``"batch"`` for one clip.
        top_db: height of the loudest value above the floor, in dB.

    Source: Dasheng's ``AudioTransformerMAE_Encoder.front_end`` (torchaudio MelSpectrogram and
    AmplitudeToDB).
    """

    def __init__(self, floor: Floor = "batch", top_db: float = 120.0) -> None:
        super().__init__()
        if floor not in ("batch", "clip"):
            raise ValueError(f"floor is 'batch' or 'clip', not {floor!r}")
        self.floor = floor
        self.top_db = top_db
        with torch.device("cpu"):  # torchaudio looks at the values, which "meta" has not
            filters = torchaudio.functional.melscale_fbanks(
                WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, norm=None, mel_scale="htk"
            )
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Log-mel of a batch.

        Args:
            wave_BN: float waveform.
            lengths: int64 [B], samples that are valid in each clip; what follows is padding.
                Each clip is then mirrored at its own end and floored by its own maximum, so
                that its valid frames equal those of the clip alone. Frames after them are 0.

        Raises:
            ValueError: not [B, N], or a clip is shorter than 480 samples (30 ms).
        """
        check_wave(wave_BN, lengths)
        with torch.autocast(wave_BN.device.type, enabled=False):
            db_BFT = self._db(wave_BN, lengths)
            if lengths is None:
                top = db_BFT.amax((1, 2), keepdim=True) if self.floor == "clip" else db_BFT.max()
                return torch.maximum(db_BFT, top - self.top_db)
            frames = torch.arange(db_BFT.shape[2], device=db_BFT.device)
            valid = (frames <= lengths[:, None].to(frames.device) // HOP)[:, None]
            top = db_BFT.masked_fill(~valid, -torch.inf).amax((1, 2), keepdim=True)
            if self.floor == "batch":
                top = top.max()
            return torch.maximum(db_BFT, top - self.top_db).masked_fill(~valid, 0.0)

    def in_parts(self, wave_1N: Tensor, frames: int) -> Iterator[Tensor]:
        """The log-mel of one long clip, ``frames`` at a time: ``[1, 64, frames]``, then the rest.

        As :meth:`forward` of it all. It is computed twice, for the loudest value comes first, so
        that memory holds one part.
        """
        floor = max(part.max() for part in self._db_in_parts(wave_1N, frames)) - self.top_db
        for part in self._db_in_parts(wave_1N, frames):
            yield part.clamp_min_(floor)

    def _db_in_parts(self, wave_1N: Tensor, frames: int) -> Iterator[Tensor]:
        T = frame_count(wave_1N.shape[1])
        for first in range(0, T, frames):
            last = min(first + frames, T)
            # The two frames beside each end of a piece see its mirror, and not what lies there.
            start, stop = max(first - 2, 0), last + 2
            piece = wave_1N[:, start * HOP : (stop - 1) * HOP if stop < T else None]
            with torch.autocast(wave_1N.device.type, enabled=False):
                db_1FT = self._db(piece)
            yield db_1FT[:, :, first - start : last - start]

    def _db(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        padded = _mirror_ends(wave_BN.float(), lengths)
        spectrum = torch.stft(
            padded, WINDOW, HOP, window=self.window, center=False, return_complex=True
        )
        power_BKT = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        power_BFT = self.filters.T @ power_BKT
        return 10.0 * power_BFT.clamp_min(1e-10).log10()


def gathered(parts: Iterable[Tensor], T: int) -> Tensor:
    """Parts ``[1, some, D]`` one behind the other, ``[1, T, D]``; it and one part are in memory."""
    whole_1TD, begin = None, 0
    for part in parts:
        whole_1TD = part.new_empty(1, T, part.shape[2]) if whole_1TD is None else whole_1TD
        whole_1TD[:, begin : begin + part.shape[1]] = part
        begin += part.shape[1]
    return whole_1TD


def is_long(wave_BN: Tensor, lengths: Tensor | None = None) -> bool:
    """Whether this is one clip without padding that is better read in parts: over 164 s."""
    alone = len(wave_BN) == 1 and (lengths is None or int(lengths[0]) == wave_BN.shape[1])
    return alone and frame_count(wave_BN.shape[1]) > LONG_FRAMES


def check_wave(wave_BN: Tensor, lengths: Tensor | None = None) -> None:
    """Raise ValueError unless ``wave_BN`` is a batch of clips of at least 480 samples."""
    if wave_BN.ndim != 2 or not wave_BN.is_floating_point():
        raise ValueError(
            f"wave is a float tensor [clips, samples], got {list(wave_BN.shape)} {wave_BN.dtype}"
        )
    shortest = wave_BN.shape[1] if lengths is None else int(lengths.min())
    if shortest < MIN_SAMPLES:
        raise ValueError(
            f"a clip has {shortest} samples and one token needs {MIN_SAMPLES} (30 ms at 16 kHz): "
            "pad it with zeros or leave it out"
        )
    if lengths is not None and (
        lengths.shape != wave_BN.shape[:1] or int(lengths.max()) > wave_BN.shape[1]
    ):
        raise ValueError("lengths is one number of samples for each clip, none above wave's width")


def _mirror_ends(wave_BN: Tensor, lengths: Tensor | None) -> Tensor:
    half = WINDOW // 2
    padded = torch.nn.functional.pad(wave_BN[:, None], (half, half), mode="reflect")[:, 0]
    if lengths is None:
        return padded
    # Sample n + j of the clip becomes sample n - 2 - j, as if the clip ended there.
    reach = torch.arange(half, device=wave_BN.device)
    end = lengths[:, None].to(wave_BN.device) + half
    mirror = padded.gather(1, end - 2 - reach)
    return padded.scatter(1, end + reach, mirror)
