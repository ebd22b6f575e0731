"""The whole book as one PDF: one long page by jupyter-book, printed by a browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from dasheng_lib.book.driver.site import jupyter_book
from dasheng_lib.common.cache import put_in_place, scratch_folder
from dasheng_lib.common.errors import UserError, one_line

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FOR_FORMULAS = 20_000  # ms of the page's own clock, until all mathematics is set
SECONDS = 600  # that printing may take


def browser() -> str:
    """The browser that prints.

    Raises:
        UserError: there is none.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise UserError(
        f"A PDF is printed by a browser, and none of {', '.join(BROWSERS)} is here: install "
        "chromium (Debian: apt install chromium), or print pages from a browser of yours."
    )


def build_pdf(stage: Path, config: dict[str, Any], place: Path) -> None:
    """Print all pages of ``stage`` into ``place``; what lies there stays if that fails.

    Raises:
        UserError: no browser, or jupyter-book or the browser failed.
    """
    printer = browser()
    with scratch_folder(place) as work:
        pages, _ = jupyter_book(stage, config, work, place, "singlehtml")
        # All of it is on the page of the root; index.html only leads there, if that is another.
        page = min(pages.glob("*.html"), key=lambda path: path.name == "index.html")
        made = work / place.name
        command = [printer, "--headless", "--no-sandbox", "--disable-gpu"]
        command += [f"--user-data-dir={work / 'profile'}", "--no-pdf-header-footer"]
        command += [f"--virtual-time-budget={FOR_FORMULAS}", f"--print-to-pdf={made}"]
        try:
            done = subprocess.run(
                [*command, page.as_uri()],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UserError(f"{printer} could not print the book ({one_line(error)}).") from error
        if done.returncode != 0 or not made.is_file() or made.read_bytes()[:5] != b"%PDF-":
            said = one_line(done.stderr.strip() or "without a word")
            raise UserError(f"{printer} could not print the book: {said}")
        put_in_place(made, place)
