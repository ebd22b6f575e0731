"""The recorded scores of encoders (``book/results/encoders.csv`` and others), as chapters set them
beside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from dasheng_lib.corpora import OPENSETS
from dasheng_lib.corpora.official_sets import benchmark_tasks
from dasheng_lib.results import by_fold, read_results
from dasheng_lib.results.agreement import KNN_DOMAINS, grid
from dasheng_lib.results.published import read_table
from dasheng_lib.tasks import Declared, suite

# Tasks of Dasheng's Table 5, and what asks the same kind of question here.
RELATIVES = {
    "ESC50": "esc10",
    "US8k": "event",
    "FSDK18": "effect",
    "NSynth instrument": "instrument",
    "SPC1": "fsdd",
    "SPC2": "number",
}
PROBES = {"knn": "k-NN"}
SHORT = {
    "dasheng:nano": "nano",
    "untrained nano": "untrained",
    "log-mel statistics": "log-mel",
    "aisfx": "aisfx",
}


def beside_table_5() -> pd.DataFrame:
    """k-NN accuracy in percent: Table 5 as printed, and recorded ours on the relatives.

    Its ``attrs`` are those of what is recorded.
    """
    printed, recorded = grid(read_table("dasheng_table5")), read_results("encoders")
    kept = recorded[recorded["probe"] == "knn"]
    kept = 100 * kept.pivot_table(index="task", columns="encoder", values="accuracy")
    kept = kept.reindex(columns=list(SHORT)).rename(columns=SHORT)
    relatives = kept.reindex([RELATIVES.get(task) for task in printed.index])
    both = {"published": printed, "recorded": relatives.set_axis(printed.index)}
    both = pd.concat(both, axis=1)
    titles = {t.name: t.title for name in ("pocket", "fsdd", "esc10") for t in suite(name)}
    both.index = [
        f"{task} | {titles[RELATIVES[task]] if task in RELATIVES else 'none here'}"
        for task in both.index
    ]
    both.attrs = recorded.attrs
    return both


def table_5_domains() -> pd.DataFrame:
    """Means of Table 5, models by domains."""
    printed = grid(read_table("dasheng_table5"))
    return pd.DataFrame({name: printed.loc[list(t)].mean() for name, t in KNN_DOMAINS.items()})


def on_all(tasks: Iterable[Declared], probes: Iterable[str]) -> pd.DataFrame:
    """The rows of encoders and probes that have all of ``tasks``, each of them a headline."""
    names, recorded = [task.name for task in tasks], read_results("encoders")
    if recorded.empty:
        return recorded
    same = recorded[recorded["task"].isin(names) & recorded["probe"].isin(probes)]
    tested = same.groupby(["encoder", "probe"])["task"].transform("nunique")
    return same[tested == len(names)].assign(headline=True)


def exams() -> pd.DataFrame:
    """Mean score in percent of each encoder in each small exam that is recorded: our corpus and
    what no encoder of ours has heard by two probes; tasks of ARCH, HARES and HEAR by theirs.

    Encoders by exams, NaN where an encoder has not taken it. A mean over tasks is over the
    headline ones.
    """
    own, found = read_results("encoders"), {}
    if len(own):
        own = own[own["headline"]]
        exam = own["corpus"].where(~own["corpus"].isin(OPENSETS), "never heard")
        for (name, probe), rows in own.groupby([exam, "probe"], sort=False):
            found[f"{name}, {PROBES.get(probe, probe)}"] = _means(rows, "accuracy")
    for title, rows in of_benchmarks():
        found[title] = _means(rows, "score")
    table = 100 * pd.DataFrame(found)
    return table.rename(index={"openwakeword speech_embedding": "openwakeword"})


def of_benchmarks() -> Iterator[tuple[str, pd.DataFrame]]:
    """Each task of ARCH, HARES and HEAR that is recorded, such as ``"ESC-50 (ARCH)"``, and its rows
    by fold and by the benchmark's own probe."""
    for benchmark in ("arch", "hares", "hear"):
        recorded = by_fold(read_results(benchmark))
        if recorded.empty:
            continue
        own = recorded[~recorded["probe"].isin(("linear", "knn"))]  # asked beside HEAR's MLP
        tasks = benchmark_tasks(benchmark) if benchmark != "hear" else {}
        for task, rows in own.groupby("task", sort=False):
            named = tasks.get(task)
            title = named.column if named else task.partition("-")[0].replace("_", " ")
            yield f"{title} ({benchmark.upper()})", rows


def _means(rows: pd.DataFrame, column: str) -> pd.Series:
    return rows.groupby("encoder", sort=False)[column].mean()
