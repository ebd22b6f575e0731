"""From a log-mel back to sound, to hear what it kept.

The phases are gone and 64 bins are few: speech stays intelligible, nothing sounds as it did.
"""

from __future__ import annotations

import numpy as np
import torch

from dasheng_lib.book.figures.sounds import Sound
from dasheng_lib.common.torchaudio import torchaudio
from dasheng_lib.features import HOP, WINDOW, LogMel
from dasheng_lib.model.encoder import PATCH_FRAMES


def mel_to_wave(mel_FT: np.ndarray, rounds: int = 32, seed: int = 0) -> np.ndarray:
    """A waveform whose log-mel is close to ``mel_FT``, scaled to a peak of 0.9.

    The spectrum is the smallest nonnegative one that has this mel (in the least-squares
    sense); Griffin and Lim's iteration (1984) finds phases for it.

    Args:
        mel_FT: dB, [64, frames], as :class:`dasheng_lib.features.LogMel` gives it.
        rounds: of the iteration; from 30 on little changes.
        seed: of the phases to begin with.

    Returns:
        Float32 [(frames - 1) * 160] at 16 kHz; silence for a mel that is silent.

    Raises:
        ValueError: not [64, at least 4 frames].
    """
    mel_FT = torch.as_tensor(np.asarray(mel_FT, np.float32))
    filters_KF = LogMel().filters
    if mel_FT.ndim != 2 or len(mel_FT) != filters_KF.shape[1] or mel_FT.shape[1] < 4:
        raise ValueError(f"a log-mel is [64, at least 4 frames], not {list(mel_FT.shape)}")
    power_FT = 10 ** (mel_FT / 10)
    # Filters overlap with neighbours only, so clipping the least-squares solution is harmless.
    power_KT = (torch.linalg.pinv(filters_KF.T) @ power_FT).clamp_min(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wave = torchaudio.functional.griffinlim(
            power_KT.sqrt()[None],
            torch.hann_window(WINDOW),
            n_fft=WINDOW,
            hop_length=HOP,
            win_length=WINDOW,
            power=1.0,
            n_iter=rounds,
            momentum=0.99,
            length=(mel_FT.shape[1] - 1) * HOP,
            rand_init=True,
        )[0].numpy()
    peak = np.abs(wave).max()
    return (0.9 * wave / peak if peak > 1e-4 else wave).astype(np.float32)


def mel_sound(mel_FT: np.ndarray, words: str, hidden_T: np.ndarray | None = None) -> Sound:
    """A log-mel to see, and to hear by :func:`mel_to_wave`.

    Args:
        hidden_T: bool [frames // 4], tokens that are covered and silent.
    """
    heard_FT = mel_FT.copy()
    if hidden_T is not None:
        cut = heard_FT[:, : PATCH_FRAMES * len(hidden_T)]
        cut[:, np.repeat(hidden_T, PATCH_FRAMES)] = mel_FT.min()
    return Sound(words, mel_to_wave(heard_FT), mel_FT, hidden_T)
