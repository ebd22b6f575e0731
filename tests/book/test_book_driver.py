"""The driver, on made-up books of two small chapters."""

import copy
import io
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from unittest.mock import patch

import nbformat
import papermill
import pytest
import yaml
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from papermill.cli import papermill as papermill_command

from dasheng_lib.book import driver
from dasheng_lib.book.driver import Options, audio, site
from dasheng_lib.book.driver.chapters import in_order, listed_pages, read_chapter, select
from dasheng_lib.book.driver.execute import ChapterFailed
from dasheng_lib.book.driver.fingerprint import fingerprint, ground
from dasheng_lib.book.driver.progress import Left, progress_line
from dasheng_lib.book.driver.reach import named
from dasheng_lib.book.driver.stage import compose, rerun_box
from dasheng_lib.book.driver.words import code, papermill_line
from dasheng_lib.book.words.captions import bundle as caption
from dasheng_lib.common.errors import UserError
from dasheng_lib.tasks import never_heard

PARAMETERS = """\
k: int = 10  # neighbours that vote
ratio: float = 0.5  # of what | there is
names: list[str] = ["a"]  # of things
"""
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def write_chapter(book, name, code, text="Words.", after=(), parameters=PARAMETERS, injected=""):
    cells = [new_markdown_cell(f"# Chapter {name}\n\n{text}", id="title")]
    cells.append(new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="parameters"))
    if injected:
        tags = {"tags": ["injected-parameters"]}
        cells.append(new_code_cell(injected, metadata=tags, id="injected"))
    cells.append(new_code_cell(code, id="code"))
    metadata = {"kernelspec": KERNEL, "companion": {"after": list(after)}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), book / f"{name}.ipynb")


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout with chapters 01_one and 02_two, a library and a profile of each kind."""
    (tmp_path / "book").mkdir()
    (tmp_path / "dasheng_lib/book/driver").mkdir(parents=True)
    (tmp_path / "dasheng_lib/features.py").write_text("width = 1\n")
    (tmp_path / "dasheng_lib/book/driver/site.py").write_text("")
    (tmp_path / "_config.yml").write_text("title: Tiny\nexecute: {execute_notebooks: 'off'}\n")
    write_toc(tmp_path, "01_one", "02_two")
    (tmp_path / "book/intro.md").write_text("# Tiny\n\n% findings\n")
    (tmp_path / "book/profiles.yml").write_text("quick: {}\nbig: {02_two: {k: 99}}\n")
    write_chapter(tmp_path / "book", "01_one", "print('one', k)  # dasheng_lib.features")
    write_chapter(tmp_path / "book", "02_two", "print('two', k, names)  # dasheng_lib.features")
    return tmp_path


@pytest.fixture
def no_site(monkeypatch):
    """Leave Sphinx out where a test is about chapters: the stage stands for the site."""

    def copy(stage, config, place, built_from, *, strict=False):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(stage, place)
        (place / "index.html").write_text(json.dumps(config))
        (place / site.STAMP).write_text(built_from)
        return []

    monkeypatch.setattr(driver.site, "build_site", copy)


def write_toc(root, *names):
    toc = {"format": "jb-book", "root": "intro", "chapters": [{"file": n} for n in names]}
    toc["chapters"].append({"file": "status"})
    (root / "book/_toc.yml").write_text(yaml.safe_dump(toc))


def dasheng_book(root, **options):
    """Build; what was said, a line each."""
    out = io.StringIO()
    driver.build(Options(root, out=out, **options))
    return out.getvalue().splitlines()


def output_of(root, name):
    """What the chapter printed, as it is staged."""
    page = nbformat.read(root / f"_build/stage/{name}.ipynb", as_version=4)
    return "".join(o.text for c in page.cells if c.cell_type == "code" for o in c.outputs)


def ran(lines):
    return [
        line.partition(":")[0] for line in lines if line[:2].isdigit() and "unchanged" not in line
    ]


def test_only_what_changed_is_run(root, no_site):
    first = dasheng_book(root)
    assert ran(first) == ["01_one", "02_two"]
    assert first[-1] == str(root / "_build/html/index.html")
    assert output_of(root, "02_two") == "two 10 ['a']\n"

    again = dasheng_book(root)
    assert ran(again) == []
    assert "site: unchanged" in again

    code = "print('one', k)  # dasheng_lib.features"
    write_chapter(root / "book", "01_one", code, text="Better words.")
    reworded = dasheng_book(root)
    assert ran(reworded) == []
    assert "site: unchanged" not in reworded
    assert "Better words." in (root / "_build/stage/01_one.ipynb").read_text()
    assert output_of(root, "01_one") == "one 10\n"

    assert ran(dasheng_book(root, only=("2",), parameters=("k=3", "names=[x, y]"))) == ["02_two"]
    assert output_of(root, "02_two") == "two 3 ['x', 'y']\n"
    assert output_of(root, "01_one") == "one 10\n"

    assert ran(dasheng_book(root, profile="big")) == ["02_two"]
    assert output_of(root, "02_two") == "two 99 ['a']\n"
    assert ran(dasheng_book(root, profile="big", parameters=("k=7",))) == ["01_one", "02_two"]
    assert output_of(root, "02_two") == "two 7 ['a']\n", "what -p sets comes before the profile"

    (root / "dasheng_lib/knn.py").write_text("k = 2\n")
    assert ran(dasheng_book(root)) == ["01_one", "02_two"], "back to the defaults"
    (root / "dasheng_lib/knn.py").write_text("k = 3\n")
    assert ran(dasheng_book(root)) == [], "no chapter comes to import it"
    (root / "dasheng_lib/features.py").write_text("width = 2\n")
    assert ran(dasheng_book(root, only=("one",), force=True)) == ["01_one"]
    assert ran(dasheng_book(root)) == ["02_two"]


def test_a_failing_chapter_stops_the_build_and_keeps_what_was_good(root, no_site):
    dasheng_book(root)
    before = {p: p.read_bytes() for p in (root / "_build").rglob("*") if p.is_file()}
    write_chapter(root / "book", "01_one", "x = 1\nraise ValueError('the well is dry.')")
    with pytest.raises(ChapterFailed) as caught:
        dasheng_book(root)
    sentence = str(caught.value)
    assert "book/01_one.ipynb, cell 3 (x = 1): ValueError: the well is dry." in sentence
    assert "02_two" not in sentence
    failed = root / "_build/failed/01_one.ipynb"
    assert str(failed) in sentence
    assert "the well is dry" in failed.read_text()
    after = {p: p.read_bytes() for p in (root / "_build").rglob("*") if p.is_file()}
    assert after.pop(failed)
    assert after == before

    write_chapter(root / "book", "01_one", "print('mended')")
    assert ran(dasheng_book(root)) == ["01_one"]
    assert not failed.exists()


def test_the_cell_is_counted_as_in_the_source_when_parameters_are_injected(root, no_site):
    write_chapter(root / "book", "01_one", "1 / 0")
    with pytest.raises(ChapterFailed, match=r"01_one\.ipynb, cell 3 \(1 / 0\): ZeroDivisionError"):
        dasheng_book(root, parameters=("k=1",))


def test_a_cell_that_takes_too_long_or_kills_its_kernel_is_named(root, monkeypatch):
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    for error, says in [
        (CellTimeoutError("…"), "ran longer than 5 s"),
        (DeadKernelError("…"), "kernel died"),
    ]:

        def fail(*_, error=error, **options):
            assert options["execution_timeout"] == 5
            raise error

        monkeypatch.setattr(papermill, "execute_notebook", fail)
        with pytest.raises(ChapterFailed, match=rf"01_one\.ipynb.*{says}"):
            dasheng_book(root, cell_seconds=5)
        assert not (root / "_build/executed/01_one.ipynb").exists()


def test_a_terminal_is_told_where_the_run_is_and_a_log_is_not():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for out in (Terminal(), io.StringIO()):
        with progress_line("05_knn", out) as at:
            at(3, 12)
        said = out.getvalue()
        assert ("05_knn: cell 3 of 12, 0 s" in said) == out.isatty()
        assert said.endswith("\r\033[K") or said == "", "the line is gone in the end"


def test_what_is_left_is_told_by_the_pace_so_far():
    left = Left({"01_one": 60, "02_two": 120, "03_three": 20})
    assert str(left) == ", about 3 min left"
    left.ran("01_one", 180)  # three times as slow as usual
    assert str(left) == ", about 7 min left"
    left.ran("02_two", 360)
    assert str(left) == ", about 1 min left"
    left.ran("03_three", 60)
    assert str(left) == str(Left({})) == ""


def test_values_that_an_earlier_run_injected_are_forgotten(root, no_site):
    write_chapter(root / "book", "01_one", "print('one', k)", injected="# Parameters\nk = 77\n")
    dasheng_book(root, only=("one",))
    assert output_of(root, "01_one") == "one 10\n"
    assert "77" not in (root / "_build/stage/01_one.ipynb").read_text()


def test_chapters_run_after_what_they_need(root):
    write_chapter(root / "book", "01_one", "", after=["02_two"])
    chapters = driver.read_chapters(root / "book")
    assert [c.name for c in in_order(chapters)] == ["02_two", "01_one"]
    write_chapter(root / "book", "02_two", "", after=["01_one"])
    with pytest.raises(UserError, match=r"in a circle: 0._.* after 0._.* after 0._"):
        in_order(driver.read_chapters(root / "book"))
    write_chapter(root / "book", "02_two", "", after=["03_three"])
    with pytest.raises(UserError, match="comes after 03_three, which the table of contents"):
        in_order(driver.read_chapters(root / "book"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"parameters": ("kk=3",)}, "no parameter kk in any chapter .*did you mean k?"),
        ({"parameters": ("k=three",)}, "Parameter k must be of type int; -p gave 'three'"),
        ({"parameters": ("k=2.5",)}, "Parameter k must be of type int; it is 2.5"),
        ({"parameters": ("k",)}, "-p k has no value: write -p k=VALUE"),
        ({"parameters": ("corpus=pocket",)}, "write --corpus instead"),
        ({"profile": "bog"}, "no profile bog: .* has quick, big"),
        ({"only": ("three",)}, "--only three means no chapter: .*There are 01_one, 02_two"),
        ({"only": ("03",)}, "--only 03 means no chapter"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(root, options, sentence):
    with pytest.raises(UserError, match=sentence):
        dasheng_book(root, **options)
    assert not (root / "_build/executed").exists()


@pytest.mark.parametrize(
    ("profile", "sentence"),
    [
        ("{02_two: {kk: 1}}", "no parameter kk in 02_two .profile quick of profiles.yml.*mean k"),
        ("{02_two: {k: 1.5}}", "Parameter k must be of type int; it is 1.5"),
        ("{02_tow: {k: 1}}", "sets a chapter 02_tow .did you mean 02_two"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(root, profile, sentence):
    (root / "book/profiles.yml").write_text(f"quick: {profile}\n")
    with pytest.raises(UserError, match=sentence):
        dasheng_book(root)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_toc.yml", b"\xff\xfe"),
        ("_toc.yml", b"[" * 5000),
        ("_toc.yml", b"3"),
        ("_toc.yml", b"root: &a [*a]\nchapters: &b [*b]"),
        ("profiles.yml", b"\xff"),
        ("profiles.yml", b"[quick]"),
        ("profiles.yml", b"quick: 3"),
        ("profiles.yml", b"quick: {01_one: [k]}"),
        ("profiles.yml", b"quick: {1: {k: 3}}"),
        ("profiles.yml", b"quick: {01_one: {k: " + b"9" * 5000 + b"}}"),
        ("01_one.ipynb", b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [3]}'),
        (
            "01_one.ipynb",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"companion": 3}, "cells": []}',
        ),
        (
            "01_one.ipynb",
            b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"companion": {"needs": 3}}, '
            b'"cells": []}',
        ),
        ("01_one.ipynb", b"\xff"),
        ("../_config.yml", b"- 3"),
    ],
)
def test_a_file_of_the_book_in_another_shape_is_named(root, no_site, name, text):
    (root / "book" / name).write_bytes(text)
    with pytest.raises(UserError, match=name.replace("../", "")) as caught:
        dasheng_book(root, only=("2",))
    assert len(str(caught.value)) < 1000


def test_a_listed_chapter_that_is_missing_is_named(root):
    write_toc(root, "01_one", "02_two", "03_three")
    with pytest.raises(UserError, match=r"_toc\.yml lists 03_three, but there is neither"):
        dasheng_book(root)


def test_a_notebook_that_is_none_and_two_parameters_cells_are_named(root):
    (root / "book/01_one.ipynb").write_text('{"cells": [')
    with pytest.raises(UserError, match=r"01_one\.ipynb is not a notebook"):
        dasheng_book(root)
    cells = [new_code_cell("k: int = 1", metadata={"tags": ["parameters"]}) for _ in range(2)]
    nbformat.write(new_notebook(cells=cells), root / "book/01_one.ipynb")
    with pytest.raises(UserError, match="2 cells tagged parameters: keep one"):
        dasheng_book(root)


def test_the_table_of_contents_is_read_in_all_its_shapes(tmp_path):
    toc = tmp_path / "_toc.yml"
    toc.write_text(
        "root: intro\nparts:\n- caption: A\n  chapters:\n  - file: one.ipynb\n"
        "    sections:\n    - file: two\n- chapters:\n  - file: three.md\n  - url: elsewhere\n"
    )
    assert listed_pages(toc) == ["intro", "one", "two", "three"]


def test_a_chapter_may_be_called_by_its_name_number_or_word(root):
    chapters = driver.read_chapters(root / "book")
    for word in ("02_two", "2", "02", "two", "book/02_two.ipynb"):
        assert [c.name for c in select(chapters, [word])] == ["02_two"], word
    assert len(select(chapters, ["1", "two"])) == 2
    assert len(select(chapters, [])) == 2


def test_the_fingerprint_knows_what_outputs_depend_on_and_nothing_else(root):
    def now(values=None, corpus="abc"):
        return fingerprint(read_chapter(path), values or {}, ground(root, corpus))

    path = root / "book/01_one.ipynb"
    (root / "dasheng_lib/features.py").write_text("def f():\n    from dasheng_lib import knn\n")
    (root / "dasheng_lib/__init__.py").write_text("")
    (root / "dasheng_lib/knn.py").write_text("")
    start = now()
    code = "print('one', k)  # dasheng_lib.features"
    write_chapter(root / "book", "01_one", code, text="Other words.")
    (root / "dasheng_lib/rank.py").write_text("")
    (root / "dasheng_lib/book/driver/site.py").write_text("# how pages are built")
    (root / "dasheng_lib/cli.py").write_text("# the command line")
    assert now() == start
    assert now({"k": 10}) == start, "a default that is written out is the default"
    seen = {start, now({"k": 11}), now(corpus="def")}
    for name in (
        "dasheng_lib/knn.py",  # which features imports where it is used
        "dasheng_lib/__init__.py",
        "data_manifests/corpora/x.yml",
        "book/results/sweep.csv",
        "dasheng_lib/weights/nano.safetensors",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("new")
        seen.add(now())
    write_chapter(root / "book", "01_one", "print('one', 2 * k)")
    seen.add(now())
    assert len(seen) == 9


@pytest.mark.parametrize(
    ("cell", "reaches"),
    [
        ("from dasheng_lib.book import (\n    caption,\n    plots,\n)", {"book", "book.plots"}),
        ("%%writefile x.py\nfrom dasheng_lib import knn", {""}),
        ("# as in dasheng_lib.knn", {"knn"}),
        ("hear:dasheng_lib.hear_api:w.pt", {"hear_api"}),
    ],
)
def test_a_chapter_reaches_what_its_cells_import_and_name(cell, reaches):
    names = ("", ".book", ".book.plots", ".knn", ".hear_api")
    known = {f"dasheng_lib{name}": Path() for name in names}
    assert named(cell, known) == {f"dasheng_lib.{name}".strip(".") for name in reaches}


def test_the_line_in_the_box_runs_the_chapter_as_the_build_did(root, tmp_path):
    chapter = read_chapter(root / "book/02_two.ipynb")
    values = {"k": 3, "ratio": 0.25, "names": ["a b", "it's"]}
    box = rerun_box(chapter, {"values": values, "seconds": 12.3, "cores": 2, "profile": "big"})
    line = next(line for line in box.splitlines() if line.startswith("papermill "))
    parsed = papermill_command.make_context("papermill", shlex.split(line)[1:]).params
    assert parsed["notebook_path"] == "book/02_two.ipynb"
    given = {name: yaml.safe_load(text) for name, text in parsed["parameters"]}
    for text in parsed["parameters_yaml"]:
        given |= yaml.safe_load(text)
    assert given == values
    assert "12 s on 2 cores (profile *big*)" in box
    assert "of what \\| there is" in box


@pytest.mark.parametrize(
    "value",
    [
        *[
            "skip zeros",
            "x; rm -rf ~",
            "$(date)",
            "it's",
            "",
            "007",
            "1_000",
            "1e-3",
            "nan",
            "None",
            "no",
            "true",
            "[1",
            "a: b",
        ],
        *["# c", "- d", " e ", "-p", "two\nlines", "`", "\x7f", "é\u2028", "😀"],
        *[True, 3, 1e-07, 1e30, float("inf"), None],
        *[[], ["a b", None, 1e-7, "2"], [[1], ["\n"]]],
    ],
)
def test_the_line_gives_any_value_back_as_it_was(value, tmp_path, root):
    line = papermill_line("a b.ipynb", {"k": value})
    assert "\n" not in line
    words = shlex.split(line)[1:]
    given = []
    with patch("papermill.cli.execute_notebook", lambda **options: given.append(options)):
        papermill_command.main(words, standalone_mode=False)
    assert given[0]["input_path"] == "a b.ipynb"
    (found,) = given[0]["parameters"].values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["a`b", "``", "a|b", "`|``", "two\nlines", "<b>*x*</b>", "$x$"])
def test_foreign_text_is_shown_in_a_table_as_it_is(text):
    table = f"| {code(text)} | b |\n|---|---|\n| 1 | 2 |\n"
    page = BeautifulSoup(MarkdownIt("commonmark").enable("table").render(table), "html.parser")
    shown, other = (cell.text for cell in page.select("th"))
    assert (shown, other) == (text.replace("\n", " "), "b")
    assert page.select("th > code")[0].text == shown


def test_a_book_that_is_run_in_part_is_equal_to_itself(root, no_site):
    assert ran(dasheng_book(root, only=("1",))) == ["01_one"]
    assert "site: unchanged" in dasheng_book(root, only=("1",))


def test_a_computed_caption_is_put_where_the_site_builder_looks(root):
    chapter = read_chapter(root / "book/01_one.ipynb")
    chapter.notebook.cells[-1].metadata["mystnb"] = {"figure": {"name": "fig-one"}}
    executed = copy.deepcopy(chapter.notebook)
    picture = new_output("display_data", {"image/png": ""})
    executed.cells[-1].outputs = [picture, new_output("display_data", caption("It *falls*.", "A"))]
    cell = compose(chapter, executed).cells[-2]
    assert cell.metadata["mystnb"] == {
        "figure": {"name": "fig-one", "caption": "It *falls*."},
        "image": {"alt": "A"},
    }
    assert cell.outputs == [picture], "the words are not shown a second time"


class TestAudio:
    """``--corpus``."""

    @pytest.fixture
    def root_with_corpus(self, root, no_site):
        corpus = 'corpus: str = "pocket"  # which recordings\n'
        write_chapter(root / "book", "02_two", "print(corpus)", parameters=corpus)
        return root

    def test_no_download_makes_a_synthetic_book_that_says_so(self, root_with_corpus, monkeypatch):
        def digest(name, fetch=True):
            if name == "pocket":
                raise UserError("No package list could be had: <connect> & try again.")
            return "f00"

        monkeypatch.setattr(audio, "corpus_digest", digest)
        said = dasheng_book(root_with_corpus)
        assert "audio synthetic f00" in said[0]
        assert "used synthetic audio because" in said[1]
        assert output_of(root_with_corpus, "02_two") == "synthetic\n"
        config = json.loads((root_with_corpus / "_build/html/index.html").read_text())
        banner = config["html"]["announcement"]
        assert "used synthetic audio because" in banner
        assert "No package list could be had: &lt;connect&gt; &amp; try again." in banner
        with pytest.raises(UserError, match="No package list"):
            dasheng_book(root_with_corpus, corpus="pocket")

    def test_real_recordings_need_no_banner(self, root_with_corpus, monkeypatch):
        monkeypatch.setattr(audio, "corpus_digest", lambda name, fetch=True: "abc")
        dasheng_book(root_with_corpus)
        assert output_of(root_with_corpus, "02_two") == "pocket\n"
        config = json.loads((root_with_corpus / "_build/html/index.html").read_text())
        assert "html" not in config
        assert "pocket" in (root_with_corpus / "_build/stage/status.md").read_text()
        monkeypatch.setattr(audio, "corpus_digest", lambda name, fetch=True: "def")
        lines = dasheng_book(root_with_corpus)
        assert "02_two" in ran(lines), "other recordings under the same name are other recordings"

    def test_a_judge_that_cannot_be_had_stops_nothing_and_is_tried_once(
        self, root_with_corpus, monkeypatch
    ):
        asked, there = [], {"pocket": "abc"}

        def digest(name, fetch=True):
            asked.append((name, fetch))
            if name not in there:
                raise UserError(f"{name} cannot be reached.")
            return there[name]

        monkeypatch.setattr(audio, "corpus_digest", digest)
        first, *others = never_heard()
        assert set(audio.FETCHED) < {first, *others} and first in audio.FETCHED
        lines = dasheng_book(root_with_corpus)
        assert asked == [("pocket", True), (first, True), *((name, False) for name in others)]
        assert "speech_commands_test" not in lines[1], "nobody is told of what no build fetches"
        assert f"Without {first}: {first} cannot be reached." in lines[1]
        there |= {name: "def" for name in (first, *others)}
        lines = dasheng_book(root_with_corpus)
        assert "Without" not in "".join(lines)
        assert [name for name, fetch in asked[-len(there) :] if fetch] == ["pocket", *audio.FETCHED]
        assert "02_two" in ran(lines), "a judge that came is another ground"
        assert "02_two" not in ran(dasheng_book(root_with_corpus))


class TestSite:
    """Putting a new site in the place of the old."""

    def test_a_site_that_cannot_be_built_leaves_the_old_one(self, root):
        for name in ("01_one", "02_two"):
            write_chapter(root / "book", name, "", parameters="k: int = 1  # k")
        dasheng_book(root, strict=True)
        html = root / "_build/html"
        assert (html / "01_one.html").exists()
        before = (html / "intro.html").read_bytes()
        (root / "book/intro.md").write_text("# Tiny\n\n[](nowhere.md)\n\n% findings\n")
        with pytest.raises(UserError, match=r"could not build the site .*nowhere"):
            dasheng_book(root, strict=True)
        assert (html / "intro.html").read_bytes() == before
        assert [p.name for p in (root / "_build").glob(".*")] == []
        lines = dasheng_book(root)
        assert any("nowhere" in line for line in lines), "a warning is shown where it is no error"
        assert (html / "intro.html").read_bytes() != before

    def test_a_full_disk_is_no_warning(self, root, tmp_path, monkeypatch):
        """Sphinx goes on without the files that it could not write, and says it succeeded."""
        said = "WARNING: Failed to copy a file: OSError(28, 'No space left on device')"
        done = subprocess.CompletedProcess([], 0, stdout="", stderr=said)
        monkeypatch.setattr(site.subprocess, "run", lambda *_, **__: done)
        place = tmp_path / "html"
        with pytest.raises(UserError, match=r"The disk that holds .* is full.*free some space"):
            site.build_site(root / "book", {}, place, "")
        assert not place.exists()

    def test_a_build_killed_between_two_renames_loses_nothing(self, tmp_path):
        place = tmp_path / "html"
        place.mkdir()
        (place / "index.html").write_text("good")
        place.rename(tmp_path / ".html.old")
        (tmp_path / ".html.0.part").mkdir()
        site.restore_site(place)
        assert (place / "index.html").read_text() == "good"
        (tmp_path / ".html.old").mkdir()  # killed behind the second
        site.restore_site(place)
        assert [path.name for path in tmp_path.iterdir()] == ["html"]

    def test_what_cannot_be_put_in_place_leaves_what_was_there(self, tmp_path):
        place = tmp_path / "html"
        place.mkdir()
        (place / "index.html").write_text("good")
        with pytest.raises(OSError):
            site.replace_folder(tmp_path / "missing", place)
        assert (place / "index.html").read_text() == "good"
