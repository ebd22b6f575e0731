"""A sound to listen to on the page, labelled for those who do not see it."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from IPython.display import HTML

LONGEST = 10.0  # seconds; a second weighs 43 kB on the page


def player(wave: np.ndarray, label: str, sample_rate: int = 16_000) -> HTML:
    """A player with a visible caption, which is also what a screen reader says.

    Args:
        wave: [samples], in -1 … 1; what lies outside is clipped, as it would be in a 16-bit file.
        label: what is heard, such as "a door closing, 1.2 s".
        sample_rate: in Hz.

    Raises:
        ValueError: no label, more than one channel, or longer than ``LONGEST`` seconds.
    """
    from IPython.display import HTML

    return HTML(player_html(wave, label, sample_rate))


def player_html(wave: np.ndarray, label: str, sample_rate: int = 16_000) -> str:
    """The same as text, to put several beside one another."""
    import numpy as np
    import soundfile

    wave = np.asarray(wave, dtype=np.float32)
    if not label.strip():
        raise ValueError("a player needs a label")
    if wave.ndim != 1:
        raise ValueError(f"a player takes one channel, got an array of shape {wave.shape}")
    if len(wave) > LONGEST * sample_rate:
        raise ValueError(f"{len(wave) / sample_rate:.1f} s is too long: cut it to {LONGEST:g} s")
    file = io.BytesIO()
    soundfile.write(file, wave.clip(-1, 1), sample_rate, format="WAV", subtype="PCM_16")
    data = base64.b64encode(file.getvalue()).decode()
    label = html.escape(label)
    return (
        f'<figure class="player" style="margin: 0.4em 0;"><figcaption>{label}</figcaption>'
        f'<audio controls preload="metadata" aria-label="{label}" '
        f'src="data:audio/wav;base64,{data}"></audio></figure>'
    )
