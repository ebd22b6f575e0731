"""The first screen of ``README.md``: the front page's picture and its claims, as last built."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError

BLOCK = re.compile(r"(<!-- made by `dasheng book --readme` -->\n).*?(<!-- end -->\n)", re.DOTALL)
PICTURES = "book/_static/readme"  # from the checkout's root


def write_readme(root: Path, picture: str, claims: list[dict[str, str]]) -> None:
    """Put picture and claims into the README of a checkout.

    Args:
        picture: HTML of :func:`dasheng_lib.book.figures.sounds.figure_html`.
        claims: each with ``claim``, ``saw`` and ``verdict``, as chapters tell them.

    Raises:
        UserError: chapters have not told it, or the README has no place for it.
    """
    readme = root / "README.md"
    text = readme.read_text()
    if not picture or not claims:
        raise UserError("No chapter has told a picture and claims: build the whole book first.")
    if not BLOCK.search(text):
        raise UserError(f"{readme} lacks the comments between which its first screen stands.")
    files = []
    for number, image in enumerate(re.findall(r'src="data:image/png;base64,([^"]+)"', picture), 1):
        files.append(f"{PICTURES}/{number}.png")
        with atomic_file(root / files[-1]) as temporary:
            temporary.write_bytes(base64.b64decode(image))
    words = [html.unescape(one) for one in re.findall(r"<figcaption>(.*?)</figcaption>", picture)]
    shown = [f"| {' | '.join(words)} |", f"|{' --- |' * len(words)}"]
    shown += [f"| {' | '.join(f'![{w}]({f})' for w, f in zip(words, files, strict=True))} |"]
    made = "\n".join([*shown, "", *claim_rows(claims)])
    with atomic_file(readme) as temporary:
        temporary.write_text(BLOCK.sub(lambda block: f"{block[1]}\n{made}\n\n{block[2]}", text))


def claim_rows(claims: list[dict[str, str]]) -> list[str]:
    """The claims as lines of a table in Markdown."""
    rows = [[one[key].replace("|", "\\|") for key in ("claim", "saw", "verdict")] for one in claims]
    table = [["a claim", "what we saw", "verdict"], ["---"] * 3, *rows]
    return [f"| {' | '.join(cells)} |" for cells in table]
