"""Which recordings a build uses, and what every page says when they are not real ones."""

from __future__ import annotations

from dataclasses import dataclass

from dasheng_lib.errors import UserError

CHOICES = ("auto", "pocket", "pocket-full", "synthetic")


@dataclass(frozen=True)
class Audio:
    """The corpus of a build; ``banner`` is shown on every page unless empty."""

    name: str
    digest: str
    banner: str = ""


def choose_audio(choice: str) -> Audio:
    """Make sure of the corpus that ``--corpus`` names, downloading it where that is needed.

    "auto" is the pocket corpus, or the synthetic one where that cannot be had.

    Raises:
        UserError: a corpus that was asked for by name cannot be had.
    """
    if choice != "auto":
        asked = "This build used synthetic audio because it was asked to (--corpus synthetic)."
        return Audio(choice, corpus_digest(choice), asked if choice == "synthetic" else "")
    try:
        return Audio("pocket", corpus_digest("pocket"))
    except UserError as error:
        why = f"This build used synthetic audio because the recordings could not be had: {error}"
        return Audio("synthetic", corpus_digest("synthetic"), why)


def corpus_digest(name: str) -> str:
    """Fetch and check a corpus; its digest."""
    from dasheng_lib.corpora import load_corpus  # brings torch along, so only where it is needed

    return load_corpus(name).digest
