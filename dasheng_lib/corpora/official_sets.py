"""The data sets of benchmarks, as their manifests describe them: where each is, how to get it."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm.auto import tqdm

from dasheng_lib.common.cache import atomic_folder, cache_dir, locked, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import data_places
from dasheng_lib.corpora.fetch.download import Remote, download
from dasheng_lib.corpora.fetch.unpack import tar_members, zip_members
from dasheng_lib.corpora.fetch.zenodo import zenodo_remote
from dasheng_lib.corpora.manifest import read_yml

# Manifests with tasks and sets; a set that two benchmarks share is described in one of them.
MANIFESTS = ("arch",)
GROWTH = 10  # times the size of its archive that a set may unpack to


@dataclass(frozen=True)
class OfficialSet:
    """A data set in its authors' layout.

    Attributes:
        name: of its folder.
        holds: what must lie in that folder.
        licence, page: of the recordings; where they are described.
        gigabytes: of the download, about; None if nobody says.
        how: to get it, for people; "" if a program can.
        suffix: of its official clips.
        zenodo: from file to the record that lists it.
        url, sha256, bytes: of an archive elsewhere.
    """

    name: str
    holds: str
    licence: str
    page: str
    gigabytes: float | None = None
    how: str = ""
    suffix: str = ".wav"
    zenodo: Mapping[str, int] = field(default_factory=dict)
    url: str | None = None
    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class BenchmarkTask:
    """A task of a benchmark, as its manifest describes it.

    Attributes:
        benchmark, name, column, title: for commands, as in the paper's table, for people.
        set: what it is made of.
        domain: environment, music or speech.
        metric: the one that is reported.
        clips, classes: published, when the set is whole.
    """

    benchmark: str
    name: str
    column: str
    title: str
    set: OfficialSet
    domain: str
    metric: str
    clips: int
    classes: int


def benchmark_tasks(benchmark: str) -> dict[str, BenchmarkTask]:
    """The tasks of a benchmark by name, in the order of its table."""
    sets = {
        name: OfficialSet(name, **facts)
        for manifest in MANIFESTS
        for name, facts in read_yml(manifest)["sets"].items()
    }
    return {
        task["name"]: BenchmarkTask(benchmark, **{**task, "set": sets[task["set"]]})
        for task in read_yml(benchmark)["tasks"]
    }


def benchmark_task(benchmark: str, name: str) -> BenchmarkTask:
    """A task by name or column; capitals do not matter.

    Raises:
        UserError: there is none.
    """
    tasks = benchmark_tasks(benchmark)
    for task in tasks.values():
        if name.lower() in (task.name.lower(), task.column.lower()):
            return task
    raise UserError(
        f"There is no {benchmark.upper()} task {name!r}: choose one of {', '.join(tasks)}."
    )


def find_set(data: OfficialSet, place: Path | None = None) -> Path | None:
    """The folder of a set; None if it is nowhere.

    Args:
        place: look here alone, and in the cache.
    """
    for root in data_places() if place is None else [Path(place).expanduser()]:
        for folder in (root / data.name, root / "official" / data.name):
            if folder.is_dir():
                return folder
        if place is not None and root.name == data.name and root.is_dir():
            return root
    cached = _cached(data)
    return cached if cached.is_dir() else None


def absent(task: BenchmarkTask, place: Path | None = None) -> str:
    """One sentence: how to get a task's set, whose licence it has, where to put it."""
    data, where = task.set, f"{place or 'FOLDER'}/{task.set.name}"
    size = f", about {data.gigabytes:g} GB" if data.gigabytes else ""
    facts = f"licence: {data.licence}{size}; see {data.page}"
    get = data.how or (
        f"run `dasheng corpus fetch {task.benchmark} --task {task.name}`, or unpack it yourself"
    )
    name = "" if place else ", and name FOLDER with --from or DASHENG_DATA"
    return (
        f"The data set of {task.benchmark} {task.name} is not here: {get}, so that {where} holds "
        f"{data.holds}{name} ({facts})."
    )


def fetch_set(task: BenchmarkTask, place: Path | None = None, progress: bool = True) -> Path:
    """The folder of a task's set: found, or downloaded, verified and unpacked into the cache.

    Raises:
        UserError: no program can get it; it cannot be downloaded or is another file than promised;
            the disk is full.
    """
    data = task.set
    found = find_set(data, place)
    if found:
        return found
    if data.how or place is not None:
        raise UserError(absent(task, place))
    destination = _cached(data)
    with locked(destination):
        if destination.is_dir():
            return destination
        archives = [_get(remote, progress) for remote in _remotes(data)]
        size = sum(archive.stat().st_size for archive in archives)
        need_space(destination, size)
        bar = tqdm(desc=f"unpack {data.name}", unit=" files", disable=not progress)
        with atomic_folder(destination) as temporary, bar:
            for archive in archives:
                for name, content in _members(archive, GROWTH * size):
                    path = temporary / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                    bar.update()
                if not _is_archive(archive):
                    shutil.copy(archive, temporary / archive.name)
        for archive in archives:
            archive.unlink()
    return destination


def part_of_set(task: BenchmarkTask, paths: Sequence[Path], notes: Sequence[str] = ()) -> str:
    """What part of a task's clips these files are and how they are coded, in words, and what else
    is to be noted; "" if they are all of them, as published."""
    words = [] if len(paths) == task.clips else [f"{len(paths)} of {task.clips} clips"]
    others = sorted({path.suffix.lower() for path in paths} - {task.set.suffix})
    words += [f"copies as {' and '.join(others)}"] if others else []
    return "; ".join([*words, *notes])


def _cached(data: OfficialSet) -> Path:
    return cache_dir("official", data.name)


def _remotes(data: OfficialSet) -> list[Remote]:
    if data.url:
        how = f"get it from {data.page}, and name its folder with --from"
        return [Remote(data.url, data.sha256, data.bytes, instead=how)]
    return [zenodo_remote(file, [record]) for file, record in data.zenodo.items()]


def _get(remote: Remote, progress: bool) -> Path:
    name = remote.url.removesuffix("/content").rpartition("/")[2]
    with tqdm(desc=name, total=remote.size, unit="B", unit_scale=True, disable=not progress) as bar:
        return download(remote, cache_dir("downloads", name), bar=bar)


def _is_archive(path: Path) -> bool:
    return path.name.endswith((".zip", ".tar.gz"))


def _members(path: Path, limit: int) -> Iterator[tuple[str, bytes]]:
    if path.name.endswith(".zip"):
        yield from zip_members(path, path.name, total=limit)
    elif path.name.endswith(".tar.gz"):
        with gzip.open(path) as stream:
            yield from tar_members(stream, path.name, limit)
