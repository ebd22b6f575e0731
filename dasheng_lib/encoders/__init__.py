"""One string names any encoder: ``load_encoder("random:nano")``."""

from __future__ import annotations

from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.encoders.logmel import LogMelStatistics
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.errors import UserError

__all__ = ["AudioEncoder", "DashengEncoder", "LogMelStatistics", "load_encoder"]


def load_encoder(name: str, precision: str = "float32") -> AudioEncoder:
    """Load an encoder by name, in evaluation mode.

    Args:
        name: ``"logmel"`` (mean and deviation of each mel bin), ``"random:SIZE"`` (untrained,
            seed 0), ``"dasheng:PATH"`` (a file that ``dasheng pretrain`` wrote), or
            ``"published:PATH"`` (a file of Dasheng's authors).
        precision: of a Dasheng encoder, see :class:`dasheng_lib.encoders.dasheng.DashengEncoder`.

    Raises:
        UserError: no such encoder or precision; the sentence lists what there is.
    """
    kind, _, rest = name.partition(":")
    if kind == "logmel" and not rest:
        return LogMelStatistics()
    if kind == "random" and rest:
        return DashengEncoder.untrained(rest, precision=precision)
    if kind == "dasheng" and rest:
        return DashengEncoder.from_file(rest, precision=precision)
    if kind == "published" and rest:
        return DashengEncoder.from_published(rest, precision=precision)
    raise UserError(
        f"There is no encoder {name!r}: use logmel, random:SIZE, dasheng:PATH or published:PATH."
    )
