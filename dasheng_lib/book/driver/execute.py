"""Run one chapter through papermill, and keep what comes out only if all of it ran."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

from dasheng_lib.book.driver.chapters import Chapter, cell_tags
from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError

# Equal runs should print equal things, at once, and the frozen-modules note is only noise.
KERNEL_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}
# ipykernel 7 warns at every start that TCP on this machine is not encrypted, and reports its own
# interruption as an error; what goes wrong in a cell comes back as that cell's output.
QUIET_KERNEL = ["--IPKernelApp.log_level=CRITICAL"]


class ChapterFailed(UserError):
    """A cell raised, took too long, or killed the kernel."""


def execute(
    chapter: Chapter,
    values: dict[str, Any],
    destination: Path,
    *,
    folder: Path,
    record: dict[str, Any],
    progress: Callable[[int, int], None] = lambda cell, of: None,
    cell_seconds: int | None = None,
    failed: Path | None = None,
) -> None:
    """Write the executed notebook to ``destination``, whole or not at all.

    Args:
        values: what papermill injects behind the parameters cell.
        folder: working folder of the kernel.
        record: what to keep in the notebook's metadata as ``companion_build``, besides the
            ``seconds`` that the run took.
        progress: called with the number of each cell as it starts, and the count of cells.
        cell_seconds: longest time for one cell; None for no limit.
        failed: where a failed run is kept to look at.

    Raises:
        ChapterFailed: names the notebook, the cell and what went wrong there.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    notebook = copy.deepcopy(chapter.notebook)
    place = [f"{chapter.path} could not be started"]

    def at(cells: list[nbformat.NotebookNode], index: int) -> None:
        place[0] = _place(chapter, cells, index)
        progress(index + 1, len(cells))

    started = time.monotonic()
    result = None
    try:
        with _engine(at) as (engine, running), _environment(KERNEL_ENVIRONMENT):
            result = papermill.execute_notebook(
                notebook,
                None,
                parameters=values,
                engine_name=engine,
                kernel_name="python3",
                progress_bar=False,
                cwd=str(folder),
                execution_timeout=cell_seconds,
                extra_arguments=QUIET_KERNEL,
            )
    except papermill.PapermillExecutionError as error:
        why = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
    except CellTimeoutError:
        why = f"the cell ran longer than {cell_seconds} s (--cell-timeout sets the limit)"
    except DeadKernelError:
        why = "the kernel died, which mostly means that memory ran out"
    if result is None:
        hint = ""
        if failed is not None and running:
            _write(running[0], failed)
            hint = f" The run up to there is kept in {failed}."
        raise ChapterFailed(f"{place[0]}: {why.rstrip('.')}.{hint}")
    result.metadata.pop("papermill", None)
    for cell in result.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    seconds = round(time.monotonic() - started, 2)
    result.metadata["companion_build"] = record | {"seconds": seconds}
    _write(result, destination)


def _write(notebook: nbformat.NotebookNode, path: Path) -> None:
    with atomic_file(path) as temporary:
        nbformat.write(notebook, temporary)


def _place(chapter: Chapter, cells: list[nbformat.NotebookNode], index: int) -> str:
    """Which cell of the source that is: one that papermill put in is not counted."""
    number = sum("injected-parameters" not in cell_tags(cell) for cell in cells[: index + 1])
    lines = [line for line in cells[index].source.splitlines() if line.strip()]
    return f"{chapter.path}, cell {number} ({lines[0].strip()[:60] if lines else 'empty'})"


@contextmanager
def _engine(
    at: Callable[[list[nbformat.NotebookNode], int], None],
) -> Iterator[tuple[str, list[nbformat.NotebookNode]]]:
    """papermill's own engine, which also tells where it is and hands out the running notebook."""
    from papermill.engines import NBClientEngine, papermill_engines

    running: list[nbformat.NotebookNode] = []

    class Watched(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **kwargs):
            start = nb_man.cell_start

            def cell_start(cell, cell_index=None, **more):
                at(nb_man.nb.cells, cell_index or 0)
                return start(cell, cell_index=cell_index, **more)

            running.append(nb_man.nb)
            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)

    papermill_engines.register("dasheng-book", Watched)
    yield "dasheng-book", running


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
