"""The files of a HEAR task's folder, one function each; every fault is a sentence."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from dasheng_lib.common.errors import UserError, reading, tell
from dasheng_lib.common.places import expanded
from dasheng_lib.corpora.fetch.unpack import plain_name
from dasheng_lib.metrics.events import EVENT_METRICS, Event
from dasheng_lib.metrics.scene import SCENE_METRICS

METADATA = "task_metadata.json"
# heareval's own, for a task that names none: one median filter, two shortest events.
EVENT_GRID = {"median_filter_ms": [250.0], "min_duration": [125.0, 250.0]}
MOST = 1000  # folds, or ways to find events; official tasks have 8 and 2
DAY_MS = 86_400_000.0
Entry = tuple[str, tuple[str, ...], tuple[Event, ...]]  # file, labels, events


def task_folder(folder: Path) -> Path:
    """The folder itself, or the only task below it."""
    folder = expanded(folder)
    if (folder / METADATA).is_file():
        return folder
    found = sorted(
        path.parent
        for depth in ("*", "tasks/*", "hear-*/tasks/*", "*/hear-*/tasks/*", "*/tasks/*")
        for path in folder.glob(f"{depth}/{METADATA}")
    )
    found = list(dict.fromkeys(found))
    if len(found) == 1:
        return found[0]
    raise UserError(
        f"{folder} holds no {METADATA}: name the folder of a HEAR task."
        if not found
        else f"{folder} holds {len(found)} tasks: name one of them, such as {found[0]}."
    )


def _read_json(path: Path) -> dict:
    with reading(path, "JSON", "unpack it again"):
        content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not an object: unpack it again.")
    return content


def read_metadata(path: Path) -> dict[str, Any]:
    """``task_metadata.json``, with all that is needed from it there and known."""
    meta = _read_json(path)
    allowed = {
        "task_name": None,
        "version": None,
        "embedding_type": ("scene", "event"),
        "prediction_type": ("multiclass", "multilabel"),
        "split_mode": ("trainvaltest", "presplit_kfold", "new_split_kfold"),
        "evaluation": None,
    }
    for key, values in allowed.items():
        if key not in meta:
            raise UserError(f"{path} has no {key}: unpack it again.")
        if values and meta[key] not in values:
            raise UserError(f"{path} says {key} {meta[key]!r}: it is {' or '.join(values)}.")
    if not meta["evaluation"]:
        raise UserError(f"{path} names no score under evaluation: unpack it again.")
    known = EVENT_METRICS if meta["embedding_type"] == "event" else SCENE_METRICS
    if not isinstance(meta["evaluation"], list) or not all(m in known for m in meta["evaluation"]):
        raise UserError(
            f"{path} says evaluation {meta['evaluation']!r}: it is a list of scores for "
            f"{meta['embedding_type']}s, of {', '.join(known)}."
        )
    if not isinstance(meta.get("evaluation_params") or {}, dict):
        raise UserError(f"{path} says evaluation_params that are no object: unpack it again.")
    if meta["embedding_type"] == "event" and meta["prediction_type"] == "multiclass":
        raise UserError(f"{path} is a multiclass event task: event tasks are multilabel.")
    return meta


def vocabulary(path: Path) -> tuple[str, ...]:
    """Labels of ``labelvocabulary.csv`` in the order of idx, which counts from 0 without a gap."""
    with (
        reading(path, "a table of idx and label", "unpack it again"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        rows = [(row["idx"], row["label"]) for row in csv.DictReader(file, strict=True)]
        pairs = sorted((int(idx), label) for idx, label in rows)
    wrong = next((i for i, (idx, _) in enumerate(pairs) if idx != i), None)
    if wrong is not None or not pairs:
        found = f"has idx {pairs[wrong][0]} where {wrong} belongs" if pairs else "is empty"
        raise UserError(f"{path} {found}: idx counts 0, 1, 2 … with neither gap nor repetition.")
    labels = tuple(label for _, label in pairs)
    twice = next((label for i, label in enumerate(labels) if label in labels[:i]), None)
    if twice is not None:
        raise UserError(f"{path} names {twice!r} twice: every label has one idx.")
    return labels


def splits(folder: Path, meta: dict) -> dict[str, list[Entry]]:
    """From split to (file, labels, events), the splits in alphabetical order if they are folds."""
    if meta["split_mode"] == "trainvaltest":
        names = ["train", "valid", "test"]
    else:
        names = meta.get("splits") or _fold_names(folder / METADATA, meta.get("nfolds"))
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{folder / METADATA} says splits {names!r}: it is a list of names.")
        if strange := [name for name in names if "/" in name or plain_name(name) != name]:
            raise UserError(
                f"{folder / METADATA} names the splits {strange}, which are no folders in "
                f"{folder.name}: mend it."
            )
        names = sorted(names)
        if len(set(names)) < max(len(names), 3):
            raise UserError(
                f"{folder / METADATA} names the splits {names}: k-fold needs 3 or more, each once."
            )
    lost = [f"{name}.json" for name in names if not (folder / f"{name}.json").is_file()]
    if lost:
        missing = tell("split file is missing", lost, "split files are missing")
        raise UserError(
            f"{folder} cannot be used as it stands: {missing}. Unpack its archive again."
        )
    event = meta["embedding_type"] == "event"
    return {name: _entries(folder / f"{name}.json", event) for name in names}


def _fold_names(path: Path, nfolds: Any) -> list[str]:
    if not isinstance(nfolds, int) or isinstance(nfolds, bool) or nfolds > MOST:
        raise UserError(
            f"{path} says nfolds {nfolds!r} and no splits: it is a whole number, at most {MOST}."
        )
    return [f"fold{i:02d}" for i in range(nfolds)]


def _entries(path: Path, event: bool) -> list[Entry]:
    rows = []
    for file, values in _read_json(path).items():
        if plain_name(file) != file:
            raise UserError(f"{path} names {file!r}, which is no file below its split: mend it.")
        if not isinstance(values, list):
            raise UserError(f"{path} gives {file} no list of labels but {values!r}: mend it.")
        if event:
            rows.append((file, (), tuple(_event(path, file, value) for value in values)))
        elif any(isinstance(value, dict | list) or value is None for value in values):
            raise UserError(f"{path} gives {file} the labels {values!r}: a scene's are plain.")
        else:
            # Upstream writes numbers here and text in the vocabulary.
            rows.append((file, tuple(str(value) for value in values), ()))
    if not rows:
        raise UserError(f"{path} names no clip: unpack it again.")
    return rows


def _event(path: Path, file: str, value: Any) -> Event:
    try:
        event = Event(str(value["label"]), float(value["start"]), float(value["end"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        event = None
    if event is None or not (math.isfinite(event.start) and math.isfinite(event.end)):
        raise UserError(
            f"{path} gives {file} the event {value!r}: an event has a label, and a start and an "
            "end in milliseconds."
        )
    return event


def event_grid(path: Path, meta: dict) -> tuple[tuple[float, float], ...]:
    """(median filter, shortest event) in ms of each way to find events; empty for scenes."""
    if meta["embedding_type"] != "event":
        return ()
    grid = (meta.get("evaluation_params") or {}).get("event_postprocessing_grid") or EVENT_GRID
    if not isinstance(grid, dict) or grid.keys() != EVENT_GRID.keys():
        raise UserError(
            f"{path} says event_postprocessing_grid {grid!r}: it has {' and '.join(EVENT_GRID)}."
        )
    for name, values in grid.items():
        if not isinstance(values, list) or not values or not all(map(_is_length, values)):
            raise UserError(f"{path} says {name} {values!r}: it is a list of milliseconds.")
    if math.prod(map(len, grid.values())) > MOST:
        raise UserError(f"{path} says more than {MOST} ways to find events: give fewer.")
    return tuple(
        (float(median), float(least))
        for median in grid["median_filter_ms"]
        for least in grid["min_duration"]
    )


def _is_length(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= DAY_MS


def training_grid(path: Path, meta: dict) -> dict[str, int]:
    """``max_epochs`` and ``validate_every`` where ``task_specific_param_grid`` names them."""
    grid = (meta.get("evaluation_params") or {}).get("task_specific_param_grid") or {}
    names = {"max_epochs": "max_epochs", "check_val_every_n_epoch": "validate_every"}
    if not isinstance(grid, dict) or grid.keys() - names.keys():
        raise UserError(
            f"{path} says task_specific_param_grid {grid!r}: only {' and '.join(names)} can be "
            "set here."
        )
    found = {}
    for key, values in grid.items():
        one = values[0] if isinstance(values, list) and len(values) == 1 else None
        if not isinstance(one, int) or isinstance(one, bool) or one < 1:
            raise UserError(f"{path} says {key} {values!r}: it is a list of one number above 0.")
        found[names[key]] = one
    return found


def nearest_rate(folder: Path, wanted: int) -> int:
    """The wanted rate if its folder is there, else the lowest above it, else the highest; Hz."""
    rates = sorted(
        int(path.name)
        for path in folder.iterdir()
        if path.is_dir() and path.name.isascii() and path.name.isdecimal()
    )
    if not rates:
        raise UserError(f"{folder} holds no folder of wavs, such as 48000: unpack it again.")
    return next((rate for rate in rates if rate >= wanted), rates[-1])
