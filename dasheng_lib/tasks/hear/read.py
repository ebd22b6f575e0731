"""A task of the HEAR benchmark, from its official folder.

The folder ``{task}-{version}-{mode}`` holds ``task_metadata.json``, ``labelvocabulary.csv``, a
``{split}.json`` for each split, and wavs in ``{rate}/{split}/``. Source: hear-preprocess 2021.1.1.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.wav_facts import WavFacts, wav_facts
from dasheng_lib.metrics.events import Event
from dasheng_lib.tasks.hear.faults import empty_clips, faults, shared_audio, tell
from dasheng_lib.tasks.hear.files import (
    METADATA,
    Entry,
    event_grid,
    nearest_rate,
    read_metadata,
    splits,
    task_folder,
    training_grid,
    vocabulary,
)

RATE = 16_000


@dataclass(frozen=True)
class HearClip:
    """One wav and its labels.

    Attributes:
        file: its name in the split's json.
        path: where it lies.
        labels: of a scene; of a multiclass task exactly one.
        events: of an event task.
        samples, rate: as its header says, at its own rate in Hz.
        sha256: of the bytes of the file.
    """

    file: str
    path: Path
    labels: tuple[str, ...]
    events: tuple[Event, ...]
    samples: int
    rate: int
    sha256: str


@dataclass(frozen=True, eq=False)
class HearTask:
    """A task: what is told apart, how it is scored, and the clips of each split.

    Attributes:
        name, version, mode: as in the folder's name.
        embedding: ``"scene"`` or ``"event"``.
        prediction: ``"multiclass"`` or ``"multilabel"``.
        split_mode: ``"trainvaltest"``, ``"presplit_kfold"`` or ``"new_split_kfold"``.
        labels: the vocabulary, in the order of its index.
        metrics: the first is the one to report.
        seconds: length of every clip; None if they differ.
        stop_on_score: training stops by the score; by the loss of the validation split if false.
        event_grid: (median filter, shortest event) in ms, to choose from; empty for scenes.
        rate: of the wavs, Hz.
        clips: from split to clips, in the order of the json.
        folder: where all this was read.
        max_epochs, validate_every: of heareval's probe, in epochs; None if the task has no own.
    """

    name: str
    version: str
    mode: str
    embedding: Literal["scene", "event"]
    prediction: Literal["multiclass", "multilabel"]
    split_mode: str
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    seconds: float | None
    stop_on_score: bool
    event_grid: tuple[tuple[float, float], ...]
    rate: int
    clips: dict[str, tuple[HearClip, ...]]
    folder: Path
    max_epochs: int | None = None
    validate_every: int | None = None

    @property
    def identity(self) -> str:
        """Name of the folder, officially ``{task}-{version}-{mode}``; modes share ``name``."""
        return os.path.basename(os.path.abspath(self.folder))


@dataclass(frozen=True)
class Fold:
    """Splits to train on, to select by and to test on; named after the tested one."""

    name: str
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]


def folds(task: HearTask) -> list[Fold]:
    """heareval's folds: one of train, valid and test; or each of k splits tested in turn.

    With k splits in alphabetical order, split i is tested, split i + 1 (the first after the last)
    selects, and the others train.
    """
    if task.split_mode == "trainvaltest":
        return [Fold("test", ("train",), ("valid",), ("test",))]
    names = sorted(task.clips)
    found = []
    for i, test in enumerate(names):
        valid = names[(i + 1) % len(names)]
        train = tuple(name for name in names if name not in (test, valid))
        found.append(Fold(test, train, (valid,), (test,)))
    return found


def read_hear_task(
    folder: Path | str,
    rate: int | None = None,
    duplicates: Literal["refuse", "keep"] = "refuse",
    progress: bool = True,
) -> HearTask:
    """Read and check a task; the wavs are looked at once, see :mod:`.wav_facts`.

    A clip without a single sample stays where it is and is named in a warning: it is embedded as
    silence, so that no test set shrinks (heareval would break off).

    Args:
        folder: the task's, or one that holds it as official archives do
            (``hear-VERSION/tasks/TASK`` or ``tasks/TASK``).
        rate: wanted, Hz; 16000 if None. Taken where it is there, else the lowest above it, else
            the highest.
        duplicates: what to do about the same audio in two splits. ``"keep"`` only warns, to score
            a published split as it is.
        progress: show a bar when there are many wavs to look at.

    Raises:
        UserError: not a task's folder, or it cannot be used as it stands; says all that is wrong
            with it at once, the first names and the number of each kind.
    """
    folder = task_folder(Path(folder))
    meta = read_metadata(folder / METADATA)
    labels = vocabulary(folder / "labelvocabulary.csv")
    entries = splits(folder, meta)
    rate = nearest_rate(folder, rate or RATE)
    names = [f"{split}/{file}" for split, rows in entries.items() for file, _, _ in rows]
    facts = wav_facts(folder / str(rate), names, progress)
    known = dict(zip(names, facts, strict=True))
    clips = {
        split: tuple(_clip(folder / str(rate) / split, row, known[f"{split}/{row[0]}"])
                     for row in rows)
        for split, rows in entries.items()
    }  # fmt: skip
    task = HearTask(
        name=str(meta["task_name"]),
        version=str(meta["version"]),
        mode=str(meta.get("mode", "")),
        embedding=meta["embedding_type"],
        prediction=meta["prediction_type"],
        split_mode=meta["split_mode"],
        labels=labels,
        metrics=tuple(meta["evaluation"]),
        seconds=meta.get("sample_duration"),
        stop_on_score=bool(meta.get("use_scoring_for_early_stopping", True)),
        event_grid=event_grid(folder / METADATA, meta),
        rate=rate,
        clips=clips,
        folder=folder,
        **training_grid(folder / METADATA, meta),
    )
    found = faults(task)
    twice = shared_audio(task)
    if duplicates == "refuse":
        found += twice
    elif twice:
        warnings.warn(f"{folder.name}: {'; '.join(twice)}. They are kept.", stacklevel=2)
    if found:
        raise UserError(
            f"{folder} cannot be used as it stands: {'; '.join(found)}. Unpack its archive again, "
            "or mend these files"
            + (
                ", or keep duplicates (--keep-duplicates) to score the split as it is."
                if twice
                else "."
            )
        )
    if empty := empty_clips(task):
        many = "clips are empty and count as silence"
        said = tell("clip is empty and counts as silence", empty, many)
        warnings.warn(f"{folder.name}: {said}.", stacklevel=2)
    return task


def _clip(folder: Path, entry: Entry, facts: WavFacts | None) -> HearClip:
    file, labels, events = entry
    # A wav that is missing has rate -1 until the check has named it.
    facts = facts or WavFacts(0, -1, "")
    return HearClip(file, folder / file, labels, events, facts.samples, facts.rate, facts.sha256)
