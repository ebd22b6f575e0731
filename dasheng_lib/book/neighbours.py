"""The nearest clips of other talkers, fonts, kits and sounds, to listen to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.tasks import Declared


def neighbours(
    corpus: Corpus, tasks: Iterable[Declared], Z_ND: np.ndarray, seed: int = 0, count: int = 3
) -> Iterator[tuple[Declared, int, np.ndarray]]:
    """For a clip of each task, drawn by the seed, its nearest by cosine that are of other groups.

    Args:
        Z_ND: an embedding for each clip of the corpus.

    Yields:
        Task, clip and neighbours, the nearest first. All clips are below 3 s.
    """
    Z_ND = Z_ND / np.linalg.norm(Z_ND, axis=1, keepdims=True)
    seconds, groups = (corpus.clips[name].to_numpy() for name in ("seconds", "group"))
    draw = np.random.default_rng(seed)
    for task in tasks:
        clips = corpus.task(task.name)["clip"].to_numpy()
        clips = clips[seconds[clips] < 3]
        query = int(draw.choice(clips))
        others = clips[groups[clips] != groups[query]]
        yield task, query, others[np.argsort(-Z_ND[others] @ Z_ND[query])[:count]]


def name_of(corpus: Corpus, clip: int) -> str:
    """Label of a clip in the first task that has one, and where it comes from."""
    rows = corpus.tasks[corpus.tasks["clip"] == clip]
    return f"{rows['label'].iloc[0]} ({corpus.clips['group'].iat[clip]})"
