"""Tables of the pages: one row of headings, scopes, words to the left."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from dasheng_lib.book.driver.tables import tidied

INDEX = pd.MultiIndex.from_tuples([("s", "k"), ("s", "l")], names=["set", "probe"])


def table(frame, plain=False):
    page = frame.to_html() if plain else frame.style.to_html()
    return BeautifulSoup(tidied(page), "html.parser").table


def test_names_of_the_index_stand_beside_those_of_the_columns():
    frame = pd.DataFrame({("published", "a"): [1.0, 2], ("recorded", "b"): [3.0, 4]}, index=INDEX)
    rows = table(frame).thead.find_all("tr")
    said = [[cell.text.strip() for cell in row.find_all(["th", "td"])] for row in rows]
    assert said == [["", "", "published", "recorded"], ["set", "probe", "a", "b"]]


def test_without_names_the_rows_stay_as_they_are():
    assert len(table(pd.DataFrame({"a": [1]})).thead.find_all("tr")) == 1
    assert len(table(pd.DataFrame({"a": [1]}, index=INDEX[:1]), plain=True).thead("tr")) == 2


@pytest.mark.parametrize("plain", [False, True])
def test_every_heading_says_what_it_heads_and_none_is_empty(plain):
    frame = pd.DataFrame({("x", "a"): [1, 2], ("x", "b"): [3, 4]}, index=INDEX)
    found = table(frame, plain)
    for head in found.find_all("th"):
        assert head.text.strip()
        wide, tall = (int(head.get(name, 1)) > 1 for name in ("colspan", "rowspan"))
        inside = "col" if head.find_parent("thead") else "row"
        assert head["scope"] == inside + ("group" if wide or tall else "")


def test_words_stand_left_and_numbers_right():
    frame = pd.DataFrame(
        {"licence": ["MIT", "\u2013"], "gain": ["+1.0 … +2.0", ""], "share": ["40 %", "\u2013"]}
    )
    found = table(frame)
    for row in [found.thead.tr, *found.tbody("tr")]:
        cells = row(["th", "td"])[1:]
        assert ["words" in cell.get("class", []) for cell in cells] == [True, False, False]
