"""Weights on disk: ours as safetensors, the published ones as they are.

Nothing is unpickled: published files are read with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.checkpoint.published import (
    from_upstream,
    misfits,
    read_config,
    read_published,
    refuse,
    upstream_shape,
)
from dasheng_lib.common.cache import put_in_place, scratch_folder
from dasheng_lib.common.errors import UserError, one_line
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
    metadata = {"encoder": json.dumps(asdict(encoder.config)), **facts, _SUM: _UNSUMMED}
    for name, network in NETWORKS.items():
        if type(encoder) is network.module:
            metadata["network"] = name
    if encoder is not model:
        metadata |= {"family": model.family, "task": json.dumps(asdict(model.config))}
    # In a folder, since safetensors writes under a name of its own beside the one it is given.
    with scratch_folder(path) as folder:
        temporary = folder / "weights"
        safetensors.torch.save_file(weights, temporary, metadata=metadata)
        _seal(temporary)
        put_in_place(temporary, Path(path))


_SUM = "sha256"  # in the metadata: of the whole file, but with this in its place
_UNSUMMED = "0" * 64


def _seal(path: Path) -> None:
    """Equal weights, equal bytes (safetensors writes its metadata in any order); and their sum."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        file.seek(8)
        file.write(text.ljust(size))  # of the same length: the tensors stay where they are
        at = 8 + text.index(_UNSUMMED.encode())
        found = _sum_of(file)[1]
        file.seek(at)
        file.write(found.encode())


def _sum_of(file: BinaryIO) -> tuple[str, str]:
    """The sum that a file of weights tells ("" if none, as older ones), and that of its bytes."""
    file.seek(0)
    size = file.read(8)
    header = file.read(int.from_bytes(size, "little"))
    told = re.search(rf'"{_SUM}":"([0-9a-f]{{64}})"'.encode(), header)
    if told:
        header = header.replace(told[1], _UNSUMMED.encode())
    found = hashlib.sha256(size + header)
    while block := file.read(1 << 20):
        found.update(block)
    return told[1].decode() if told else "", found.hexdigest()


def load_encoder_weights(path: Path | str, kind: str = "dasheng") -> nn.Module:
    """The encoder in a file that :func:`save_weights` wrote, in evaluation mode.

    Args:
        kind: its family, or ``"sfnfnet"``, the network that several families train.

    Raises:
        UserError: the file is absent, damaged, none of ours, or of another kind.
    """
    metadata, weights = _read_ours(expanded(path))
    if kind not in (metadata["family"], metadata.get("network")):
        raise UserError(f"{path} holds another family: name it {metadata['family']}:{path}.")
    return _built(lambda: _encoder(metadata), _part(weights, "encoder"), path)


def facts_in(path: Path | str) -> dict[str, str]:
    """The further facts that :func:`save_weights` was given, such as the steps trained.

    Raises:
        UserError: as for :func:`load_encoder_weights`.
    """
    own = {"encoder", "task", "family", "network", _SUM}
    return {k: v for k, v in _read_ours(expanded(path))[0].items() if k not in own}


def load_objective(path: Path | str) -> Objective:
    """Encoder and pretext task in a file that :func:`save_weights` wrote, in evaluation mode.

    Raises:
        UserError: the file is absent, damaged or none of ours, or there is an encoder alone in it.
    """
    metadata, weights = _read_ours(expanded(path))
    if "task" not in metadata:
        raise UserError(f"{path} holds an encoder without its decoder: name a pretraining run's.")
    family, task = FAMILIES[metadata["family"]], metadata["task"]
    if task.pop("iteration", 1) == 2:  # HuBERT's second, from before it named its teacher
        task["teacher"] = "the first iteration of the same run"
    return _built(
        lambda: family.objective(_encoder(metadata), family.config(**task)), weights, path
    )


def load_autoencoder(path: Path | str) -> MaskedAutoencoder:
    """Encoder and decoder in a file that :func:`save_weights` wrote, in evaluation mode.

    Raises:
        UserError: as for :func:`load_objective`, or it is no masked autoencoder.
    """
    model = load_objective(path)
    if not isinstance(model, MaskedAutoencoder):
        raise UserError(f"{path} is of {model.family}, which has no decoder: see load_objective.")
    return model


def _read_ours(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The metadata, ``encoder`` and ``task`` as dictionaries, and all weights.

    Of files from before there were families, whose word for ``task`` was ``mae``, the metadata are
    completed. Numbers in them that no such file can mean are refused before anything is built.
    """
    if not path.is_file():
        raise UserError(f"There is no checkpoint at {path}: name a .safetensors file.")
    try:
        with safetensors.safe_open(path, "pt") as file:  # which looks at the size of the header
            metadata: dict[str, Any] = dict(file.metadata() or {})
        with path.open("rb") as file:
            told, found = _sum_of(file)
        if told not in ("", found):
            raise ValueError("it is not as it was written")
        weights = safetensors.torch.load_file(path)
        if "mae" in metadata:
            metadata["task"] = metadata.pop("mae")
        said = metadata.get("network")
        family = metadata.setdefault("family", "dasheng" if said in (None, "transformer") else said)
        if family not in {*FAMILIES, *NETWORKS} or (said and said not in NETWORKS):
            raise ValueError(f"a family {family!r} or network {said!r} is not known")
        if "task" in metadata and family not in FAMILIES:
            raise ValueError(f"{family} is no pretext task")
        for part in ("encoder", "task") if "task" in metadata else ("encoder",):
            metadata[part] = dict(json.loads(metadata[part]))
            for name, number in metadata[part].items():
                # Widths cost nothing until they are compared; each block is a module.
                if name in _BLOCKS and isinstance(number, int) and number > len(weights):
                    raise ValueError(f"{name} {number} is more than its {len(weights)} tensors are")
    except _NOT_OURS as error:
        raise _none_of_ours(path, error) from error
    return metadata, weights


_BLOCKS = ("depth", "decoder_depth", "layer", "layers")  # settings that count them
_NOT_OURS = (
    safetensors.SafetensorError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)


def _none_of_ours(path: Path | str, error: Exception) -> UserError:
    return UserError(
        f"{path} is no encoder that this library wrote, or it is damaged ({one_line(error)}): "
        "train it again, or read a published file with load_published."
    )


def _encoder(metadata: Mapping[str, Any]) -> nn.Module:
    said = metadata.get("network")
    network = NETWORKS[said] if said else FAMILIES[metadata["family"]].network
    return network.module(network.config(**metadata["encoder"]))


def _built(make: Callable[[], nn.Module], weights: Mapping[str, Tensor], path: Path | str) -> Any:
    """What ``make`` makes, with these weights, in evaluation mode.

    It is made without memory first: sizes are compared before anything is allocated.
    """
    try:
        with torch.device("meta"):
            wanted = _shapes(make())
    except _NOT_OURS as error:
        raise _none_of_ours(path, error) from error
    refuse(path, misfits(wanted, weights), "name a file of the same kind, unchanged")
    module = make()
    module.load_state_dict(weights)
    return module.eval()


def _shapes(module: nn.Module) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in module.state_dict().items()}


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
        raise UserError(f"There is no checkpoint at {path}: name a file, or published:base.")
    weights, options = read_published(path)
    size = replace(read_config(weights, options, path), **config)
    with torch.device("meta"):  # sizes are compared before anything is allocated
        wanted = dict(upstream_shape(*named) for named in _shapes(Encoder(size)).items())
    table = weights.get("time_pos_embed")
    if table is not None and table.ndim == 4 and table.shape[3]:
        wanted["time_pos_embed"][3] = table.shape[3]  # is resized
    refuse(path, misfits(wanted, weights))
    ours = from_upstream(weights)
    ours["time"] = _resize(ours["time"].float(), size.positions)
    encoder = Encoder(size)
    encoder.load_state_dict(ours)
    return encoder.eval()


def _resize(time_TD: Tensor, positions: int) -> Tensor:
    if len(time_TD) >= positions:
        return time_TD[:positions]
    return F.interpolate(
        time_TD.T[None, :, None], size=(1, positions), mode="bilinear", align_corners=False
    )[0, :, 0].T.contiguous()
