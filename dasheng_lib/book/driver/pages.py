"""The pages that a build writes: what was found (on the front page) and how it was built."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

import nbformat

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.words import code
from dasheng_lib.book.findings import MIME

FINDINGS_HERE = "% findings"  # a line of intro.md, a comment in MyST
Pages = Mapping[str, "nbformat.NotebookNode | None"]


def findings(executed: nbformat.NotebookNode | None) -> list[dict[str, str]]:
    """The findings in a notebook's outputs: title, text, anchor."""
    cells = [] if executed is None else [c for c in executed.cells if c.cell_type == "code"]
    return [
        output.data[MIME]
        for cell in cells
        for output in cell.outputs
        if MIME in output.get("data", {})
    ]


def front_page(text: str, chapters: list[Chapter], executed: Pages) -> str:
    """``intro.md`` with the findings of all chapters at its mark, each linked."""
    items = [
        f'<li><a href="{chapter.name}.html#{found["anchor"]}"><strong>'
        f"{html.escape(found['title'])}</strong></a> {html.escape(found['text'])} "
        f'<span class="from">{html.escape(chapter.title)}</span></li>'
        for chapter in chapters
        for found in findings(executed[chapter.name])
    ]
    # One HTML block without an empty line: Markdown inside it would be read as Markdown again.
    block = (
        '<ul class="findings">\n' + "\n".join(items) + "\n</ul>"
        if items
        else "*No chapter has been run yet.*"
    )
    if FINDINGS_HERE in text:
        return text.replace(FINDINGS_HERE, block, 1)
    return f"{text.rstrip()}\n\n## What this build found\n\n{block}\n"


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
