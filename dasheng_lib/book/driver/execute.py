"""Run one chapter through papermill, and keep what comes out only if all of it ran."""

from __future__ import annotations

import copy
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat

from dasheng_lib.book.driver.chapters import Chapter, cell_tags
from dasheng_lib.book.driver.doors import TABLES
from dasheng_lib.book.driver.kernels import kernel_manager
from dasheng_lib.book.driver.surroundings import surroundings
from dasheng_lib.book.words.captions import MIME
from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError

# ipykernel 7 warns at every start that TCP on this machine is not encrypted, and reports its own
# interruption as an error; what goes wrong in a cell comes back as that cell's output.
QUIET_KERNEL = ["--IPKernelApp.log_level=CRITICAL"]
# What a kernel does first: it notes which files are opened. An expression leaves no name behind.
NOTE_READS = """(lambda sys, log: sys.addaudithook(
    lambda event, args: event == "open"
    and str(args[0]).endswith(".csv")
    and print(args[0], file=log)
))(__import__("sys"), open({log!r}, "a", buffering=1))
"""


class ChapterFailed(UserError):
    """A cell raised, took too long, killed the kernel, or did not draw its figure."""


def execute(
    chapter: Chapter,
    values: dict[str, Any],
    destination: Path,
    *,
    folder: Path,
    record: dict[str, Any],
    failed: Path,
    progress: Callable[[int, int], None] = lambda cell, of: None,
    cell_seconds: int | None = None,
) -> None:
    """Write the executed notebook to ``destination``, whole or not at all.

    Args:
        values: what papermill injects behind the parameters cell.
        folder: working folder of the kernel.
        record: what to keep in the notebook's metadata as ``companion_build``, besides the
            ``seconds`` that the run took and the ``data``, published and recorded, that it read.
        failed: where the run is kept while it lasts, and, if it fails, to look at.
        progress: called with the number of each cell as it starts, and the count of cells.
        cell_seconds: longest time for one cell; None for no limit.

    Raises:
        ChapterFailed: names the notebook, the cell and what went wrong there.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook = copy.deepcopy(chapter.notebook)
    cells = len(notebook.cells) + bool(values)
    begun: list[nbformat.NotebookNode] = []

    def begin(cell: nbformat.NotebookNode, cell_index: int) -> None:
        begun.append(cell)
        progress(cell_index + 1, cells)

    started = time.monotonic()
    failed.parent.mkdir(parents=True, exist_ok=True)
    result = None
    try:
        with tempfile.TemporaryDirectory(prefix="ipython-", ignore_cleanup_errors=True) as ipython:
            log = Path(ipython) / "reads.txt"
            first = Path(ipython) / "profile_default" / "startup" / "reads.py"
            first.parent.mkdir(parents=True)
            first.write_text(NOTE_READS.format(log=str(log)))
            result = papermill.execute_notebook(
                notebook,
                str(failed),
                parameters=values,
                kernel_name="python3",
                kernel_manager_class=kernel_manager(surroundings(os.environ, ipython)),
                progress_bar=False,
                cwd=str(folder),
                execution_timeout=cell_seconds,
                extra_arguments=QUIET_KERNEL,
                on_cell_start=begin,
            )
            read = log.read_text().splitlines() if log.exists() else []
    except papermill.PapermillExecutionError as error:
        why = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
    except CellTimeoutError:
        why = f"the cell ran longer than {cell_seconds} s (--cell-timeout sets the limit)"
    except DeadKernelError:
        why = "the kernel died, which mostly means that memory ran out"
    except (RuntimeError, OSError) as error:
        if begun:
            raise
        why = f"no kernel runs with {sys.executable} ({error}): `dasheng doctor` looks what lacks"
    if result is not None and (cell := _without_figure(result)) is not None:
        begun = result.cells[: result.cells.index(cell) + 1]
        result, why = None, "the cell has a caption and no figure"
    if result is None:
        kept = f" The run up to there is kept in {failed}." if failed.exists() else ""
        raise ChapterFailed(f"{_place(chapter, begun)}: {why.rstrip('.')}.{kept}")
    result.metadata.pop("papermill", None)
    for cell in result.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    seconds = round(time.monotonic() - started, 2)
    result.metadata["companion_build"] = record | {"seconds": seconds, "data": tables_of(read)}
    with atomic_file(destination) as temporary:
        nbformat.write(result, temporary)
    failed.unlink(missing_ok=True)


def tables_of(read: list[str]) -> list[str]:
    """The published and recorded tables among the files that were read, each once, in order."""
    found = (next((f"{t}/{Path(f).name}" for t in TABLES if f"/{t}/" in f"/{f}"), "") for f in read)
    return [*dict.fromkeys(filter(None, found))]


def _place(chapter: Chapter, begun: list[nbformat.NotebookNode]) -> str:
    """The last cell that was begun, counted as in the source: without what papermill put in."""
    if not begun:
        return f"{chapter.path} could not be started"
    number = sum("injected-parameters" not in cell_tags(cell) for cell in begun)
    lines = [line for line in begun[-1].source.splitlines() if line.strip()]
    return f"{chapter.path}, cell {number} ({lines[0].strip()[:60] if lines else 'empty'})"


def _without_figure(executed: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    """The first cell that is to show more figures than it does: a page must not go without."""
    for cell in executed.cells:
        data = [output.get("data", {}) for output in cell.get("outputs", ())]
        written = "caption" in cell.metadata.get("mystnb", {}).get("figure", {})
        due = max(sum(MIME in one for one in data), written and cell.cell_type == "code")
        if sum(any(kind.startswith("image/") for kind in one) for one in data) < due:
            return cell
    return None
