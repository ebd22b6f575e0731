"""The four lines that a chapter opens with: claim, what was found, what to know, how long."""

from __future__ import annotations

import html
import math
import re
from typing import Any

import nbformat

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.pages import told

WORDS_A_MINUTE = 200  # of prose with numbers; a figure takes as long as some lines of it
FIGURE_WORDS = 40


def head(chapter: Chapter, executed: nbformat.NotebookNode, record: dict[str, Any]) -> str:
    """Markdown of the lines; the chapter's metadata hold what it asks and what one has to know."""
    found = told(executed)
    claims = [one for one in found if one.get("claim")]
    minutes, seconds = _minutes(executed), _seconds(record.get("seconds", 0))
    lines = {
        "Claim" if len(claims) == 1 else "Claims": " ".join(_escaped(c["claim"]) for c in claims),
        "Question": "" if claims else chapter.asks,
        "Found": "; ".join(map(_in_short, claims or found)).replace(".; ", "; "),
        "To know before": chapter.needs,
        "Time": f"{minutes} min to read, {seconds} to run.",
    }
    items = "\n".join(f"- **{name}.** {text}" for name, text in lines.items() if text)
    return f":::{{admonition}} In short\n:class: in-short\n{items}\n:::"


def _in_short(one: dict[str, str]) -> str:
    """A verdict and what it rests on, or the first sentence of a finding."""
    if not one.get("claim"):
        return _escaped(re.split(r"(?<=\.) (?=[A-Z])", one["text"])[0])
    title, _, word = one["title"].rpartition(": ")
    link = f'<a href="#{one["anchor"]}">{html.escape(title)}</a>: *{word}*'
    return f"{link}. {_escaped(one['saw'])}" if one.get("saw") else link


def _minutes(executed: nbformat.NotebookNode) -> int:
    words = 0
    for cell in executed.cells:
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            words += len(data.get("text/markdown", "").split())
            words += FIGURE_WORDS * ("image/png" in data)
    return max(1, math.ceil(words / WORDS_A_MINUTE))


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _escaped(text: str) -> str:
    """Text without what Markdown would read in it."""
    return re.sub(r"([\\`*_{}\[\]<>$|])", r"\\\1", text)
