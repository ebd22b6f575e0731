"""Files that Dasheng's authors wrote: their layouts, and their names and shapes for our weights.

Everything is checked under upstream's names, which are those in the file, before it is renamed.
"""

from __future__ import annotations

import pathlib
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from dasheng_lib.common.errors import UserError
from dasheng_lib.features import MELS, LogMel
from dasheng_lib.model.encoder import PATCH_FRAMES, EncoderConfig

ADVICE = "name one of the published files, unchanged"
# Upstream's names (left) and ours, for encoder and decoder alike.
_RENAMED = (
    (r"^time_pos_embed$", "time"),
    (r"^freq_pos_embed$", "frequency"),
    (r"^init_bn\.1\.", "norm_in."),
    (r"^patch_embed\.proj\.", "patch."),
    (r"^input_proj\.", "project."),
    (r"^pos_embed$", "time"),
    (r"^outputlayer\.", "out."),
    (r"^(blocks\.\d+)\.attn\.", r"\1."),
    (r"^(blocks\.\d+)\.mlp\.", r"\1."),
)
_PATCH = "patch_embed.proj.weight"  # every encoder has it, behind whatever prefix
_NOT_READ = ("front_end.", "outputlayer.", "decoder.")
_LONGEST = 100_000  # frames
_TARGET_LENGTH = 1008  # frames; upstream's default where a configuration does not say
# What upstream's class can be told about its front end, and what ours always is.
_FRONT_END = {
    "n_fft": 512,
    "win_size": 512,
    "hop_size": 160,
    "n_mels": MELS,
    "f_min": 0,
    "f_max": 8000,
    "center": True,
    "top_db": 120,
}


def from_upstream(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under upstream's names and shapes, under ours."""
    ours = {}
    for name, value in weights.items():
        for pattern, replacement in _RENAMED:
            name = re.sub(pattern, replacement, name)
        if name == "time":  # [1, D, 1, T] in the encoder, [1, T, d] in the decoder
            value = value[0, :, 0].T if value.ndim == 4 else value[0]
        elif name in ("frequency", "mask_token"):
            value = value.flatten()
        elif name == "patch.weight":  # a convolution that covers its input once
            value = value.flatten(1)
        ours[name] = value.contiguous()
    return ours


def upstream_shape(name: str, shape: list[int]) -> tuple[str, list[int]]:
    """Upstream's name and shape of one of our encoder's weights."""
    if name == "time":
        return "time_pos_embed", [1, shape[1], 1, shape[0]]
    if name == "frequency":
        return "freq_pos_embed", [1, shape[0], 1, 1]
    if name == "patch.weight":
        return _PATCH, [shape[0], 1, MELS, PATCH_FRAMES]
    name = re.sub(r"^norm_in\.", "init_bn.1.", name)
    name = re.sub(r"^patch\.", "patch_embed.proj.", name)
    name = re.sub(r"^(blocks\.\d+)\.(qkv|proj)\.", r"\1.attn.\2.", name)
    return re.sub(r"^(blocks\.\d+)\.(fc1|fc2)\.", r"\1.mlp.\2.", name), shape


def read_published(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The encoder's weights under upstream's names without prefix, and upstream's options.

    Raises:
        UserError: the file cannot be read safely, holds no encoder, or has another front end.
    """
    stored = _read_tensors(path)
    keys = stored if isinstance(stored, dict) else {}
    nested = next((key for key in ("model", "state_dict") if key in keys), None)
    weights = stored if nested is None else stored[nested]
    options = keys.get("config") if nested else None
    options = dict(options) if isinstance(options, dict) else {}
    inner = options.get("model_args")  # where upstream's training script puts them
    options |= inner if isinstance(inner, dict) else {}
    plain = (bool, int, float, str, type(None))  # of anything else the kind, which fits nowhere
    options = {k: v if isinstance(v, plain) else type(v).__name__ for k, v in options.items()}
    if not isinstance(weights, dict):
        raise UserError(
            f"{path} holds no Dasheng encoder but a {type(weights).__name__}: {ADVICE}."
        )
    weights = {str(name): value for name, value in weights.items()}
    prefixes = [name.removesuffix(_PATCH) for name in weights if name.endswith(_PATCH)]
    if not prefixes:
        some = ", ".join(list(weights)[:3]) or "none"
        raise UserError(f"{path} holds no {_PATCH}; its first names are {some}: {ADVICE}.")
    if len(prefixes) > 1:
        some = " and ".join(repr(prefix) for prefix in prefixes[:3])
        raise UserError(
            f"{path} holds {len(prefixes)} encoders, of names that begin with {some}: save the "
            "weights of one of them."
        )
    (prefix,) = prefixes  # "encoder." of Hugging Face, "module." of a parallel training run
    outer = prefix.partition("encoder.")[0] if "encoder." in prefix else ""  # before its siblings
    inside = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    read = {name: value for name, value in inside.items() if not name.startswith(_NOT_READ)}
    beside = (prefix, *_NOT_READ, *(outer + name for name in _NOT_READ))
    wrong = [f"{name} {fault}" for name, value in read.items() if (fault := fault_of(value))]
    wrong += [f"unknown {name}" for name in weights if not name.startswith(beside)]
    wrong += [
        f"its configuration says {key}={options[key]!r} where Dasheng has {value!r}"
        for key, value in _FRONT_END.items()
        if options.get(key) not in (None, value)
    ]
    refuse(path, wrong or _other_front_end(inside))
    # Files from before torch counted batches lack it; upstream's class reads them too.
    read.setdefault("init_bn.1.num_batches_tracked", torch.tensor(0))
    return read, options


def read_config(
    weights: Mapping[str, Tensor], options: Mapping[str, Any], path: Path
) -> EncoderConfig:
    """Size of the encoder: width and depth from its weights, the rest from upstream's options.

    Raises:
        UserError: an option is no whole number, or they make no encoder.
    """
    dim = weights[_PATCH].shape[0] if weights[_PATCH].ndim else 0
    blocks = [int(found[1]) for name in weights if (found := re.match(r"blocks\.(\d+)\.", name))]
    heads = options.get("num_heads") or {1280: 16}.get(dim, max(dim // 64, 1))
    target = options.get("target_length") or _TARGET_LENGTH
    for name, number in (("num_heads", heads), ("target_length", target)):
        if type(number) is not int or number < 1:
            raise UserError(f"{path} says {name}={number!r}, which is no whole number: {ADVICE}.")
    whole = sorted(set(blocks)) == list(range(len(set(blocks))))
    if not blocks or not whole or not dim or dim % heads or not PATCH_FRAMES <= target <= _LONGEST:
        raise UserError(
            f"{path} says width {dim}, {len(set(blocks))} blocks, {heads} heads and "
            f"target_length={target}, which make no encoder: {ADVICE}."
        )
    return EncoderConfig(dim, len(set(blocks)), heads, target // PATCH_FRAMES)


def fault_of(value: Any) -> str | None:
    """Why a value cannot be weights; None if it can."""
    if (
        not isinstance(value, Tensor)
        or value.layout != torch.strided
        or value.is_complex()
        or value.is_quantized
        or value.device.type != "cpu"
        or (value.ndim and not value.is_floating_point())
        or value.untyped_storage().nbytes() < value.nbytes  # a few bytes that claim to be many
    ):
        return "is no dense tensor of real numbers"
    return None if value.isfinite().all() else "has values that are not finite"


def misfits(wanted: Mapping[str, list[int]], weights: Mapping[str, Any]) -> list[str]:
    """Names that are missing, unknown, of another shape or no numbers."""
    wrong = [f"missing {name}" for name in wanted if name not in weights]
    wrong += [f"unknown {name}" for name in weights if name not in wanted]
    for name, shape in wanted.items():
        if name in weights:
            fault = fault_of(weights[name])
            if fault is None and list(weights[name].shape) != shape:
                fault = f"is {list(weights[name].shape)}, not {shape}"
            wrong += [f"{name} {fault}"] if fault else []
    return wrong


def refuse(path: Path | str, wrong: list[str], advice: str = ADVICE) -> None:
    """Name everything that is wrong with a file, if anything is.

    Raises:
        UserError: ``wrong`` is not empty.
    """
    if wrong:
        raise UserError(f"{path} does not fit: {'; '.join(wrong)}. To mend it, {advice}.")


def _other_front_end(weights: Mapping[str, Tensor]) -> list[str]:
    log_mel = LogMel()
    expected = {
        "front_end.0.spectrogram.window": log_mel.window,
        "front_end.0.mel_scale.fb": log_mel.filters,
    }
    return [
        f"{name} has other values than Dasheng's front end"
        for name, value in expected.items()
        if name in weights
        and not (  # 4e-3: a file may be in bfloat16
            fault_of(weights[name]) is None
            and weights[name].shape == value.shape
            and torch.allclose(weights[name].float(), value, atol=4e-3)
        )
    ]


def check_sums(path: Path) -> None:
    """torch writes a sum of each tensor's bytes into its zip, and does not look at it again.

    Raises:
        ValueError: a part has changed, or is compressed, as torch writes none.
        zipfile.BadZipFile: it is no zip.
    """
    with zipfile.ZipFile(path) as archive:
        if any(part.file_size > part.compress_size for part in archive.infolist()):
            raise ValueError("it is compressed")
        if (name := archive.testzip()) is not None:
            raise ValueError(f"{name} has changed")


def _is_safetensors(path: Path) -> bool:
    """By content: the cache of Hugging Face stores files under their hash, without a suffix."""
    with path.open("rb") as file:
        head = file.read(9)
    # Length of a JSON header, then the header itself; archives and pickles begin otherwise.
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size


def _read_tensors(path: Path) -> Any:
    try:
        if _is_safetensors(path):
            return dict(safetensors.torch.load_file(path))
        # train.py upstream keeps a pathlib.Path in its config; a path is data, not code.
        allowed = [
            pathlib.PosixPath,
            pathlib.PurePosixPath,
            pathlib.Path,
            (pathlib.PosixPath, "pathlib._local.PosixPath"),  # its name in Python 3.13
        ]
        if zipfile.is_zipfile(path):
            check_sums(path)
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{path} could not be read as plain tensors ({type(error).__name__}): "
            "download it again; files that need unpickling are refused."
        ) from error
