"""Corpora: where the audio comes from.

``load_corpus("pocket")`` downloads what it needs, once, decodes it, once, and gives clips, labels
and samples. ``dasheng corpus --help`` does the same from the command line.
"""

from __future__ import annotations

from types import ModuleType

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.split import hold_out
from dasheng_lib.corpora.trim import prepare

__all__ = ["CORPORA", "OPENSETS", "POCKETS", "Corpus", "hold_out", "load_corpus", "prepare"]

# Benchmark sets of other authors: nothing here pretrains on them.
OPENSETS = ("esc10", "fsdd", "speech_commands_test", "esc50_4", "emovo")
POCKETS = ("pocket", "pocket-full", "pocket-large")
CORPORA = (*POCKETS, "synthetic", *OPENSETS)


def load_corpus(
    name: str = "pocket", *, fetch: bool = True, progress: bool = True, mirror: str | None = None
) -> Corpus:
    """A corpus by name, from the cache if it is there.

    Where only some of its clips are to be had, those whose hashes are the manifest's are used and
    the others are named in a warning.

    Args:
        name: ``"pocket"`` (2.3 h, 149 MB to download), ``"pocket-full"`` (8.3 h, 284 MB),
            ``"pocket-large"`` (21.8 h, 1.7 GB), ``"synthetic"`` (nothing to download), or one of
            ``OPENSETS``.
        fetch: whether it may be downloaded now if it is not here; what is here is decoded.
        progress: whether to show a progress bar.
        mirror: pocket: a Debian mirror's URL instead of apt-get's sources.

    Raises:
        UserError: an unknown name; not here and ``fetch`` is false; or it cannot be had: no
            network, a full disk, a damaged download.
    """
    if name == "synthetic":
        from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus

        return synthetic_corpus()
    from dasheng_lib.corpora.decoded import build, folder_of, open_corpus
    from dasheng_lib.corpora.manifest import part_that_is_there

    origin = origin_of(name)
    manifest = origin.read_manifest(name)
    corpus = open_corpus(folder_of(manifest))
    if corpus is not None:
        return corpus
    place = origin.find(manifest)
    if place is None and not fetch:
        raise UserError(f"Corpus {name} is not in the cache: run `dasheng corpus fetch {name}`.")
    place = place or origin.fetch(manifest, mirror=mirror, progress=progress)
    manifest, found = origin.as_found(manifest, place)
    part = part_that_is_there(manifest, found, origin.instead(manifest))
    corpus = open_corpus(folder_of(part))
    return corpus or build(part, origin.sources(manifest, place), progress=progress)


def origin_of(name: str) -> ModuleType:
    """The module that knows where a corpus comes from, by ``read_manifest(name)``, and
    with a manifest:

    ``find``: its place on this machine, or None; ``fetch``: its place once it is downloaded;
    ``as_found``: the manifest with the hashes of what lies in a place, and the hashes that are
    there; ``sources``: the clips of a place; ``instead``: what to do if there are none.

    Raises:
        UserError: there is no such corpus, or none that is fetched.
    """
    from dasheng_lib.corpora import openset, pocket

    if name in POCKETS:
        return pocket
    if name in OPENSETS:
        return openset
    raise UserError(f"There is no corpus {name!r}; there are {', '.join(CORPORA)}.")
