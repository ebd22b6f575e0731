"""Data sets of benchmarks from their hosts: verified, and unpacked into the cache."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path

from tqdm.auto import tqdm

from dasheng_lib.common.cache import atomic_folder, cache_dir, locked, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch.download import Remote, download_shown
from dasheng_lib.corpora.fetch.unpack import tar_members, write_members, zip_members
from dasheng_lib.corpora.fetch.zenodo import zenodo_remote
from dasheng_lib.corpora.official_sets import (
    BenchmarkTask,
    OfficialSet,
    absent,
    cached_set,
    find_set,
)

GROWTH = 10  # times the size of its archives that a set may unpack to


def fetch_set(task: BenchmarkTask, place: Path | None = None, progress: bool = True) -> Path:
    """The folder of a task's set: found, or its archives unpacked into the cache.

    Archives come from the network, where their size and checksum are those that their host
    promises, and are deleted then.

    Args:
        place: a folder with the set's folder or all of its archives; then nothing is downloaded.

    Raises:
        UserError: no program can get it, or ``place`` does not have it; it cannot be downloaded or
            is another file than promised; the disk is full.
    """
    data = task.set
    found = find_set(task, place)
    if found:
        return found
    here = [place / name for name in _archives(data)] if place else []
    if data.how or not all(path.is_file() for path in here):
        raise UserError(absent(task, place))
    destination = cached_set(data)
    with locked(destination):
        if destination.is_dir():
            return destination
        archives = here or [_get(remote, progress) for remote in _remotes(data)]
        size = sum(archive.stat().st_size for archive in archives)
        need_space(destination, size)
        bar = tqdm(desc=f"unpack {data.name}", unit=" files", disable=not progress)
        with atomic_folder(destination) as temporary, bar:
            for archive in archives:
                for _ in write_members(_members(archive, GROWTH * size), temporary):
                    bar.update()
                if not _is_archive(archive):
                    shutil.copy(archive, temporary / archive.name)
        if not here:
            for archive in archives:
                archive.unlink()
    return destination


def _archives(data: OfficialSet) -> list[str]:
    """Their names."""
    return [data.url.rpartition("/")[2]] if data.url else list(data.zenodo)


def _remotes(data: OfficialSet) -> list[Remote]:
    if data.url:
        how = f"get it from {data.page}, and name its folder with --from"
        return [Remote(data.url, data.sha256, data.bytes, instead=how)]
    return [zenodo_remote(file, [record]) for file, record in data.zenodo.items()]


def _get(remote: Remote, progress: bool) -> Path:
    name = remote.url.removesuffix("/content").rpartition("/")[2]
    return download_shown(remote, cache_dir("downloads", name), progress)


def _is_archive(path: Path) -> bool:
    return path.name.endswith((".zip", ".tar.gz"))


def _members(path: Path, limit: int) -> Iterator[tuple[str, bytes]]:
    if path.name.endswith(".zip"):
        yield from zip_members(path, path.name, total=limit)
    elif path.name.endswith(".tar.gz"):
        with gzip.open(path) as stream:
            yield from tar_members(stream, path.name, limit)
