"""What can be packed: a corpus, a table of files, a folder of files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dasheng_lib.audio import decode
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.corpora import CORPORA, load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.shards.member import json_of

ENDINGS = (".flac", ".wav", ".mp3", ".ogg", ".opus", ".oga", ".aif", ".aiff", ".au", ".w64")


@dataclass(frozen=True)
class Clip:
    """One clip to pack.

    Attributes:
        name: what its key is made of; need not be unique.
        wave: gives its samples when asked: float32 [samples], mono, 16 kHz; AudioError if it
            cannot, FileNotFoundError if there is no such file.
        meta: goes into ``KEY.json``.
    """

    name: str
    wave: Callable[[], np.ndarray]
    meta: dict


def clips_of(source: str | Path, *, prepared: bool = False) -> Iterable[Clip]:
    """The clips of a source, in a fixed order; audio is read only when a clip is asked for it.

    Args:
        source: a corpus by name; a ``.tsv`` or ``.csv`` table whose column ``filename`` holds
            paths (relative ones start at the table's folder), the other columns being packed
            beside the audio, as text; or a folder, searched through all its depth, where a
            ``NAME.json`` beside a file is packed with it.
        prepared: trim and level a corpus as ``dasheng pretrain`` does.

    Raises:
        UserError: none of these, or it holds no audio.
    """
    if str(source) in CORPORA:
        corpus = load_corpus(str(source))
        return _of_corpus(prepare(corpus) if prepared else corpus)
    path = expanded(source)
    if prepared:
        raise UserError(f"Only a corpus can be prepared, and {source} is none: leave that out.")
    if path.is_dir():
        return _of_folder(path)
    if path.is_file() and path.suffix.lower() in (".tsv", ".csv"):
        return _of_table(path)
    raise UserError(
        f"Cannot pack {source}: name a corpus ({', '.join(CORPORA)}), a folder of audio, or a "
        ".tsv or .csv table with a column filename."
    )


def _of_corpus(corpus: Corpus) -> list[Clip]:
    labels: dict[int, dict] = {}
    for row in corpus.tasks.itertuples():
        labels.setdefault(int(row.clip), {})[row.task] = {"label": row.label, "fold": row.fold}
    clips = []
    columns = ["package", "member", "domain", "group", "rate", "sha256", "licence"]
    for i, row in enumerate(corpus.clips[columns].to_dict("records")):
        meta = {"corpus": corpus.name, **row, "labels": labels.get(i, {})}
        clips.append(Clip(Path(str(row["member"])).stem, lambda i=i: corpus.wave(i), meta))
    return clips


def _of_table(path: Path) -> Iterator[Clip]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            if "filename" not in (rows.fieldnames or []):
                raise UserError(f"{path} has no column filename: name the column of paths so.")
            for row in rows:
                audio = path.parent / expanded(row["filename"] or "")
                meta = {name: value for name, value in row.items() if name is not None}
                yield Clip(audio.stem, lambda audio=audio: _decoded(audio), meta)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}): save it as UTF-8 text.") from error


def _of_folder(folder: Path) -> list[Clip]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not paths:
        raise UserError(f"{folder} holds no audio files ({', '.join(ENDINGS)}).")
    clips = []
    for path in paths:
        beside = path.with_suffix(".json")
        meta = json_of(beside.read_bytes()) if beside.is_file() else {}
        meta = meta or {"filename": path.relative_to(folder).as_posix()}
        clips.append(Clip(path.stem, lambda path=path: _decoded(path), meta))
    return clips


def _decoded(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(path)
    return decode(path)
