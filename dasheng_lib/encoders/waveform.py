"""HuBERT and Wav2Vec2 encoders of ours as frozen features.

Shapes: B clips, N samples, T frames (20 ms), D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.model.waveform import FIELD, WaveformEncoder, frame_count


class WaveformFeatures:
    """A :class:`dasheng_lib.model.waveform.WaveformEncoder` as features: frames, and means.

    The network's first norm runs over whole clips, so padding would change them. Clips of one
    length are embedded together, and a clip's vectors are always those of the clip alone.

    Args:
        encoder: given up; it is put into evaluation mode, on the device where it is now.
        name: for tables.
    """

    sample_rate = WaveformEncoder.sample_rate
    hop_ms = WaveformEncoder.hop_ms
    first_ms = 12.5  # the middle of the 25 ms that the first frame hears
    min_samples = FIELD

    def __init__(self, encoder: WaveformEncoder, name: str) -> None:
        self.name = name
        self.dim = encoder.dim
        self.encoder = encoder.eval()
        self.encoder.net.set_attn_implementation("sdpa")  # whose memory does not grow with T^2
        self.device = encoder.mask_token.device
        self.fingerprint = state_digest(encoder) + f"-{encoder.config.heads}"

    @torch.inference_mode()
    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Vectors, ``[B, T, dim]``; those behind a clip's end are 0."""
        if lengths is None:
            return self.encoder(wave_BN.to(self.device, non_blocking=True))
        out_BTD = torch.zeros(
            len(wave_BN), frame_count(wave_BN.shape[1]), self.dim, device=self.device
        )
        for samples in lengths.unique().tolist():
            rows = (lengths == samples).nonzero()[:, 0].cpu()
            part_BTD = self.encoder(wave_BN[rows, :samples].to(self.device, non_blocking=True))
            out_BTD[rows, : part_BTD.shape[1]] = part_BTD
        return out_BTD

    @torch.inference_mode()
    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Mean vector of each clip, ``[B, dim]``."""
        frames_BTD = self.frames(wave_BN, lengths)
        if lengths is None:
            return frames_BTD.mean(1)
        count_B = torch.tensor([frame_count(samples) for samples in lengths.tolist()])
        return frames_BTD.sum(1) / count_B.to(self.device)[:, None]
