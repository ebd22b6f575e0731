"""Numbers to take along: of each figure, of each table as it stands."""

import ast
import base64
import io
import re

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from browser import in_browser
from bs4 import BeautifulSoup
from chapter_cells import BOOK, code_cells
from nbformat.v4 import new_code_cell, new_notebook, new_output

from dasheng_lib.book import three_columns
from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.stage import compose
from dasheng_lib.book.driver.tables import tidied
from dasheng_lib.book.figures import plots_benchmarks, plots_scale
from dasheng_lib.book.words import captions
from dasheng_lib.results.pairs import Gain, Pair

FRAME = pd.DataFrame({"step": [0, 10], "a, b": [0.25, 1 / 3]})
# Chapters whose figures are of numbers: of the others some are of sound.
WITH_DATA = ("04", "05", "07", "08", "09", "10", "11", "12", "13", "14", "16", "17", "18")


def page_of(data):
    """The links of a page whose one figure has this data, by what they say."""
    picture = new_output("display_data", {"image/png": ""})
    words = new_output("display_data", captions.bundle("It is.", "A line.", data))
    cell = new_code_cell("draw()", id="one")
    ran = new_code_cell("draw()", id="one", outputs=[picture, words])
    chapter = Chapter("07_x", BOOK / "07_x.ipynb", "X", {}, (), "", "", new_notebook(cells=[cell]))
    page = compose(chapter, new_notebook(cells=[ran]))
    nbformat.validate(page)
    assert page.cells[0].outputs == [picture], "else the site builder makes two figures"
    said = [cell.source for cell in page.cells if cell.id == "one-data"]
    return [link for text in said for link in BeautifulSoup(text, "html.parser")("a")]


def read(link):
    kind, _, text = link["href"].partition(";base64,")
    assert kind == "data:text/csv;charset=utf-8"
    return pd.read_csv(io.BytesIO(base64.b64decode(text)))


def test_a_figure_offers_the_numbers_that_it_is_drawn_from():
    (link,) = page_of(FRAME)
    assert link["download"] == "07_x-one.csv" and link.text == "CSV"
    pd.testing.assert_frame_equal(read(link), FRAME, rtol=1e-5)
    assert page_of(None) == []


def test_each_table_of_a_figure_is_there_by_its_name():
    first, second = page_of({"the run": FRAME, "<b>": FRAME["step"].rename("x")})
    assert first["download"] == "07_x-one-the-run.csv" and second.text == "<b>"
    assert read(second)["x"].tolist() == [0, 10]


def test_an_index_that_says_something_is_kept():
    named = FRAME.set_index(pd.Index(["é", "y"]))
    both = pd.concat({"p": named, "q": named}, names=["group", "row"])
    wide = pd.DataFrame({("now", "a"): [1.0]}, index=pd.Index([3], name="k"))
    assert captions.csv_of(named).splitlines()[:2] == ['name,step,"a, b"', "é,0,0.25"]
    assert captions.csv_of(both).splitlines()[0] == 'group,row,step,"a, b"'
    assert captions.csv_of(wide) == "k,now a\n3,1\n"
    assert captions.csv_of(FRAME.iloc[[1]]).startswith("step,"), "rows that were chosen"


@pytest.mark.parametrize("number", WITH_DATA)
def test_every_figure_of_numbers_hands_them_out(number):
    path = next(BOOK.glob(f"{number}_*.ipynb"))
    calls = [
        node
        for cell in code_cells(path)
        if re.search(r"(?m)^ *caption\($", cell.source)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "caption"
    ]
    assert calls and all("data" in [k.arg for k in call.keywords] for call in calls)


def test_what_a_function_says_it_drew_is_what_it_drew():
    drawn = plots_scale.days(dict.fromkeys("abc", 1e21), {"A100": 3e14}, 8, ("*", 0.3, 20))
    line = plt.gca().lines[0]
    plt.close()
    np.testing.assert_allclose(line.get_ydata(), drawn["a, 8 x A100"])
    np.testing.assert_allclose(line.get_xdata(), drawn.index)
    assert drawn.iloc[0, 0] == pytest.approx(1e21 / (8 * 3e14 * 0.1) / 86_400)
    pair = Gain(Pair("a", "b", "label"), pd.Series({"t": 1.0, "u": 3.0}), 2.0, -10.7, 14.7)
    table = plots_benchmarks.gains_table({"size": [pair]})
    assert table.loc[("size", "label")].to_dict() == {
        **{"t": 1.0, "u": 3.0},
        **{"mean": 2.0, "low": -10.7, "high": 14.7},
    }


def test_a_table_is_handed_out_as_it_stands(tmp_path):
    index = pd.MultiIndex.from_tuples([("s", "k"), ("s", 'l "m"')], names=["set", "probe"])
    columns = pd.MultiIndex.from_tuples([("published", "a"), ("recorded", "b, c")])
    frame = pd.DataFrame([[1.25, np.nan], [10.0, 3.5]], index, columns)
    table = three_columns(frame, "T").set_table_attributes('class="sortable"').to_html()
    small = table.replace("10.0", "10.0<br/><small>1 of 2</small>")
    ask = """
        const taken = [];
        HTMLAnchorElement.prototype.click = function () {
            const [, ...text] = this.href.split(",");
            taken.push([this.download, decodeURIComponent(text.join(","))]);
        };
        const [plain, sorted] = document.querySelectorAll("button.csv");
        plain.click();
        document.querySelectorAll("table")[1].querySelector("th.col_heading button").click();
        sorted.click();
        return {taken, label: plain.ariaLabel};"""
    flat = FRAME.style.format(precision=2).hide(axis="index").to_html()
    flat = flat.replace("<table", "<table class=sortable")
    page = "".join(f"<div class='cell_output'>{tidied(one)}</div>" for one in (small, flat))
    found = in_browser(tmp_path, page, ["sortable.js", "csv.js"], ask)
    assert [name for name, _ in found["taken"]] == ["page-table-1.csv", "page-table-2.csv"]
    first, second = (text for _, text in found["taken"])
    assert first.splitlines() == [
        'set,probe,published a,"recorded b, c"',
        "s,k,1.2,",
        's,"l ""m""",10.0,3.5',
    ]
    assert second.splitlines() == ['step,"a, b"', "10,0.33", "0,0.25"]
    assert "CSV" in found["label"]
