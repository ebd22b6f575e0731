"""Sentences of *At scale*: the published corpus whole, and where this library would break first."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from dasheng_lib.book import at_scale
from dasheng_lib.book.figures.cost_calculator import shown
from dasheng_lib.book.words.sentences import listed
from dasheng_lib.train.budget import DAY, HOUR, PER_SHARD, Budget
from dasheng_lib.train.recipes import RECIPES

SMALLEST, LARGEST = at_scale.SIZES[0], at_scale.SIZES[-1]


def runs(accelerator: str, count: int, share: float) -> dict[str, Budget]:
    """The published run of each size on these machines."""
    return {size: at_scale.costs(size, accelerator, count, share) for size in at_scale.SIZES}


def strains(accelerator: str, count: int, share: float) -> pd.DataFrame:
    """:func:`at_scale.strains` of those runs, a column a size, the heaviest first."""
    kind, rates = at_scale.facts()["accelerators"][accelerator], at_scale.rates()
    found = pd.DataFrame(
        {
            size: at_scale.strains(at_scale.plan(size, accelerator, count, share), kind, rates)
            for size in at_scale.SIZES
        }
    )
    return found.loc[found.max(axis=1).sort_values(ascending=False).index]


def whole_corpus(accelerator: str, count: int, share: float) -> str:
    """What the published hours take to keep, to train on and to read."""
    corpus, rates = at_scale.facts()["corpus"], at_scale.rates()
    found = runs(accelerator, count, share)
    large, small = found[LARGEST], found[SMALLEST]
    on = f"{count} {accelerator}"
    reached = at_scale.measured_share()
    recorded = at_scale.costs(SMALLEST, "H200", count, reached)

    def each(of: Callable[[Budget], float]) -> str:
        return listed(f"{shown(of(run))} ({size})" for size, run in found.items())

    return "\n\n".join(
        [
            f"**Audio.** {corpus['hours']:,} hours are {large.shards:,} shards of "
            f"{large.bytes / large.shards / 1e6:.0f} MB, {large.bytes / 1e12:.1f} TB in all. An "
            f"author says about {corpus['bytes'] / 1e12:.0f} TB of {corpus['bytes_hours']:,} of "
            f"these hours: {HOUR * at_scale.published_bytes() / 1e6:.0f} MB an hour, where FLAC "
            f"took {HOUR * rates['stored'] / 1e6:.0f} here. Packing takes one core "
            f"{HOUR * corpus['hours'] / rates['packed'] / DAY:.1f} days. To keep it costs US$ "
            f"{shown(large.storage_cost)} a month: {large.cost / large.storage_cost:.1f} months "
            f"cost as much as training {LARGEST} once.",
            f"**Training.** If each size reaches {share:.0%} of the peak, it takes "
            f"{each(lambda run: run.days)} days on {on}, US$ {each(lambda run: run.cost)}, and "
            f"{each(lambda run: run.carbon)} kg of CO2 equivalent. A small model does not: the "
            f"*recorded* step of {SMALLEST} reached {reached:.1%} of an H200. On {count} of those "
            f"its run takes {shown(recorded.days)} days and costs "
            f"{recorded.cost / small.cost:.1f} times what stands here.",
            "**Reading.** What computes fast reads much. To keep pace the loaders bring "
            f"{each(lambda run: run.clips_a_second)} clips of 10 s a second, from "
            f"{shown(large.bytes_a_second / 1e6)} to {shown(small.bytes_a_second / 1e6)} MB. One "
            f"processor core decodes {rates['decoded']:.0f} clips a second (*recorded*), so "
            f"{each(lambda run: run.cores)} cores do nothing else.",
        ]
    )


def broken(strains: pd.DataFrame) -> list[str]:
    """Parts of which more is asked than they give, with the size that asks most."""
    return [
        f"{part} ({row.idxmax()}, {row.max():.0%})"
        for part, row in strains.iterrows()
        if row.max() > 1
    ]


def breaks(accelerator: str, count: int, share: float) -> str:
    """Why each part breaks that does, what would mend it, and why the others hold."""
    found, rates = strains(accelerator, count, share), at_scale.rates()
    on, hours = f"{count} {accelerator}", at_scale.facts()["corpus"]["hours"]
    large, small = (at_scale.costs(size, accelerator, count, share) for size in (LARGEST, SMALLEST))
    clips = 360 * hours
    every, threads = at_scale.EXECUTION.checkpoint_every, at_scale.THREADS
    written = large.checkpoint / rates["checkpoint"]
    step = large.days * DAY / RECIPES[f"paper:{LARGEST}"].train.steps
    why = {
        "reading: threads that decode": f"**Decoding.** By default {threads} threads decode for "
        f"each process, {threads * rates['decoded']:.0f} clips a second at best; {SMALLEST} asks "
        f"each of {on} for {small.clips_a_second / count:.0f}. They change no sample, so "
        f"`--decode-threads {math.ceil(small.cores / count)}` is all that it takes, where there "
        "are as many cores.",
        "the first index": "**The first index.** Before the first step one process looks at the "
        f"head of every clip: {clips / rates['indexed'] / HOUR:.0f} hours of one core, without the "
        f"disk, where {SMALLEST} trains for {shown(24 * small.days)} on {on}. What it finds is "
        "kept, but by each machine for itself. Whoever packs a shard knows its index already, and "
        "could keep it with the shard.",
        "checkpoints": f"**Checkpoints.** One of {LARGEST} is {large.checkpoint / 1e9:.1f} GB. It "
        f"takes {written:.0f} s to write, as long as {written / step:.0f} steps, and by default "
        f"comes every {every}. With `--checkpoint-every {25 * every}` that is "
        f"{found.loc['checkpoints', LARGEST] / 25:.0%} of the computing.",
    }
    times = listed(f"{at_scale.slowed(found[size]):.1f} ({size})" for size in found)
    most = 2 * count / found.loc["gradients, machines doubled", LARGEST]
    told = [
        why.get(part, f"**{part[0].upper()}{part[1:]}.** {row.max():.0%} ({row.idxmax()}).")
        for part, row in found.iterrows()
        if row.max() > 1
    ]
    return "\n\n".join(
        [
            f"So the published run would take {times} times as long as its computing.",
            *told,
            f"**What holds.** The order of {clips / 1e6:.0f} million clips is never written down: "
            f"the shards get a new order, {8 * large.shards / 1e6:.1f} MB, and clips one within "
            f"their window; all of them at once would be {8 * clips / 1e6:.0f} MB in each process. "
            f"The index is {rates['index'] * clips / 1e9:.1f} GB on disk, looked at where it is "
            f"needed, and {rates['shard in memory'] * large.shards / 1e6:.0f} MB of each process; "
            f"with fewer than {PER_SHARD:,} clips a shard it would be more. The batch stays what "
            "it is however many share it, so twice the machines halve the step and not what is "
            f"sent: for {LARGEST}, gradients and steps take equally long on {most:.0f} "
            f"{accelerator}, and more of them are of no use.",
        ]
    )
