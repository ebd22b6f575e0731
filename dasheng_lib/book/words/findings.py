"""What a chapter gives to the front page: a finding, boxed in the chapter too, and a picture."""

from __future__ import annotations

import html
import re

from dasheng_lib.book.words.sentences import complete

MIME = "application/vnd.dasheng.finding+json"
PICTURE = "application/vnd.dasheng.picture+json"


def on_front_page(block: str) -> None:
    """Show a block of HTML here, and on the front page.

    Args:
        block: without an empty line, so that Markdown takes it for one block.
    """
    from IPython.display import display

    display({PICTURE: {"html": block}, "text/html": block, "text/plain": ""}, raw=True)


def finding(title: str, text: str) -> None:
    """Show a box in the chapter; the driver collects it for the front page.

    Args:
        title: a few words, unique in the chapter.
        text: one or two sentences of plain text with their numbers already in them.
    """
    from IPython.display import display

    display(bundle(title, text), raw=True)


def anchor_of(title: str) -> str:
    """Where the front page links to."""
    return "finding-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def bundle(title: str, text: str) -> dict[str, object]:
    """The finding in three forms: for the page, for a terminal, for the driver."""
    complete(title, text)
    anchor = anchor_of(title)
    box = (
        f'<div class="finding" role="note" id="{anchor}" style="border-left: 4px solid #0072B2; '
        'padding: 0.4em 0.8em; margin: 0.8em 0;">'
        f'<p class="finding-title" style="margin: 0;"><strong>{html.escape(title)}</strong></p>'
        f'<p style="margin: 0.2em 0 0;">{html.escape(text)}</p></div>'
    )
    return {
        MIME: {"title": title, "text": text, "anchor": anchor},
        "text/html": box,
        "text/plain": f"{title}: {text}",
    }
