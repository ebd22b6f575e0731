"""Tables of pandas as a reader wants them: one row of headings, each with its scope."""

from __future__ import annotations

import re

import nbformat
from bs4 import BeautifulSoup, Tag

NUMBER = re.compile(r"[-+\u2212~<>±]?\s*\d")  # what a cell of numbers begins with
EMPTY = ("", "\u2013", "\u00a0", "nan")


def tidy(cell: nbformat.NotebookNode) -> None:
    """Tidy the tables in a cell's outputs."""
    for output in cell.outputs:
        page = output.get("data", {}).get("text/html", "")
        if "<table" in page:
            output["data"]["text/html"] = tidied(page)


def tidied(page: str) -> str:
    """HTML whose tables have the names of their index in the row of the columns' names, ``scope``
    in every heading, and the class ``words`` on cells of a column of words."""
    soup = BeautifulSoup(page, "html.parser")
    for table in soup.find_all("table"):
        if table.thead:
            _join_names(table.thead)
            for head in table.thead.find_all("th"):
                head["scope"] = "colgroup" if int(head.get("colspan", 1)) > 1 else "col"
                if not head.text.strip():
                    head.name = "td"
                    del head["scope"]
        for body in table.find_all("tbody"):
            for head in body.find_all("th"):
                head["scope"] = "rowgroup" if int(head.get("rowspan", 1)) > 1 else "row"
            _left_words(body, table.thead.find_all("tr")[-1] if table.thead else None)
    return str(soup)


def _join_names(head: Tag) -> None:
    """pandas writes the names of an index into a row of their own, which is empty otherwise."""
    *_, above, last = [None, None, *head.find_all("tr")]
    cells = last.find_all("th") if last else []
    names = [cell for cell in cells if "index_name" in cell.get("class", [])]
    if above and names and not any(cell.text.strip() for cell in cells if cell not in names):
        for place, name in zip(above.find_all("th"), names, strict=False):
            place.string = name.text.strip()
        last.decompose()


def _left_words(body: Tag, head: Tag | None) -> None:
    heads = head.find_all(["th", "td"])[::-1] if head else []
    columns: dict[int, list[Tag]] = {}
    for row in body.find_all("tr"):
        for place, cell in enumerate(reversed(row.find_all("td"))):
            columns.setdefault(place, []).append(cell)
    for place, cells in columns.items():
        said = [cell.text.strip() for cell in cells if cell.text.strip() not in EMPTY]
        if said and sum(bool(NUMBER.match(text)) for text in said) <= len(said) / 2:
            for cell in [*cells, *heads[place : place + 1]]:
                cell["class"] = [*cell.get("class", []), "words"]
