"""The pages that a build writes: what was found (on the front page) and how it was built."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import nbformat

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.words import code
from dasheng_lib.book.words.findings import MIME, PICTURE

Pages = Mapping[str, "nbformat.NotebookNode | None"]


def told(executed: nbformat.NotebookNode | None, kind: str = MIME) -> list[dict[str, str]]:
    """What a notebook's outputs hold of a kind: findings, or pictures of the front page."""
    cells = [] if executed is None else [c for c in executed.cells if c.cell_type == "code"]
    return [
        output.data[kind]
        for cell in cells
        for output in cell.outputs
        if kind in output.get("data", {})
    ]


def front_page(text: str, chapters: list[Chapter], executed: Pages) -> str:
    """``intro.md`` with what the chapters tell it at its marks, which are comments in MyST:
    ``% answer``, ``% picture``, ``% claims`` and ``% findings``."""
    found = [(chapter, one) for chapter in chapters for one in told(executed[chapter.name])]
    pictures = [one["html"] for c in chapters for one in told(executed[c.name], PICTURE)]
    answer = " ".join(one["answer"] for _, one in found if one.get("answer"))
    blocks = {
        "% answer": f"**What we found.** {answer}" if answer else "",
        "% picture": pictures[0] if pictures else "",
        "% claims": _claims([(chapter, one) for chapter, one in found if one.get("saw")]),
        "% findings": _findings(found) or "*No chapter has been run yet.*",
    }
    return "\n".join(blocks.get(line, line) for line in text.splitlines()) + "\n"


def _findings(found: list[tuple[Chapter, dict[str, str]]]) -> str:
    """One HTML block without an empty line: Markdown inside it would be read as Markdown again."""
    items = [
        f'<li><a href="{chapter.name}.html#{one["anchor"]}"><strong>'
        f"{html.escape(one['title'])}</strong></a> {html.escape(one['text'])} "
        f'<span class="from">{html.escape(chapter.title)}</span></li>'
        for chapter, one in found
    ]
    return '<ul class="findings">\n' + "\n".join(items) + "\n</ul>" if items else ""


def _claims(found: list[tuple[Chapter, dict[str, str]]]) -> str:
    """A table of claims: what we saw, linked to its figure, and the verdict, linked to its box."""
    rows = []
    for chapter, one in found:
        figure = ""
        if one["figure"]:
            to = f"{chapter.name}.html#{one['figure']}"
            figure = f' <a href="{to}" aria-label="Figure: {html.escape(one["saw"])}">figure</a>'
        box = f"{chapter.name}.html#{one['anchor']}"
        rows.append(
            f'<tr><th scope="row">{html.escape(one["claim"])}</th>'
            f"<td>{html.escape(one['saw'])}{figure}</td>"
            f'<td><a href="{box}">{html.escape(one["verdict"])}</a></td></tr>'
        )
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("claim", "what we saw", "verdict"))
    return (
        f'<table class="claims"><thead><tr>{heads}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table>"
    )


def status_page(
    chapters: list[Chapter],
    records: Mapping[str, dict[str, Any]],
    ran: set[str],
    made: Mapping[str, Any],
) -> str:
    """``status.md``: each chapter's run, and what the build stood on.

    Args:
        records: of each chapter, what :func:`~dasheng_lib.book.driver.stage.build_record` reads.
        ran: the chapters that this build ran; the others are unchanged.
        made: :func:`~dasheng_lib.common.provenance.provenance`, and "corpus", "corpus_digest",
            "profile".
    """
    rows = []
    for chapter in chapters:
        record = records[chapter.name]
        if not record:
            rows.append(f"| [](./{chapter.name}.ipynb) | not run | | | | |")
            continue
        values = record["values"]
        shown = " ".join(code(f"{k}={v}") for k, v in values.items()) or "defaults"
        state = "run" if chapter.name in ran else "unchanged"
        audio = f"{record['corpus']} {code(record['corpus_digest'][:12])}".strip()
        rows.append(
            f"| [](./{chapter.name}.ipynb) | {state} | {record['seconds']:.1f} "
            f"| {record['profile']}: {shown} | {audio} | {code(record['commit'])} |"
        )
    seconds = sum(record.get("seconds", 0) for record in records.values())
    versions = "\n".join(f"| {name} | {v} |" for name, v in made["versions"].items())
    return f"""# This build

Every figure in the *just now* colour was computed by the runs in this table. A chapter is run
again when its code, its parameters, the library, the manifests, the recorded results, the
library versions or the audio change; otherwise its last outputs stand, and it says *unchanged*.

| chapter | state | seconds | profile and parameters | audio | commit |
|---|---|--:|---|---|---|
{chr(10).join(rows)}

All chapters together took {seconds:.0f} s.

| what | |
|---|---|
| profile | {made["profile"]} |
| audio | {made["corpus"]} {code(made["corpus_digest"])} |
| commit | {code(made["commit"])} |
| processor | {re.sub(r"[|*_`]", " ", made["processor"])}, {made["cores"]} cores |
| GPU | {made["gpu"]} |
| Python | {made["python"]} |
{versions}
"""
