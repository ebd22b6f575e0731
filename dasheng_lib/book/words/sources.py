"""The three sources of a number, which no reader may ever mistake for one another.

Colours are Okabe and Ito's, which people with any of the common colour-vision deficiencies
tell apart; the label, the marker and the line style say the same thing without colour.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dasheng_lib.common.cache import digest

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler


@dataclass(frozen=True)
class Source:
    """Where a number comes from.

    Attributes:
        label: the column's name.
        colour: of its header, points and lines.
        ink: text that is readable on ``colour`` (contrast at least 4.5).
        marker, line: for Matplotlib.
        says: what the caption under a table says of it.
    """

    label: str
    colour: str
    ink: str
    marker: str
    line: str
    says: str


PUBLISHED = Source("published", "#0072B2", "#ffffff", "s", "--", "transcribed from the paper")
RECORDED = Source("recorded", "#E69F00", "#000000", "D", "-.", "our own run, kept with the book")
NOW = Source("just now", "#009E73", "#000000", "o", "-", "computed by this build of the book")
SOURCES = (PUBLISHED, RECORDED, NOW)


def three_columns(
    table: pd.DataFrame,
    caption: str,
    *,
    recorded_by: str = "",
    precision: int = 1,
    na_rep: str = "\u2013",
) -> Styler:
    """``table`` with the headers of its published, recorded and just-now columns coloured.

    Args:
        table: columns named by :attr:`Source.label`, alone or as the first level of a
            MultiIndex; any other column is left plain. The index is shown.
        caption: what the table shows, with the paper's table number; shown, as are all names and
            cells, as it is: markup in it is text.
        recorded_by: the command that made the recorded column; shown in the caption.
        precision: digits after the point.
        na_rep: what stands in an empty cell.

    Raises:
        ValueError: no column is named by a source, or there is no caption.
    """
    labels = [column[0] if isinstance(column, tuple) else column for column in table.columns]
    present = [source for source in SOURCES if source.label in labels]
    if not present:
        raise ValueError(f"no column is named {', '.join(s.label for s in SOURCES)}: {labels}")
    if not caption.strip():
        raise ValueError("a table of results needs a caption")
    style = {s.label: f"background-color: {s.colour}; color: {s.ink}" for s in present}
    by = {RECORDED: f" (<code>{html.escape(recorded_by)}</code>)"} if recorded_by else {}
    legend = "; ".join(f"<em>{s.label}</em>: {s.says}{by.get(s, '')}" for s in present)
    table = table.copy(deep=False)
    table.index, table.columns = _shown(table.index), _shown(table.columns)
    styler = table.style.format(precision=precision, na_rep=na_rep, escape="html")
    styler = styler.format_index(escape="html").format_index(escape="html", axis="columns")
    styler = styler.set_caption(f"{html.escape(caption, quote=False)}<br><small>{legend}.</small>")
    for level in range(table.columns.nlevels):
        styler = styler.apply_index(
            lambda _: [style.get(label, "") for label in labels], axis="columns", level=level
        )
    # The identity of a styled table is random unless told: equal tables should be equal pages.
    styler = styler.set_uuid(digest([caption, [str(label) for label in table.columns]]))
    return styler.set_table_attributes('class="three-columns"')


def _shown(index: pd.Index) -> pd.Index:
    names = [name if name is None else html.escape(str(name)) for name in index.names]
    return index.set_names(names)
