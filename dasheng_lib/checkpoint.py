"""Weights on disk: ours as safetensors, the published ones as they are.

Nothing is unpickled: published files are read with ``weights_only=True``.
"""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.cache import atomic_file
from dasheng_lib.errors import UserError
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder
from dasheng_lib.model import PATCH_FRAMES, Encoder, EncoderConfig

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


def save_weights(
    model: Encoder | MaskedAutoencoder,
    path: Path | str,
    state: Mapping[str, Tensor] | None = None,
    **facts: str,
) -> None:
    """Write weights and configuration as one safetensors file, whole or not at all.

    Args:
        model: an encoder, or an autoencoder with its decoder.
        state: its weights where they are spread over processes and were gathered before.
        facts: further text to keep in the file's metadata, such as the steps trained.
    """
    state = model.state_dict() if state is None else state
    prefix = "encoder." if isinstance(model, Encoder) else ""
    weights = {f"{prefix}{name}": value.contiguous() for name, value in state.items()}
    encoder = model if isinstance(model, Encoder) else model.encoder
    metadata = {"encoder": json.dumps(asdict(encoder.config)), **facts}
    if isinstance(model, MaskedAutoencoder):
        metadata["mae"] = json.dumps(asdict(model.config))
    with atomic_file(path) as temporary:
        safetensors.torch.save_file(weights, temporary, metadata=metadata)


def load_encoder_weights(path: Path | str) -> Encoder:
    """The encoder in a file that :func:`save_weights` wrote, in evaluation mode.

    Raises:
        UserError: the file is absent, damaged, or none of ours.
    """
    metadata, weights = _read_ours(Path(path))
    encoder = Encoder(EncoderConfig(**json.loads(metadata["encoder"])))
    _fit(encoder, _part(weights, "encoder"), path)
    return encoder.eval()


def load_autoencoder(path: Path | str) -> MaskedAutoencoder:
    """Encoder and decoder in a file that :func:`save_weights` wrote, in evaluation mode.

    Raises:
        UserError: as for :func:`load_encoder_weights`, or there is no decoder in it.
    """
    metadata, weights = _read_ours(Path(path))
    if "mae" not in metadata:
        raise UserError(f"{path} holds an encoder without its decoder: name a pretraining run's.")
    encoder = Encoder(EncoderConfig(**json.loads(metadata["encoder"])))
    model = MaskedAutoencoder(encoder, MAEConfig(**json.loads(metadata["mae"])))
    for part, module in model.named_children():
        _fit(module, _part(weights, part), path)
    return model.eval()


def _read_ours(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    if not path.is_file():
        raise UserError(f"There is no checkpoint at {path}: name a .safetensors file.")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        weights = safetensors.torch.load_file(path)
        EncoderConfig(**json.loads(metadata["encoder"]))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no encoder that this library wrote, or it is damaged ({error}): "
            "train it again, or read a published file with load_published."
        ) from error
    return metadata, weights


def _part(weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def load_published(path: Path | str, **config: Any) -> Encoder:
    """Read an encoder published by Dasheng's authors, in evaluation mode.

    Understands the three pretrained files and the one fine-tuned on AudioSet (``{"model": …,
    "config": …}`` with the configuration flat or under ``model_args``, or a bare state dict)
    and the Hugging Face files (``encoder.`` before each name, no front end, safetensors or
    pickle). The size is read off the weights. Positions are resized where their number is not
    252: a longer table is cut, a shorter one is interpolated, as upstream does.

    Args:
        path: a ``.pt``, ``.bin`` or ``.safetensors`` file.
        config: fields of :class:`dasheng_lib.model.EncoderConfig` to set, for example
            ``floor="batch"``.

    Raises:
        UserError: the file is absent or cannot be read safely, or keys do not fit; each is named.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no checkpoint at {path}: download it first.")
    stored = _read_tensors(path)
    weights = stored.get("model", stored)
    upstream = stored.get("config") or {}
    upstream = {**upstream, **upstream.get("model_args", {})} if stored is not weights else {}
    weights = {k: v for k, v in weights.items() if not k.startswith("outputlayer.")}
    if any(name.startswith("encoder.") for name in weights):
        weights = {k.removeprefix("encoder."): v for k, v in weights.items() if "encoder." in k}
    weights = {k: v for k, v in weights.items() if not k.startswith("front_end.")}
    try:
        size = _config_of(weights, upstream)
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} holds no Dasheng encoder (missing: {error}).") from error
    encoder = Encoder(replace(size, **config))
    ours = from_upstream(weights)
    ours["time"] = _resize(ours["time"], encoder.config.positions)
    _fit(encoder, ours, path)
    return encoder.eval()


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


def _config_of(weights: Mapping[str, Tensor], upstream: Mapping[str, Any]) -> EncoderConfig:
    dim = weights["patch_embed.proj.weight"].shape[0]
    depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    heads = upstream.get("num_heads") or {1280: 16}.get(dim, max(dim // 64, 1))
    target = upstream.get("target_length")
    positions = target // PATCH_FRAMES if target else weights["time_pos_embed"].shape[3]
    return EncoderConfig(dim, depth, heads, positions)


def _resize(time_TD: Tensor, positions: int) -> Tensor:
    if len(time_TD) >= positions:
        return time_TD[:positions]
    return F.interpolate(
        time_TD.T[None, :, None], size=(1, positions), mode="bilinear", align_corners=False
    )[0, :, 0].T.contiguous()


def _read_tensors(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            return dict(safetensors.torch.load_file(path))
        # train.py upstream keeps a pathlib.Path in its config; a path is data, not code.
        allowed = [pathlib.PosixPath, pathlib.PurePosixPath, pathlib.Path]
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{path} could not be read as plain tensors ({type(error).__name__}): "
            "download it again; files that need unpickling are refused."
        ) from error


def _fit(module: nn.Module, weights: Mapping[str, Tensor], path: Path | str) -> None:
    wanted = module.state_dict()
    wrong = [f"missing {name}" for name in wanted if name not in weights]
    wrong += [f"unknown {name}" for name in weights if name not in wanted]
    wrong += [
        f"{name} is {list(weights[name].shape)}, not {list(wanted[name].shape)}"
        for name in wanted
        if name in weights and weights[name].shape != wanted[name].shape
    ]
    if wrong:
        raise UserError(f"{path} does not fit: {'; '.join(wrong)}.")
    module.load_state_dict(weights)
