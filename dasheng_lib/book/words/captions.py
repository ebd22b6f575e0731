"""Caption and description of a figure, computed beside it; the driver puts them in their places.

A cell's metadata may hold a caption too, but that is written before the numbers are known: it may
say what is drawn, never what came out. What came out is said here.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from dasheng_lib.book.words.sentences import complete

MIME = "application/vnd.dasheng.caption+json"


Table = pd.DataFrame | pd.Series


def caption(text: str, *, alt: str, data: Table | Mapping[str, Table] | None = None) -> None:
    """Show the figure of this cell with its caption and its description; call it in the end.

    Args:
        text: one or more sentences, in Markdown without HTML; shown under the figure.
        alt: for those who do not see it: what is drawn, and what it shows, in plain text.
        data: the numbers that are drawn, which the page offers as CSV; of a figure that is drawn
            from several tables, each by its name.

    What is shown says too how large its smallest type is, in pixels, which a test reads.

    Raises:
        ValueError: text or description is empty.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display
    from matplotlib.text import Text

    said = bundle(text, alt, data)
    if plt.get_fignums():
        fig = plt.gcf()
        if sizes := [words.get_fontsize() for words in fig.findobj(Text) if words.get_visible()]:
            said[MIME]["type"] = min(sizes) * fig.dpi / 72
    plt.show()
    display(said, raw=True)


def paragraph(text: str) -> None:
    """Show text of the chapter that is computed, in Markdown."""
    from IPython.display import Markdown, display

    complete(text)
    display(Markdown(text))


def bundle(
    text: str, alt: str, data: Table | Mapping[str, Table] | None = None
) -> dict[str, object]:
    """All of it, for the driver; the caption as text for whoever runs the notebook without it."""
    if not text.strip() or not alt.strip():
        raise ValueError("a figure needs a caption and a description")
    complete(text, alt)
    text = text.replace("<", "&lt;")
    said: dict[str, object] = {"caption": text, "alt": alt}
    if data is not None:
        tables = data if isinstance(data, Mapping) else {"": data}
        said["data"] = [[name, csv_of(table)] for name, table in tables.items()]
    return {MIME: said, "text/markdown": text, "text/plain": text}


def csv_of(table: Table) -> str:
    """A table as CSV with one row of headings; an index of numbers without a name is left out."""
    frame = pd.DataFrame(table)
    frame.columns = [
        " ".join(map(str, name)) if isinstance(name, tuple) else str(name) for name in frame
    ]
    counts = frame.index.name is None and pd.api.types.is_integer_dtype(frame.index)
    names = [str(name or "name") for name in frame.index.names]
    return frame.to_csv(
        index=not counts, index_label=names, float_format="%.6g", lineterminator="\n"
    )
