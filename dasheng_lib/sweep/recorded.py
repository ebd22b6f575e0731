"""A recorded sweep as its chapters read it: what training added, beside what cost nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from dasheng_lib.book.sentences import listed, standing
from dasheng_lib.book.sources import three_columns
from dasheng_lib.common.errors import UserError
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.masking import group_mask
from dasheng_lib.model import TOKEN_SAMPLES
from dasheng_lib.objectives.mae import decoder_config
from dasheng_lib.rank.measures import MEASURES
from dasheng_lib.results.recorded import FOLDER, read_results
from dasheng_lib.scaling.averages import quality
from dasheng_lib.scaling.fit import Estimate
from dasheng_lib.scaling.floor import retrain_floor
from dasheng_lib.scaling.rows import last_checkpoints
from dasheng_lib.sweep.baselines import AVERAGES
from dasheng_lib.sweep.iterations import begins, of_one_run
from dasheng_lib.sweep.rates import FLOORS
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


def decoder_width(preset: str) -> int:
    """Width of the decoder that Dasheng pretrains an encoder with."""
    return decoder_config(preset).decoder_dim


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
    made = table.assign(**dict(sorted(found.items())))
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
    return table[(table["setting"] == table["setting"].iloc[0]) & (table["step"] == 0)]


def references(table: pd.DataFrame, free: pd.DataFrame, measure: str) -> dict[str, float]:
    """Scores that belong as lines into every figure of quality, in percent."""
    return {
        "log-mel": 100 * free.at["log-mel", measure],
        "untrained": 100 * untrained_base(table)[measure].mean(),
        "chance": 100 * free.at["chance", measure],
    }


@dataclass(frozen=True)
class Training:
    """What pretraining did to the random encoders that it began with.

    Attributes:
        table: a row a probe and set of tasks; percent and points.
        learns: at the base point both probes end above the untrained encoder and above log-mel,
            by more than two floors of what seeds alone explain.
        words: the same in sentences.
        because: in short, for a verdict.
    """

    table: pd.DataFrame
    learns: bool
    words: str
    because: str


def training(table: pd.DataFrame, free: pd.DataFrame, family: str = "dasheng") -> Training:
    """What training did in a sweep, by the linear probe and by k-NN.

    Args:
        table: of :func:`read_sweep`; its first setting is the base point, with two seeds or more.
        free: of :func:`baselines`.
        family: whose runs are counted.
    """
    own = table[table["family"] == family]
    last = last_checkpoints(own).set_index("run")
    base = last["setting"] == own["setting"].iloc[0]
    start = untrained_base(own)
    rows, ahead = {}, []
    for average in ("quality", "knn_quality"):
        for measure in (average, f"{average}_heard", f"{average}_unheard"):
            gain, score, logmel = gains(own, measure), last[measure], free.at["log-mel", measure]
            floor = retrain_floor(last.reset_index(), measure, log=False)
            rows[title(measure)] = {
                "chance": 100 * free.at["chance", measure],
                "log-mel": 100 * logmel,
                "untrained": 100 * start[measure].mean(),
                "trained": 100 * score[base].mean(),
                "gain": 100 * gain[base].mean(),
                "±": 100 * gain[base].sem() * stats.t.ppf(0.975, base.sum() - 1),
                "gain, all runs": 100 * gain.mean(),
                "above untrained": int((gain > 0).sum()),
                "above log-mel": int((score > logmel).sum()),
                "by chance": 100 * floor.smallest,
            }
            if measure == average:
                best = max(logmel, start[measure].mean())
                ahead.append(
                    score[base].mean() - best > FLOORS * floor.smallest_of_means(base.sum())
                )
    found = pd.DataFrame.from_dict(rows, orient="index")
    linear, knn = found.loc["linear probe"], found.loc["k-NN"]
    learns = bool(np.all(ahead))
    because = (
        "at the base point training changes the linear probe by "
        f"{signed(linear['gain'])} ± {linear['±']:.1f} points and k-NN by "
        f"{signed(knn['gain'])} ± {knn['±']:.1f}, and leaves them {_apart(linear, knn)}"
    )
    over = found["above log-mel"].map("{} of".format)
    words = (
        f"{because[0].upper()}{because[1:]} (means of {base.sum()} seeds, 95 % intervals). "
        f"Over all {len(last)} runs of {family.capitalize()} the mean change is "
        f"{signed(linear['gain, all runs'])} and {signed(knn['gain, all runs'])} points; "
        f"{over['linear probe']} the {len(last)} end above log-mel by the linear probe, "
        f"{over['k-NN']} them by k-NN. Two runs that differ in their seed alone lie up to "
        f"{linear['by chance']:.1f} and {knn['by chance']:.1f} points apart by chance. "
    )
    words += (
        "So there is something learned, and runs can be compared by how much of it."
        if learns
        else "So this sweep compares random encoders that training hardly helped or harmed: it "
        "shows what an experiment without a learning base looks like, and can neither support nor "
        "refute a claim about encoders that have learned."
    )
    return Training(found, learns, words, because)


def show(taught: Training, table: pd.DataFrame) -> None:
    """Put what training did into the chapter: the table, and under it the sentences."""
    from IPython.display import Markdown, display

    runs = table.loc[table["family"] == "dasheng", "run"].nunique()
    rows = taught.table.drop(columns=["gain, all runs", "above untrained"])
    shown = three_columns(
        pd.concat({"recorded": rows.round(1).replace(-0.0, 0.0)}, axis=1),  # no "-0.0"
        "The base point of the sweep before and after training, in percent and points; above "
        f"log-mel: of {runs} runs of Dasheng",
        recorded_by=table.attrs.get("command", ""),
    )
    display(shown, Markdown(taught.words))


def of_both(size: Sequence[int], data: int) -> str:
    """The verdict on "larger encoders and more audio both help".

    Args:
        size, data: of each arm, 1 if scores surely rise along it, -1 if they surely fall, else 0.
    """
    ways = [*size, data]
    if min(ways) < 0:
        return "partly" if max(ways) > 0 else "not"
    if max(size) > 0 and data > 0:
        return "supported"
    return "partly" if max(ways) > 0 else "cannot tell"


def of_looks(looks: Sequence[Estimate], beaten: bool, strong: float = 0.6) -> str:
    """The verdict on "an early number goes strongly with quality at the end".

    Args:
        looks: its correlation with final quality at each look; interval ends decide.
        beaten: a rival at hand surely predicts better.
        strong: the least correlation that may be called so.
    """
    if any(look.below for look in looks):
        return "not"
    if all(look.low >= strong for look in looks) and not beaten:
        return "supported"
    return "partly" if any(look.above for look in looks) else "cannot tell"


def withdrawn(table: pd.DataFrame) -> str:
    """Why nothing is compared with the loss: what the held-out audio of a sweep lacks.

    ``attrs["exam"]`` tells its seconds by domain and its longest clip; empty if nothing is known
    or no domain is missing.
    """
    exam = table.attrs.get("exam", {"seconds": {}})
    absent = [f"no {domain}" for domain, seconds in exam["seconds"].items() if not seconds]
    if not absent:
        return ""
    total = sum(exam["seconds"].values())
    return (
        "Comparisons with the *loss* on held-out audio are withdrawn: of the "
        f"{total:.0f} s that were held out, {exam['longest_clip'] / total:.0%} are one recording, "
        f"and there is {listed(absent)} in them, so that this loss says little of quality over "
        "all domains."
    )


def signed(points: float, digits: int = 1) -> str:
    """``"+1.2"`` or ``"-1.2"``; ``"0.0"`` for what prints as that."""
    said = f"{points:+.{digits}f}"
    return said[1:] if float(said) == 0 else said


def _apart(linear: pd.Series, knn: pd.Series) -> str:
    """Where both probes stand: ``"2.8 and 9.7 points behind log-mel statistics"``."""
    ways = [standing(row["trained"], row["log-mel"]) for row in (linear, knn)]
    gaps = [f"{abs(row['trained'] - row['log-mel']):.1f}" for row in (linear, knn)]
    if ways[0] == ways[1]:
        return f"{gaps[0]} and {gaps[1]} points {ways[0]} log-mel statistics"
    return f"{gaps[0]} points {ways[0]} and {gaps[1]} points {ways[1]} log-mel statistics"
