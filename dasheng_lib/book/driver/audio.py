"""Which recordings a build uses, and what every page says when they are not real ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dasheng_lib.common.errors import UserError

CHOICES = ("auto", "pocket", "pocket-full", "synthetic")
FETCHED = ("fsdd", "esc10")  # by a build; the other judges have hundreds of megabytes, or a form


@dataclass(frozen=True)
class Audio:
    """What a build listens to.

    Attributes:
        name, digest: of the corpus.
        banner: shown on every page unless empty.
        judges: digest of each test set that no encoder has heard, of those that are there.
        lacks: why the others are not.
    """

    name: str
    digest: str
    banner: str = ""
    judges: tuple[str, ...] = ()
    lacks: str = ""


def choose_audio(choice: str) -> Audio:
    """Make sure of the corpus that ``--corpus`` names, downloading it where that is needed.

    "auto" is the pocket corpus, or the synthetic one where that cannot be had. With real
    recordings come the test sets that no encoder has heard, where they can be had.

    Raises:
        UserError: a corpus that was asked for by name cannot be had.
    """
    if choice != "auto":
        asked = "This build used synthetic audio because it was asked to (--corpus synthetic)."
        if choice == "synthetic":
            return Audio(choice, corpus_digest(choice), asked)
        return with_judges(Audio(choice, corpus_digest(choice)))
    try:
        audio = Audio("pocket", corpus_digest("pocket"))
    except UserError as error:
        why = f"This build used synthetic audio because the recordings could not be had: {error}"
        return Audio("synthetic", corpus_digest("synthetic"), why)
    return with_judges(audio)


def with_judges(audio: Audio) -> Audio:
    """The same, with the test sets that no encoder has heard: small ones fetched, others if there.

    After one that cannot be had no more is fetched, so that a machine without a network waits
    once.
    """
    from dasheng_lib.tasks import never_heard

    digests, lacks = [], []
    for name in never_heard():
        fetch = name in FETCHED and not lacks
        try:
            digests.append(corpus_digest(name, fetch))
        except UserError as error:
            lacks += [f"Without {name}: {error}"] if name in FETCHED else []
    return replace(audio, judges=tuple(digests), lacks=" ".join(lacks))


def corpus_digest(name: str, fetch: bool = True) -> str:
    """Check a corpus, fetching it if it may be; its digest."""
    from dasheng_lib.corpora import load_corpus  # brings torch along, so only where it is needed

    return load_corpus(name, fetch=fetch).digest
