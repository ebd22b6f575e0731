"""Three benchmarks side by side: their published tables, and the encoders and data sets that are in
two of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from dasheng_lib.book.benchmarks import DOMAINS, HEADS, domains_of
from dasheng_lib.common.places import MANIFESTS
from dasheng_lib.corpora.official_sets import benchmark_tasks
from dasheng_lib.results import as_printed, read_table
from dasheng_lib.results.agreement import AVERAGE, HEAR_DOMAINS, domain_means
from dasheng_lib.tasks.arch import ARCH
from dasheng_lib.tasks.hares import HARES
from dasheng_lib.tasks.hear.fetch import hear_sources

# How far two rows are the same encoder, the nearest first.
SAME = {
    "weights": "the same weights",
    "layers": "the same weights, other layers",
    "recipe": "the same recipe",
    "family": "the same family",
}
TITLES = {
    "esc50": "ESC-50",
    "fsd50k": "FSD50K",
    "magna_tag_a_tune": "MagnaTagATune",
    "nsynth": "NSynth",
    "speech_commands": "Speech Commands",
}


@dataclass(frozen=True)
class Published:
    """A benchmark as printed.

    Attributes:
        scores: models by tasks in percent, those quoted by others at the end; NaN where missing.
        average: of each model that has one, by the benchmark's own mean.
        domains: from task to domain, domain after domain.
        quoted: the models that the benchmark's own table lacks.
    """

    scores: pd.DataFrame
    average: pd.Series
    domains: dict[str, str]
    quoted: tuple[str, ...]

    @property
    def complete(self) -> pd.DataFrame:
        """Models of its own table that have every score, by tasks ordered by domain."""
        return self.scores.drop(index=list(self.quoted))[list(self.domains)].dropna()


def published(missing: str = "skip") -> dict[str, Published]:
    """HEAR (Dasheng's Table 2), ARCH and HARES.

    What is quoted of HEAR is of its leaderboard, ``docs/leaderboard.csv`` of
    github.com/hearbenchmark/hearbenchmark.com at 1e632f5, in percent with two decimals.

    Args:
        missing: what a missing score is in HEAR's average, which is that of Dasheng's Table 4: see
            :func:`dasheng_lib.results.agreement.domain_means`.
    """
    hear, quoted = (as_printed(read_table(name)) for name in ("dasheng_table2", "hear_quoted"))
    hear = pd.concat([hear.drop(index="HEAR SOTA"), quoted])
    hear.loc["Sony-ViT", "F50k"] = float("nan")  # printed as 0; the leaderboard has a blank
    names = {"Env": "environment", "Music": "music", "Speech": "speech"}
    domains = {task: names[d] for d in sorted(HEAR_DOMAINS) for task in HEAR_DOMAINS[d]}
    average = domain_means(hear, missing)[AVERAGE].set_axis(hear.index)
    found = {"HEAR": Published(hear, average, domains, tuple(quoted.index))}

    arch = as_printed(read_table("arch"))
    found["ARCH"] = Published(arch, arch.mean(axis=1, skipna=False), _domains("arch"), ())

    hares, quoted = (as_printed(read_table(name)) for name in ("hares", "hares_quoted"))
    average = hares["HARES"].reindex([*hares.index, *quoted.index])
    tasks = _domains("hares")
    hares = pd.concat([hares[list(tasks)], quoted.reindex(columns=list(tasks))])
    return found | {"HARES": Published(hares, average, tasks, tuple(quoted.index))}


def _domains(benchmark: str) -> dict[str, str]:
    return dict(sorted(domains_of(benchmark).items(), key=lambda item: DOMAINS.index(item[1])))


def coinciding() -> pd.DataFrame:
    """Rows of two tables that are one encoder: ``encoder, first, row, second, other, same, why``.

    An encoder that has several candidates has the nearest first.
    """
    return pd.read_csv(MANIFESTS / "coinciding.csv")


def asked_twice(tables: dict[str, Published], first: str, second: str) -> Iterator[pd.DataFrame]:
    """Encoders with their averages in two benchmarks, ``encoder, row, other, same`` and a column
    for each benchmark: a table for each way of choosing among candidates, the nearest ones first.
    """
    pairs = coinciding().query("first == @first and second == @second")
    pairs = pairs.assign(
        **{
            first: tables[first].average.reindex(pairs["row"]).to_numpy(),
            second: tables[second].average.reindex(pairs["other"]).to_numpy(),
        }
    ).dropna()
    candidates = [list(rows.index) for _, rows in pairs.groupby("encoder", sort=False)]
    for choice in itertools.product(*candidates):
        yield pairs.loc[list(choice), ["encoder", "row", "other", "same", first, second]]


def shared_sets() -> pd.DataFrame:
    """Data sets that two benchmarks have, by the declarations of their tasks.

    Returns:
        A row a task, ``data_set, benchmark, task, classes, clips, probe``. HEAR names its
        folders after the set; a benchmark may make several tasks of one.
    """
    rows = []
    for source in hear_sources().values():
        rows.append((_stem(source.folders[0]), "HEAR", source, "MLP"))
    for name, declared in (("arch", ARCH), ("hares", HARES)):
        for task in benchmark_tasks(name).values():
            probe = getattr(declared[task.name], "probe", "arch")
            rows.append((task.set.name, name.upper(), task, HEADS[probe]))
    kept = []
    for stem, benchmark, task, probe in rows:
        others = [set_ for set_, where, *_ in rows if where != benchmark and _alike(set_, stem)]
        if others:
            root = min([stem, *others], key=len)
            name = TITLES.get(root, root)
            kept.append((name, benchmark, task.column, task.classes, task.clips, probe))
    columns = ["data_set", "benchmark", "task", "classes", "clips", "probe"]
    return pd.DataFrame(kept, columns=columns).sort_values("data_set", kind="stable")


def _stem(folder: str) -> str:
    return folder.split("-")[0]


def _alike(one: str, other: str) -> bool:
    """``nsynth`` and ``nsynth_pitch`` are one set, as are two versions of Speech Commands."""
    return one.startswith(other) or other.startswith(one)


def on_shared_sets(tables: dict[str, Published]) -> pd.DataFrame:
    """Scores of one encoder on one data set in two benchmarks.

    Returns:
        ``data_set, encoder, same, first, task, score, second, other_task, other_score``: of each
        benchmark the task that has as many classes as the other's, or nearly; of two such, the one
        with more clips. A task with more than twice the classes asks something else.
    """
    sets, rows = shared_sets(), []
    for pair in coinciding().itertuples():
        for name, tasks in sets.groupby("data_set", sort=False):
            one, two = (tasks[tasks["benchmark"] == b] for b in (pair.first, pair.second))
            scored = [
                (abs(a.classes - b.classes), -a.clips, a, b)
                for a in one.itertuples()
                for b in two.itertuples()
                if max(a.classes, b.classes) <= 2 * min(a.classes, b.classes)
                and pd.notna(tables[pair.first].scores.at[pair.row, a.task])
                and pd.notna(tables[pair.second].scores.at[pair.other, b.task])
            ]
            if scored:
                *_, a, b = min(scored, key=lambda found: found[:2])
                mine = tables[pair.first].scores.at[pair.row, a.task]
                theirs = tables[pair.second].scores.at[pair.other, b.task]
                left = (name, pair.encoder, pair.same)
                rows.append((*left, pair.first, a.task, mine, pair.second, b.task, theirs))
    columns = ["data_set", "encoder", "same", "first", "task", "score"]
    return pd.DataFrame(rows, columns=[*columns, "second", "other_task", "other_score"])
