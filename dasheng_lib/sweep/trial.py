"""One run of a sweep, from nothing to the rows of its checkpoints; it goes on where it stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.distributed import World
from dasheng_lib.common.errors import reading
from dasheng_lib.common.provenance import provenance
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.split import of_domain, portion, without
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.sweep.columns import settings, spent_by, state
from dasheng_lib.sweep.grid import Trial
from dasheng_lib.sweep.iterations import part_of, parts
from dasheng_lib.sweep.judge import Judge
from dasheng_lib.train.batches import Batches, crops_of, learned_from
from dasheng_lib.train.run import Execution, Run, pretrain_into


def audio_of(trial: Trial, held: Corpus, load: Callable[[str], Corpus] = load_corpus) -> Corpus:
    """What a trial trains on: its share of its corpus, without the groups that are held out."""
    corpus = learned_from(prepare(load(trial.corpus)), trial.config)
    rest = without(corpus, set(held.clips["group"]))
    return portion(of_domain(rest, trial.config.only_domain), trial.data)


def run_trial(
    trial: Trial,
    folder: Path,
    judge: Judge,
    load: Callable[[str], Corpus] = load_corpus,
    progress: bool = True,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train and judge one run in ``folder``.

    Returns:
        A row for each judged step, and one with what the run cost and was made with.

    Raises:
        UserError: as :func:`dasheng_lib.train.run.pretrain_into`.
    """
    corpus = audio_of(trial, judge.held, load)
    execution = Execution(checkpoint_every=100, progress=progress)
    end, trained = trained_run(trial, folder, crops_of(corpus, trial.config), execution)
    return rows_of(trial, folder, corpus, judge, end, trained)


def rows_of(
    trial: Trial, folder: Path, corpus: Corpus, judge: Judge, end: str, trained: float
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """As :func:`run_trial`, of a run that has ended; ``corpus`` is what it was trained on."""
    rows, seconds = [], 0.0
    for step in kept_steps(trial, folder):
        row = judged(trial, folder, step, judge)
        seconds += row.pop("judge_seconds")
        rows.append({**settings(trial, corpus), "step": step, **spent_by(trial, step), **row})
        rows[-1]["state"] = state(rows, trial)
    facts = {
        "run": trial.run,
        "end": end,
        "train_seconds": round(trained, 1),
        "judge_seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "device": device().type,
        "corpus": corpus.name,
        "corpus_digest": corpus.digest,
        "config": json.dumps(trial.config.record(), sort_keys=True),
        "provenance": json.dumps(provenance(), sort_keys=True),
    }
    return rows, facts


def trained_run(
    trial: Trial, folder: Path, crops: Batches, execution: Execution
) -> tuple[str, float]:
    """How a run ended (``"finished"`` or ``"diverged"``), and the seconds that its steps took.

    A run whose loss stops being a number is a result too; it has the steps kept until then.
    """
    seconds = 0.0
    for part in parts(trial.config, folder):
        end, world = "finished", World(device=device())
        try:
            pretrain_into(part.folder, crops, None, part.config, world, execution)
        except FloatingPointError:
            end = "diverged"
        if (part.folder / "log.csv").exists():
            seconds += float(Run(part.folder).log["seconds"].iloc[-1])
        if end == "diverged":
            break
    return end, seconds


def kept_steps(trial: Trial, folder: Path) -> list[int]:
    """The steps of a trial that are judged or have weights: of a diverged run, the first."""
    runs = parts(trial.config, folder)
    kept = {part: {*Run(part.folder).steps, *_judged_steps(part.folder)} for part in runs}
    of = {step: part_of(step, runs) for step in trial.steps}
    return [step for step, part in of.items() if step - part.begin in kept[part]]


def _judged_steps(folder: Path) -> list[int]:
    return [int(path.stem.removeprefix("judged-")) for path in folder.glob("judged-*.json")]


def judged(trial: Trial, folder: Path, step: int, judge: Judge) -> dict[str, float]:
    """What the judge says about a kept step of a trial: from the run's folder, or asked now."""
    part = part_of(step, parts(trial.config, folder))
    run, own = Run(part.folder), step - part.begin
    path = run.folder / f"judged-{own}.json"
    if not path.exists():
        began = time.perf_counter()
        keep, ends = path.with_suffix(".npy"), step in (0, kept_steps(trial, folder)[-1])
        encoder, model = run.encoder(own, device()), run.model(own, device())
        found = judge(encoder, model, trial.config, keep, layers=ends)
        found["judge_seconds"] = time.perf_counter() - began
        with atomic_file(path) as temporary:
            temporary.write_text(json.dumps(found, indent=1))
    with reading(path, "what a judge found", "remove it to judge that step again"):
        return {name: float(value) for name, value in json.loads(path.read_text()).items()}


def device() -> torch.device:
    """Where runs are trained and judged: a card if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
