"""A chapter runs the same for everyone, whatever the session that builds the book."""

import json
import os
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from dasheng_lib.book.driver.chapters import read_chapter
from dasheng_lib.book.driver.execute import ChapterFailed, execute
from dasheng_lib.book.driver.fingerprint import fingerprint, ground

FIGURE = """\
import os, sys, time
import matplotlib.pyplot as plt
from dasheng_lib.book import caption
from dasheng_lib.book.figures import plots
"early"
plt.rcParams["text.usetex"], plt.rcParams["font.size"]
plots.style()
fig, ax = plt.subplots()
ax.set(title="$ a cell $ of $\\\\frac{1}{$", xlim=(1e-4, 1), xscale="log")
caption("Words <script>.", alt="Nothing.")
"""
TALK = """\
print(__debug__, time.tzname, os.environ.get("COLUMNS"), sys.executable)
"late"
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A session in which everything that can be set is set against us."""
    folder = tmp_path / "home"
    startup = folder / "ipython/profile_default/startup"
    kernel = folder / "jupyter/kernels/python3"
    for one in (startup, kernel):
        one.mkdir(parents=True)
    (folder / "matplotlibrc").write_text("text.usetex: True\nfont.size: 40\n")
    (startup / "a.py").write_text("print = id\n")
    (startup.parent / "ipython_config.py").write_text(
        "c.InteractiveShell.ast_node_interactivity = 'all'\n"
        "c.IPKernelApp.exec_lines = ['%matplotlib agg']\n"
    )
    spec = {"argv": ["/nowhere/python", "{connection_file}"], "display_name": "x"}
    (kernel / "kernel.json").write_text(json.dumps(spec | {"language": "python"}))
    (folder / "startup.py").write_text("print('started')\n")
    for name, value in {
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(folder),
        "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(folder / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(folder),
        "PYTHONSTARTUP": str(folder / "startup.py"),
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "COLUMNS": "200",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
    }.items():
        monkeypatch.setenv(name, value)


def run(tmp_path, *sources):
    """Outputs of a chapter of these cells."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}}
    path = tmp_path / "01_one.ipynb"
    cells = [new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    done, failed = tmp_path / "done.ipynb", tmp_path / "failed/01_one.ipynb"
    execute(read_chapter(path), {}, done, folder=tmp_path, record={}, failed=failed)
    return [cell.outputs for cell in nbformat.read(done, as_version=4).cells]


def test_a_chapter_is_the_same_in_any_session(tmp_path, hostile):
    figure, talk = run(tmp_path, FIGURE, TALK)
    kinds = [kind for output in figure for kind in output.get("data", {})]
    assert "image/png" in kinds
    assert len(figure) == 2, "a figure and its caption, and nothing of what startup files ask for"
    assert [output.output_type for output in talk] == ["stream", "execute_result"]
    assert talk[0].text == f"True ('UTC', 'UTC') 80 {sys.executable}\n"


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python"])
def test_a_kernel_that_does_not_start_is_one_sentence(tmp_path, monkeypatch, python):
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(ChapterFailed, match=f"could not be started: no kernel runs with {python}"):
        run(tmp_path, "1")


def test_a_figure_that_is_missing_is_an_error_and_the_cell_is_named(tmp_path):
    switched = "plt.switch_backend('agg')\nplt.figure()\ncaption('Words.', alt='Nothing.')"
    with pytest.raises(
        ChapterFailed, match=r"01_one.ipynb, cell 2 \(plt.switch_backend.*no figure"
    ):
        run(
            tmp_path,
            "import matplotlib.pyplot as plt\nfrom dasheng_lib.book import caption",
            switched,
        )
    assert not (tmp_path / "done.ipynb").exists()


def test_what_can_change_an_output_is_in_the_fingerprint(tmp_path, monkeypatch):
    nbformat.write(new_notebook(cells=[new_code_cell("1", id="a")]), tmp_path / "01_one.ipynb")
    chapter = read_chapter(tmp_path / "01_one.ipynb")

    def now():
        return fingerprint(chapter, {}, ground(tmp_path, "abc"))

    start = now()
    monkeypatch.setenv("MPLBACKEND", "Agg")  # which never comes to a chapter
    assert now() == start
    monkeypatch.setenv("OMP_NUM_THREADS", str(1 + int(os.environ.get("OMP_NUM_THREADS", 1))))
    threads = now()
    monkeypatch.setitem(ground.__globals__, "version", lambda name: "another")
    assert len({start, threads, now()}) == 3
