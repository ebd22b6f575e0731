"""What a recorded sweep says, in tables and sentences: what training added, and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy import stats

from dasheng_lib.book.words.sentences import listed, standing
from dasheng_lib.book.words.sources import three_columns
from dasheng_lib.scaling.fit import Estimate
from dasheng_lib.scaling.floor import retrain_floor
from dasheng_lib.scaling.rows import base_setting, last_checkpoints
from dasheng_lib.sweep.baselines import AVERAGES
from dasheng_lib.sweep.rates import FLOORS
from dasheng_lib.sweep.recorded import gains, title, untrained_base

SHOWN = {
    "chance": "chance, %",
    "log-mel": "log-mel, %",
    "untrained": "untrained, %",
    "trained": "trained, %",
    "gain": "gain, points",
    "±": "± points",
    "above log-mel": "runs above log-mel",
    "by chance": "seeds apart, points",
}


@dataclass(frozen=True)
class Training:
    """What pretraining did to the random encoders that it began with.

    Attributes:
        table: a row a probe and set of tasks; percent and points.
        learned: the averages (``"quality"``, ``"knn_quality_heard"`` ...) by which the base point
            surely ends above its untrained encoder (the interval over seeds lies above 0): by these
            runs can be compared for what they learned.
        is_base: whether both probes end above the untrained encoder and above log-mel, by more than
            two floors of what seeds alone explain: the rule by which a base is chosen.
        words: the same in sentences.
        because: in short, for a verdict.
    """

    table: pd.DataFrame
    learned: frozenset[str]
    is_base: bool
    words: str
    because: str

    def learns(self, *measures: str) -> bool:
        """Whether the base point learns by all these averages."""
        return self.learned >= {*measures}


def training(table: pd.DataFrame, free: pd.DataFrame, family: str = "dasheng") -> Training:
    """What training did in a sweep, by the linear probe and by k-NN.

    Args:
        table: of :func:`read_sweep`; the setting with most seeds is the base point.
        free: of :func:`baselines`.
        family: whose runs are counted.
    """
    own = table[table["family"] == family]
    ends = last_checkpoints(own)
    last = ends.set_index("run")
    base = last["setting"] == base_setting(own)
    start = untrained_base(own)
    rows, learned, ahead = {}, set(), []
    for average in AVERAGES:
        for measure in (average, f"{average}_heard", f"{average}_unheard"):
            gain, score, logmel = gains(own, measure), last[measure], free.at["log-mel", measure]
            floor = retrain_floor(ends, measure, log=False)
            half = gain[base].sem() * stats.t.ppf(0.975, base.sum() - 1)
            if gain[base].mean() > half:
                learned.add(measure)
            rows[title(measure)] = {
                "chance": 100 * free.at["chance", measure],
                "log-mel": 100 * logmel,
                "untrained": 100 * start[measure].mean(),
                "trained": 100 * score[base].mean(),
                "gain": 100 * gain[base].mean(),
                "±": 100 * half,
                "gain, all runs": 100 * gain.mean(),
                "above untrained": int((gain > 0).sum()),
                "above log-mel": int((score > logmel).sum()),
                "by chance": 100 * floor.smallest,
            }
            if measure in ("quality", "knn_quality"):
                best = max(logmel, start[measure].mean())
                beyond = FLOORS * floor.smallest_of_means(base.sum())
                ahead.append(score[base].mean() - best > beyond)
    found = pd.DataFrame.from_dict(rows, orient="index")
    linear, knn = found.loc["linear probe"], found.loc["k-NN"]
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
    by = [title(probe) for probe in ("quality", "knn_quality") if probe in learned]
    words += {
        2: "So there is something learned, and runs can be compared by how much of it.",
        1: f"So by the {''.join(by)} there is something learned, and runs can be compared by how "
        "much; by the other probe the base point does not surely end better than it began.",
        0: "So this sweep compares random encoders that training hardly helped or harmed: it "
        "shows what an experiment without a learning base looks like, and can neither support nor "
        "refute a claim about encoders that have learned.",
    }[len(by)]
    if by:
        words += (
            f" By the rule for a base, which wants both probes {FLOORS:g} floors above log-mel, "
            f"this one {'passes' if all(ahead) else 'does not pass'}."
        )
    return Training(found, frozenset(learned), bool(all(ahead)), words, because)


def show(taught: Training, table: pd.DataFrame) -> None:
    """Put what training did into the chapter: the table, and under it the sentences."""
    from IPython.display import Markdown, display

    runs = table.loc[table["family"] == "dasheng", "run"].nunique()
    rows = taught.table.rename(columns=SHOWN)[[*SHOWN.values()]]
    rows = rows[~rows.index.str.startswith(title("few_quality"))]
    shown = three_columns(
        pd.concat({"recorded": rows.round(1).replace(-0.0, 0.0)}, axis=1),  # no "-0.0"
        "The base point of the sweep before and after training, and how far two of its seeds may "
        f"lie apart by chance; above log-mel: of {runs} runs of Dasheng. Averages weigh domains "
        "alike, and heard and never-heard tasks have other shares of them: the first of three rows "
        "need not lie between the others",
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


def of_measures(words: Sequence[str]) -> str:
    """One verdict from those by several measures: theirs if they agree, else no more than partly.

    Where some say "not" and the others cannot tell, nothing can be told.
    """
    if len({*words}) == 1:
        return words[0]
    return "partly" if {"partly", "supported"} & {*words} else "cannot tell"


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
