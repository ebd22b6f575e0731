"""The data sets of benchmarks, as their manifests describe them: where each is, how to get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import data_places, expanded
from dasheng_lib.corpora.manifest import read_yml
from dasheng_lib.corpora.official.files import folders_in, nested

# Manifests with tasks and sets; a set that two benchmarks share is described in one of them.
MANIFESTS = ("arch", "hares")


@dataclass(frozen=True)
class OfficialSet:
    """A data set in its authors' layout.

    Attributes:
        name: of its folder.
        holds: what must lie in that folder.
        licence, page: of the recordings; where they are described.
        gigabytes: of the download, about; None if nobody says.
        how: to get it, for people; "" if a program can.
        called: further names that its folder may have.
        signs: patterns of what is in its folder, any of which tells it under whatever name.
        part_signs: patterns of what is in the folder of a part that makes a task of its own; looked
            for where nothing else is.
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
    called: Sequence[str] = ()
    signs: Sequence[str] = ()
    part_signs: Sequence[str] = ()
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


def find_set(task: BenchmarkTask, place: Path | None = None) -> Path | None:
    """The folder of a task's set; None if it is nowhere.

    It is called after the task, the set or the column of the paper's table, capitals and marks
    aside (``nsynth_pitch``, ``nsynth``, ``ESC-50``); else it is known by what it holds, such as
    ``ESC-50-master`` or what an archive puts right into ``place``.

    Args:
        place: look here alone, and in the cache.
    """
    roots = data_places() if place is None else [expanded(place)]
    roots = [folder for root in roots for folder in (root, root / "official") if folder.is_dir()]
    signs = (task.set.signs, task.set.part_signs)
    names = [_plain(name) for name in (task.name, task.set.name, task.column, *task.set.called)]
    cached = cached_set(task.set)
    return (
        next((found for root in roots if (found := _called(root, names))), None)
        or next((found for some in signs for root in roots if (found := _known(root, some))), None)
        or (cached if cached.is_dir() else None)
    )


def _called(root: Path, names: Sequence[str]) -> Path | None:
    """The folder of one of these names in ``root``, or ``root`` itself."""
    here = {_plain(folder.name): folder for folder in reversed([*folders_in(root), root])}
    return next((here[name] for name in names if name in here), None)


def _known(root: Path, signs: Sequence[str]) -> Path | None:
    """``root``, or the first folder at most two deep in it, that holds one of the signs."""
    return next((at for at in nested(root) if any(any(at.glob(sign)) for sign in signs)), None)


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))


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


def part_of_set(task: BenchmarkTask, paths: Sequence[Path], notes: Sequence[str] = ()) -> str:
    """What part of a task's clips these files are and how they are coded, in words, and what else
    is to be noted; "" if they are all of them, as published."""
    words = [] if len(paths) == task.clips else [f"{len(paths)} of {task.clips} clips"]
    others = sorted({path.suffix.lower() for path in paths} - {task.set.suffix})
    words += [f"copies as {' and '.join(others)}"] if others else []
    return "; ".join([*words, *notes])


def cached_set(data: OfficialSet) -> Path:
    """Where a program puts it."""
    return cache_dir("official", data.name)
