"""The ways out of a page, and what a kernel notes of what it reads."""

import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.doors import (
    TABLES,
    cite_page,
    copy_tables,
    doors,
    read_works,
    repository_files,
)
from dasheng_lib.book.driver.execute import NOTE_READS, execute, tables_of
from dasheng_lib.book.driver.site import site_config
from dasheng_lib.common.errors import UserError

PLACES = [*TABLES]
BIB = """@misc{both, title = {A}, eprint = {2101.00001}, doi = {10.1000/x}}
@misc{preprint, title = {B}, eprint = {2101.00002}, doi = {10.48550/arXiv.2101.00002}}
@misc{none, title = {C}}
"""


def chapter(tmp_path, *cells) -> Chapter:
    path = tmp_path / "01_one.ipynb"
    return Chapter("01_one", path, "One", {}, (), "", "", new_notebook(cells=[*cells]))


@pytest.fixture
def works(tmp_path):
    (tmp_path / "references.bib").write_text(BIB)
    return read_works(tmp_path / "references.bib")


def test_papers_are_those_that_a_chapter_cites_with_what_is_known_of_them(tmp_path, works):
    page = chapter(
        tmp_path, new_markdown_cell("{cite:t}`both` and {cite}`preprint, none`; {cite}`both`")
    )
    line = doors(page, {}, works, "")
    assert line.count("{cite:t}") == 2 and "`none`" not in line
    assert "(https://arxiv.org/abs/2101.00001)" in line and "(https://doi.org/10.1000/x)" in line
    assert line.count("2101.00002") == 1, "a preprint's DOI leads where its number leads"


def test_the_repository_is_linked_only_where_its_address_is_set(tmp_path, works):
    page = chapter(tmp_path)
    for config in ({}, {"repository": None}, {"repository": {"url": ""}}):
        assert repository_files(config) == ""
    assert "Source" not in doors(page, {}, works, "")
    files = repository_files({"repository": {"url": "https://example.org/r/"}})
    link = "[Source](https://example.org/r/blob/main/book/01_one.ipynb)"
    assert link in doors(page, {}, works, files)
    (tmp_path / "c.yml").write_text("repository: {url: 'https://example.org/r'}\n")
    assert site_config(tmp_path / "c.yml", "")["html"]["use_repository_button"]


def test_tables_lie_in_the_site_where_the_links_lead(tmp_path, works):
    names = [f"{place}/t{n}.csv" for n, place in enumerate(TABLES)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("a\n1\n")
    copy_tables(tmp_path, tmp_path / "stage")
    line = doors(chapter(tmp_path), {"data": names}, works, "")
    for link in ("data/published/t0.csv", "data/results/t1.csv"):
        assert f'href="{link}"' in line and (tmp_path / "stage/_vendored" / link).is_file()


def test_a_kernel_notes_the_tables_that_it_reads_and_leaves_no_name(tmp_path):
    log, table = tmp_path / "log", tmp_path / PLACES[0] / "t.csv"
    table.parent.mkdir(parents=True)
    table.write_text("a\n1\n")
    program = NOTE_READS.format(log=str(log)) + (
        "assert not [name for name in dir() if not name.startswith('__')]\n"
        f"import pandas; pandas.read_csv({str(table)!r}); open({str(table)!r}).close()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert tables_of(log.read_text().splitlines()) == [f"{PLACES[0]}/t.csv"]
    assert tables_of(["/elsewhere/t.csv", "clips.csv"]) == []


def test_a_run_keeps_what_it_read(tmp_path):
    table = tmp_path / PLACES[1] / "t.csv"
    table.parent.mkdir(parents=True)
    table.write_text("a\n1\n")
    page = chapter(
        tmp_path, new_code_cell(f"open('{PLACES[1]}/t.csv').close()\nopen({str(table)!r})")
    )
    out = tmp_path / "out.ipynb"
    execute(page, {}, out, folder=tmp_path, record={}, failed=tmp_path / "failed.ipynb")
    kept = nbformat.read(out, as_version=4).metadata["companion_build"]
    assert kept["data"] == [f"{PLACES[1]}/t.csv"]


def test_how_to_cite_is_what_the_citation_file_says(tmp_path):
    (tmp_path / "CITATION.cff").write_text(
        "title: T\nversion: 1.0\nauthors: [{name: We}]\nreferences:\n- title: P\n  year: 2020\n"
        "  authors: [{family-names: Oord, name-particle: van den, given-names: A}]\n"
        "  identifiers: [{type: other, value: 'arXiv:2101.00001'}]\n"
    )
    said = cite_page("# Cite\n% cite\n", tmp_path)
    assert "1. We: *T*. Version 1.0." in said
    assert (
        "2. A van den Oord: *P*. 2020, [arXiv:2101.00001](https://arxiv.org/abs/2101.00001)."
        in said
    )


def test_a_broken_bibliography_is_one_sentence(tmp_path):
    (tmp_path / "references.bib").write_text("@misc{a, title = {\n")
    with pytest.raises(UserError, match=r"references\.bib"):
        read_works(tmp_path / "references.bib")
