"""Pretrained encoders whose weights lie in wheels on the package index.

Of the wheels only the weight files are read; front ends and networks are written anew here, so
that none of their dependencies is needed. ``data_manifests/wheels.yml`` pins them and gives the
licences.
"""

from __future__ import annotations

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.encoders.wheels import aisfx, openwakeword, resemblyzer

LOADERS = {
    "aisfx": aisfx.from_wheel,
    "resemblyzer": resemblyzer.from_wheel,
    "openwakeword": openwakeword.from_wheel,
}
WHEELS = tuple(LOADERS)


def load_wheel(name: str) -> AudioEncoder:
    """``"aisfx"``, ``"resemblyzer"`` or ``"openwakeword"``; the wheel is fetched at the first call.

    Raises:
        UserError: no such wheel, it cannot be had, or onnxruntime is missing (openwakeword).
    """
    if name not in LOADERS:
        raise UserError(f"There is no wheel {name!r}: choose one of {', '.join(WHEELS)}.")
    return LOADERS[name]()
