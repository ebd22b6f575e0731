"""Tables whose average a reader chooses: what ``book/_static/sortable.js`` is told of them."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from dasheng_lib.book.words.sentences import listed

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler


def choosable(styler: Styler, domains: Mapping[str, str]) -> Styler:
    """The table with a choice of averages in its first column, best first; sortable too.

    Args:
        styler: a row a model; the first column is the mean over the tasks, which stays where no
            script runs; the columns under ``published`` are scores, more being better, NaN where
            there is none.
        domains: of each task.

    Raises:
        ValueError: the first column is another average.
    """
    scores = styler.data["published"]
    if not styler.data.iloc[:, 0].sub(scores.mean(axis=1)).abs().lt(1e-9).all():
        raise ValueError("the first column must be the mean over the tasks that have a score")
    rows = scores.astype(object).where(scores.notna(), None).to_numpy().tolist()
    said = json.dumps({"domains": [domains[task] for task in scores], "scores": rows})
    return styler.set_table_attributes(
        f'class="three-columns sortable upright" data-averages="{html.escape(said)}"'
    )


def lacking(scores: pd.DataFrame) -> str:
    """A sentence on rows with missing scores, which the mean leaves out; nothing if there is none.

    Args:
        scores: models by tasks.
    """
    counts = scores.notna().sum(axis=1)
    few = [f"{name} ({n} of {scores.shape[1]})" for name, n in counts.items() if n < len(scores.T)]
    return f" A missing score is left out: {listed(few)} tasks." if few else ""
