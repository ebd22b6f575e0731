"""Whether a run's folder still holds what was written there: its configuration, its checkpoint."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from dasheng_lib.checkpoint.published import check_sums, misfits
from dasheng_lib.common.cache import digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.objectives import Objective
from dasheng_lib.train.config import RunConfig

_UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


def check_same(path: Path, run: dict[str, Any], config: RunConfig) -> None:
    """Raise unless a folder's ``config.json`` is that of this run.

    Args:
        run: what it would be now, as JSON values.

    Raises:
        UserError: it is damaged, or that of another run.
    """
    try:
        found = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(
            f"{path} does not say which run lies there ({error}): restore it, or choose an "
            "empty folder."
        ) from error
    for settings in (found, run):
        settings.pop("teacher", None)  # its hash says more than its place
    if digest(found) != digest(run):
        names = [name for name in {**run, **found} if found.get(name) != run.get(name)]
        changed = dict.fromkeys(name.removesuffix("_digest") for name in names)
        unknown = set(found) - set(run) - {field.name for field in fields(config.task)}
        if unknown and found.get("family") == config.family:
            raise UserError(
                f"{path.parent} holds a run of an earlier version, in which {config.family} had "
                f"other settings ({', '.join(sorted(unknown))}): choose an empty folder."
            )
        raise UserError(
            f"{path.parent} holds a run with another {' and '.join(changed)}: "
            "choose an empty folder, or the settings in its config.json to go on with it."
        )


def read_checkpoint(path: Path, model: Objective, tables: Sequence[str]) -> dict[str, Any]:
    """What :meth:`.folder.RunFolder.keep` kept, the text of each of ``tables`` among it.

    Raises:
        UserError: it is damaged, or not one of ``model``.
    """
    try:
        state = _read(path)
        if not state.get("tables"):  # from before they were kept there: their rows until then
            state["tables"] = {name: _until(path.with_name(name), state["step"]) for name in tables}
        wrong = _wrong(state, model)
        texts = state["tables"].items()
        wrong += [f"{name} is no text" for name, text in texts if not isinstance(text, str)]
    except _UNREADABLE as error:
        wrong = [str(error) or type(error).__name__]
    if wrong:
        raise UserError(
            f"{path} is damaged ({'; '.join(wrong[:3])}): restore it, or delete {path.parent} to "
            "train from the beginning."
        )
    return state


def _until(path: Path, step: int) -> str:
    head, *rows = path.read_text().splitlines() if path.exists() else [""]
    rows = [row for row in rows if int(row.split(",")[0]) <= step]
    return "\n".join([head, *rows, ""]) if rows else ""


def _read(path: Path) -> dict[str, Any]:
    check_sums(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _wrong(state: dict[str, Any], model: Objective) -> list[str]:
    """What of a checkpoint is not as training ``model`` for ``step`` steps leaves it."""
    wanted = {name: list(value.shape) for name, value in model.state_dict().items()}
    wrong = misfits(wanted, state["weights"])
    moments, parameters = state["optimizer"]["state"], dict(model.named_parameters())
    wrong += [f"moments of unknown {name}" for name in moments if name not in parameters]
    wrong += [
        f"moments of {name} are {list(moment.shape)}"
        for name, found in moments.items()
        for moment in found.values()
        if moment.ndim and name in parameters and moment.shape != parameters[name].shape
    ]
    taken = max((int(found["step"]) for found in moments.values()), default=0)
    if taken != state["step"]:
        wrong.append(f"it says step {state['step']} where {taken} were taken")
    float(state["seconds"])
    return wrong
