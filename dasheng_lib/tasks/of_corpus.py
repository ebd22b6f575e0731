"""The clips and tasks of a corpus, whose samples stay in its memory map."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.task import POOLED, Task, k_folds


@lru_cache(maxsize=4)  # of thousands, which each task of a corpus asks for again
def corpus_clips(corpus: Corpus) -> tuple[Clip, ...]:
    """A clip for each row of a corpus, without labels; nothing is read."""
    rows = zip(*(corpus.clips[c] for c in ("package", "member", "samples")), strict=True)
    return tuple(
        Clip(
            name=f"{package} {member}",
            samples=samples,
            rate=corpus.sample_rate,
            identity=f"{corpus.digest}:{row}",
            wave=partial(corpus.wave, row),
        )
        for row, (package, member, samples) in enumerate(rows)
    )


def corpus_task(corpus: Corpus, name: str) -> Task:
    """One task of a corpus: every fold is tested in turn, and the guesses of all are pooled.

    All clips of the corpus are its pool, so that its tasks share their embeddings.

    Raises:
        UserError: there is no such task.
    """
    rows, pool = corpus.task(name), corpus_clips(corpus)
    clips: dict[str, list[Clip]] = {fold: [] for fold in sorted(rows["fold"].unique())}
    for clip, label, fold in rows.itertuples(index=False):
        clips[fold].append(replace(pool[clip], labels=(label,)))
    return Task(
        name=name,
        clips={fold: tuple(part) for fold, part in clips.items()},
        labels=tuple(sorted(rows["label"].unique())),
        folds=k_folds(list(clips)),
        metrics=(POOLED,),
        pool=pool,
    )
