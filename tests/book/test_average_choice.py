"""Tables whose average a reader chooses: the script computes what the library does."""

import re

import numpy as np
import pandas as pd
import pytest
from browser import in_browser

from dasheng_lib.book import benchmarks, three_columns
from dasheng_lib.book.figures import average_choice
from dasheng_lib.metrics import ranking
from dasheng_lib.results import agreement, read_table

GROUPS = agreement.HEAR_DOMAINS
DOMAINS = {task: domain for domain, tasks in GROUPS.items() for task in tasks}


def hear():
    return agreement.grid(read_table("dasheng_table2"))[list(DOMAINS)]


def table_of(scores, domains):
    shown = benchmarks.explored(scores, list(scores))
    page = average_choice.choosable(three_columns(shown, "A table"), domains).to_html()
    return f"<div style='overflow-x: auto'>{page}</div>"


ASK = """
    const select = document.querySelector(".average-choice select");
    const names = [...select.options].map((option) => option.value);
    const rows = () => [...document.querySelectorAll("tbody tr")].map((row) =>
        [row.cells[0].textContent.trim(), row.cells[1].innerText, row.cells[1].style.fontWeight]);
    const found = {printed: rows(), bound: select.labels.length};
    for (const name of names) {
        select.value = name;
        select.dispatchEvent(new Event("change", {bubbles: true}));
        found[name] = {rows: rows(), said: document.querySelector("[aria-live]").textContent,
            head: document.querySelector("th.col_heading.level1").textContent,
            sort: document.querySelector("th.col_heading.level1").getAttribute("aria-sort")};
    }
    document.querySelector("th.col_heading.level1 button").click();
    found.after = rows();
    return found;
"""


def expected(scores):
    ranks = scores.rank(ascending=False)
    return {
        "mean of tasks": scores.mean(axis=1),
        "mean of domains": agreement.domain_means(scores, "skip", GROUPS)[agreement.AVERAGE],
        "mean of domains, no score being 0": agreement.domain_means(scores)[agreement.AVERAGE],
        "median of tasks": scores.median(axis=1),
        "mean rank, 1 the best": ranks.mean(axis=1),
        "mean from worst to best": 100 * ranking.mean_min_max(scores.T),
        "mean z-score": ranking.mean_z(scores.T),
    }


def test_each_average_is_that_of_the_library_and_sorts(tmp_path):
    scores = hear()
    found = in_browser(tmp_path, table_of(scores, DOMAINS), ["sortable.js"], ASK)
    truth = expected(scores)
    assert list(found) == ["printed", "bound", *truth, "after"] and found["bound"] == 1
    before = scores.mean(axis=1).rank(ascending=False, method="min")
    for name, values in truth.items():
        values = pd.Series(values.to_numpy(), scores.index)
        one, up = found[name], "rank" in name
        digits = 2 if "z-score" in name else 1
        shown = {row: float(text.split()[0]) for row, text, _ in one["rows"]}
        for row, value in values.items():
            assert shown[row] == pytest.approx(value, abs=0.5001 * 10**-digits), (name, row)
        assert list(shown.values()) == sorted(shown.values(), reverse=not up)
        assert one["head"] == name and one["sort"] == ("ascending" if up else "descending")
        best = values.idxmin() if up else values.idxmax()
        assert one["said"].startswith(f"First: {best}. ")
        assert [row for row, _, weight in one["rows"] if weight == "bold"] == [best]
        moved = (values.rank(ascending=up, method="min") != before).sum()
        assert one["said"].endswith(f"mean of tasks: {moved} of {len(scores)}.")
    assert [row[0] for row in found["after"]] == [row[0] for row in found["mean z-score"]["rows"]][
        ::-1
    ]


def test_missing_scores_are_said(tmp_path):
    scores = hear()
    counts = scores.notna().sum(axis=1)
    found = in_browser(tmp_path, table_of(scores, DOMAINS), ["sortable.js"], ASK)
    for row, text, _ in found["median of tasks"]["rows"]:
        said = re.search(r"(\d+) of (\d+)", text)
        assert bool(said) == (counts[row] < 18)
        assert said is None or [int(n) for n in said.groups()] == [counts[row], 18]
    few = counts[counts < 18]
    words = average_choice.lacking(scores)
    assert len(few) and all(f"{name} ({n} of 18)" in words for name, n in few.items())
    assert average_choice.lacking(scores.dropna()) == ""


def test_only_choices_that_can_differ_are_there(tmp_path):
    scores = hear().dropna()[list(GROUPS["Speech"])]
    found = in_browser(tmp_path, table_of(scores, DOMAINS), ["sortable.js"], ASK)
    assert not [name for name in found if "domains" in name]
    assert "mean of tasks" in found
    printed = dict(scores.mean(axis=1).round(1))
    assert {row: float(text) for row, text, _ in found["printed"]} == pytest.approx(printed)


def test_a_table_with_another_first_column_is_refused():
    shown = benchmarks.explored(hear(), list(DOMAINS))
    shown.iloc[0, 0] += 1
    with pytest.raises(ValueError, match="mean over the tasks"):
        average_choice.choosable(three_columns(shown, "A table"), DOMAINS)
    shown.iloc[0, 0] = np.nan
    with pytest.raises(ValueError, match="mean over the tasks"):
        average_choice.choosable(three_columns(shown, "A table"), DOMAINS)
