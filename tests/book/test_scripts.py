"""The scripts of the pages, pressed in a real browser."""

from browser import in_browser

PAGE = """<div class="article-header-buttons"></div>
<details class="admonition hide above-input"><summary>Show</summary>one</details>
<details class="admonition hide above-input"><summary>Show</summary>two</details>
<details class="other"><summary>Show</summary>three</details>
<table class="sortable"><caption>Scores.</caption>
<thead><tr><td></td><th class="col_heading">score</th></tr></thead>
<tbody><tr><th>a</th><td>9.5</td></tr><tr><th>b</th><td>&ndash;</td></tr><tr><th>c</th><td>10.5</td></tr>
</tbody></table>"""


def test_one_press_shows_all_code_and_sorts_by_a_column(tmp_path):
    ask = """
        const one = (selector) => document.querySelector(selector);
        one(".code-switch").click();
        one(".sortable th button").click();
        return {folds: [...document.querySelectorAll("details")].map((fold) => fold.open),
            pressed: one(".code-switch").getAttribute("aria-pressed"),
            rows: [...document.querySelectorAll("tbody th")].map((head) => head.textContent),
            sort: one(".col_heading").getAttribute("aria-sort")};"""
    found = in_browser(tmp_path, PAGE, ["sortable.js", "code_switch.js"], ask)
    assert found["folds"] == [True, True, False] and found["pressed"] == "true"
    assert found["rows"] == ["c", "a", "b"] and found["sort"] == "descending"
