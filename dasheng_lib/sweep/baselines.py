"""What the tasks of a sweep give to features that nothing taught, under the sweep's protocol."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from dasheng_lib.encoders.logmel import LogMelStatistics
from dasheng_lib.evaluation.embed import compute_embeddings
from dasheng_lib.evaluation.folds import commonest
from dasheng_lib.rank.measures import measure
from dasheng_lib.scaling.averages import draw_tasks
from dasheng_lib.sweep.judge import Judge, qualities
from dasheng_lib.tasks import Declared
from dasheng_lib.tasks.of_corpus import corpus_clips

# Averages over tasks, by the probe that they are of.
AVERAGES = {"quality": "linear", "knn_quality": "knn", "few_quality": "few"}


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
    features = [compute_embeddings(encoder, corpus_clips(corpus)) for corpus in judge.corpora]
    scores = judge.scores(features, tuple(AVERAGES.values()), each_task=True)
    ranks = {name: value for name, value in measure(features[0]).items() if np.isfinite(value)}
    logmel = {"baseline": "log-mel", **ranks, **scores}
    counted, clips, classes, majority = {}, {}, {}, {}
    for number, task in judge.tasks():
        score = commonest(judge.corpora[number].task(task.name))
        majority[task.name] = score.accuracy
        clips[task.name], classes[task.name] = len(score.labels), len(set(score.labels))
        if task.name not in judge.protocol.aside:
            counted[task.name] = task
    domains = {name: task.domain for name, task in counted.items()}
    for average, probe in AVERAGES.items():
        alone = {name: logmel[f"{probe}:{name}"] for name in domains}
        logmel[f"{average}_half"] = half_interval(alone, domains, clips)
    chance = {name: 1 / count for name, count in classes.items()}
    rows = [logmel, _same_for_all("majority", majority, counted)]
    rows.append(_same_for_all("chance", chance, counted))
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


def _same_for_all(name: str, scores: Mapping[str, float], counted: Mapping[str, Declared]) -> dict:
    """The row of a baseline that looks at no features: whatever the probe, the same."""
    table = pd.DataFrame(
        {
            "probe": probe,
            "domain": task.domain,
            "heard": not task.unheard,
            "accuracy": scores[task.name],
            "chance": 0.0,
        }
        for probe in AVERAGES.values()
        for task in counted.values()
    )
    means = {k: v for k, v in qualities(table).items() if not k.endswith("above_chance")}
    each = {f"{p}:{task}": score for p in AVERAGES.values() for task, score in scores.items()}
    return {"baseline": name, **each, **means}
