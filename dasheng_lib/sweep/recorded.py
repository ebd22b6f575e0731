"""A recorded sweep as its chapters read it: what training added, beside what cost nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from dasheng_lib.common.errors import UserError
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.masking import group_mask
from dasheng_lib.model import TOKEN_SAMPLES
from dasheng_lib.rank.measures import MEASURES
from dasheng_lib.results.recorded import FOLDER, read_results
from dasheng_lib.scaling.averages import quality
from dasheng_lib.scaling.rows import base_setting, last_checkpoints
from dasheng_lib.sweep.baselines import AVERAGES
from dasheng_lib.sweep.iterations import begins, of_one_run
from dasheng_lib.tasks import SUITES
from dasheng_lib.train.build import new_model
from dasheng_lib.train.health import verdict
from dasheng_lib.train.recipes import family_defaults

TITLES = {
    "quality": "linear probe",
    "knn_quality": "k-NN",
    "few_quality": "probe trained on 8 labels a class",
    "params": "parameters",
    "flops": "operations",
    "data_hours": "hours of audio",
    "lr": "learning rate",
    "rate": "learning rate",
    "rate-half": "rate at half width",
    "rate-quarter": "rate at a quarter",
    "rate-double": "rate at double width",
    "width-flat": "width of one block",
    "clip": "length of a crop",
    "data": "hours of audio",
    "simclr": "SimCLR",
    "ssast": "SSAST",
    "byol": "BYOL",
    "recipe": "augmentation",
    "mask": "masking",
    "mask-small": "masking, smaller encoder",
    "seed-small": "seed, smaller encoder",
}
_TASKS = {task.name: task for tasks in SUITES.values() for task in tasks}


def title(column: str) -> str:
    """What people read for a column or an arm of a sweep."""
    average, _, part = column.partition("quality")
    if f"{average}quality" in AVERAGES and part:
        kind = {"_heard": "heard tasks", "_unheard": "never-heard tasks"}.get(part, part[1:])
        return f"{TITLES[average + 'quality']}, {kind}"
    card = MEASURES.get(column)
    return card.title if card else TITLES.get(column, column.replace("_", " "))


def read_sweep(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """A recorded sweep, with averages over tasks that training has heard and that it has not.

    Returns:
        The record, with columns ``quality_heard``, ``quality_unheard``, ``knn_quality_heard`` ...
        where it lacks them, and with ``state`` as today's rules of health call the numbers that
        were recorded; ``attrs`` as :func:`dasheng_lib.results.recorded.read_results`.

    Raises:
        UserError: there is no such sweep.
    """
    table = read_results(str(name), folder)
    if "rankme" not in table or "step" not in table:
        paths = folder.glob("*sweep.csv")
        known = ", ".join(sorted(path.stem for path in paths)) or "none"
        raise UserError(f"There is no recorded sweep {name!r}: the records are {known}.")
    return with_parts(table.assign(state=states(table)))


def states(table: pd.DataFrame) -> pd.Series:
    """What :func:`.health.verdict` says of each checkpoint, by its run until then."""
    found = {}
    for _, rows in table.assign(loss=table["own_loss"]).groupby("run", sort=False):
        steps, family = rows["steps"].iloc[0], rows["family"].iloc[0]
        own = begins(family, int(steps))
        for number, (place, step) in enumerate(rows["step"].items(), 1):
            history = of_one_run(rows.iloc[:number], own)
            found[place] = verdict(history) if step else "untrained"
    return pd.Series(found)


def judged_steps(family: str, steps: int) -> int:
    """Steps of the network that is judged, of a point of so many steps."""
    return steps - begins(family, steps)[-1]


def hop_ms(family: str) -> float:
    """Step of a family's encoder."""
    return new_model(family_defaults(family)).encoder.hop_ms


def hidden_share(seconds: float, ratio: float) -> float:
    """Share of a crop's tokens that is hidden where ``ratio`` is asked for: groups are whole."""
    return (
        group_mask(1, int(seconds * SAMPLE_RATE) // TOKEN_SAMPLES, ratio)[1].float().mean().item()
    )


def baselines(name: str, folder: Path = FOLDER) -> pd.DataFrame:
    """What cost nothing beside a recorded sweep: rows ``log-mel``, ``majority`` and ``chance``."""
    return with_parts(read_results(f"{name}_baselines", folder).set_index("baseline"))


def configs(name: str, folder: Path = FOLDER) -> dict[str, dict]:
    """What each run of a recorded sweep was made with, by its name."""
    runs = pd.read_csv(folder / f"{name}_runs.csv")
    return {run: json.loads(text) for run, text in zip(runs["run"], runs["config"], strict=True)}


def with_parts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the averages over heard and never-heard tasks that it lacks."""
    parts = {f"{average}_{part}" for average in AVERAGES for part in ("heard", "unheard")}
    found = {name: quality(table, tasks_of(table, name)) for name in parts - set(table)}
    made = table.assign(**dict(sorted(found.items()))).copy()  # in one piece
    made.attrs.update(table.attrs)
    return made


def tasks_of(table: pd.DataFrame, measure: str) -> dict[str, str]:
    """The columns of scores that an average such as ``knn_quality_heard`` is of: their domains."""
    average, _, part = measure.partition("quality")
    probe, part = AVERAGES[f"{average}quality"], part[1:]
    own = {c: _TASKS[c.split(":")[1]] for c in table if c.startswith(f"{probe}:")}
    if part in ("heard", "unheard"):
        own = {c: t for c, t in own.items() if t.unheard == (part == "unheard")}
    elif part:
        own = {c: t for c, t in own.items() if t.domain == part}
    return {column: task.domain for column, task in own.items()}


def gains(table: pd.DataFrame, measure: str) -> pd.Series:
    """What training added to a score: each run's last step less its own untrained encoder."""
    last = last_checkpoints(table).set_index("run")[measure]
    return last - table[table["step"] == 0].set_index("run")[measure].reindex(last.index)


def untrained_base(table: pd.DataFrame) -> pd.DataFrame:
    """The encoders of the base point's runs before their first step."""
    return table[(table["setting"] == base_setting(table)) & (table["step"] == 0)]


def references(table: pd.DataFrame, free: pd.DataFrame, measure: str) -> dict[str, float]:
    """Scores that belong as lines into every figure of quality, in percent."""
    return {
        "log-mel": 100 * free.at["log-mel", measure],
        "untrained": 100 * untrained_base(table)[measure].mean(),
        "chance": 100 * free.at["chance", measure],
    }
