"""Fixed embeddings before and after an intervention: their ranks, and what probes get right.

Every clip is cut to its first two seconds, as in the sweep. An intervention is fitted on all
clips of the first corpus, without labels, and done to the clips of all.

Shapes: N clips, D width, M test clips of a task.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from dasheng_lib.common.cache import artefact
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.corpora.split import shortened
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.encoders import AudioEncoder, DashengEncoder
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.evaluation.folds import commonest, evaluate_folds
from dasheng_lib.evaluation.probes import classifier
from dasheng_lib.model.encoder import Encoder, EncoderConfig
from dasheng_lib.rank.effective import rankme
from dasheng_lib.rank.interventions import fit, kind
from dasheng_lib.rank.measures import measure
from dasheng_lib.sweep.judge import RANKS, few_labels
from dasheng_lib.tasks import suite
from dasheng_lib.tasks.of_corpus import corpus_clips

SECONDS = 2.0
K, FEW = 10, 8  # neighbours; clips of each class for the probe "few", which sees no others
PROBES = ("linear", "knn", "few")
CALIBRATION = 8, 32  # batches and crops in each, as before a run of the sweep
Z = 1.959964  # of a 95 % interval
VERSION = 2  # raise it when the same features would give another outcome


@dataclass(frozen=True)
class Untrained:
    """A Dasheng encoder as it is drawn.

    Attributes:
        width, depth, heads: its size; depth 0 is the patch projection and the last norm alone.
        scale: factor on the matrices of the blocks.
        seed: of the weights.
    """

    width: int = 192
    depth: int = 4
    heads: int = 3
    scale: float = 1.0
    seed: int = 0

    @property
    def name(self) -> str:
        """As in ``"untrained 192x4"``, with what is not as usual behind it."""
        scale = f", weights x {self.scale:g}" if self.scale != 1 else ""
        seed = f", seed {self.seed}" if self.seed else ""
        return f"untrained {self.width}x{self.depth}{scale}{seed}"


@dataclass(frozen=True, eq=False)
class Outcome:
    """One encoder after one intervention.

    Attributes:
        ranks: ``rankme``, ``rankme_centred``, ``rankme_standardised`` of all clips of the first
            corpus, and ``rankme_unheard`` of those of the others (NaN without any).
        correct: for each (probe, task) whether each test clip was told right, bool [M].
        seconds: of processor time when it was computed, embedding included if that was not done.
    """

    ranks: dict[str, float]
    correct: dict[tuple[str, str], np.ndarray]
    seconds: float = 0.0


def load_corpora(names: Sequence[str]) -> list[Corpus]:
    """Corpora as the protocol wants them: prepared, each clip's first two seconds."""
    return [shortened(prepare(load_corpus(name)), SECONDS) for name in names]


def untrained(what: Untrained, corpus: Corpus) -> AudioEncoder:
    """An untrained encoder whose input norm knows the loudness of the corpus, as at step 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(what.seed)
        network = Encoder(EncoderConfig(what.width, what.depth, what.heads)).eval()
    for name, weight in network.blocks.named_parameters():
        if weight.ndim == 2 and name.endswith("weight"):
            weight.data *= what.scale
    batches, size = CALIBRATION
    crops = Crops(corpus, SECONDS, size)
    network.calibrate(torch.from_numpy(crops.batch(step)) for step in range(batches))
    return DashengEncoder(network.eval(), what.name, in_place=True)


def intervene(
    encoder: AudioEncoder,
    name: str,
    corpora: Sequence[Corpus],
    seed: int = 0,
    progress: bool = True,
) -> Outcome:
    """Ranks and probes of an encoder after an intervention; computed once, then from the cache.

    Args:
        name: see :func:`dasheng_lib.rank.interventions.fit`.
        corpora: see :func:`load_corpora`; the first is what the intervention is fitted on.
        seed: of the interventions that are drawn.

    Raises:
        UserError: no such intervention, or it leaves nothing.
    """
    recipe = {
        "encoder": encoder.fingerprint,
        "intervention": [name, seed],
        "corpora": [corpus.digest for corpus in corpora],
        "probes": [*PROBES, K, FEW],
        "version": VERSION,
    }

    def make(folder):
        began = time.process_time()
        features = [embed(encoder, corpus_clips(c), progress=progress).features for c in corpora]
        affine = fit(name, features[0], seed)
        features = [affine(Z_ND) for Z_ND in features]
        correct = {
            f"{probe}/{task}": score
            for corpus, Z_ND in zip(corpora, features, strict=True)
            for (probe, task), score in _probed(Z_ND, corpus).items()
        }
        np.savez(folder / "correct.npz", **correct)
        facts = {"ranks": _ranks(features), "seconds": time.process_time() - began}
        (folder / "facts.json").write_text(json.dumps(facts))

    folder = artefact("interventions", recipe, make)
    with np.load(folder / "correct.npz", allow_pickle=False) as kept:
        correct = {tuple(key.split("/")): kept[key] for key in kept.files}
    facts = json.loads((folder / "facts.json").read_text())
    return Outcome(facts["ranks"], correct, facts["seconds"])


def majority(corpora: Sequence[Corpus]) -> Outcome:
    """What always the commonest class gets; it has no rank."""
    correct = {
        ("majority", task.name): commonest(corpus.task(task.name)).correct
        for corpus in corpora
        for task in suite(corpus.name, headline=True)
    }
    return Outcome({}, correct)


def rows_of(
    encoder: str, name: str, after: Outcome, before: Outcome, corpora: Sequence[Corpus]
) -> pd.DataFrame:
    """A row for each probe and each task or set of tasks.

    Args:
        after, before: of the same encoder, with and without the intervention.

    Returns:
        ``encoder, intervention, kind, probe, tasks`` (``heard``: mean over domains of the mean
        over the headline tasks of the first corpus; ``unheard``: of the others; or one task's
        name), ``accuracy, low, high`` in [0, 1], ``change, change_low, change_high`` (after less
        before, of the same clips), ``clips`` and the ranks; intervals are 95 % over clips.
    """
    rows = []
    for probe in dict.fromkeys(probe for probe, _ in after.correct):
        for tasks, weights in _sets(corpora).items():
            right = {task: after.correct[probe, task].astype(float) for task in weights}
            gain = {task: right[task] - before.correct[probe, task] for task in weights}
            facts = {"encoder": encoder, "intervention": name, "kind": kind(name), "probe": probe}
            facts["tasks"] = tasks
            facts |= zip(("accuracy", "low", "high"), mean_of(right, weights), strict=True)
            changed = mean_of(gain, weights)
            facts |= zip(("change", "change_low", "change_high"), changed, strict=True)
            rows.append({**facts, "clips": sum(map(len, right.values())), **after.ranks})
    return pd.DataFrame(rows)


def mean_of(values: dict[str, np.ndarray], weights: dict[str, float]) -> tuple[float, float, float]:
    """A weighted mean of means over clips, with its 95 % interval (normal, clips independent).

    Args:
        values: of each task one number a clip, [M].
        weights: of the tasks; they add up to 1.
    """
    mean = sum(weights[task] * value_M.mean() for task, value_M in values.items())
    variance = sum(
        weights[task] ** 2 * value_M.var(ddof=1) / len(value_M) for task, value_M in values.items()
    )
    half = Z * variance**0.5
    return float(mean), float(mean - half), float(mean + half)


def _sets(corpora: Sequence[Corpus]) -> dict[str, dict[str, float]]:
    """Weights of the tasks in each set: heard, unheard, and each task alone."""
    found = {}
    for name, part in (("heard", corpora[:1]), ("unheard", corpora[1:])):
        tasks = [task for corpus in part for task in suite(corpus.name, headline=True)]
        domains = [task.domain for task in tasks]
        if tasks:
            found[name] = {
                task.name: 1 / len(set(domains)) / domains.count(task.domain) for task in tasks
            }
    alone = {task: {task: 1.0} for weights in found.values() for task in weights}
    return {**found, **alone}


def _ranks(features: Sequence[np.ndarray]) -> dict[str, float]:
    nan = float("nan")
    unheard = rankme(np.concatenate(features[1:])) if len(features) > 1 else nan
    return {**measure(features[0], RANKS), "rankme_unheard": unheard}


def _probed(Z_ND: np.ndarray, corpus: Corpus) -> dict[tuple[str, str], np.ndarray]:
    found = {}
    for task in suite(corpus.name, headline=True):
        labels = corpus.task(task.name)
        few = few_labels(labels, FEW, zlib.crc32(task.name.encode()))
        for probe in PROBES:
            rows = few if probe == "few" else labels
            classify = classifier("linear" if probe == "few" else probe, k=K)
            found[probe, task.name] = evaluate_folds(Z_ND, rows, classify).correct
    return found
