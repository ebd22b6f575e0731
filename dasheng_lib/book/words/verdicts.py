"""A verdict: what a paper claims, what we saw, what follows, and what would change our mind."""

from __future__ import annotations

import html
from typing import Any

from dasheng_lib.book.words.findings import MIME, anchor_of
from dasheng_lib.book.words.sentences import complete

VERDICTS = {
    "supported": ("supported", "#009E73"),
    "partly": ("partly supported", "#E69F00"),
    "not": ("not supported", "#D55E00"),
    "cannot tell": ("cannot tell", "#999999"),
}


def verdict(
    title: str,
    *,
    claim: str,
    evidence: str,
    verdict: str,
    mind: str,
    because: str = "",
    saw: str = "",
    figure: str = "",
    answer: str = "",
) -> None:
    """Show the box that a chapter ends in; the driver lists it on the front page.

    Args:
        title: a few words, unique in the chapter.
        claim: the paper's, in a sentence.
        evidence: ours, with its numbers.
        verdict: ``"supported"``, ``"partly"``, ``"not"`` or ``"cannot tell"``.
        mind: what would change it.
        because: the reason for the verdict, to stand behind "because".
        saw: the evidence in one sentence; with it the claim gets a row of the front page's table.
        figure: the name of the figure of this chapter that shows it.
        answer: a sentence or two for the answer on the front page, with the numbers in them.

    Raises:
        ValueError: there is no such verdict.
    """
    from IPython.display import display

    complete(saw, answer)
    shown = bundle(title, claim, evidence, verdict, mind, because)
    front = {"saw": saw, "figure": figure, "answer": answer}
    shown[MIME] |= {"claim": claim, "verdict": VERDICTS[verdict][0], **front}
    display(shown, raw=True)


def bundle(
    title: str, claim: str, evidence: str, verdict: str, mind: str, because: str = ""
) -> dict[str, Any]:
    """The verdict in three forms: for the page, for a terminal, for the driver."""
    if verdict not in VERDICTS:
        raise ValueError(f"a verdict is {', '.join(VERDICTS)}, not {verdict!r}")
    complete(title, claim, evidence, mind, because)
    said, colour = VERDICTS[verdict]
    anchor = anchor_of(title)
    parts = {
        "Claim": claim,
        "Our evidence": evidence,
        "Verdict": f"{said}{f', because {because}' if because else ''}.",
        "What would change our mind": mind,
    }
    body = "".join(
        f'<p style="margin: 0.3em 0 0;"><strong>{name}.</strong> {html.escape(text)}</p>'
        for name, text in parts.items()
    )
    box = (
        f'<div class="finding verdict" role="note" id="{anchor}" style="border-left: 4px solid '
        f'{colour}; padding: 0.4em 0.8em; margin: 0.8em 0;"><p class="finding-title" '
        f'style="margin: 0;"><strong>{html.escape(title)}: {said}</strong></p>{body}</div>'
    )
    return {
        MIME: {"title": f"{title}: {said}", "text": evidence, "anchor": anchor},
        "text/html": box,
        "text/plain": "\n".join([f"{title}: {said}", *(f"{k}: {v}" for k, v in parts.items())]),
    }
