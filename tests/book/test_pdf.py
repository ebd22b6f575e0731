"""The book as one PDF, printed by a browser that a test can see through."""

import pytest

from dasheng_lib.book.driver import pdf
from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError

PRINTS = """#!/bin/sh
for word in "$@"; do case $word in --print-to-pdf=*) out=${word#*=} ;; esac; done
{ printf %s-1.7 %PDF; echo "$word"; } > "$out"
"""


@pytest.fixture
def printed(tmp_path, monkeypatch):
    """``printed(script)`` is what a browser that runs this script leaves as the book."""
    place = tmp_path / "build" / "book.pdf"
    place.parent.mkdir()
    place.write_bytes(b"%PDF old")

    def pages(stage, config, work, place, builder):
        built = work / builder
        built.mkdir()
        for name in ("index.html", "intro.html"):
            (built / name).write_text("")
        return built, []

    monkeypatch.setattr(pdf, "jupyter_book", pages)

    def run(script):
        (tmp_path / "bin").mkdir(exist_ok=True)
        tool = tmp_path / "bin" / pdf.BROWSERS[-1]
        tool.write_text(script)
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:/bin")
        monkeypatch.setattr(pdf, "BROWSERS", (tool.name,))
        pdf.build_pdf(tmp_path, {}, place)
        return place

    run.place = place
    return run


def test_the_page_of_all_pages_is_printed(printed):
    text = printed(PRINTS).read_text()
    assert text.startswith("%PDF-1.7") and text.strip().endswith("/singlehtml/intro.html")
    assert [path.name for path in printed.place.parent.iterdir()] == ["book.pdf"]


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\necho no display >&2; exit 1\n",
        "#!/bin/sh\nexit 0\n",
        PRINTS.replace("%PDF", "x"),
    ],
)
def test_a_browser_that_fails_leaves_the_old_one(printed, script):
    with pytest.raises(UserError, match="could not print the book"):
        printed(script)
    assert printed.place.read_bytes() == b"%PDF old"
    assert [path.name for path in printed.place.parent.iterdir()] == ["book.pdf"]


def test_no_browser_and_no_site_are_known_before_any_work(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["book", "--pdf"]) == 2
    assert "install chromium" in capsys.readouterr().err
    assert main(["book", "--pdf", "--no-site"]) == 2
    assert "take one of the two" in capsys.readouterr().err
