"""The ways out of a page: papers, notebook, data, citation, repository."""

from __future__ import annotations

import base64
import html
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.common.errors import reading
from dasheng_lib.common.yaml_files import read_yaml

MEND = "mend it, or take it from the repository again"
# Tables that a chapter reads and a reader may have.
TABLES = {"data_manifests/published": "published", "book/results": "recorded"}
FOLDER = "data"  # their copies, in the site
ARXIV_DOI = "10.48550/arXiv."
Works = Mapping[str, Mapping[str, str]]


def read_works(path: Path) -> Works:
    """The fields of each entry of a BibTeX file, by key; nothing where there is no file."""
    from pybtex.database import parse_file

    if not path.exists():
        return {}
    with reading(path, "BibTeX", MEND):
        return {key: dict(entry.fields) for key, entry in parse_file(path).entries.items()}


def copy_tables(root: Path, stage: Path) -> None:
    """Put all published and recorded tables where the site builder takes them into the site."""
    for table in (path for place in TABLES for path in sorted((root / place).glob("*.*"))):
        if table.suffix in (".csv", ".json"):
            to = stage / "_vendored" / FOLDER / table.parent.name
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(table, to)


def doors(chapter: Chapter, record: Mapping[str, Any], works: Works, repository: str) -> str:
    """Markdown: one line of links for the end of a chapter.

    Args:
        record: of its last run; ``data`` are the tables that it read.
        repository: address of a branch's files, or nothing.
    """
    text = "\n".join(c.source for c in chapter.notebook.cells if c.cell_type == "markdown")
    cited = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
    keys = dict.fromkeys(key.strip() for group in cited for key in group.split(","))
    papers = [f"{{cite:t}}`{key}` {out}" for key in keys if (out := _out(works.get(key, {})))]
    tables = [
        f"{word} "
        + ", ".join(
            f'<a href="{FOLDER}/{Path(name).parent.name}/{Path(name).name}" download>'
            f"{Path(name).stem}</a>"
            for name in record["data"]
            if name.startswith(place)
        )
        for place, word in TABLES.items()
        if any(name.startswith(place) for name in record.get("data", ()))
    ]
    parts = [
        f"*Papers*: {', '.join(papers)}" if papers else "",
        f'*Notebook*: <a href="_sources/{chapter.name}.ipynb" download>with this build\'s '
        "outputs</a>",
        f"*Data* (CSV): {'; '.join(tables)}" if tables else "",
        "[How to cite](cite.md)" if chapter.path.with_name("cite.md").exists() else "",
        f"[Source]({repository}/book/{chapter.name}.ipynb)" if repository else "",
    ]
    return ":::{container} doors\n" + " · ".join(filter(None, parts)) + "\n:::"


def data_links(tables: Iterable[tuple[str, str]], stem: str) -> str:
    """HTML: a line that offers the numbers of a figure, the files within the page.

    Args:
        tables: names and CSV; a single one may have no name.
        stem: what the files are called, before that name.
    """
    links = []
    for name, text in tables:
        file = re.sub(r"\W+", "-", f"{stem} {name}").strip("-")
        links.append(
            f'<a download="{file}.csv" href="data:text/csv;charset=utf-8;base64,'
            f'{base64.b64encode(text.encode()).decode()}">{html.escape(name) or "CSV"}</a>'
        )
    return f'<p class="data">Data of this figure: {", ".join(links)}</p>'


def _out(work: Mapping[str, str]) -> str:
    links = {
        "arXiv": ("https://arxiv.org/abs/", work.get("eprint", "")),
        "DOI": ("https://doi.org/", work.get("doi", "").removeprefix(ARXIV_DOI)),
        "page": ("", work.get("url", "")),
    }
    if links["DOI"][1] == links["arXiv"][1]:  # the DOI of the preprint leads to the same page
        del links["DOI"]
    found = [f"[{name}]({start}{rest})" for name, (start, rest) in links.items() if rest]
    return f"({', '.join(found)})" if found else ""


def repository_files(config: Mapping[str, Any]) -> str:
    """Where the files of the repository are shown, from ``repository`` of ``_config.yml``."""
    setting = config.get("repository") or {}
    url = str(setting.get("url") or "").rstrip("/")
    return f"{url}/blob/{setting.get('branch') or 'main'}" if url else ""


def cite_page(text: str, root: Path) -> str:
    """``cite.md`` with what CITATION.cff says at its mark ``% cite``."""
    path = root / "CITATION.cff"
    said = read_yaml(path, MEND) if path.exists() else {}
    lines = [_citation(said | {"version": f"Version {said['version']}"})] if said else []
    lines += [_citation(work) for work in said.get("references", ())]
    listed = "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))
    return "\n".join(listed if line == "% cite" else line for line in text.splitlines()) + "\n"


def _citation(work: Mapping[str, Any]) -> str:
    names = [
        one.get("name")
        or " ".join(one[k] for k in ("given-names", "name-particle", "family-names") if k in one)
        for one in work.get("authors", ())
    ]
    numbers = [one["value"] for one in work.get("identifiers", ())]
    links = [f"[{n}](https://arxiv.org/abs/{n.removeprefix('arXiv:')})" for n in numbers]
    rest = [work.get("collection-title"), work.get("version"), work.get("year"), *links]
    return f"{', '.join(names)}: *{work['title']}*. {', '.join(str(r) for r in rest if r)}."
