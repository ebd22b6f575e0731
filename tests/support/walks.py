"""The worked examples of CONTRIBUTING: its blocks, and the lines that they add to files."""

import itertools
import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


def blocks(section: str, language: str) -> list[str]:
    """The blocks of a section in this language, in their order."""
    page = PAGE.read_text()
    heads = re.finditer(r"^## (.+)$", FENCE.sub(lambda m: " " * len(m[0]), page), re.MULTILINE)
    places = [(head[1], head.start()) for head in heads] + [("", len(page))]
    ((start, end),) = [
        (here[1], there[1]) for here, there in itertools.pairwise(places) if here[0] == section
    ]
    found = FENCE.findall(page[start:end])
    return [textwrap.dedent(text) for _, name, text in found if name == language]


def add_lines(diff: str, root: Path) -> list[Path]:
    """Add the lines with ``+`` below the line that begins as the last one without; the files."""
    changed = []
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        name, *lines = part.splitlines()
        path = root / name
        text, at = path.read_text().splitlines(keepends=True), 0
        for line in lines:
            if line.startswith("+"):
                text.insert(at, f"{line[1:]}\n")
                at += 1
            else:
                (at,) = [n for n, old in enumerate(text[at:], at + 1) if old.startswith(line[1:])]
        path.write_text("".join(text))
        changed.append(path)
    return changed
