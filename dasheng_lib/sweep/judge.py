"""One fixed protocol for every checkpoint of a sweep: ranks, probes, and a loss that compares.

Shapes: N clips, q views of a clip, L layers, D width.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from dasheng_lib.common.cache import atomic_file, digest
from dasheng_lib.common.distributed import World
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Exam
from dasheng_lib.corpora.split import hold_out, shortened, without
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.encoders.layers import every_layer
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import compute_embeddings
from dasheng_lib.evaluation.folds import chance, evaluate_folds
from dasheng_lib.evaluation.probes import classifier
from dasheng_lib.evaluation.probes.few_shot import few_labels
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.model.encoder import token_count
from dasheng_lib.objectives import Objective
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.objectives.mae import MaskedAutoencoder
from dasheng_lib.rank.measures import measure
from dasheng_lib.sweep.protocol import Protocol
from dasheng_lib.tasks import Declared, suite
from dasheng_lib.tasks.of_corpus import corpus_clips
from dasheng_lib.train.batches import Batch, learned_from, reader
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.health import validate

EXAM_BATCH = 32
VIEWS, VIEW_SECONDS, VIEWED = 4, 0.48, 1000  # of LiDAR: views a clip, their length, most clips
HEALTH = ("accuracy", "majority", "perplexity", "use", "answers", "spread", "reach")
OF_LAYERS = ("quality_heard", "quality_unheard", "knn_quality_heard", "knn_quality_unheard")
RANKS = ("rankme", "rankme_centred", "rankme_standardised")


class Judge:
    """A protocol with its audio at hand: ``judge(encoder, model, ...)`` is a row of the table."""

    def __init__(self, protocol: Protocol, load: Callable[[str], Corpus] = load_corpus) -> None:
        self.protocol = protocol
        whole = [prepare(load(name)) for name in protocol.corpora]
        self.corpora = [shortened(corpus, protocol.seconds) for corpus in whole]
        self.heard, self.views = whole[0], views_of(whole[0])
        _, self.held = hold_out(whole[0], protocol.hold_out)
        self.rows = cache(self._rows)
        self.exams: dict[tuple, list[Batch]] = {}

    def __call__(
        self,
        encoder: AudioEncoder,
        model: Objective,
        config: RunConfig,
        keep: Path | None = None,
        layers: bool = False,
    ) -> dict[str, float]:
        """Ranks, scores and losses of one checkpoint.

        Args:
            encoder: given up.
            config: what it was trained by. A Dasheng encoder is given clips in pieces of what it
                saw of a crop, so that no position is used that was not trained.
            keep: file (.npy) for the embeddings that the ranks are of.
            layers: probe every layer too.

        Returns:
            each measure that needs no labels under its name, RankMe of other corpora's clips as
            ``rankme:CORPUS``; a column ``PROBE:TASK`` for each probe (linear, knn, few) and task,
            accuracies in [0, 1]; means of them, see :func:`qualities`;
            ``loss`` under the common masks (NaN for other families); ``own_loss``, ``explained``
            and the columns ``HEALTH`` of the run's own task, see :mod:`.train.health`. Of
            layer n, counted from 1, ``layerN:rankme`` and so on.
        """
        D = encoder.dim
        encoder = every_layer(in_pieces(encoder, config.seen_seconds))
        by_corpus = [compute_embeddings(encoder, corpus_clips(c)) for c in self.corpora]
        last = [Z_NL[:, -D:] for Z_NL in by_corpus]
        if keep:
            with atomic_file(keep) as temporary, temporary.open("wb") as file:
                np.save(file, last[0])
        views_V = compute_embeddings(encoder, corpus_clips(self.views))[:, -D:]
        found = {
            **measure(last[0], views_NqD=views_V.reshape(-1, VIEWS, D)),
            **{
                f"{name}:{corpus.name}": value
                for corpus, Z_ND in zip(self.corpora[1:], last[1:], strict=True)
                for name, value in measure(Z_ND, RANKS).items()
            },
            **self.scores(last, ("linear", "knn", "few"), each_task=True),
            **self._losses(model, config),
        }
        if self.protocol.layers:
            for number in range(1, encoder.dim // D):
                own = [Z_NL[:, (number - 1) * D : number * D] for Z_NL in by_corpus]
                told = measure(own[0], RANKS)
                if layers:
                    scores = self.scores(own, ("linear", "knn"))
                    told |= {name: scores[name] for name in OF_LAYERS if name in scores}
                found |= {f"layer{number}:{name}": value for name, value in told.items()}
        return found

    def tasks(self) -> list[tuple[int, Declared]]:
        """The tasks that are probed, with the number of their corpus."""
        asked = self.protocol.tasks
        return [
            (number, task)
            for number, corpus in enumerate(self.corpora)
            for task in suite(corpus.name, headline=not asked)
            if not asked or task.name in asked
        ]

    def scores(
        self, features: list[np.ndarray], asked: tuple[str, ...], each_task: bool = False
    ) -> dict[str, float]:
        """Scores of embeddings of each corpus: means, and those of each task if asked."""
        rows = []
        for number, task in self.tasks():
            for probe in asked:
                chosen, by_chance = self.rows(number, task.name, probe == "few")
                classify = classifier("linear" if probe == "few" else probe, k=self.protocol.k)
                rows.append(
                    {
                        "task": task.name,
                        "domain": task.domain,
                        "heard": not task.unheard,
                        "probe": probe,
                        "accuracy": evaluate_folds(features[number], chosen, classify).accuracy,
                        "chance": by_chance,
                    }
                )
        table = pd.DataFrame(rows)
        each = table.itertuples() if each_task else ()
        counted = table[~table["task"].isin(self.protocol.aside)]
        return {**{f"{row.probe}:{row.task}": row.accuracy for row in each}, **qualities(counted)}

    def _rows(self, number: int, task: str, few: bool) -> tuple[pd.DataFrame, float]:
        labels = self.corpora[number].task(task)
        if few:
            labels = few_labels(labels, self.protocol.few, zlib.crc32(task.encode()))
        return labels, chance(labels)

    def _losses(self, model: Objective, config: RunConfig) -> dict[str, float]:
        facts = {"step": 0, "hours": 0.0, "speed": 0.0}
        world = World(device=next(model.parameters()).device)
        own = validate(model, model, self._exam(config), world, **facts)
        found = {"loss": float("nan"), "own_loss": own.loss, "explained": own.explained}
        if isinstance(model, MaskedAutoencoder):
            common = copy(model)  # shares the weights
            common.config = replace(model.config, mask_ratio=self.protocol.mask_ratio)
            exam = self._exam(replace(config, clip_seconds=self.protocol.exam_seconds))
            found["loss"] = validate(common, common, exam, world, **facts).loss
        return {**found, **{name: own.health.get(name, float("nan")) for name in HEALTH}}

    def _exam(self, config: RunConfig) -> list[Batch]:
        """What no run has heard, in crops such as a run's, with the labels that it learns.

        The last two are kept: all checkpoints of a run are asked its own and the common one.
        """
        learned = config.task if FAMILIES[config.family].labelled else None
        asked = config.clip_seconds, config.short, learned
        if asked not in self.exams:
            corpus = learned_from(self.heard, config)
            held = without(corpus, set(corpus.clips["group"]) - set(self.held.clips["group"]))
            crops = self.protocol.exam_crops
            exam = Exam(held, config.clip_seconds, EXAM_BATCH, crops, config.short)
            read = reader(exam, config, slice(0, EXAM_BATCH))
            self.exams = dict(list(self.exams.items())[-1:])
            self.exams[asked] = [read(step) for step in range(len(exam))]
        return self.exams[asked]


def qualities(table: pd.DataFrame) -> dict[str, float]:
    """Means of scores: over domains, of the mean over the tasks of each.

    Args:
        table: a row a task and probe: ``probe, domain, heard, accuracy, chance``.

    Returns:
        ``quality`` (of the linear probe) over all tasks, ``quality_heard`` and
        ``quality_unheard``, ``quality_DOMAIN``; each but the last also ``_above_chance``:
        (accuracy - chance) / (1 - chance), 0 for knowing nothing and 1 for every answer right.
        The same of the other probes as ``knn_quality`` and so on.
    """
    above = (table["accuracy"] - table["chance"]) / (1 - table["chance"])
    table, found = table.assign(above_chance=above), {}
    for probe, scores in table.groupby("probe", sort=False):
        prefix = "quality" if probe == "linear" else f"{probe}_quality"
        parts = {
            "": scores,
            "_heard": scores[scores["heard"]],
            "_unheard": scores[~scores["heard"]],
        }
        for name, part in parts.items():
            if len(part):
                means = part.groupby("domain")[["accuracy", "above_chance"]].mean().mean()
                found[f"{prefix}{name}"] = float(means["accuracy"])
                found[f"{prefix}{name}_above_chance"] = float(means["above_chance"])
        for domain, mean in scores.groupby("domain")["accuracy"].mean().items():
            found[f"{prefix}_{domain}"] = float(mean)
    return found


def in_pieces(encoder: AudioEncoder, seconds: float) -> AudioEncoder:
    """A Dasheng encoder that reads clips in pieces of at most ``seconds``; changed in place.

    The encoders that read waveforms have no learned positions and are left as they are.
    """
    if isinstance(encoder, DashengEncoder):
        config = encoder.encoder.config
        tokens = max(1, token_count(round(seconds * SAMPLE_RATE)))
        encoder.encoder.config = replace(config, positions=min(tokens, config.positions))
    return encoder


def views_of(corpus: Corpus) -> Corpus:
    """``VIEWS`` crops of each of some clips, one behind the other, from start to end of the clip.

    The clips are those that are as long as two views at least, in an order that only their
    content determines.
    """
    clips, size = corpus.clips, round(VIEW_SECONDS * corpus.sample_rate)
    long = clips[clips["samples"] >= 2 * size].sort_values("sha256", kind="stable")[:VIEWED]
    if long.empty:  # of a tiny corpus, whose views are then the clips themselves
        long = clips.sort_values("sha256", kind="stable")[:VIEWED]
    views = long.loc[long.index.repeat(VIEWS)]
    room = (views["samples"] - size).clip(lower=0).to_numpy()
    starts = room * np.tile(np.arange(VIEWS), len(long)) // (VIEWS - 1)
    samples = np.minimum(views["samples"], size)
    views = views.assign(
        offset=views["offset"] + starts, samples=samples, seconds=samples / corpus.sample_rate
    )
    return replace(
        corpus,
        digest=digest([corpus.digest, "views", VIEWS, VIEW_SECONDS, VIEWED]),
        clips=views.reset_index(drop=True),
        tasks=corpus.tasks.iloc[:0],
    )
