"""``dasheng corpus … hear``: the folders of the HEAR benchmark."""

from __future__ import annotations

import argparse

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.manifest import read_yml
from dasheng_lib.tasks.hear.fetch import fetch_hear, find_hear, hear_source, hear_sources
from dasheng_lib.tasks.hear.read import read_hear_task


def fetch(name: str, args: argparse.Namespace) -> None:
    """Get the folders of the tasks that are named.

    Raises:
        UserError: none is named, or one cannot be had.
    """
    if not args.task:
        raise UserError(
            "All of HEAR unpacks to well over 100 GB, so say which: `dasheng corpus fetch hear "
            "--task esc50`, or `--task all`; `dasheng corpus list hear` names them."
        )
    for task in _named(args.task):
        for folder in fetch_hear(task, args.place, not args.quiet):
            print(f"{task}: {folder}")


def line(name: str) -> str:
    """What the list of all corpora says about HEAR."""
    sources = hear_sources().values()
    here = f"{sum(find_hear(source.name) is not None for source in sources)} of {len(sources)}"
    return f"{name:<22}{'':>6}{'':>7}  {here:<12}{read_yml('hear')['title']}"


def show(name: str, args: argparse.Namespace) -> None:
    """Print every task with its published size, licence and whether it is here."""
    print(f"\n  {'task':<23}{'column':<9}{'clips':>7}{'hours':>7}  {'here':<5}licence")
    for source in hear_sources().values():
        here = "yes" if find_hear(source.name) else "no"
        hours = source.clips * source.seconds / 3600
        print(
            f"  {source.name:<23}{source.column:<9}{source.clips:>7}{hours:>7.1f}  {here:<5}"
            f"{source.licence}"
        )
    print("\n`dasheng corpus fetch hear --task NAME` gets one; hours of fsd50k are at most.")


def check(name: str, args: argparse.Namespace) -> int:
    """Read the named tasks, or all that are here; 1 if something is wrong, else 0.

    Raises:
        UserError: a named task is not here.
    """
    code = 0
    for task in _named(args.task) if args.task else hear_sources():
        folders = find_hear(task)
        if folders is None and args.task:
            raise UserError(
                f"HEAR task {task} is not here: run `dasheng corpus fetch hear --task {task}`."
            )
        for folder in folders or ():
            try:
                read = read_hear_task(folder)
            except UserError as error:
                print(f"{task}: {error}")
                code = 1
                continue
            clips, published = sum(map(len, read.clips.values())), hear_source(task).clips
            rate = next(clip.rate for split in read.clips.values() for clip in split)
            note = "as published" if clips == published else f"published are {published}"
            print(f"{task}: {folder.name} is sound; {clips} clips at {rate} Hz, {note}")
    return code


def _named(tasks: list[str]) -> list[str]:
    if "all" in tasks:
        return list(hear_sources())
    return [hear_source(name).name for name in tasks]
