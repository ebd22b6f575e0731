"""The walks of CONTRIBUTING, walked: a chapter and an encoder, from an empty file to a result.

The third, a benchmark, is walked in ``tests/tasks/test_add_a_benchmark.py``.
"""

import io
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import soundfile
import yaml
from walks import add_lines, blocks

from dasheng_lib.book.driver import Options, build
from dasheng_lib.cli import main
from dasheng_lib.common.places import LIBRARY, ROOT

NAME = "21_one_number"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What of the repository the walk to a chapter touches, with that chapter in it."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("results"))
    for name in ("README.md", "_config.yml", "CHANGELOG.md", "CITATION.cff"):
        shutil.copy(ROOT / name, root)
    for name in ("dasheng_lib", "data_manifests", "book/results"):
        (root / name).symlink_to(ROOT / name)
    (script,) = blocks("Add a chapter", "python")
    (rows,) = blocks("Add a chapter", "diff")
    (root / "new_chapter.py").write_text(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        runpy.run_path("new_chapter.py")
    add_lines(rows, root)
    return root


def test_the_chapter_is_what_the_tests_ask_of_chapters(checkout, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "book")
    import test_notebooks_clean as asked

    path = checkout / "book" / f"{NAME}.ipynb"
    names = [name for name in vars(asked) if name.startswith("test_a_chapter_")]
    assert len(names) >= 5
    for name in [*names, "test_what_a_chapter_imports_of_the_library_is_there"]:
        vars(asked)[name](path)


def test_the_chapter_is_in_the_readme_where_it_is_in_the_book(checkout):
    pages = yaml.safe_load((checkout / "book/_toc.yml").read_text())["parts"]
    listed = [page["file"] for part in pages for page in part["chapters"]]
    told = re.findall(
        r"^\| \[\d\d\]\(book/(\S+)\.ipynb\)", (checkout / "README.md").read_text(), re.M
    )
    assert NAME in told and told == listed[: len(told)]


def test_the_chapter_runs(checkout):
    quiet = io.StringIO()
    build(Options(checkout, "smoke", (NAME,), corpus="synthetic", site=False, out=quiet))
    executed = nbformat.read(checkout / "_build/executed" / f"{NAME}.ipynb", as_version=4)
    said = [o for c in executed.cells for o in c.get("outputs", [])]
    kinds = {kind for output in said for kind in output.get("data", {})}
    assert {"image/png", "application/vnd.dasheng.finding+json"} <= kinds
    shares = re.findall(r"(\d+)% of", str(said[-1]["data"]["text/plain"]))
    assert int(shares[0]) > int(shares[1]), "one number knows more than none"


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """The encoder of the walk in a folder with twelve clips of one's own."""
    folder = tmp_path_factory.mktemp("mine")
    (module,) = blocks("Add an encoder", "python")
    (folder / "my_encoder.py").write_text(module)
    rng, lines = np.random.default_rng(0), ["path,label"]
    for number in range(12):
        label = ("low", "high")[number % 2]
        wave = np.sin(np.arange(8000) * {"low": 0.1, "high": 1.0}[label]) + rng.normal(size=8000)
        soundfile.write(folder / f"{number}.wav", 0.1 * wave, 16_000)
        lines.append(f"{number}.wav,{label}")
    (folder / "clips.csv").write_text("\n".join(lines))
    return folder


def test_the_encoder_is_checked_and_compared(beside, monkeypatch, capsys):
    (lines,) = blocks("Add an encoder", "sh")
    path, *commands = lines.splitlines()
    assert path == "export PYTHONPATH=." and len(commands) == 3
    monkeypatch.syspath_prepend(beside)
    monkeypatch.chdir(beside)
    said = []
    for line in commands:
        assert main(shlex.split(line)[1:]) == 0
        said.append(capsys.readouterr().out)
    assert "errors 0, warnings 0" in said[0]
    assert all("hear:my_encoder" in table and "log" in table for table in said[1:])


def test_the_encoder_gets_a_name_in_the_library(beside, tmp_path):
    shutil.copytree(LIBRARY, tmp_path / "dasheng_lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(beside / "my_encoder.py", tmp_path / "dasheng_lib/encoders/bands.py")
    (rows,) = blocks("Add an encoder", "diff")
    assert add_lines(rows, tmp_path) == [tmp_path / "dasheng_lib/encoders/__init__.py"]
    command = "-m dasheng_lib.cli evaluate csv clips.csv --encoder bands --probes linear"
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=beside, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"bands +linear .* 100\.0", done.stdout)
