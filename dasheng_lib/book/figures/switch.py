"""Panels of which sliders show one at a time, by ``book/_static/switch.js``; folded without it."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import HTML


def switch(sliders: Mapping[str, Sequence[str]], panels: Mapping[tuple, tuple[str, str]]) -> HTML:
    """A slider for each of ``sliders``, and the panel of where they stand.

    Args:
        sliders: the stops of each, as a reader sees them, by what it moves.
        panels: for each choice of stops, in the order of ``sliders``, words that are said when it
            comes up and its block of HTML; equal ones are on the page once.

    Raises:
        ValueError: a choice has no panel.
    """
    from IPython.display import HTML

    return HTML(switch_html(sliders, panels))


def switch_html(
    sliders: Mapping[str, Sequence[str]], panels: Mapping[tuple, tuple[str, str]]
) -> str:
    """The same as text."""
    where: dict[tuple[str, str], list[str]] = {}
    for stops in itertools.product(*(list(enumerate(s)) for s in sliders.values())):
        choice = tuple(words for _, words in stops)
        if choice not in panels:
            raise ValueError(f"no panel for {', '.join(choice)}")
        where.setdefault(panels[choice], []).append(",".join(str(place) for place, _ in stops))
    shown = "".join(
        f'<section data-at="{" ".join(places)}"><p>{html.escape(words)}</p>{block}</section>'
        for (words, block), places in where.items()
    )
    said = html.escape(json.dumps({name: list(stops) for name, stops in sliders.items()}))
    return (
        f'<div class="switch touch" data-sliders="{said}"><details>'
        f"<summary>All {len(where)} of them</summary>{shown}</details></div>"
    )
