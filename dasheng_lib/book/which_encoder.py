"""Which encoder to take: what is recorded of each that can be had, and which leads are real."""

from __future__ import annotations

import pandas as pd

from dasheng_lib.book.recorded_encoders import of_benchmarks
from dasheng_lib.common.places import MANIFESTS
from dasheng_lib.encoders.pinned import read_pins
from dasheng_lib.evaluation.pocket import accuracy_by_domain
from dasheng_lib.metrics.intervals import t_interval
from dasheng_lib.results import read_results
from dasheng_lib.results.agreement import domain_means, grid
from dasheng_lib.results.published import read_table

EVERY = "all three"
DOMAINS = ("speech", "music", "environment")
# What an encoder learned from, by the name that loads it. Licences stand in the manifests.
LEARNED = {
    "dasheng:nano": "filling gaps, 20 h of sound",
    "logmel": "nothing: mean and deviation of 64 bands",
    "random:nano": "nothing: nano before its first step",
    "wheel:aisfx": "labels of sound effects",
    "wheel:resemblyzer": "telling speakers apart",
    "wheel:openwakeword": "spoken words",
    "efficientat:mn04": "527 labels of AudioSet",
    "musicnn:mtat": "50 tags of music, MagnaTagATune",
    "musicnn:jamendo": "50 tags of music, Jamendo",
}
LABELS = {  # as tables of scores say it
    "random:nano": "untrained nano",
    "logmel": "log-mel statistics",
    "wheel:aisfx": "aisfx",
    "wheel:resemblyzer": "resemblyzer",
    "wheel:openwakeword": "openwakeword speech_embedding",
}
PRINTED = {f"published:{size}": f"Dasheng-{size}" for size in ("0.6B", "1.2B")}
PRINTED = {"published:base": "Dasheng-Base", **PRINTED}
TIMED = {name: name.replace("published", "random") for name in PRINTED}  # those cost the same
TIMED["random:nano"] = "dasheng:nano"


def facts() -> pd.DataFrame:
    """What each encoder is, by the name that ``load_encoder`` takes.

    Returns:
        ``learned from``; ``parameters`` in millions; ``numbers`` in a clip's vector; ``speed``, how
        many times as fast as dasheng:nano in ``book/results/bench_encoders.csv``; ``licence``.
    """
    timed = read_results("bench_encoders").set_index("encoder")
    licences = {**read_pins(MANIFESTS / "weights.yml"), **read_pins(MANIFESTS / "wheels.yml")}
    rows = {}
    for name in (*LEARNED, *PRINTED):
        pin = licences.get(name.removeprefix("wheel:"), {}).get("licence", "Apache-2.0")
        at = timed.loc[TIMED.get(name, name)]
        rows[name] = {
            "learned from": LEARNED.get(name, "filling gaps, 272,356 h of sound"),
            "parameters": at["parameters"] / 1e6,
            "numbers": at["numbers"],
            "speed": at["times_rival"],
            "licence": pin.partition(" (")[0],
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("encoder")
    table.attrs = timed.attrs
    return table


def on_card() -> pd.DataFrame:
    """Seconds of sound that an encoder reads in a second on a GPU, by name and precision.

    Its ``attrs`` say which GPU. Of sizes that were not timed there is no row.
    """
    timed = read_results("bench_embed_10s_card")
    own = timed[timed["who"] == "this library"]
    rows = own.assign(encoder="published:base").set_index(["encoder", "precision"])
    return rows[["audio_per_second"]]


def scores(probe: str) -> pd.DataFrame:
    """Mean accuracy in percent by domain, and half of its 95 % interval over clips.

    A domain is the mean of its headline tasks, of pocket and of the sets that none of our encoders
    has heard; tasks are independent, so the variances of their intervals add up.

    Returns:
        Encoders by the name that loads them; columns ``(domain, "mean")``, ``(domain, "half")``.
    """
    rows = read_results("encoders")
    own = rows[rows["headline"] & (rows["probe"] == probe)]
    mean = accuracy_by_domain(own).droplevel("probe").rename(columns={"average": EVERY})
    own = own.assign(variance=((own["high"] - own["low"]) / 2) ** 2)
    by = own.groupby(["encoder", "domain"])["variance"]
    half = (by.sum() ** 0.5 / by.size()).unstack("domain")
    half[EVERY] = (half[[*DOMAINS]] ** 2).sum(axis=1) ** 0.5 / len(DOMAINS)
    table = 100 * pd.concat({"mean": mean, "half": half[mean.columns]}, axis=1).swaplevel(axis=1)
    table = table.rename(index={label: name for name, label in LABELS.items()})
    table = table.reindex(index=[name for name in LEARNED if name in table.index])
    table.attrs = rows.attrs
    return table


def behind(table: pd.DataFrame, domain: str) -> pd.DataFrame:
    """By how many points each encoder is behind the best one of a domain, worst last.

    The interval of a difference takes the two scores as independent. They are of the same clips,
    so that the true one is narrower: what is called real here is so with more than 95 %.

    Returns:
        ``points``, ``low``, ``high``, and ``real``: the interval leaves out zero.
    """
    own = table[domain].sort_values("mean", ascending=False, kind="stable")
    best = own.iloc[0]
    points = best["mean"] - own["mean"]
    half = (best["half"] ** 2 + own["half"] ** 2) ** 0.5
    half.iloc[0] = 0.0  # the best is not behind itself
    return pd.DataFrame(
        {"points": points, "low": points - half, "high": points + half, "real": points > half}
    )


def on_benchmarks() -> pd.DataFrame:
    """Score in percent on each benchmark's task that is recorded, by the benchmark's own probe.

    Intervals are Student's, 95 %, over folds of means over seeds; whether an encoder is behind the
    best is asked fold by fold, so that both have the same clips.

    Returns:
        Encoders by the name that loads them; columns ``(task, "mean")``, ``(task, "half")`` and
        ``(task, "real")``, whether it is really behind the best. NaN where nothing is recorded.
    """
    found = {}
    for title, rows in of_benchmarks():
        folds = 100 * rows.pivot_table("score", "encoder", "fold")
        gaps = folds.loc[folds.mean(axis=1).idxmax()] - folds
        columns = {"mean": folds.mean(axis=1), "half": folds.apply(_half, axis=1)}
        columns["real"] = gaps.mean(axis=1) > gaps.apply(_half, axis=1)
        found[title] = pd.DataFrame(columns)
    table = pd.concat(found, axis=1)
    return table.rename(index={label: name for name, label in LABELS.items()}).reindex([*LEARNED])


def _half(percent: pd.Series) -> float:
    low, high = t_interval(percent)
    return (high - low) / 2


def starred(table: pd.DataFrame, real: pd.DataFrame) -> pd.DataFrame:
    """Cells ``mean ± half``, with a star where an encoder is not ``real`` behind the best."""
    cells = {
        name: {
            encoder: f"{row['mean']:.1f}\u202f±\u202f{row['half']:.1f}"
            + ("" if real.at[encoder, name] else "*")
            for encoder, row in table[name].dropna().iterrows()
        }
        for name in real
    }
    return pd.DataFrame(cells, index=table.index).fillna("\u2013").rename_axis("encoder")


def published() -> pd.DataFrame:
    """HEAR by domain, percent, as Dasheng's Table 2 prints the tasks: models by domains."""
    means = domain_means(grid(read_table("dasheng_table2")))
    return means.rename(index={printed: name for name, printed in PRINTED.items()})
