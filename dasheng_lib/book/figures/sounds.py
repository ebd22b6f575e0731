"""Figures that one hears: a spectrogram, its player under it, and words; up to three in a row."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import torch

from dasheng_lib.features import HOP, SAMPLE_RATE, LogMel

if TYPE_CHECKING:
    from IPython.display import HTML

LONGEST = 10.0  # seconds; a second weighs 43 kB on the page
SHORTEST = 480  # samples; a shorter sound is filled up to have a log-mel


@dataclass(frozen=True)
class Sound:
    """One panel.

    Attributes:
        words: what is heard, such as "a door closing, 1.2 s"; a screen reader says it too.
        wave: float [samples] at 16 kHz, in -1 … 1; what lies outside is clipped.
        mel_FT: its picture in dB, [64, frames]; None: that of ``wave``.
        hidden_T: bool [tokens of 40 ms]: what of the picture is covered.
    """

    words: str
    wave: np.ndarray
    mel_FT: np.ndarray | None = None
    hidden_T: np.ndarray | None = None

    def __post_init__(self):
        if not self.words.strip():
            raise ValueError("a sound needs words")
        if np.ndim(self.wave) != 1:
            raise ValueError(f"a sound has one channel, not the shape {np.shape(self.wave)}")
        if self.seconds > LONGEST:
            raise ValueError(f"{self.seconds:.1f} s is too long: cut it to {LONGEST:g} s")

    @property
    def seconds(self) -> float:
        return len(self.wave) / SAMPLE_RATE

    def peak(self) -> float:
        """Centre of the mel band that has most of its energy, Hz."""
        from dasheng_lib.book.figures.plots_audio import mel_frequencies

        power_F = (10 ** (self.mel().astype(float) / 10)).mean(1)
        return float(mel_frequencies()[power_F.argmax()])

    def mel(self) -> np.ndarray:
        """The picture, dB [64, frames]."""
        if self.mel_FT is not None:
            return np.asarray(self.mel_FT)
        wave = np.asarray(self.wave, np.float32)
        filled = np.pad(wave, (0, max(0, SHORTEST - len(wave))))
        return LogMel()(torch.from_numpy(filled)[None])[0].numpy()


def figure(sounds: Sequence[Sound]) -> HTML:
    """Panels side by side on one scale of time and of level; one below another on a phone."""
    from IPython.display import HTML

    return HTML(figure_html(sounds))


def figure_html(sounds: Sequence[Sound]) -> str:
    """The same as text, without an empty line, so that Markdown takes it for one block."""
    mels = [sound.mel() for sound in sounds]
    high, longest = max(mel.max() for mel in mels), max(mel.shape[1] for mel in mels)
    panels = [_panel(sound, mel, high, longest) for sound, mel in zip(sounds, mels, strict=True)]
    return f'<div class="sounds">{"".join(panels)}</div>'


def _panel(sound: Sound, mel_FT: np.ndarray, high: float, longest: int) -> str:
    words = html.escape(sound.words)
    image = base64.b64encode(_picture(sound, mel_FT, high, longest)).decode()
    return (
        f'<figure class="sound"><img src="data:image/png;base64,{image}" '
        f'alt="{html.escape(describe(sound, mel_FT))}"/>'
        f'<audio controls preload="metadata" aria-label="{words}" '
        f'src="data:audio/wav;base64,{base64.b64encode(_wav(sound.wave)).decode()}"></audio>'
        f"<figcaption>{words}</figcaption></figure>"
    )


def describe(sound: Sound, mel_FT: np.ndarray) -> str:
    """What the picture shows, for those who do not see it."""
    said = f"Spectrogram of {mel_FT.shape[1] * HOP / SAMPLE_RATE:.1f} s: {sound.words}. "
    if sound.hidden_T is not None and np.any(sound.hidden_T):
        said += f"{np.mean(sound.hidden_T):.0%} of it is covered. "
    return said + f"Most energy lies near {sound.peak():.0f} Hz."


def _picture(sound: Sound, mel_FT: np.ndarray, high: float, longest: int) -> bytes:
    import matplotlib.pyplot as plt

    from dasheng_lib.book.figures import plots_audio

    fig = plt.figure(figsize=(3.2, 2.0), layout="none")
    ax = fig.add_axes((0.2, 0.24, 0.74, 0.72))  # the same in every panel
    plots_audio.log_mel(ax, mel_FT, high=high)
    if sound.hidden_T is not None:
        plots_audio.hide(ax, sound.hidden_T)
    ax.set(xlim=(0, longest * HOP / SAMPLE_RATE), ylabel="kHz")
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=130, pil_kwargs={"optimize": True})
    plt.close(fig)
    return file.getvalue()


def _wav(wave: np.ndarray) -> bytes:
    file = io.BytesIO()
    wave = np.asarray(wave, np.float32).clip(-1, 1)
    soundfile.write(file, wave, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def mp3(wave: np.ndarray) -> bytes:
    """A sound in a tenth of the bytes, about 40 kbit/s, for pages that hold hundreds of them."""
    file = io.BytesIO()
    wave = np.asarray(wave, np.float32).clip(-1, 1)
    how = {"subtype": "MPEG_LAYER_III", "compression_level": 0.5, "bitrate_mode": "VARIABLE"}
    soundfile.write(file, wave, SAMPLE_RATE, format="MP3", **how)
    return file.getvalue()
