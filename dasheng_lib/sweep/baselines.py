"""What the tasks of a sweep give to features that nothing taught, under the sweep's protocol."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dasheng_lib import probes
from dasheng_lib.embed import compute_embeddings
from dasheng_lib.encoders.logmel import LogMelStatistics
from dasheng_lib.measures import measure
from dasheng_lib.scaling.bootstrap import draw_tasks, quality
from dasheng_lib.sweep.judge import MEASURED, Judge
from dasheng_lib.tasks import suite

MEASURES = {"quality": "linear", "knn_quality": "knn", "few_quality": "few"}


def baselines(judge: Judge) -> tuple[pd.DataFrame, dict[str, int], dict[str, int]]:
    """The floor under every score of a sweep; nothing is trained.

    Returns:
        A table with a row for ``log-mel`` (statistics of 128 numbers), ``majority`` (the commonest
        training class) and ``chance`` (a guess among the classes that are tested), and columns as
        the judge names them: accuracies in [0, 1], and of log-mel the ranks. ``quality_half`` and
        its like are half the 95 % interval that the number of test clips leaves to an average.
        Then test clips, and classes, of each task.
    """
    encoder = LogMelStatistics()
    features = [
        compute_embeddings(encoder, corpus, np.arange(len(corpus)), progress=False)
        for corpus in judge.corpora
    ]
    logmel = {"baseline": "log-mel", **measure(features[0], MEASURED), **judge._scores(features)}
    domains, clips, classes, majority = {}, {}, {}, {}
    for corpus in judge.corpora:
        for task in suite(corpus.name, headline=True):
            if f"linear:{task.name}" not in logmel:
                continue
            nothing = np.zeros((len(corpus), 1), np.float32)
            score = probes.evaluate(nothing, corpus.task(task.name), probes.majority)
            domains[task.name], majority[task.name] = task.domain, score.accuracy
            clips[task.name], classes[task.name] = len(score.labels), len(set(score.labels))
    for average, probe in MEASURES.items():
        scores = {task: logmel[f"{probe}:{task}"] for task in domains}
        logmel[f"{average}_half"] = half_interval(scores, domains, clips)
    chance = {task: 1 / count for task, count in classes.items()}
    rows = [logmel, _same_for_all("majority", majority, domains)]
    rows.append(_same_for_all("chance", chance, domains))
    return pd.DataFrame(rows), clips, classes


def half_interval(
    scores: Mapping[str, float], domains: Mapping[str, str], clips: Mapping[str, int]
) -> float:
    """Half the 95 % interval of the mean over domains of their tasks' mean, by normal errors.

    Of test clips alone: tasks count as given, and clips as independent.
    """
    weight_T = draw_tasks(dict(domains), None, None)[0]
    share_T = np.array([scores[task] for task in domains])
    clips_T = np.array([clips[task] for task in domains])
    return float(1.96 * np.sqrt((weight_T**2 * share_T * (1 - share_T) / clips_T).sum()))


def _same_for_all(name: str, scores: Mapping[str, float], domains: Mapping[str, str]) -> dict:
    """The row of a baseline that looks at no features: whatever the probe, the same."""
    table, row = pd.DataFrame([scores]), {"baseline": name}
    for average, probe in MEASURES.items():
        row |= {f"{probe}:{task}": score for task, score in scores.items()}
        row[average] = float(quality(table, domains)[0])
        for domain in set(domains.values()):
            own = {task: d for task, d in domains.items() if d == domain}
            row[f"{average}_{domain}"] = float(quality(table, own)[0])
    return row
