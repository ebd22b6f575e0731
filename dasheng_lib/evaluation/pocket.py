"""An encoder on every task of a corpus, as a table with a row a task and probe."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from dasheng_lib.common.cache import artefact
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.averages import benchmark_average
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.evaluation.evaluate import probe_folds
from dasheng_lib.evaluation.folds import Score
from dasheng_lib.evaluation.probes import find_probe
from dasheng_lib.evaluation.scoring import pooled
from dasheng_lib.tasks import Declared, suite
from dasheng_lib.tasks.of_corpus import corpus_clips, corpus_task

VERSION = 6  # raise it when the same features would give another score


def embed_corpus(encoder: AudioEncoder, corpus: Corpus, progress: bool = False) -> np.ndarray:
    """A vector a clip, float32 [clips, ``encoder.dim``], from the cache if they are there."""
    return np.array(embed(encoder, corpus_clips(corpus), progress=progress).features)


def evaluate_corpus(
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
        probe: a name of :data:`dasheng_lib.evaluation.probes.PROBES`; ``k``, ``metric`` and
            ``seed`` are for those that ask for them.
        headline: only the tasks that count in domain averages.

    Returns:
        A row a task: ``corpus, task, title, domain, held_out, headline, encoder, probe,
        accuracy, low, high, clips, classes``; shares in [0, 1], the interval 95 % over clips.
        Clips and classes are those that were tested, see :func:`.scoring.pooled`.
    """
    rows = []
    bar = tqdm(suite(corpus.name, headline), f"{probe}: {encoder.name}", disable=not progress)
    for task in bar:
        row = score_task(encoder, corpus, task, probe, k, metric, seed).row()
        rows.append({**asdict(task), "encoder": encoder.name, "probe": probe, **row})
    return pd.DataFrame(rows).rename(columns={"name": "task"})


def score_task(
    encoder: AudioEncoder,
    corpus: Corpus,
    task: Declared,
    probe: str = "linear",
    k: int = 10,
    metric: str = "cosine",
    seed: int = 0,
) -> Score:
    """Pooled predictions of one probe on one task; computed once, then read from the cache.

    Raises:
        UserError: there is no such probe.
    """
    asked = find_probe(probe)
    settings = {"k": k, "metric": metric, "seed": seed}
    recipe = {
        "encoder": encoder.fingerprint if asked.reads else "",
        "corpus": corpus.digest,
        "task": task.name,
        "probe": [probe, *(settings[name] for name in asked.settings)],
        "version": VERSION,
    }

    def make(folder):
        whole = corpus_task(corpus, task.name)
        tested = probe_folds(encoder, whole, probe, seed, k, metric=metric, progress=False)
        score = pooled(whole, tested)
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
        dtype={"clip": str, "group": str, "label": str, "guess": str},
        keep_default_na=False,
    )
    clips, groups, labels, guesses = (frame[column].to_numpy() for column in frame)
    return Score(labels == guesses, clips, groups, labels, guesses)


def accuracy_by_domain(table: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy over the headline tasks of each domain, and the mean of the domains.

    Args:
        table: rows of :func:`evaluate_corpus`, of one or more encoders and probes.

    Returns:
        Rows ``encoder, probe``; columns the domains, then ``average``.
    """
    rows = table[table["headline"]].assign(score=lambda rows: rows["accuracy"])
    domains = dict(zip(rows["task"], rows["domain"], strict=True))
    return benchmark_average(rows, domains)[[*rows["domain"].unique(), "average"]]
