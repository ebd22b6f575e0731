"""A task of the HEAR benchmark, from its official folder.

The folder ``{task}-{version}-{mode}`` holds ``task_metadata.json``, ``labelvocabulary.csv``, a
``{split}.json`` for each split, and wavs in ``{rate}/{split}/``. Source: hear-preprocess 2021.1.1.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.corpora.wav_facts import WavFacts, wav_facts
from dasheng_lib.tasks.clip import Clip, file_clip
from dasheng_lib.tasks.hear.faults import empty_clips, faults, other_lengths, shared_audio
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
from dasheng_lib.tasks.task import Fold, Task, k_folds

RATE = 16_000


def folds_of(mode: str, splits: Iterable[str]) -> tuple[Fold, ...]:
    """heareval's folds: one of train, valid and test; or each of k splits tested in turn."""
    if mode == "trainvaltest":
        return (Fold("test", ("train",), ("valid",), ("test",)),)
    return k_folds(sorted(splits))


def training_order(clips: Mapping[str, Sequence[Clip]]) -> dict[str, tuple[Clip, ...]]:
    """The clips of each split in the order in which they train.

    As in heareval, where one generator with seed 0 shuffles split after split, once and for all:
    labels in file order would make batches of one class. It starts from the order in which a
    folder lists its files, which differs between file systems; we start from sorted names.
    """
    generator = random.Random(0)
    order = {}
    for split, part in clips.items():
        mixed = sorted(part, key=lambda clip: clip.name)
        generator.shuffle(mixed)
        order[split] = tuple(mixed)
    return order


def read_hear_task(
    folder: Path | str,
    rate: int | None = None,
    duplicates: Literal["refuse", "keep"] = "refuse",
    progress: bool = True,
) -> Task:
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
    schedule = training_grid(folder / METADATA, meta)
    if meta["task_name"] == "dcase2016_task2":  # heareval tells it by its name
        schedule.setdefault("validate_every", 10)
    task = Task(
        name=os.path.basename(os.path.abspath(folder)),
        clips=clips,
        labels=labels,
        folds=folds_of(meta["split_mode"], clips),
        metrics=tuple(meta["evaluation"]),
        prediction=meta["prediction_type"],
        embedding=meta["embedding_type"],
        stop_on_score=bool(meta.get("use_scoring_for_early_stopping", True)),
        event_grid=event_grid(folder / METADATA, meta),
        probe="mlp",
        **schedule,
    )
    found = faults(task, rate, known)
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
    for said in other_lengths(task, meta.get("sample_duration")):
        warnings.warn(f"{folder.name}: {said}, as its sample_duration says.", stacklevel=2)
    if empty := empty_clips(task):
        many = "clips are empty and count as silence"
        said = tell("clip is empty and counts as silence", empty, many)
        warnings.warn(f"{folder.name}: {said}.", stacklevel=2)
    return replace(task, clips=training_order(clips))


def _clip(folder: Path, entry: Entry, facts: WavFacts | None) -> Clip:
    file, labels, events = entry
    # A wav that is missing has rate -1 until the check has named it.
    facts = facts or WavFacts(0, -1, "")
    return file_clip(file, folder / file, facts, labels=labels, events=events)
