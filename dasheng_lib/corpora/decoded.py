"""A corpus decoded once: one file of samples in the cache folder, and two tables beside it."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from dasheng_lib.audio import SAMPLE_RATE
from dasheng_lib.common.cache import atomic_folder, cache_dir, locked, need_space, remove_folder
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.sums import SUMS, damaged, sha256_of, sums_of
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.manifest import Manifest
from dasheng_lib.corpora.source import Source

# Clips that wait for their turn to be written, and their seconds together: what is in memory.
_WINDOW = 64
_WINDOW_SECONDS = 600.0


def folder_of(manifest: Manifest) -> Path:
    """Where the decoded corpus lies, or would lie."""
    return cache_dir("corpora", f"{manifest.name}-{manifest.digest()}")


def open_corpus(folder: Path) -> Corpus | None:
    """The decoded corpus in a folder, its samples mapped and not read; None if it is not there
    or damaged."""
    if damaged(folder):
        return None
    try:
        head = json.loads((folder / "corpus.json").read_text())
        text = {"member": str, "group": str, "licence": str, "label": str, "fold": str}
        clips = pd.read_csv(folder / "clips.csv", dtype=text, keep_default_na=False)
        tasks = pd.read_csv(folder / "tasks.csv", dtype=text, keep_default_na=False)
        store = np.memmap(folder / "audio.f32", dtype="<f4", mode="r")
    except (OSError, ValueError):
        return None
    if len(store) != head["samples"] or len(clips) != head["clips"]:
        return None
    return Corpus(head["name"], head["digest"], clips, tasks, store)


def check_corpus(folder: Path) -> str | None:
    """None if the decoded samples are as they were written, else what is wrong with them."""
    if wrong := damaged(folder):
        return f"{folder / wrong} has changed since it was written"
    if open_corpus(folder) is None:
        return f"{folder} is damaged"
    told = json.loads((folder / "corpus.json").read_text())["sha256"]
    if sha256_of(folder / "audio.f32") != told:
        return f"{folder / 'audio.f32'} has changed since it was written"
    return None


def build(manifest: Manifest, sources: Iterable[Source], *, progress: bool = True) -> Corpus:
    """Decode the manifest's clips out of ``sources`` into the cache, and open the result.

    A source whose hash the manifest does not know is passed by. The folder appears whole or not
    at all; a second process waits for the first.

    Raises:
        UserError: the disk is full, or clips of the manifest did not come.
        AudioError: a clip is damaged.
    """
    folder = folder_of(manifest)
    with locked(folder):
        corpus = open_corpus(folder)
        if corpus is None:
            if folder.exists():
                remove_folder(folder)
            samples = int(manifest.clips["seconds"].sum() * SAMPLE_RATE)
            need_space(folder, 4 * samples + 32 * 1024 * 1024)
            with atomic_folder(folder) as temporary:
                _write(manifest, sources, temporary, progress)
            corpus = open_corpus(folder)
    return corpus


def _write(manifest: Manifest, sources: Iterable[Source], folder: Path, progress: bool) -> None:
    rows = {sha: rows.tolist() for sha, rows in manifest.clips.groupby("sha256").indices.items()}
    seconds = dict(zip(manifest.clips["sha256"], manifest.clips["seconds"], strict=True))
    facts: dict[int, tuple[int, int, int]] = {}
    offset, sha = 0, hashlib.sha256()
    how = {"unit": "clip", "mininterval": 0.5, "disable": not progress}
    with (
        (folder / "audio.f32").open("wb") as file,
        tqdm(desc=f"decode {manifest.name}", total=len(rows), **how) as bar,
    ):
        for key, wave, rate in _decoded(sources, seconds):
            data = wave.astype("<f4", copy=False).tobytes()
            file.write(data)
            sha.update(data)
            # Clips of the same bytes share samples.
            facts |= dict.fromkeys(rows[key], (len(wave), offset, rate))
            offset += len(wave)
            bar.update()
    lost = [member for row, member in enumerate(manifest.clips["member"]) if row not in facts]
    if lost:
        raise UserError(
            f"{len(lost)} clips of {manifest.name} were not found where they should be "
            f"(the first is {lost[0]}): run `dasheng corpus check {manifest.name}`."
        )
    table = pd.DataFrame.from_dict(facts, orient="index", columns=["samples", "offset", "rate"])
    clips = manifest.clips.drop(columns=["rate"], errors="ignore").join(table)
    clips["seconds"] = clips["samples"] / SAMPLE_RATE
    names = ["package", "member"]
    rows_of, labelled = (pd.MultiIndex.from_frame(t[names]) for t in (clips, manifest.tasks))
    tasks = manifest.tasks.drop(columns=names)
    tasks.insert(1, "clip", rows_of.get_indexer(labelled))
    clips.to_csv(folder / "clips.csv", index=False)
    tasks.to_csv(folder / "tasks.csv", index=False)
    head = {
        "name": manifest.name,
        "digest": manifest.digest(),
        "clips": len(clips),
        "samples": offset,
        "sample_rate": SAMPLE_RATE,
        "sha256": sha.hexdigest(),
    }
    (folder / "corpus.json").write_text(json.dumps(head, indent=1))
    (folder / SUMS).write_text(sums_of(folder))


def _decoded(
    sources: Iterable[Source], seconds: dict[str, float]
) -> Iterator[tuple[str, np.ndarray, int]]:
    """(hash, samples, original rate) of each wanted source, in the order in which they come.

    Args:
        seconds: length of each wanted source, by its hash.

    Threads suffice: libsndfile and torch work outside the interpreter's lock.
    """
    waiting: deque[tuple[str, Future]] = deque()
    seen: set[str] = set()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        try:
            for source in sources:
                sha = source.sha256()
                if sha not in seconds or sha in seen:
                    continue
                seen.add(sha)
                waiting.append((sha, pool.submit(source.decode)))
                while _full(waiting, seconds):
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            for _, future in waiting:
                future.cancel()


def _full(waiting: deque[tuple[str, Future]], seconds: dict[str, float]) -> bool:
    together = sum(seconds[sha] for sha, _ in waiting)
    return len(waiting) >= _WINDOW or (len(waiting) > 1 and together > _WINDOW_SECONDS)


def _result(sha: str, future: Future) -> tuple[str, np.ndarray, int]:
    wave, rate, _ = future.result()
    return sha, wave, rate
