"""The staging folder: the book's words as they are now, with the outputs of the last runs."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_markdown_cell

from dasheng_lib.book.driver.chapters import Chapter, cell_tags
from dasheng_lib.book.driver.doors import data_links
from dasheng_lib.book.driver.heads import head
from dasheng_lib.book.driver.tables import tidy
from dasheng_lib.book.driver.words import cell, code, papermill_line
from dasheng_lib.book.words.captions import MIME
from dasheng_lib.common.settings import type_name

NOT_RUN = (
    ":::{warning}\nThis chapter has not been run yet, so its figures and numbers are missing: "
    "`dasheng book` without `--only` runs all chapters.\n:::"
)


def read_executed(path: Path) -> nbformat.NotebookNode | None:
    """The notebook of the last run that went through, or None."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception:  # never run, or a file that something else left: run it again
        return None


def build_record(executed: nbformat.NotebookNode | None) -> dict[str, Any]:
    """What was kept of a run: fingerprint, seconds, values, profile, commit, versions …"""
    return {} if executed is None else executed.metadata.get("companion_build", {})


def compose(chapter: Chapter, executed: nbformat.NotebookNode | None) -> nbformat.NotebookNode:
    """The chapter's present text with the outputs of ``executed``, which has the same code.

    What it claims, found and needs stands under its title, the values that the build used stand
    folded behind the parameters cell, and a box at the end says how to run the chapter again and
    what that cost.
    """
    page = copy.deepcopy(chapter.notebook)
    if executed is None:
        page.cells.insert(1, new_markdown_cell(NOT_RUN, id="not-run"))
        return page
    ran = [cell for cell in executed.cells if cell.cell_type == "code"]
    injected = [cell for cell in ran if "injected-parameters" in cell_tags(cell)]
    ran = [cell for cell in ran if "injected-parameters" not in cell_tags(cell)]
    cells = []
    for now in page.cells:
        cells.append(now)
        if now.cell_type == "code":
            source = ran.pop(0)
            now.outputs, now.execution_count = source.outputs, source.execution_count
            if data := _caption(now):
                # Not an output: the site builder would make a figure of it, caption and all.
                links = data_links(data, f"{chapter.name} {now.id}")
                cells.append(new_markdown_cell(links, id=f"{now.id}-data"))
            tidy(now)
    page.cells = cells
    for index, now in enumerate(page.cells):
        if "parameters" in cell_tags(now) and injected:
            page.cells[index + 1 : index + 1] = [_folded(injected[0])]
            break
    _under_the_title(page, head(chapter, executed, build_record(executed)))
    page.cells.append(new_markdown_cell(rerun_box(chapter, build_record(executed)), id="rerun"))
    return page


def _under_the_title(page: nbformat.NotebookNode, text: str) -> None:
    first = page.cells[0]
    if first.cell_type == "markdown" and first.source.startswith("# "):
        title, _, rest = first.source.partition("\n")
        first.source = f"{title}\n\n{text}\n{rest}"


def _caption(cell: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Move what :func:`dasheng_lib.book.caption` said to where the site builder looks for it; the
    tables that the figure is drawn from, names and CSV."""
    said = [output.data[MIME] for output in cell.outputs if MIME in output.get("data", {})]
    cell.outputs = [output for output in cell.outputs if MIME not in output.get("data", {})]
    for words in said:
        options = cell.metadata.setdefault("mystnb", {})
        options.setdefault("figure", {})["caption"] = words["caption"]
        options.setdefault("image", {})["alt"] = words["alt"]
    return [table for words in said for table in words.get("data", ())]


def _folded(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    cell = copy.deepcopy(cell)
    cell.metadata["tags"] = ["injected-parameters", "hide-input"]
    cell.metadata["mystnb"] = {
        "code_prompt_show": "Show the values that this build used instead",
        "code_prompt_hide": "Hide the values that this build used instead",
    }
    cell.outputs = []
    return cell


def rerun_box(chapter: Chapter, record: dict[str, Any]) -> str:
    """Markdown: the papermill line of this run, what it cost, and what can be changed."""
    values: dict[str, Any] = record.get("values", {})
    line = papermill_line(f"book/{chapter.name}.ipynb", values)
    rows = "".join(
        f"| `{p.name}` | {type_name(p.annotation).replace(' | ', ' or ')} "
        f"| {code(repr(p.default))} | {code(repr(values.get(p.name, p.default)))} "
        f"| {cell(p.help)} |\n"
        for p in chapter.parameters.values()
    )
    table = (
        "\n| parameter | type | default | this build | what it does |\n|---|---|---|---|---|\n"
        + rows
        if rows
        else ""
    )
    cost = f"{record.get('seconds', 0):.0f} s on {record.get('cores', '?')} cores"
    return (
        ":::{admonition} Re-run this chapter\n:class: rerun\n"
        f"From the folder of the checkout, with the environment of `make book` active:\n\n"
        f"```sh\n{line}\n```\n\n"
        f"In JupyterLab: `make lab`, open `{chapter.name}.ipynb`, change the cell marked "
        "*Parameters* and run all.\n\n"
        f"This build took {cost} (profile *{record.get('profile', '?')}*).\n{table}:::"
    )


def copy_text(book: Path, stage: Path) -> None:
    """Copy everything of the book but its notebooks and results into a new ``stage``."""
    # Not shutil.copytree: it hides what went wrong, a full disk say, in a list of texts.
    for path in book.rglob("*"):
        inside = path.relative_to(book)
        if path.is_file() and path.suffix != ".ipynb" and inside.parts[0] != "results":
            (stage / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, stage / inside)
