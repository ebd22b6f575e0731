"""Corpora in one small file, for a machine that has no network: Opus at 16 kHz, with their tables.

The file is a zip archive. ``head.json`` says what is in it; for each corpus it holds
``NAME/clips.csv``, ``NAME/tasks.csv`` and ``NAME/part-N.ogg``, about ten minutes each so that
they are decoded side by side. Clips come as encoders are given them (silence cut off, one level:
:func:`dasheng_lib.corpora.trim.prepare`), at half of full scale, with 40 ms of silence
between them, so that none is heard in its neighbour.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from dasheng_lib.audio import SAMPLE_RATE
from dasheng_lib.common.cache import artefact, atomic_file, digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus

FORMAT = 1  # raise it when the file's layout changes
PEAK = 0.5
GAP = 640  # samples between clips: two frames of the codec
PART = 600 * SAMPLE_RATE
# libsndfile spreads 256 to 6 kbit/s over its levels 0 to 1, and the coder stays below.
LOWEST, HIGHEST = 6.0, 256.0
TEXT = {"member": str, "group": str, "licence": str, "label": str, "fold": str}


def pack(corpora: Mapping[str, Corpus], path: Path | str, kbps: float = 16.0) -> None:
    """Write prepared corpora into one file.

    Args:
        corpora: by the name that each will have; at 16 kHz.
        path: of the file; its ending is free.
        kbps: kilobits that a second of sound is given, 6 to 256; speech and steady sounds take
            less.

    Raises:
        UserError: the file cannot be written.
    """
    level = (HIGHEST - kbps) / (HIGHEST - LOWEST)
    head = {"format": FORMAT, "codec": "Opus", "kbps": kbps, "corpora": {}}
    with (
        atomic_file(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for name, corpus in corpora.items():
            samples = corpus.clips["samples"].to_numpy()
            ends = np.cumsum(samples + GAP)
            part_of = (ends - 1) // PART
            parts = [np.flatnonzero(part_of == part) for part in np.unique(part_of)]
            coded = pool.map(lambda rows, c=corpus: _coded(c, rows, level), parts)
            for number, data in enumerate(coded):
                archive.writestr(f"{name}/part-{number}.ogg", data)
            clips = corpus.clips.assign(offset=ends - samples - GAP)
            for table, rows in (("clips", clips), ("tasks", corpus.tasks)):
                text = rows.drop(columns="gain", errors="ignore").to_csv(index=False)
                archive.writestr(f"{name}/{table}.csv", text, zipfile.ZIP_DEFLATED)
            lengths = [int((samples[rows] + GAP).sum()) for rows in parts]
            head["corpora"][name] = {"parts": lengths, "packed_from": corpus.digest}
        archive.writestr("head.json", json.dumps(head, indent=1))


def _coded(corpus: Corpus, rows: np.ndarray, level: float) -> bytes:
    gap = np.zeros(GAP, np.float32)
    waves = [piece for row in rows for piece in (PEAK * corpus.wave(row), gap)]
    file = io.BytesIO()
    soundfile.write(
        file,
        np.concatenate(waves),
        SAMPLE_RATE,
        format="OGG",
        subtype="OPUS",
        compression_level=level,
    )
    return file.getvalue()


def packed_head(path: Path | str) -> dict:
    """What a packed file says of itself: format, codec, kbps, and its corpora.

    Raises:
        UserError: there is no such file, or it is none of ours.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            head = json.loads(archive.read("head.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} holds no packed corpora ({error}): pack them again.") from error
    if head.get("format") != FORMAT:
        raise UserError(f"{path} is of another format than {FORMAT}: pack the corpora again.")
    return head


def load_packed(path: Path | str, name: str) -> Corpus:
    """A corpus of a packed file, decoded once into the cache.

    Its digest is its own, for its samples are not those that it was packed from.

    Raises:
        UserError: the file is none of ours, is damaged, or has no such corpus.
    """
    head = packed_head(path)
    if name not in head["corpora"]:
        known = ", ".join(head["corpora"])
        raise UserError(f"{path} has no corpus {name!r}: it has {known}.")
    with open(path, "rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    recipe = {"packed": sha, "name": name, "format": FORMAT}
    lengths = head["corpora"][name]["parts"]
    folder = artefact("packed", recipe, lambda place: _decode(Path(path), name, lengths, place))
    clips, tasks = (
        pd.read_csv(folder / f"{table}.csv", dtype=TEXT, keep_default_na=False)
        for table in ("clips", "tasks")
    )
    store = np.memmap(folder / "audio.f32", dtype="<f4", mode="r")
    return Corpus(name, digest(recipe), clips, tasks, store)


def _decode(path: Path, name: str, lengths: list[int], folder: Path) -> None:
    with zipfile.ZipFile(path) as archive, ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = [archive.read(f"{name}/part-{number}.ogg") for number in range(len(lengths))]
        with (folder / "audio.f32").open("wb") as file:
            for wave, samples in zip(pool.map(_decoded, parts), lengths, strict=True):
                if len(wave) != samples:
                    raise UserError(f"{path} is damaged at {name}: pack the corpora again.")
                file.write(wave.astype("<f4").tobytes())
        for table in ("clips", "tasks"):
            (folder / f"{table}.csv").write_bytes(archive.read(f"{name}/{table}.csv"))


def _decoded(data: bytes) -> np.ndarray:
    wave, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    return wave if rate == SAMPLE_RATE else wave[:0]
