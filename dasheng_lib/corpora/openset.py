"""ESC-10 and FSDD: open benchmark sets, from a folder, or from their repository's archive.

A clip is known by its hash: of its bytes (ESC-10), or of its samples (FSDD, which comes as wav
upstream and as flac in smaller copies). Labels and folds are read from the clips' names.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from dasheng_lib.cache import cache_dir
from dasheng_lib.corpora.cached import build, folder_of, open_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.download import DownloadError, Remote, download
from dasheng_lib.corpora.manifest import Manifest, part_that_is_there, read_csv, read_yml
from dasheng_lib.corpora.source import Source
from dasheng_lib.corpora.unpack import tar_members
from dasheng_lib.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[2]
_ESC10 = re.compile(r"\d{3} - [^/]+/(\d)-(\d+)-[A-Z]\d?\.ogg")
_FSDD = re.compile(r"recordings/(\d)_([a-z]+)_(\d+)\.wav")
_SUFFIXES = {".ogg", ".wav", ".flac"}


def load_openset(name: str, *, fetch: bool = True, progress: bool = True) -> Corpus:
    """``esc10`` or ``fsdd``; see :func:`dasheng_lib.corpora.load_corpus`.

    Looked for in ``$DASHENG_DATA/NAME``, ``data/NAME`` of the checkout and ``shared/data/NAME``
    beside it, then downloaded.
    """
    manifest = openset_manifest(name)
    corpus = open_corpus(folder_of(manifest))
    if corpus is not None:
        return corpus
    place = find_openset(manifest)
    if place is None:
        if not fetch:
            raise UserError(
                f"Corpus {name} is not in the cache: run `dasheng corpus fetch {name}`."
            )
        place = fetch_openset(manifest)
    found = {source.sha256() for source in openset_files(manifest, place)}
    part = part_that_is_there(manifest, found, f"get the set again ({_how(manifest)})")
    return open_corpus(folder_of(part)) or build(
        part, openset_files(manifest, place), progress=progress
    )


def openset_manifest(name: str) -> Manifest:
    """Manifest of ``esc10`` or ``fsdd``: the clips' hashes, labels and folds from their names."""
    info = read_yml(name)
    clips = read_csv(name)
    clips.insert(0, "package", name)
    clips["domain"] = info["domain"]
    clips["licence"] = clips.get("licence", info["licence"])
    groups, rows = [], []
    for member in clips["member"]:
        group, labels = _labels(name, member)
        groups.append(group)
        rows += [(task, name, member, label, fold) for task, label, fold in labels]
    clips["group"] = groups
    tasks = pd.DataFrame(rows, columns=["task", "package", "member", "label", "fold"])
    return Manifest(name, info, clips, tasks.sort_values("task", kind="stable", ignore_index=True))


def _labels(name: str, member: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Group of a clip, and (task, label, fold) of each task."""
    if name == "esc10":
        fold, recording = _ESC10.fullmatch(member).groups()
        label = member.split("/")[0].split(" - ")[1].lower().replace(" ", "_")
        return f"esc10/{recording}", [("esc10", label, fold)]
    digit, speaker, take = _FSDD.fullmatch(member).groups()
    side = "test" if int(take) < 5 else "train"
    return f"fsdd/{speaker}", [("fsdd", digit, speaker), ("fsdd-takes", digit, side)]


def find_openset(manifest: Manifest) -> Path | None:
    """Folder or downloaded archive of the set; None if it is nowhere."""
    data = os.environ.get("DASHENG_DATA")
    folders = [CHECKOUT / "data", CHECKOUT.parent / "shared" / "data"]
    folders = [Path(data).expanduser(), *folders] if data else folders
    for folder in folders:
        if (folder / manifest.name).is_dir():
            return folder / manifest.name
    archive = _archive(manifest)
    return archive if archive.exists() else None


def fetch_openset(manifest: Manifest) -> Path:
    """The repository's archive at the pinned commit, in the cache.

    Raises:
        UserError: it cannot be fetched; says where to put a copy.
    """
    try:
        return download(Remote(manifest.info["url"]), _archive(manifest))
    except DownloadError as error:
        raise UserError(f"{error} Or {_how(manifest)}.") from error


def openset_files(manifest: Manifest, place: Path) -> Iterator[Source]:
    """Sounds of a folder, or of a downloaded archive; nothing is unpacked to disk.

    Raises:
        UnpackError: the archive is damaged.
    """
    by_samples = manifest.info["hash"] == "samples"
    if place.is_dir():
        for path in sorted(place.rglob("*")):
            if path.suffix.lower() in _SUFFIXES and path.is_file():
                member = path.relative_to(place).as_posix()
                yield Source(member, path.read_bytes(), by_samples=by_samples)
        return
    with gzip.open(place) as stream:
        for member, data in tar_members(stream, str(place)):
            if PurePosixPath(member).suffix.lower() in _SUFFIXES:
                yield Source(member, data, by_samples=by_samples)


def _archive(manifest: Manifest) -> Path:
    return cache_dir("downloads", f"{manifest.name}-{manifest.info['commit'][:12]}.tar.gz")


def _how(manifest: Manifest) -> str:
    return (
        f"get {manifest.info['url']}, unpack it as a folder {manifest.name}, and set DASHENG_DATA "
        "to the folder that holds it"
    )
