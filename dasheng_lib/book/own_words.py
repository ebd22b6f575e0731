"""What gains of our own models say, in sentences and as a verdict; each turns with its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
from scipy import stats

from dasheng_lib.book.own_models import LEVEL, TITLES, Difference, gain
from dasheng_lib.book.words.sentences import listed


def raises(groups: Mapping[str, pd.DataFrame]) -> str:
    """Which groups gain beyond noise on heard and on never-heard tasks, by each probe, and what
    falls."""
    said, falls = [], []
    for probe, name in (("", "linear probe"), ("knn_", "k-NN")):
        both = [f"{probe}quality_heard", f"{probe}quality_unheard"]
        found = {group: [gain(rows, m) for m in both] for group, rows in groups.items()}
        up = [group for group, pair in found.items() if all(one.beyond == 1 for one in pair)]
        alone = [g for g, pair in found.items() if all(one.mean > one.noise for one in pair)]
        more = [group for group in alone if group not in up]
        beside = f" (by the noise alone with {listed(more)} too)" if more else ""
        said.append(f"by {name} with {listed(up, 'nothing')}{beside}")
        falls += [
            f"{group} by {TITLES[m]} ({one.mean:+.1f})"
            for group, pair in found.items()
            for m, one in zip(both, pair, strict=True)
            if one.beyond == -1
        ]
    return f"both averages rise {' and '.join(said)}; what falls: {listed(falls, 'nothing')}"


def health(own: pd.DataFrame) -> str:
    """Whether training ended well, by the rules of :mod:`dasheng_lib.train.health`."""
    ill = own.loc[own["state"] != "healthy", "state"]
    if ill.empty:
        return f"all {len(own)} runs end healthy"
    which = listed(f"{run} ({state})" for run, state in ill.items())
    return f"{len(ill)} of {len(own)} runs do not end healthy: {which}"


def summary(found: Mapping[str, Difference]) -> str:
    """In short, how many comparisons go beyond noise."""
    ways = [one.beyond for one in found.values()]
    if not ways:
        return "nothing of the kind is recorded yet"
    up, down = ways.count(1), ways.count(-1)
    if not up + down:
        return f"neither ahead nor behind beyond noise in any of {len(ways)} comparisons"
    return (
        f"ahead beyond noise in {up} of {len(ways)} comparisons, behind in {down}, and neither in "
        f"{ways.count(0)}"
    )


def tallied(found: Mapping[str, Difference]) -> str:
    """How many comparisons go beyond noise, which, and how many would if nothing differed."""
    parts, alone = [], []
    for way, word in ((1, "ahead"), (-1, "behind")):
        which = [f"{name} {one.mean:+.1f}" for name, one in found.items() if one.beyond == way]
        parts.append(f"{word} in {len(which)}" + (f" ({'; '.join(which)})" if which else ""))
        alone.append(f"{word} in {sum(way * one.mean > one.noise for one in found.values())}")
    return (
        f"{listed(parts)} of {len(found)}; by the noise alone {listed(alone)}, where about "
        f"{LEVEL * len(found):.1f} would be one or the other if nothing differed"
    )


def word(found: Iterable[Difference]) -> str:
    """What comparisons say of a claim that the first is better, as a verdict.

    ``"supported"``: ahead beyond noise in each. ``"partly"``: in more than chance would bring in
    one sweep of twenty, were they independent; ``"not"``: not so, but behind in so many; else
    ``"cannot tell"``.
    """
    ways = [one.beyond for one in found if one.seeds]
    by_chance = stats.binom.ppf(0.95, len(ways), LEVEL / 2)
    if ways and min(ways) == 1:
        return "supported"
    if ways.count(1) > by_chance:
        return "partly"
    return "not" if ways.count(-1) > by_chance else "cannot tell"
