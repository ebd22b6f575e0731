"""Caption and description of a figure, computed beside it; the driver puts them in their places.

A cell's metadata may hold a caption too, but that is written before the numbers are known: it may
say what is drawn, never what came out. What came out is said here.
"""

from __future__ import annotations

MIME = "application/vnd.dasheng.caption+json"


def caption(text: str, *, alt: str) -> None:
    """Show the figure of this cell with its caption and its description; call it in the end.

    Args:
        text: one or more sentences, in Markdown without HTML; shown under the figure.
        alt: for those who do not see it: what is drawn, and what it shows, in plain text.

    Raises:
        ValueError: one of them is empty.
    """
    import matplotlib.pyplot as plt
    from IPython.display import display

    words = bundle(text, alt)
    plt.show()
    display(words, raw=True)


def paragraph(text: str) -> None:
    """Show text of the chapter that is computed, in Markdown."""
    from IPython.display import Markdown, display

    display(Markdown(text))


def bundle(text: str, alt: str) -> dict[str, object]:
    """Both, for the driver; the caption as text for whoever runs the notebook without it."""
    if not text.strip() or not alt.strip():
        raise ValueError("a figure needs a caption and a description")
    text = text.replace("<", "&lt;")
    return {MIME: {"caption": text, "alt": alt}, "text/markdown": text, "text/plain": text}
