"""A book of one chapter, built; by killed_works.py, which kills it."""

import sys
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import nbformat
import papermill

from dasheng_lib.book import driver
from dasheng_lib.book.driver import site
from dasheng_lib.book.driver.audio import Audio

# Pages of a real build say what it ran and when, and a log where.
TELLS_WHEN = r"_build/(html/|stage/status|site\.log)"


def a_book() -> dict[str, bytes]:
    cells = [
        nbformat.v4.new_markdown_cell("# One\n\nWords.", id="title"),
        nbformat.v4.new_code_cell(
            "k: int = 10  # neighbours", metadata={"tags": ["parameters"]}, id="p"
        ),
        nbformat.v4.new_code_cell("print(k)", id="code"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "companion": {"after": []}}
    chapter = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    toc = "{format: jb-book, root: intro, chapters: [{file: 01_one}, {file: status}]}"
    return {
        "_config.yml": b"title: Tiny\nexecute: {execute_notebooks: 'off'}\n",
        "book/_toc.yml": toc.encode(),
        "book/intro.md": b"# Tiny\n\n% findings\n",
        "book/profiles.yml": b"quick: {}\n",
        "book/01_one.ipynb": nbformat.writes(chapter).encode(),
        "dasheng_lib/features.py": b"width = 1\n",
    }


def built(real: bool, k: int = 10) -> None:
    """A build; unless it is real, the kernel and Sphinx write a little and are quick."""
    if not real:

        def run_notebook(notebook, path, **_):
            for cell in notebook.cells:
                Path(path).write_text(nbformat.writes(notebook))
                if cell.cell_type == "code":
                    cell.outputs = [nbformat.v4.new_output("stream", text=str(k))]
            return notebook

        def sphinx(words, **_):
            html = Path(words[words.index("--path-output") + 1], "_build", "html")
            html.mkdir(parents=True)
            for name in ("index.html", "01_one.html"):
                (html / name).write_text(name * 100)
            return CompletedProcess(words, 0, "", "")

        papermill.execute_notebook = run_notebook
        site.subprocess = SimpleNamespace(run=sphinx, DEVNULL=None)
    options = driver.Options(Path(), parameters=(f"k={k}",), out=sys.stdout)
    driver.build(options, lambda _: Audio("none", ""))


def built_twice() -> None:
    """A site takes the place of another."""
    built(False)
    built(False, 11)
