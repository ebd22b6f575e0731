"""What is committed of a chapter: text and code, never the traces of a run."""

import ast
import importlib
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from dasheng_lib.book.driver.chapters import in_order, read_chapter, read_chapters
from dasheng_lib.book.driver.plan import read_profile, read_value
from dasheng_lib.book.parameters import check_type

BOOK = Path(__file__).parents[2] / "book"
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
MOST_IMPORTS = 9  # what a reader has to know of the library before the first line of a chapter


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_is_clean(path):
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "papermill" not in notebook.metadata
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == 1
    assert "injected-parameters" not in tags
    for number, cell in enumerate(notebook.cells, 1):
        assert "papermill" not in cell.metadata, f"cell {number}"
        assert "execution" not in cell.metadata, f"cell {number}"
        if cell.cell_type == "code":
            assert cell.outputs == [], f"cell {number} has outputs"
            assert cell.execution_count is None, f"cell {number} has a count"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_says_what_it_is_and_checks_what_it_gets(path):
    chapter = read_chapter(path)
    assert chapter.title != chapter.name, "the first text cell begins with a heading"
    for parameter in chapter.parameters.values():
        assert parameter.help, f"{parameter.name} has no comment"
    cells = [cell for cell in chapter.notebook.cells if cell.cell_type == "code"]
    assert "parameters" in cells[0].metadata.get("tags", []), "the parameters come first"
    assert re.search(r"check_(run_)?parameters\(\s*globals\(\)", cells[1].source)


@pytest.mark.skipif(not NOTEBOOKS, reason="no chapter is written yet")
def test_the_table_of_contents_lists_the_chapters_that_there_are():
    chapters = read_chapters(BOOK)
    assert sorted(c.name for c in chapters) == sorted(path.stem for path in NOTEBOOKS)
    assert len(in_order(chapters)) == len(NOTEBOOKS)


@pytest.mark.skipif(not NOTEBOOKS, reason="no chapter is written yet")
@pytest.mark.parametrize("profile", ["quick", "desk", "paper", "smoke"])
def test_each_profile_sets_only_what_the_chapters_declare(profile):
    read_profile(BOOK / "profiles.yml", profile, read_chapters(BOOK))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_a_chapter_imports_of_the_library_is_there(path):
    cells = nbformat.read(path, as_version=nbformat.NO_CONVERT).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    code = "\n".join(source for source in code if not source.startswith("%%"))
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("dasheng_lib"):
            module = importlib.import_module(node.module)
            for name in node.names:
                if not hasattr(module, name.name):  # a module, then
                    importlib.import_module(f"{node.module}.{name.name}")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_imports_in_few_lines(path):
    cells = nbformat.read(path, as_version=nbformat.NO_CONVERT).cells
    lines = "\n".join(c.source for c in cells if c.cell_type == "code").splitlines()
    assert len([line for line in lines if re.match(r"\s*(import|from) ", line)]) <= MOST_IMPORTS
    assert not [line for line in lines if re.search(r"import \*", line)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_ends_in_exercises_that_can_be_run(path):
    """Each has a line with one of the chapter's parameters, of a value of its type."""
    chapter = read_chapter(path)
    (source,) = [c.source for c in chapter.notebook.cells if c.source.startswith("## Try it")]
    items = re.findall(r"^\d\. .*$", source, re.MULTILINE)
    assert len(items) in (2, 3)
    lines = re.findall(r"`papermill book/(\S+).ipynb out.ipynb ([^`]+)`", source)
    assert {name for name, _ in lines} == {path.stem}
    for _, line in lines:
        mapping = re.fullmatch(r"-y '(.+)'", line)
        given = yaml.safe_load(mapping[1]) if mapping else dict(re.findall(r"-p (\S+) (\S+)", line))
        assert given
        for name, text in given.items():
            parameter = chapter.parameters[name]
            value = text if mapping else read_value(text, parameter)
            check_type(name, value, parameter.annotation)
            assert value != parameter.default, line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_shows_the_lines_that_carry_its_idea_and_folds_the_rest(path):
    folded = {"hide-input", "remove-input", "parameters"}
    shown = [
        line
        for cell in read_chapter(path).notebook.cells
        if cell.cell_type == "code" and not folded & set(cell.metadata.get("tags", []))
        for line in cell.source.splitlines()
        if line.strip()
    ]
    assert 7 <= len(shown) <= 35


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_figure_with_a_caption_has_a_name_to_be_linked_by(path):
    for cell in read_chapter(path).notebook.cells:
        if cell.cell_type == "code" and re.search(r"^caption\(", cell.source, re.MULTILINE):
            name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name", "")
            assert name.startswith("fig-"), cell.id
