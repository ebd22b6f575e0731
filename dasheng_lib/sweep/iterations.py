"""The runs that a point of a sweep is made of: one, or two where the second learns from the first.

HuBERT's first iteration takes a third of the steps, so that both together hear as much audio as a
run of any other family. The point counts its steps through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train.config import RunConfig


@dataclass(frozen=True)
class Part:
    """A run of a point: what it is, its folder, and the step of the point after which it begins."""

    config: RunConfig
    folder: Path
    begin: int


def begins(family: str, steps: int) -> tuple[int, ...]:
    """Steps of a point of so many steps after which a run begins."""
    return (0, max(steps // 3, 1)) if FAMILIES[family].has_teacher and steps > 1 else (0,)


def parts(config: RunConfig, folder: Path = Path()) -> tuple[Part, ...]:
    """The runs of a point, the last one in ``folder``: one where it names a teacher itself."""
    steps = config.train.steps
    if config.teacher or len(begins(config.family, steps)) == 1:
        return (Part(config, folder, 0),)
    _, middle = begins(config.family, steps)
    first, task = folder / "first", config.task
    taught = replace(task, teacher=str(first / "final.safetensors"))
    return tuple(
        Part(
            replace(
                config,
                task=own,
                keep=tuple(step - begin for step in config.snapshots if begin < step <= end)
                or (end - begin,),
                train=replace(config.train, steps=end - begin),
            ),
            place,
            begin,
        )
        for own, place, begin, end in ((task, first, 0, middle), (taught, folder, middle, steps))
    )


def part_of(step: int, runs: tuple[Part, ...]) -> Part:
    """The run that has made what the point is at a step."""
    return [part for part in runs if part.begin < max(step, 1)][-1]


def of_one_run(history: pd.DataFrame, begins: tuple[int, ...]) -> pd.DataFrame:
    """What the last row of a point's history is compared with: its own run, and step 0."""
    now = history["step"].iloc[-1]
    begin = max(begin for begin in begins if begin < max(now, 1))
    return history[(history["step"] == 0) | (history["step"] > begin)]
