"""pocket.csv and pocket_tasks.csv, from the packages and the rules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from dasheng_lib.audio import SAMPLE_RATE, AudioError
from dasheng_lib.common.cache import atomic_file
from dasheng_lib.corpora.manifest import FOLDER, read_yml
from dasheng_lib.corpora.pocket.packages import package_sources
from dasheng_lib.corpora.source import Source
from pocket_tables import groups
from pocket_tables.labels import label_tasks

COLUMNS = ("package", "member", "sha256", "rate", "channels", "seconds", "domain", "group")


def index_pocket(packages: dict[str, Path], say: Callable[[str], None] = print) -> None:
    """Rewrite both tables from the packages' files, and say what was left out and why."""
    tables = []
    for package in [p["package"] for p in read_yml("pocket")["packages"]]:
        rows = [r for r in _rows(package, package_sources(packages[package]), say)]
        tables.append(pd.DataFrame(rows, columns=[*COLUMNS[:6], "zone", "sound", "pcm"]))
    clips = pd.concat(tables, ignore_index=True)
    clips = _without_borrowed(clips, say)
    for column, what in (("sha256", "bytes"), ("sound", "samples")):
        twins = clips[clips.duplicated(column)]
        firsts = clips.drop_duplicates(column).set_index(column)["member"]
        for row in twins.itertuples():
            say(f"left out {row.member}: {what} of {firsts[getattr(row, column)]}")
        clips = clips.drop_duplicates(column)
    keys = clips[["package", "member", "seconds"]].itertuples(index=False)
    clips["domain"] = [groups.domain(*key) for key in keys]
    keys = clips[["package", "member"]].itertuples(index=False)
    clips["group"] = [groups.group(*key) for key in keys]
    _save(clips[[*COLUMNS, "zone"]], "pocket.csv")
    _save(label_tasks(clips), "pocket_tasks.csv")


def _without_borrowed(clips: pd.DataFrame, say: Callable[[str], None]) -> pd.DataFrame:
    """Without samples that a bank took over from a bank of an earlier package: the bytes are
    equal, while rate and loop, and so the clips, may differ."""
    first = clips.groupby("pcm")["package"].transform("first")
    for row in clips[first != clips["package"]].itertuples():
        say(f"left out {row.member}: its bytes are in {first[row.Index]} too")
    return clips[first == clips["package"]]


def _rows(package: str, sources: Iterable[Source], say: Callable[[str], None]) -> Iterable[tuple]:
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        kept = []
        for source in sources:
            reason = groups.left_out(package, source.member)
            if reason:
                say(f"left out {source.member}: {reason}")
            else:
                kept.append(source)
        for source, result in zip(kept, pool.map(_facts, kept), strict=True):
            if isinstance(result, AudioError):
                say(f"left out: {result}")
                continue
            samples, rate, channels, sound = result
            if not samples:
                say(f"left out {source.member}: it holds no samples")
                continue
            seconds = round(samples / SAMPLE_RATE, 4)
            sha = source.sha256()
            pcm = hash(source.payload)
            yield package, source.member, sha, rate, channels, seconds, source.zone, sound, pcm


def _facts(source: Source) -> tuple[int, int, int, int] | AudioError:
    """Samples at 16 kHz, the original rate and channels, and a hash of what is heard.

    The samples themselves are let go: those of a package of music would fill the memory.
    """
    try:
        wave, rate, channels = source.decode()
    except AudioError as error:
        return error
    return len(wave), rate, channels, hash(np.round(wave * 8192).astype(np.int16).tobytes())


def _save(table: pd.DataFrame, name: str) -> None:
    with atomic_file(FOLDER / name) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
