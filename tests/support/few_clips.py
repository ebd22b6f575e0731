"""The made-up corpus with a third of its clips, for tests of how clips are worked on."""

from dataclasses import replace
from functools import cache

from dasheng_lib.common.cache import digest
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus


@cache
def few_clips(_: str = "synthetic") -> Corpus:
    """All tasks, folds, domains and groups: of what differs in nothing else, the first third."""
    whole = synthetic_corpus()
    turn = whole.clips.groupby(["domain", "group"]).cumcount()
    kept = whole.clips.index[turn < turn.groupby(whole.clips["group"]).transform("size") / 3]
    clips = whole.clips.loc[kept].reset_index(drop=True)
    tasks = whole.tasks[whole.tasks["clip"].isin(kept)]
    tasks = tasks.assign(clip=kept.get_indexer(tasks["clip"])).reset_index(drop=True)
    return replace(whole, digest=digest([whole.digest, "few"]), clips=clips, tasks=tasks)
