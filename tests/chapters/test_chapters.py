"""Every chapter runs from top to bottom with the smoke profile."""

import nbformat
import pytest
from smoke_book import ROOT

from dasheng_lib.book.driver.pages import findings

CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb")) or ["made_up"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_runs_and_finds_something(smoke_book, chapter):
    executed = nbformat.read(smoke_book.run(chapter), as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code), "every cell was run"
    errors = [o for cell in code for o in cell.outputs if o.output_type == "error"]
    assert errors == []
    assert findings(executed), "a chapter tells the front page what it found"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_page_weighs_no_more_than_a_reader_will_wait_for(smoke_book, chapter):
    assert smoke_book.run(chapter).stat().st_size < 15e6, (
        "fewer or shorter players, smaller figures"
    )
