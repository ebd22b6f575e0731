"""A page with scripts, opened in a headless Chromium; skipped where there is none."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "book" / "_static"


def in_browser(folder, body, scripts, ask):
    """What the function body ``ask`` returns, as JSON, on a page of ``body`` and ``scripts``."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium to run the scripts in")
    sources = "".join(f"<script src='{(STATIC / name).as_uri()}'></script>" for name in scripts)
    page = folder / "page.html"
    page.write_text(
        f"<!doctype html><meta charset=utf-8><body>{body}{sources}<pre id=answer></pre><script>"
        "addEventListener('error', (e) => { answer.textContent = JSON.stringify(e.message) });"
        "addEventListener('load', () => { answer.textContent = JSON.stringify((() => {"
        f"{ask}}})()) }})</script></body>"
    )
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'profile'}",
    ]
    command = [chromium, *options, "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    answer = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.DOTALL)[1]
    return json.loads(answer.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
