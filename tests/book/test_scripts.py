"""The scripts of the pages, pressed in a real browser."""

import shutil
import subprocess

import pytest
from bs4 import BeautifulSoup
from smoke_book import ROOT

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PAGE = """<!doctype html><html><body>
<div class="article-header-buttons"></div>
<details class="admonition hide above-input"><summary>Show</summary>one</details>
<details class="admonition hide above-input"><summary>Show</summary>two</details>
<details class="other"><summary>Show</summary>three</details>
<table class="sortable"><caption>Scores.</caption>
<thead><tr><td></td><th class="col_heading">score</th></tr></thead>
<tbody><tr><th>a</th><td>9.5</td></tr><tr><th>b</th><td>&ndash;</td></tr><tr><th>c</th><td>10.5</td></tr>
</tbody></table>
<script src="{static}/sortable.js"></script><script src="{static}/code_switch.js"></script>
<script>{press}</script></body></html>"""


def pressed(tmp_path, press):
    """The page after it was loaded and the script ``press`` was run."""
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(static=(ROOT / "book/_static").as_uri(), press=press))
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    return BeautifulSoup(done.stdout, "html.parser")


@pytest.mark.skipif(not BROWSER, reason="no chromium here: Debian's package has it")
def test_one_press_shows_all_code_and_sorts_by_a_column(tmp_path):
    button = "document.querySelector('{}').click();"
    once = button.format(".code-switch") + button.format(".sortable th button")
    page = pressed(tmp_path, f"addEventListener('load', () => {{ {once} }})")
    assert [fold.has_attr("open") for fold in page.find_all("details")] == [True, True, False]
    assert page.select_one(".code-switch")["aria-pressed"] == "true"
    assert [row.th.text for row in page.tbody.find_all("tr")] == ["c", "a", "b"]
    assert page.select_one(".col_heading")["aria-sort"] == "descending"
