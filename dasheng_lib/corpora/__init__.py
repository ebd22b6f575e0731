"""Corpora: where the audio comes from.

``load_corpus("pocket")`` downloads what it needs, once, decodes it, once, and gives clips, labels
and samples. ``dasheng corpus --help`` does the same from the command line.
"""

from __future__ import annotations

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.split import hold_out as hold_out

# Benchmark sets of other authors: nothing here pretrains on them.
OPENSETS = ("esc10", "fsdd", "speech_commands_test", "esc50_4", "emovo")
POCKETS = ("pocket", "pocket-full", "pocket-large")
CORPORA = (*POCKETS, "synthetic", *OPENSETS)


def load_corpus(name: str = "pocket", *, fetch: bool = True, progress: bool = True) -> Corpus:
    """A corpus by name, from the cache if it is there.

    Args:
        name: ``"pocket"`` (2.3 h, 149 MB to download), ``"pocket-full"`` (8.3 h, 284 MB),
            ``"pocket-large"`` (21.8 h, 1.7 GB), ``"synthetic"`` (nothing to download), or one of
            ``OPENSETS``.
        fetch: whether it may be downloaded and decoded now if it is not in the cache.
        progress: whether to show a progress bar.

    Raises:
        UserError: an unknown name; not in the cache and ``fetch`` is false; or it cannot be
            had: no network, a full disk, a damaged download.
    """
    if name == "synthetic":
        from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus

        return synthetic_corpus()
    if name in POCKETS:
        from dasheng_lib.corpora.pocket.load import load_pocket

        return load_pocket(name, fetch=fetch, progress=progress)
    if name in OPENSETS:
        from dasheng_lib.corpora.openset import load_openset

        return load_openset(name, fetch=fetch, progress=progress)
    raise UserError(f"There is no corpus {name!r}; there are {', '.join(CORPORA)}.")
