"""Pretrained encoders whose weights lie in wheels on the package index.

Of the wheels only the weight files are read; front ends and networks are written anew here, so
that none of their dependencies is needed. ``data_manifests/wheels.yml`` pins them and gives the
licences.
"""

from __future__ import annotations

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder

WHEELS = ("aisfx", "resemblyzer", "openwakeword")


def load_wheel(name: str) -> AudioEncoder:
    """``"aisfx"``, ``"resemblyzer"`` or ``"openwakeword"``; the wheel is fetched at the first call.

    Raises:
        UserError: no such wheel, it cannot be had, or onnxruntime is missing (openwakeword).
    """
    if name == "aisfx":
        from dasheng_lib.encoders.wheels.aisfx import AiSfx

        return AiSfx.from_wheel()
    if name == "resemblyzer":
        from dasheng_lib.encoders.wheels.resemblyzer import Resemblyzer

        return Resemblyzer.from_wheel()
    if name == "openwakeword":
        from dasheng_lib.encoders.wheels.openwakeword import SpeechEmbedding

        return SpeechEmbedding.from_wheel()
    raise UserError(f"There is no wheel {name!r}: choose one of {', '.join(WHEELS)}.")
