"""An encoder on every task of a corpus, as a table with a row a task and probe."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from dasheng_lib.common.cache import artefact
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.evaluation.probes import classifiers, probes
from dasheng_lib.tasks import Task, suite

VERSION = 3  # raise it when the same features would give another score


def evaluate(
    encoder: AudioEncoder,
    corpus: Corpus,
    probe: str = "linear",
    k: int = 10,
    metric: str = "cosine",
    headline: bool = False,
    progress: bool = True,
    seed: int = 0,
) -> pd.DataFrame:
    """Scores of one encoder on the tasks of one corpus.

    Args:
        encoder: frozen.
        corpus: with tasks.
        probe: ``"linear"``, ``"knn"`` (with ``k`` and ``metric``), ``"knn-softmax"`` (votes weigh
            exp(cosine / 0.07)), ``"arch"``, ``"mlp"`` (heareval's, over the folds of a task) or
            ``"majority"``.
        seed: of the probes that draw first weights, ``"arch"`` and ``"mlp"``.
        headline: only the tasks that count in domain averages.

    Returns:
        A row a task: ``corpus, task, title, domain, held_out, headline, encoder, probe,
        accuracy, low, high, clips, classes``; shares in [0, 1], the interval 95 % over clips.
        Clips and classes are those that were tested, see :func:`.probes.untested`.
    """
    rows = []
    bar = tqdm(suite(corpus.name, headline), f"{probe}: {encoder.name}", disable=not progress)
    for task in bar:
        score = score_task(encoder, corpus, task, probe, k, metric, seed)
        low, high = score.interval
        rows.append(
            {
                **asdict(task),
                "encoder": encoder.name,
                "probe": probe,
                "accuracy": score.accuracy,
                "low": low,
                "high": high,
                "clips": len(score.correct),
                "classes": len(np.unique(score.labels)),
            }
        )
    return pd.DataFrame(rows).rename(columns={"name": "task"})


def score_task(
    encoder: AudioEncoder,
    corpus: Corpus,
    task: Task,
    probe: str = "linear",
    k: int = 10,
    metric: str = "cosine",
    seed: int = 0,
) -> probes.Score:
    """Pooled predictions of one probe on one task; computed once, then read from the cache.

    Raises:
        UserError: there is no such probe.
    """
    ways = {
        "linear": partial(probes.evaluate, predict=probes.linear()),
        "knn": partial(probes.evaluate, predict=probes.knn(k, metric)),
        "knn-softmax": partial(probes.evaluate, predict=probes.knn(k, "cosine", "softmax")),
        "arch": partial(probes.evaluate, predict=probes.by_scores(classifiers.arch(seed=seed))),
        "mlp": partial(probes.evaluate_mlp, seed=seed),
        "majority": partial(probes.evaluate, predict=probes.majority),
    }
    if probe not in ways:
        raise UserError(f"There is no probe {probe!r}: choose {', '.join(ways)}.")
    said = {"knn": [k, metric], "knn-softmax": [k], "arch": [seed], "mlp": [seed]}
    recipe = {
        "encoder": "" if probe == "majority" else encoder.fingerprint,
        "corpus": corpus.digest,
        "task": task.name,
        "probe": [probe, *said.get(probe, [])],
        "version": VERSION,
    }

    def make(folder):
        rows = corpus.task(task.name)
        if probe == "majority":
            features = np.zeros((len(corpus), 1), np.float32)
        else:
            features = embed(encoder, corpus, progress=False)
        score = ways[probe](features, rows)
        frame = pd.DataFrame(
            {
                "clip": score.clips,
                "group": score.groups,
                "label": score.labels,
                "guess": score.guesses,
            }
        )
        frame.to_csv(folder / "score.csv", index=False)

    frame = pd.read_csv(
        artefact("scores", recipe, make) / "score.csv",
        dtype={"clip": int, "group": str, "label": str, "guess": str},
        keep_default_na=False,
    )
    clips, groups, labels, guesses = (frame[column].to_numpy() for column in frame)
    return probes.Score(labels == guesses, clips, groups, labels, guesses)


def domain_means(table: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy over the headline tasks of each domain, and the mean of the domains.

    Args:
        table: rows of :func:`evaluate`, of one or more encoders and probes.

    Returns:
        Rows ``encoder, probe``; columns the domains, then ``average``.
    """
    means = (
        table[table["headline"]]
        .groupby(["encoder", "probe", "domain"], sort=False)["accuracy"]
        .mean()
        .unstack("domain", sort=False)
    )
    means["average"] = means.mean(axis=1)
    return means
