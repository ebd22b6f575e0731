"""HEAR's official folders: where they are, and how to get them.

Looked for in the folders of :func:`dasheng_lib.common.places.data_places` and in the cache,
unpacked or as archives; then downloaded from Zenodo and unpacked into the cache.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from dasheng_lib.common.cache import atomic_folder, cache_dir, locked, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import data_places, expanded
from dasheng_lib.corpora.fetch.download import Remote, download_shown
from dasheng_lib.corpora.fetch.unpack import UnpackError, tar_members, write_members
from dasheng_lib.corpora.fetch.zenodo import zenodo_remote
from dasheng_lib.corpora.manifest import read_yml
from dasheng_lib.tasks.hear.files import METADATA


@dataclass(frozen=True)
class HearSource:
    """One task of ``hear.yml``.

    Attributes:
        name, column, title: for commands, as in Dasheng's Table 2, for tables.
        folders: official; two for Beehive, which hold the same clips split the other way round,
            and whose scores are averaged.
        clips, seconds: published number in a folder, and length of one or of the longest.
        classes, folds: published; 0 folds for train, valid and test.
        metric: the one that is reported.
        licence: of the recordings; "unknown" where it is.
        shortest: seconds, where lengths differ.
        url, sha256, bytes: of an archive that is not in the records.
    """

    name: str
    column: str
    title: str
    folders: tuple[str, ...]
    clips: int
    seconds: float
    classes: int
    folds: int
    metric: str
    licence: str
    shortest: float | None = None
    url: str | None = None
    sha256: str | None = None
    bytes: int | None = None

    def audio_bytes(self, rate: int) -> int:
        """Size of all wavs at ``rate`` Hz, 16 bit; at most, where lengths differ."""
        return round(self.clips * self.seconds * rate * 2)


def hear_sources() -> dict[str, HearSource]:
    """The tasks that can be fetched, by name."""
    tasks = read_yml("hear")["tasks"]
    return {
        task["name"]: HearSource(**{**task, "folders": tuple(task["folders"])}) for task in tasks
    }


def hear_source(name: str) -> HearSource:
    """A task by name, column or folder; capitals do not matter.

    Raises:
        UserError: there is none.
    """
    sources = hear_sources()
    for source in sources.values():
        if name.lower() in map(str.lower, (source.name, source.column, *source.folders)):
            return source
    raise UserError(f"There is no HEAR task {name!r}: choose one of {', '.join(sources)}.")


def find_hear(name: str, place: Path | str | None = None) -> list[Path] | None:
    """The folders of a task that are unpacked somewhere; None unless all of them are.

    Args:
        place: look here alone, and in the cache.
    """
    source = hear_source(name)
    found = [_unpacked(folder, place) for folder in source.folders]
    return None if None in found else found


def fetch_hear(name: str, place: Path | str | None = None, progress: bool = True) -> list[Path]:
    """The folders of a task: found, or unpacked from an archive that is here, or downloaded.

    An archive from the network is unpacked only if its size and checksum are those that its host
    promises, and is deleted then. What is broken off goes on with the next call.

    Args:
        place: a folder with task folders or archives, as they come; then nothing is downloaded.

    Raises:
        UserError: no such task; not in ``place``; it cannot be downloaded, is another file than
            promised, or does not hold the task; the disk is full.
    """
    source, info = hear_source(name), read_yml("hear")
    folders = []
    for folder in source.folders:
        found = _unpacked(folder, place)
        if found is None:
            archive = next(_archives(folder, place), None)
            if archive is None and place is not None:
                raise UserError(
                    f"{place} holds neither a folder {folder} nor an archive "
                    f"hear…-{folder}-RATE.tar.gz: leave --from out to download it."
                )
            if archive is not None:
                found = _unpack(archive, folder, _limit(source), progress)
            else:
                archive = _download(source, folder, info, progress)
                found = _unpack(archive, folder, _limit(source), progress)
                archive.unlink(missing_ok=True)
        folders.append(found)
    return folders


def _places(place: Path | str | None) -> list[Path]:
    return data_places() if place is None else [expanded(place)]


def _unpacked(folder: str, place: Path | str | None) -> Path | None:
    for root in _places(place):
        if root.name == folder and (root / METADATA).is_file():
            return root
        for pattern in ("", "tasks", "hear-*/tasks", "hear", "hear/tasks", "hear/hear-*/tasks"):
            for found in sorted(root.glob(f"{pattern}/{folder}/{METADATA}".lstrip("/"))):
                return found.parent
    cached = _cached(folder)
    return cached if cached.is_dir() else None


def _archives(folder: str, place: Path | str | None) -> Iterator[Path]:
    for root in _places(place):
        for pattern in (f"hear*-{folder}-[0-9]*.tar.gz", f"*/hear*-{folder}-[0-9]*.tar.gz"):
            yield from sorted(root.glob(pattern))


def _cached(folder: str) -> Path:
    return cache_dir("hear", "tasks", folder)


def _limit(source: HearSource) -> int:
    # Twice what is published, for labels and headers; an archive is never trusted with the disk.
    return 2 * source.audio_bytes(48_000) + (256 << 20)


def _download(source: HearSource, folder: str, info: dict, progress: bool) -> Path:
    if source.url:
        how = f"get it elsewhere and name its folder with --from ({source.licence})"
        remote = Remote(source.url, source.sha256, source.bytes, instead=how)
    else:
        archive = info["archive"].format(folder=folder)
        how = (
            "look for it at https://hearbenchmark.com, and name the folder where you put it with "
            "--from"
        )
        remote = zenodo_remote(archive, info["records"], info["api"], how)
    name = remote.url.removesuffix("/content").rpartition("/")[2]
    return download_shown(remote, cache_dir("downloads", name), progress)


def _unpack(archive: Path, folder: str, limit: int, progress: bool) -> Path:
    destination = _cached(folder)
    with locked(destination):
        if destination.is_dir():
            return destination
        need_space(destination, archive.stat().st_size)
        bar = tqdm(desc=f"unpack {folder}", unit=" files", disable=not progress)
        with atomic_folder(destination) as temporary, gzip.open(archive) as stream, bar:
            # hear-VERSION/tasks/FOLDER/… or tasks/FOLDER/…
            inside = (
                (f"/{member}".partition(f"/tasks/{folder}/")[2], data)
                for member, data in tar_members(stream, str(archive), limit)
            )
            for _ in write_members((pair for pair in inside if pair[0]), temporary):
                bar.update()
            if not (temporary / METADATA).is_file():
                raise UnpackError(
                    f"{archive} holds no tasks/{folder}/{METADATA}: it is not the archive that its "
                    "name says; get it again."
                )
    return destination
