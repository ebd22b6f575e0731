"""HEAR folders in miniature, made in the test: tones in noise, one pitch for each label.

A probe on log-mel statistics tells the labels apart; a probe on anything random does not.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

TVT = ("train", "valid", "test")
METRICS = {
    ("scene", "multiclass"): ["top1_acc", "mAP", "d_prime", "aucroc"],
    ("scene", "multilabel"): ["mAP", "d_prime", "aucroc", "top1_acc"],
    ("event", "multilabel"): ["event_onset_200ms_fms", "segment_1s_er"],
}


def folds(k: int) -> tuple[str, ...]:
    return tuple(f"fold{i:02d}" for i in range(k))


def make_task(
    folder: Path,
    *,
    embedding: str = "scene",
    prediction: str | None = None,
    splits: Sequence[str] = TVT,
    clips: int = 6,
    labels: int | Sequence = 3,
    seconds: float | None = None,
    rate: int = 16_000,
    noise: float = 0.02,
    without: tuple[str, int] | None = None,
    empty: str | None = None,
    seed: int = 0,
    root: str = "hear-2021.0.6/tasks",
    name: str = "made_up",
    **metadata,
) -> Path:
    """Write a task and return its folder, ``folder/root/NAME-v1-MODE``.

    Args:
        embedding, prediction: ``"scene"`` with ``"multiclass"`` (its default) or
            ``"multilabel"``; ``"event"`` is multilabel.
        splits: TVT or ``folds(k)``.
        clips: in each split; multiclass splits hold every label about equally often.
        labels: how many, or what they are; numbers are written as numbers, as upstream does.
        seconds: of a clip; 0.5 for scenes and 4 for events.
        noise: its deviation; the tones have amplitude 0.1 to 0.3.
        without: (split, label's idx): that split never has that label.
        empty: the split whose first clip has no sample (and, if of events, no event).
        metadata: more for task_metadata.json, or other values.
    """
    prediction = prediction or ("multilabel" if embedding == "event" else "multiclass")
    seconds = seconds or (4.0 if embedding == "event" else 0.5)
    labels = [f"tone {i}" for i in range(labels)] if isinstance(labels, int) else list(labels)
    rng = np.random.default_rng(seed)
    task = folder / root / f"{name}-v1-{metadata.get('mode', 'full')}"
    task.mkdir(parents=True)
    for split in splits:
        allowed = [i for i in range(len(labels)) if without != (split, i)]
        entries = {}
        for i in range(clips):
            file = f"{split}-{i:03d}.wav"
            wave = noise * rng.standard_normal(round(seconds * rate))
            hollow = split == empty and i == 0
            if embedding == "event":
                events = [] if hollow else _add_events(wave, allowed, rate, rng)
                entries[file] = [
                    {"label": labels[k], "start": start, "end": end} for k, start, end in events
                ]
            else:
                chosen = [allowed[i % len(allowed)]]
                if prediction == "multilabel":
                    chosen = [k for k in allowed if rng.random() < 0.4]
                for k in chosen:
                    wave += _tone(k, len(wave), rate, rng)
                entries[file] = [labels[k] for k in chosen]
            write_wav(task / str(rate) / split / file, wave[: 0 if hollow else None], rate)
        (task / f"{split}.json").write_text(json.dumps(entries, indent=1))
    with (task / "labelvocabulary.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("idx", "label"), *enumerate(labels)])
    (task / "task_metadata.json").write_text(
        json.dumps(
            {
                "task_name": name,
                "version": "v1",
                "mode": "full",
                "embedding_type": embedding,
                "prediction_type": prediction,
                "split_mode": "trainvaltest" if tuple(splits) == TVT else "new_split_kfold",
                "splits": list(splits),
                "nfolds": None if tuple(splits) == TVT else len(splits),
                "sample_duration": seconds,
                "evaluation": METRICS[embedding, prediction],
                **metadata,
            },
            indent=1,
        )
    )
    return task


def write_wav(path: Path, wave: np.ndarray, rate: int = 16_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, subtype="PCM_16")


def edit(path: Path, change) -> None:
    """Change a json file: ``edit(task / "train.json", lambda content: content.clear())``."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def _tone(label: int, samples: int, rate: int, rng: np.random.Generator) -> np.ndarray:
    hertz = 300.0 * 1.5**label * rng.uniform(0.97, 1.03)
    phase = 2 * np.pi * (hertz * np.arange(samples) / rate + rng.random())
    return rng.uniform(0.1, 0.3) * np.sin(phase)


def _add_events(
    wave: np.ndarray, labels: list[int], rate: int, rng: np.random.Generator
) -> list[tuple[int, float, float]]:
    """Put two tones of each label in, each in its half of the clip; (label, start, end) in ms."""
    events = []
    half = 1000 * len(wave) / rate / 2
    for label in labels:
        for part in range(2):
            length = rng.uniform(0.25, 0.45) * half
            start = part * half + rng.uniform(0.05, 0.5) * half
            low, high = round(start * rate / 1000), round((start + length) * rate / 1000)
            wave[low:high] += _tone(label, high - low, rate, rng)
            events.append((label, round(start, 3), round(start + length, 3)))
    return sorted(events, key=lambda event: event[1])
