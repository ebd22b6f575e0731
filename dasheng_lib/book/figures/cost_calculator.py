"""What a run costs, to be turned by hand: the place of the cost calculator, with its table inside.

``book/_static/cost_calculator.js`` puts the fields there and does the sums of
:func:`dasheng_lib.train.budget.budget`; without it, and in a notebook, the table stands alone.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from dasheng_lib.book import at_scale
from dasheng_lib.train.budget import budget

if TYPE_CHECKING:
    from IPython.display import HTML

# Fields of a budget: name, what one unit of the page is, words.
ROWS: tuple[tuple[str, float, str], ...] = (
    ("flops", 1e18, "operations (EFLOP)"),
    ("passes", 1, "passes over the audio"),
    ("accelerator_hours", 1, "accelerator hours"),
    ("days", 1, "days"),
    ("cost", 1, "computing (US$)"),
    ("energy", 1e3, "energy (MWh)"),
    ("carbon", 1, "carbon (kg CO2e)"),
    ("shards", 1, "shards of 1,000 clips"),
    ("bytes", 1e12, "audio stored (TB)"),
    ("storage_cost", 1, "storage (US$ a month)"),
    ("clips_a_second", 1, "clips to read a second"),
    ("bytes_a_second", 1e6, "MB to read a second"),
    ("cores", 1, "processor cores that decode"),
    ("gradients_a_second", 1e9, "gradients out of each (GB/s)"),
    ("checkpoint", 1e9, "a checkpoint (GB)"),
)
# Fields of a plan that a reader turns: name, what one unit of the page is, words, least, most.
FIELDS: tuple[tuple[str, float, str, float, float], ...] = (
    ("count", 1, "accelerators", 1, 100_000),
    ("share", 0.01, "share of their peak that is reached (%)", 0.1, 100),
    ("hours", 1, "hours of audio", 0.01, 1e9),
    ("steps", 1e3, "thousand steps of 256 clips of 10 s", 0.001, 1e7),
    ("price", 1, "US$ for an accelerator and hour", 0, 1000),
    ("carbon", 1, "g CO2e for a kWh", 0, 2000),
    ("storage_price", 1, "US$ for a TB and month", 0, 1000),
)


def cost_calculator(accelerator: str, count: int, share: float) -> HTML:
    """The calculator's place; a reader begins with the largest size on these machines."""
    from IPython.display import HTML

    return HTML(calculator_html(accelerator, count, share))


def calculator_html(accelerator: str, count: int, share: float) -> str:
    """The same as text."""
    told = {
        "plan": asdict(at_scale.plan(at_scale.SIZES[-1], accelerator, count, share)),
        "size": at_scale.SIZES[-1],
        "sizes": {size: at_scale.shape(size) for size in at_scale.SIZES},
        "accelerator": accelerator,
        "accelerators": {a: at_scale.machine(a) for a in at_scale.facts()["accelerators"]},
        "rows": ROWS,
        "fields": FIELDS,
    }
    heads = "".join(f'<th scope="col">{size}</th>' for size in ("", *at_scale.SIZES))
    body = "".join(
        f'<tr><th scope="row">{words}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for words, cells in table(accelerator, count, share)
    )
    hours = at_scale.facts()["corpus"]["hours"]
    return (
        f'<div class="cost-calculator touch" data-told="{html.escape(json.dumps(told))}">'
        f"<details open><summary>The published run of the three sizes as a table</summary><table>"
        f"<caption>{told['plan']['steps'] / 1e6:g} million steps on {hours:,} hours, on {count} "
        f"{accelerator} at {shown(100 * share)} % of their peak.</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></details></div>"
    ).replace('<th scope="col"></th>', "<td></td>")


def table(accelerator: str, count: int, share: float) -> list[tuple[str, Sequence[str]]]:
    """What the published run of each size comes to: words, and a cell for each size."""
    found = [asdict(budget(at_scale.plan(s, accelerator, count, share))) for s in at_scale.SIZES]
    return [(words, [shown(one[name] / unit) for one in found]) for name, unit, words in ROWS]


def shown(value: float) -> str:
    """Three digits that count, and commas between thousands."""
    return f"{float(f'{value:.3g}'):,.10g}"
