"""README and its companions say what is so."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from walks import FENCE

from dasheng_lib.book.driver.audio import FETCHED
from dasheng_lib.results import read_results

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md"]
README = (ROOT / "README.md").read_text()
CORPORA = ROOT / "data_manifests" / "corpora"
WORKS = {"2406.06992", "2510.10948", "2405.00934", "2111.12124"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)", FENCE.sub("", (ROOT / page).read_text()))
    here = [link for link in links if "://" not in link]
    missing = [link for link in here if not (ROOT / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_goals_of_make_exist(page):
    goals = set(re.findall(r"\bmake (\w+)(?=[`\s])", " ".join(code(ROOT / page))))
    assert goals
    for goal in goals:
        env = {"PATH": os.environ["PATH"]}  # without the flags of a make that runs this test
        subprocess.run(["make", "-n", goal], cwd=ROOT, env=env, check=True, capture_output=True)


def test_parameters_in_papermill_lines_are_declared():
    import papermill

    lines = re.findall(r"papermill (book/\S+) out.ipynb -p (\w+)", (ROOT / "README.md").read_text())
    assert lines
    for chapter, name in lines:
        assert name in papermill.inspect_notebook(str(ROOT / chapter))


def test_minutes_of_the_first_run_are_those_that_were_recorded():
    """README's first command is the run of ``book/results/probes``, which kept its seconds."""
    low, high = re.search(r"runs/first +# (\d+) to (\d+) minutes", README).groups()
    taken = [
        seconds / 60 for seconds in read_results("probes").attrs["pretraining_seconds"].values()
    ]
    assert int(low) <= min(taken) and max(taken) <= int(high) < 2 * max(taken)


def test_sizes_of_the_downloads_are_those_of_the_manifests():
    sizes = [yaml.safe_load((CORPORA / f"{name}.yml").read_text())["bytes"] for name in FETCHED]
    assert f"{sum(sizes) / 1e6:.0f} MB of test sets" in README


def test_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    cited = {
        work["identifiers"][0]["value"].removeprefix("arXiv:") for work in citation["references"]
    }
    assert cited == WORKS
    assert all(
        work["authors"] and work["title"] and work["year"] for work in citation["references"]
    )
    assert set(re.findall(r"arxiv.org/abs/([\d.]+)", (ROOT / "README.md").read_text())) == WORKS


def test_licences():
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert "END OF TERMS AND CONDITIONS" in (ROOT / "LICENSE").read_text()
    assert "CC BY 4.0" in (ROOT / "LICENSE-text").read_text()


def code(page: Path) -> list[str]:
    """Code blocks and code spans."""
    return [a or b for a, b in re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", page.read_text(), re.S)]


def test_the_table_of_chapters_is_that_of_the_book():
    parts = yaml.safe_load((ROOT / "book/_toc.yml").read_text())["parts"][:-1]
    told = re.findall(r"^\| \| \*\*(.+)\*\* \|$|^\| \[\d\d\]\(book/(\S+)\.ipynb\)", README, re.M)
    expected = [(part["caption"], *(c["file"] for c in part["chapters"])) for part in parts]
    assert [caption or file for caption, file in told] == [name for p in expected for name in p]
