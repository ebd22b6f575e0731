"""The driver: run what has changed, stage, build the site, replace the old one."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import nbformat
from nbformat.v4 import new_markdown_cell

from dasheng_lib.book.driver import site
from dasheng_lib.book.driver.audio import Audio, choose_audio
from dasheng_lib.book.driver.chapters import Chapter, in_order, read_chapters, select
from dasheng_lib.book.driver.doors import (
    cite_page,
    copy_tables,
    doors,
    read_works,
    repository_files,
)
from dasheng_lib.book.driver.execute import execute
from dasheng_lib.book.driver.fingerprint import fingerprint, ground
from dasheng_lib.book.driver.pages import front_page, status_page, told
from dasheng_lib.book.driver.pdf import browser, build_pdf
from dasheng_lib.book.driver.plan import Values, read_overrides, read_profile, resolve
from dasheng_lib.book.driver.progress import Left, progress_line
from dasheng_lib.book.driver.readme import write_readme
from dasheng_lib.book.driver.stage import build_record, compose, copy_text, read_executed
from dasheng_lib.book.words.findings import MIME, PICTURE
from dasheng_lib.common.cache import locked
from dasheng_lib.common.provenance import provenance


@dataclass(frozen=True)
class Options:
    """What ``dasheng book`` was asked for; see its help."""

    root: Path
    profile: str = "quick"
    only: tuple[str, ...] = ()
    force: bool = False
    corpus: str = "auto"
    parameters: tuple[str, ...] = ()
    cell_seconds: int | None = 3600
    strict: bool = False
    site: bool = True
    pdf: bool = False
    readme: bool = False
    out: TextIO = field(default_factory=lambda: sys.stdout)


def build(options: Options, audio: Callable[[str], Audio] = choose_audio) -> Path | None:
    """Build the book of a checkout; the path of its ``index.html`` unless no site is wanted.

    Everything lies in ``_build/``: ``executed/`` the last good run of each chapter, ``stage/``
    what the site was built from, ``html/`` the site, ``failed/`` and ``site.log`` what to look
    at when something went wrong.

    Raises:
        UserError: before anything is run, for options and parameters that cannot be; later
            for a corpus that cannot be had, a chapter that fails, a site that cannot be built.
    """
    root = options.root.resolve()
    if options.pdf:
        browser()  # before minutes of work
    with locked(root / "_build" / "book"):
        return _build(options, root, audio)


def _build(options: Options, root: Path, audio: Callable[[str], Audio]) -> Path | None:
    book, folder = root / "book", root / "_build"
    site.restore_site(folder / "html")
    chapters = read_chapters(book)
    ordered = in_order(chapters)
    to_run = select(ordered, options.only)
    profile = read_profile(book / "profiles.yml", options.profile, chapters)
    overrides = read_overrides(options.parameters, to_run)

    needs_audio = any("corpus" in chapter.parameters for chapter in chapters)
    recordings = audio(options.corpus) if needs_audio else Audio("none", "")
    plan = resolve(to_run, profile, overrides, recordings.name if needs_audio else None)
    _say(options, f"profile {options.profile}, audio {recordings.name} {recordings.digest[:12]}")
    for line in filter(None, (recordings.banner, recordings.lacks)):
        _say(options, line)

    made: dict[str, Any] = provenance() | {
        "profile": options.profile,
        "corpus": recordings.name,
        "corpus_digest": recordings.digest,
    }
    below = ground(root, recordings.digest, recordings.judges)
    marks = {c.name: fingerprint(c, plan[c.name], below) for c in to_run}
    last = {c.name: build_record(read_executed(_executed(root, c.name))) for c in to_run}
    stale = [c for c in to_run if options.force or last[c.name].get("fingerprint") != marks[c.name]]
    # Of other profiles nobody has measured how long a chapter takes.
    left = Left({c.name: c.seconds for c in stale} if options.profile == "quick" else {})
    if stale:
        _say(options, f"to run: {len(stale)} of {len(to_run)} chapters{left}")
    for chapter in to_run:
        if chapter in stale:
            record = made | {"fingerprint": marks[chapter.name], "values": plan[chapter.name]}
            _run(chapter, plan[chapter.name], options, root, record, left)
        else:
            _say(options, f"{chapter.name}: unchanged")
    ran = {chapter.name for chapter in stale}
    if not options.site:
        return None
    return _publish(options, root, chapters, ran, made, recordings.banner)


def _run(
    chapter: Chapter,
    values: Values,
    options: Options,
    root: Path,
    record: dict[str, Any],
    left: Left,
) -> None:
    started = time.monotonic()
    failed = root / "_build" / "failed" / f"{chapter.name}.ipynb"
    failed.unlink(missing_ok=True)
    with progress_line(chapter.name, options.out) as progress:
        execute(
            chapter,
            values,
            _executed(root, chapter.name),
            folder=root,
            record=record,
            progress=progress,
            cell_seconds=options.cell_seconds,
            failed=failed,
        )
    seconds = time.monotonic() - started
    left.ran(chapter.name, seconds)
    _say(options, f"{chapter.name}: {seconds:.0f} s{left}")


def _executed(root: Path, name: str) -> Path:
    return root / "_build" / "executed" / f"{name}.ipynb"


def _publish(
    options: Options,
    root: Path,
    chapters: list[Chapter],
    ran: set[str],
    made: dict[str, Any],
    banner: str,
) -> Path:
    """Stage what there is and build the site from it, unless the site is of just that."""
    folder = root / "_build"
    stage, html = folder / "stage", folder / "html"
    executed = {
        chapter.name: _same_code(chapter, _executed(root, chapter.name)) for chapter in chapters
    }
    records = {name: build_record(notebook) for name, notebook in executed.items()}
    shutil.rmtree(stage, ignore_errors=True)
    copy_text(root / "book", stage)
    copy_tables(root, stage)
    config = site.site_config(root / "_config.yml", banner)
    works, files = read_works(root / "book" / "references.bib"), repository_files(config)
    for chapter in chapters:
        page = compose(chapter, executed[chapter.name])
        ways = doors(chapter, records[chapter.name], works, files)
        page.cells.append(new_markdown_cell(ways, id="doors"))
        nbformat.write(page, stage / f"{chapter.name}.ipynb")
    intro = stage / "intro.md"
    if intro.exists():
        intro.write_text(front_page(intro.read_text(), chapters, executed))
    cite = stage / "cite.md"
    if cite.exists():
        cite.write_text(cite_page(cite.read_text(), root))
    if (root / "CHANGELOG.md").exists():
        shutil.copy(root / "CHANGELOG.md", stage / "changelog.md")
    # The status page says what this very build did, so it is left out of the comparison,
    # or else the first unchanged build would always build the site once more.
    status = stage / "status.md"
    status.write_text(status_page(chapters, records, set(), made))
    built_from = site.site_digest(stage, config)
    if site.is_current(html, built_from):
        _say(options, "site: unchanged")
    else:
        started = time.monotonic()
        status.write_text(status_page(chapters, records, ran, made))
        warnings = site.build_site(stage, config, html, built_from, strict=options.strict)
        for line in warnings:
            _say(options, line)
        _say(options, f"site: {time.monotonic() - started:.0f} s")
    if options.readme:
        pictures, found = (
            [one for c in chapters for one in told(executed[c.name], kind)]
            for kind in (PICTURE, MIME)
        )
        write_readme(
            root, pictures[0]["html"] if pictures else "", [o for o in found if o.get("saw")]
        )
    if options.pdf:
        place = folder / "book.pdf"
        with progress_line("pdf", options.out):
            build_pdf(stage, config, place)
        print(place, file=options.out, flush=True)
    print(html / "index.html", file=options.out, flush=True)
    return html / "index.html"


def _same_code(chapter: Chapter, path: Path) -> nbformat.NotebookNode | None:
    """The last run of a chapter if it ran the code that the chapter has now."""
    executed = read_executed(path)
    if executed is None:
        return None
    ran = [
        cell.source
        for cell in executed.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    now = [cell.source for cell in chapter.notebook.cells if cell.cell_type == "code"]
    return executed if ran == now else None


def _say(options: Options, line: str) -> None:
    print(line, file=options.out, flush=True)
