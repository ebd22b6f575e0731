"""Weights on disk: ours as safetensors, the published ones as they are.

Nothing is unpickled: published files are read with ``weights_only=True``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.checkpoint.published import (
    from_upstream,
    read_config,
    read_published,
    refuse,
    upstream_shape,
)
from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.model.encoder import Encoder
from dasheng_lib.objectives import Objective
from dasheng_lib.objectives.family import FAMILIES, NETWORKS
from dasheng_lib.objectives.mae import MaskedAutoencoder


def save_weights(
    model: nn.Module | Objective,
    path: Path | str,
    state: Mapping[str, Tensor] | None = None,
    **facts: str,
) -> None:
    """Write weights and configuration as one safetensors file, whole or not at all.

    Args:
        model: an encoder alone, or a whole objective of any family.
        state: its weights where they are spread over processes and were gathered before.
        facts: further text to keep in the file's metadata, such as the steps trained.
    """
    state = model.state_dict() if state is None else state
    encoder = getattr(model, "encoder", model)
    prefix = "encoder." if encoder is model else ""
    weights = {f"{prefix}{name}": value.contiguous() for name, value in state.items()}
    metadata = {"encoder": json.dumps(asdict(encoder.config)), **facts}
    for name, network in NETWORKS.items():
        if type(encoder) is network.module:
            metadata["network"] = name
    if encoder is not model:
        metadata |= {"family": model.family, "task": json.dumps(asdict(model.config))}
    with atomic_file(path) as temporary:
        safetensors.torch.save_file(weights, temporary, metadata=metadata)


def load_encoder_weights(path: Path | str, kind: str = "dasheng") -> nn.Module:
    """The encoder in a file that :func:`save_weights` wrote, in evaluation mode.

    Args:
        kind: its family, or ``"sfnfnet"``, the network that several families train.

    Raises:
        UserError: the file is absent, damaged, none of ours, or of another kind.
    """
    encoder, metadata, weights = _read_ours(expanded(path))
    if kind not in (metadata["family"], metadata.get("network")):
        raise UserError(f"{path} holds another family: name it {metadata['family']}:{path}.")
    _fit(encoder, _part(weights, "encoder"), path)
    return encoder.eval()


def load_objective(path: Path | str) -> Objective:
    """Encoder and pretext task in a file that :func:`save_weights` wrote, in evaluation mode.

    Raises:
        UserError: the file is absent, damaged or none of ours, or there is an encoder alone in it.
    """
    encoder, metadata, weights = _read_ours(expanded(path))
    if "task" not in metadata:
        raise UserError(f"{path} holds an encoder without its decoder: name a pretraining run's.")
    family, task = FAMILIES[metadata["family"]], json.loads(metadata["task"])
    if task.pop("iteration", 1) == 2:  # HuBERT's second, from before it named its teacher
        task["teacher"] = "the first iteration of the same run"
    model = family.objective(encoder, family.config(**task))
    _fit(model, weights, path)
    return model.eval()


def load_autoencoder(path: Path | str) -> MaskedAutoencoder:
    """Encoder and decoder in a file that :func:`save_weights` wrote, in evaluation mode.

    Raises:
        UserError: as for :func:`load_objective`, or it is no masked autoencoder.
    """
    model = load_objective(path)
    if not isinstance(model, MaskedAutoencoder):
        raise UserError(f"{path} is of {model.family}, which has no decoder: see load_objective.")
    return model


def _read_ours(path: Path) -> tuple[nn.Module, dict[str, str], dict[str, Tensor]]:
    """The encoder still without its weights, the metadata, and all weights.

    Of files from before there were families, whose word for ``task`` was ``mae``, the metadata are
    completed.
    """
    if not path.is_file():
        raise UserError(f"There is no checkpoint at {path}: name a .safetensors file.")
    try:
        with safetensors.safe_open(path, "pt") as file:
            metadata = dict(file.metadata() or {})
        weights = safetensors.torch.load_file(path)
        if "mae" in metadata:
            metadata["task"] = metadata.pop("mae")
        said = metadata.get("network")
        family = metadata.setdefault("family", "dasheng" if said in (None, "transformer") else said)
        if family not in {*FAMILIES, *NETWORKS}:
            raise ValueError(f"a family {family!r} is not known")
        network = NETWORKS[said] if said else FAMILIES[family].network
        encoder = network.module(network.config(**json.loads(metadata["encoder"])))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no encoder that this library wrote, or it is damaged ({error}): "
            "train it again, or read a published file with load_published."
        ) from error
    return encoder, metadata, weights


def _part(weights: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def load_published(path: Path | str, **config: Any) -> Encoder:
    """Read an encoder published by Dasheng's authors, in evaluation mode.

    Understands the three pretrained files and the one fine-tuned on AudioSet (``{"model": …,
    "config": …}`` with the configuration flat or under ``model_args``, or a bare state dict)
    and the Hugging Face files (``encoder.`` before each name, no front end, safetensors or
    pickle). The size is read off the weights. Positions are resized where their number is not
    that of the configuration (252 if it does not say): a longer table is cut, a shorter one is
    interpolated, as upstream does. Classifier and decoder are not read.

    Args:
        path: a ``.pt``, ``.bin`` or ``.safetensors`` file.
        config: fields of :class:`dasheng_lib.model.encoder.EncoderConfig` to set, for example
            ``floor="batch"``.

    Raises:
        UserError: the file is absent or cannot be read safely, keys do not fit (each is named,
            as it is called in the file), or its front end is another one.
    """
    path = expanded(path)
    if not path.is_file():
        raise UserError(f"There is no checkpoint at {path}: download it first.")
    weights, options = read_published(path)
    encoder = Encoder(replace(read_config(weights, options, path), **config))
    wanted = dict(
        upstream_shape(name, list(value.shape)) for name, value in encoder.state_dict().items()
    )
    table = weights.get("time_pos_embed")
    if table is not None and table.ndim == 4 and table.shape[3]:
        wanted["time_pos_embed"][3] = table.shape[3]  # is resized
    refuse(path, _misfits(wanted, weights))
    ours = from_upstream(weights)
    ours["time"] = _resize(ours["time"].float(), encoder.config.positions)
    encoder.load_state_dict(ours)
    return encoder.eval()


def _resize(time_TD: Tensor, positions: int) -> Tensor:
    if len(time_TD) >= positions:
        return time_TD[:positions]
    return F.interpolate(
        time_TD.T[None, :, None], size=(1, positions), mode="bilinear", align_corners=False
    )[0, :, 0].T.contiguous()


def _fit(module: nn.Module, weights: Mapping[str, Tensor], path: Path | str) -> None:
    wanted = {name: list(value.shape) for name, value in module.state_dict().items()}
    refuse(path, _misfits(wanted, weights), "name a file of the same kind, unchanged")
    module.load_state_dict(weights)


def _misfits(wanted: Mapping[str, list[int]], weights: Mapping[str, Tensor]) -> list[str]:
    wrong = [f"missing {name}" for name in wanted if name not in weights]
    wrong += [f"unknown {name}" for name in weights if name not in wanted]
    return wrong + [
        f"{name} is {list(weights[name].shape)}, not {shape}"
        for name, shape in wanted.items()
        if name in weights and list(weights[name].shape) != shape
    ]
