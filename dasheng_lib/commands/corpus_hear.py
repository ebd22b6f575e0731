"""``dasheng corpus … hear``: the folders of the HEAR benchmark."""

from __future__ import annotations

from pathlib import Path

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.manifest import read_yml
from dasheng_lib.tasks.hear.fetch import fetch_hear, find_hear, hear_source, hear_sources
from dasheng_lib.tasks.hear.read import read_hear_task


def fetch(tasks: list[str], place: Path | None, progress: bool) -> int:
    """Get the folders of the named tasks; 0.

    Raises:
        UserError: none is named, or one cannot be had.
    """
    if not tasks:
        raise UserError(
            "All of HEAR unpacks to well over 100 GB, so say which: `dasheng corpus fetch hear "
            "--task esc50`, or `--task all`; `dasheng corpus list hear` names them."
        )
    for name in _named(tasks):
        for folder in fetch_hear(name, place, progress):
            print(f"{name}: {folder}")
    return 0


def show() -> int:
    """Print every task with its published size, licence and whether it is here; 0."""
    print(line())
    print(f"\n  {'task':<23}{'column':<9}{'clips':>7}{'hours':>7}  {'here':<5}licence")
    for source in hear_sources().values():
        here = "yes" if find_hear(source.name) else "no"
        hours = source.clips * source.seconds / 3600
        print(
            f"  {source.name:<23}{source.column:<9}{source.clips:>7}{hours:>7.1f}  {here:<5}"
            f"{source.licence}"
        )
    print("\n`dasheng corpus fetch hear --task NAME` gets one; hours of fsd50k are at most.\n")
    return 0


def line() -> str:
    """What the list of all corpora says about HEAR."""
    sources = hear_sources().values()
    here = sum(find_hear(source.name) is not None for source in sources)
    return (
        f"{'hear':<22}{'':>6}{'':>7}  {f'{here} of {len(sources)}':<12}{read_yml('hear')['title']}"
    )


def check(tasks: list[str]) -> int:
    """Read the named tasks, or all that are here; 1 if something is wrong, else 0.

    Raises:
        UserError: a named task is not here.
    """
    code = 0
    for name in _named(tasks) if tasks else hear_sources():
        folders = find_hear(name)
        if folders is None:
            if not tasks:
                continue
            raise UserError(
                f"HEAR task {name} is not here: run `dasheng corpus fetch hear --task {name}`."
            )
        for folder in folders:
            try:
                task = read_hear_task(folder)
            except UserError as error:
                print(f"{name}: {error}")
                code = 1
                continue
            clips, published = sum(map(len, task.clips.values())), hear_source(name).clips
            rate = next(clip.rate for split in task.clips.values() for clip in split)
            note = "as published" if clips == published else f"published are {published}"
            print(f"{name}: {folder.name} is sound; {clips} clips at {rate} Hz, {note}")
    return code


def _named(tasks: list[str]) -> list[str]:
    if "all" in tasks:
        return list(hear_sources())
    return [hear_source(name).name for name in tasks]
