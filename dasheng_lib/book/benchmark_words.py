"""Sentences about pairs of models and about places, which turn with their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from dasheng_lib.book.words.sentences import listed
from dasheng_lib.book.words.verdicts import VERDICTS
from dasheng_lib.results.order import WHOLE
from dasheng_lib.results.pairs import Gain


def told(gains: Sequence[Gain]) -> str:
    """Each pair with its gain in points, mean and interval."""
    return listed(f"{found.pair.label} {found}" for found in gains)


def counted(gains: Sequence[Gain]) -> str:
    """Each pair with its gain, and on how many tasks the second is ahead."""
    return listed(
        f"{found.pair.label} {found}, ahead on {found.ahead} of {len(found.by_task)}"
        for found in gains
    )


def summary(gains: Sequence[Gain]) -> str:
    """How many pairs gain, and the span of their means: ``"1 of 2 pairs gain, +4.0 to +8.0"``."""
    means = [found.mean for found in gains]
    above = sum(found.low > 0 for found in gains)
    return (
        f"{above} of {len(gains)} pairs gain; means {min(means):+.1f} to {max(means):+.1f} points"
    )


def groups_told(groups: Mapping[str, Sequence[Gain]], say=told) -> str:
    """A sentence for each group of pairs."""
    return " ".join(f"{name[0].upper()}{name[1:]}: {say(found)}." for name, found in groups.items())


def found(claims: Mapping[str, tuple[str, str]]) -> str:
    """What was found, in Markdown: a line a claim, with its verdict and a sentence.

    Args:
        claims: a verdict and what it rests on, by title.
    """
    lines = [f"- **{t}**: *{VERDICTS[word][0]}*. {text}" for t, (word, text) in claims.items()]
    return "\n".join(["**What was found**", "", *lines])


def moved(table: pd.DataFrame) -> str:
    """Which tasks matter to the places, for a caption.

    Args:
        table: of :func:`dasheng_lib.results.order.places_without_each`.
    """
    moves = table.drop(columns=WHOLE).sub(table[WHOLE], axis=0)
    count, reach = (moves != 0).sum(), moves.abs().max(axis=1)
    if not count.any():
        return f"Whichever task is left out, none of {len(table)} models moves."
    still = listed(count.index[count == 0], "")
    first = f"No model moves without {still}" if still else "Models move whichever is left out"
    return (
        f"{first}; without {count.idxmax()} {count.max()} of {len(table)} do. "
        f"{reach.idxmax()} moves farthest, by {reach.max()}."
    )


def held(table: pd.DataFrame) -> str:
    """Whether the first stays first, and how alike the orders are."""
    rest = table.drop(columns=WHOLE)
    tau, firsts = rest.corrwith(table[WHOLE], method="kendall"), rest.idxmin()
    others = firsts[firsts != table.index[0]]
    stays = (
        f"{table.index[0]} stays first whichever task is left out."
        if others.empty
        else f"{table.index[0]} is first, but not without "
        f"{listed(f'{task} ({name})' for task, name in others.items())}."
    )
    return (
        f"{stays} Kendall's τ with the order by all tasks is {tau.min():.2f} at least, 1 being the "
        "same order."
    )


def places_told(table: pd.DataFrame) -> str:
    """The places and what moves them, for those who do not see the figure."""
    moves = table.drop(columns=WHOLE).ne(table[WHOLE], axis=0).sum()
    return (
        "A table of places, models in rows and left-out tasks in columns. By all tasks: "
        + ", ".join(f"{place} {name}" for name, place in table[WHOLE].items())
        + ". Models that move: "
        + ", ".join(f"{count} without {task}" for task, count in moves.items())
        + "."
    )


def of_parts(recorded: pd.DataFrame) -> str:
    """Which tasks are recorded on a part of their set, and on which; "" where all are whole.

    Args:
        recorded: rows of ``dasheng evaluate``: ``task`` and, in words, ``part``.
    """
    parts = recorded.dropna(subset=["part"]).groupby("task", sort=False)["part"].first()
    if parts.empty:
        return ""
    return (
        "**These are parts of the sets**, so no score here is to be measured by the published one: "
        + "; ".join(f"`{task}`, {part.replace('; ', ', ')}" for task, part in parts.items())
        + "."
    )
