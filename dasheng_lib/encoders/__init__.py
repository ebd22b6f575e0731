"""One string names any encoder: ``load_encoder("random:nano")``."""

from __future__ import annotations

from dasheng_lib.common import places
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import efficientat, musicnn
from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.encoders.hear.module import load_hear_module
from dasheng_lib.encoders.logmel import LogMelStatistics
from dasheng_lib.encoders.of_network import features_from_file
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.encoders.released import PUBLISHED, published_file
from dasheng_lib.encoders.sfnfnet import SlowFastFeatures
from dasheng_lib.encoders.wheels import WHEELS, load_wheel
from dasheng_lib.objectives.family import FAMILIES

# What comes with the library, by name; each has a model card beside it.
WEIGHTS = {path.stem: path for path in places.WEIGHTS.glob("*.safetensors")}
# Kinds of names whose encoders run on the CPU alone.
ON_CPU = ("logmel", "wheel", "efficientat", "musicnn", "hear")

__all__ = ["AudioEncoder", "DashengEncoder", "LogMelStatistics", "load_encoder"]


def load_encoder(name: str, precision: str = "float32", device: str = "cpu") -> AudioEncoder:
    """Load an encoder by name, in evaluation mode.

    Args:
        name: ``"logmel"`` (mean and deviation of each mel bin), ``"random:SIZE"`` (untrained,
            seed 0; also ``"random:sfnfnet-8"``), ``"dasheng:nano"`` (comes with the library, see
            its model card ``weights/nano.md``), ``"dasheng:PATH"``, ``"plain:nano"`` or
            ``"plain:PATH"`` (the same without the whitening in the file), ``"ssast:PATH"``,
            ``"hubert:PATH"``, ``"wav2vec2:PATH"``, ``"simclr:PATH"``, ``"byol:PATH"`` and
            ``"supervised:PATH"`` (files that ``dasheng pretrain`` wrote, by family),
            ``"sfnfnet:PATH"`` (one of any family that trained a SlowFast NFNet),
            ``"published:base"``, ``"published:0.6B"``, ``"published:1.2B"`` or
            ``"published:audioset"`` (Dasheng by its authors, fetched at the first call),
            ``"published:PATH"`` (such a file), ``"wheel:aisfx"``,
            ``"wheel:resemblyzer"`` or ``"wheel:openwakeword"`` (pretrained by others, fetched at
            the first call, see :mod:`dasheng_lib.encoders.wheels`), ``"efficientat:mn04"``,
            ``"musicnn:mtat"`` or ``"musicnn:jamendo"`` (taggers of others, fetched likewise, see
            ``data_manifests/weights.yml``), or ``"hear:some.module"`` and
            ``"hear:some.module:PATH"`` (any module that follows the HEAR API, see
            :mod:`dasheng_lib.encoders.hear.module`).
        precision: of a Dasheng or SSAST encoder, see
            :class:`dasheng_lib.encoders.dasheng.DashengEncoder`.
        device: of torch, such as ``"cuda"``. Log-mel statistics and the encoders of others, but
            for Dasheng's published ones, run on the CPU alone.

    Raises:
        UserError: no such encoder or precision, or it cannot be had, or not on this device; the
            sentence says what to do.
    """
    kind, _, rest = name.partition(":")
    if device != "cpu" and kind in ON_CPU:
        raise UserError(f"{name} runs on the CPU alone: leave out the device.")
    if kind == "logmel" and not rest:
        return LogMelStatistics()
    if kind == "random" and rest.startswith("sfnfnet"):
        return SlowFastFeatures.untrained(rest, device=device)
    if kind == "random" and rest:
        return DashengEncoder.untrained(rest, precision=precision, device=device)
    if kind in (*FAMILIES, "sfnfnet") and rest:
        path = WEIGHTS.get(rest, rest)
        return features_from_file(path, kind, name, precision, device=device)
    if kind == "plain" and rest:
        path = WEIGHTS.get(rest, rest)
        return features_from_file(path, "dasheng", name, precision, False, device)
    if kind == "published" and rest:
        return DashengEncoder.from_published(published_file(rest), precision, name, device)
    if kind == "wheel" and rest:
        return load_wheel(rest)
    if kind == "efficientat" and rest:
        return efficientat.load_efficientat(rest)
    if kind == "musicnn" and rest:
        return musicnn.load_musicnn(rest)
    if kind == "hear" and rest:
        return load_hear_module(rest)
    raise UserError(
        f"There is no encoder {name!r}: use logmel, random:SIZE, dasheng:nano, "
        f"{'|'.join(FAMILIES)}|sfnfnet:PATH, published:{'|'.join(PUBLISHED)}|PATH, "
        f"wheel:{'|'.join(WHEELS)}, "
        f"efficientat:{'|'.join(efficientat.NAMES)}, musicnn:{'|'.join(musicnn.NAMES)}, or "
        "hear:some.module with :PATH if it needs weights."
    )
