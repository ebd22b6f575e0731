"""What can be packed: a corpus, a table of files, a folder of files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dasheng_lib.audio import AudioError, decode
from dasheng_lib.audio.below import READ, audio_below
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.corpora import CORPORA, load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.shards.member import NOT_READ, json_of


class NotReadError(AudioError):
    """Audio that is passed over without a look into it."""

    reason = NOT_READ


@dataclass(frozen=True)
class Clip:
    """One clip to pack.

    Attributes:
        name: what its key is made of; need not be unique.
        wave: gives its samples when asked: float32 [samples], mono, 16 kHz; AudioError if it
            cannot, FileNotFoundError if there is no such file.
        meta: goes into ``KEY.json``.
        origin: where it is from, such as its path, to name it by; "" if that is its name.
    """

    name: str
    wave: Callable[[], np.ndarray]
    meta: dict
    origin: str = ""


def clips_of(source: str | Path, *, prepared: bool = False) -> Iterable[Clip]:
    """The clips of a source, in a fixed order; audio is read only when a clip is asked for it.

    Args:
        source: a corpus by name; a ``.tsv`` or ``.csv`` table whose column ``filename`` holds
            paths (relative ones start at the table's folder), the other columns being packed
            beside the audio, as text (in a .tsv quotation marks are letters like any); or a
            folder, searched through all its depth and linked folders, where a ``NAME.json``
            beside a file is packed with it.
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
        name, origin = Path(str(row["member"])).stem, f"{row['package']}/{row['member']}"
        clips.append(Clip(name, lambda i=i: corpus.wave(i), meta, origin))
    return clips


def _of_table(path: Path) -> Iterator[Clip]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            tabs = {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
            rows = csv.DictReader(
                file, strict=True, **(tabs if path.suffix.lower() == ".tsv" else {})
            )
            if "filename" not in (rows.fieldnames or []):
                raise UserError(f"{path} has no column filename: name the column of paths so.")
            for row in rows:
                audio = path.parent / expanded(row["filename"] or "")
                meta = {name: value for name, value in row.items() if name is not None}
                yield Clip(audio.stem, partial(_decoded, audio), meta, row["filename"] or "")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}): save it as UTF-8 text.") from error


def _of_folder(folder: Path) -> list[Clip]:
    paths, passed = audio_below(folder)
    if not paths:
        others = f"; {len(passed)} are {NOT_READ}, such as {passed[0]}" if passed else ""
        raise UserError(f"{folder} holds no audio files (.{', .'.join(READ)}){others}.")
    clips = []
    for path in paths:
        beside, origin = path.with_suffix(".json"), path.relative_to(folder).as_posix()
        meta = json_of(beside.read_bytes()) if beside.is_file() else {}
        meta = meta or {"filename": origin}
        clips.append(Clip(path.stem, partial(_decoded, path), meta, origin))
    for path in passed:
        clips.append(Clip(path.stem, _not_read, {}, path.relative_to(folder).as_posix()))
    return clips


def _decoded(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(path)
    return decode(path)


def _not_read() -> np.ndarray:
    raise NotReadError(NOT_READ)
