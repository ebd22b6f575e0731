"""One fixed protocol for every checkpoint of a sweep: ranks, probes, and a loss that compares."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dasheng_lib import classifiers, probes
from dasheng_lib.cache import atomic_file
from dasheng_lib.corpora import load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.prepared import prepare
from dasheng_lib.corpora.split import hold_out, shortened
from dasheng_lib.crops import Crops
from dasheng_lib.distributed import World
from dasheng_lib.embed import compute_embeddings
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.health import validate
from dasheng_lib.mae import MaskedAutoencoder
from dasheng_lib.measures import MEASURES, measure
from dasheng_lib.objectives import Objective
from dasheng_lib.tasks import Task, suite

LOSS_CROPS = 128
HEALTH = ("accuracy", "majority", "perplexity", "use", "answers")
# All but LiDAR, which wants several views of a clip.
MEASURED = tuple(name for name in MEASURES if not MEASURES[name].needs_views)


@dataclass(frozen=True)
class Protocol:
    """What every checkpoint is asked.

    Attributes:
        corpora: whose headline tasks are probed; all clips of the first are the rows of the
            ranks.
        tasks: names of those that are probed, by default all of them.
        seconds: each clip's first, so that clip length cannot matter.
        k: neighbours of k-NN by cosine.
        few: labelled clips of each class for the probe with few labels.
        mask_ratio: share hidden where losses of different runs are compared.
        hold_out: share of the audio that no run trains on; those losses are of it.
        judged_at: shares of a run's steps, besides 0. The paper asks at 50, 100, 200 and 300
            of 700 thousand steps.
    """

    corpora: tuple[str, ...] = ("pocket", "fsdd", "esc10")
    tasks: tuple[str, ...] = ()
    seconds: float = 2.0
    k: int = 10
    few: int = 8
    mask_ratio: float = 0.75
    hold_out: float = 0.03
    judged_at: tuple[float, ...] = (1 / 28, 1 / 14, 1 / 7, 2 / 7, 3 / 7, 1)


class Judge:
    """A protocol with its audio at hand: ``judge(encoder, model)`` is a row of the table."""

    def __init__(self, protocol: Protocol, load: Callable[[str], Corpus] = load_corpus) -> None:
        self.protocol = protocol
        whole = [prepare(load(name)) for name in protocol.corpora]
        self.corpora = [shortened(corpus, protocol.seconds) for corpus in whole]
        _, held = hold_out(whole[0], protocol.hold_out)
        crops = Crops(held, protocol.seconds, 32)
        self.exam = [crops.batch(step) for step in range(LOSS_CROPS // 32)]

    def __call__(
        self, encoder: AudioEncoder, model: Objective, keep: Path | None = None
    ) -> dict[str, float]:
        """Ranks, scores and losses of one checkpoint.

        Args:
            keep: file (.npy) for the embeddings that the ranks are of.

        Returns:
            each of ``MEASURED`` under its name; a column ``PROBE:TASK`` for each probe (linear,
            knn, few) and headline task, accuracies in [0, 1]; ``quality`` (mean over domains of
            the linear probe's mean over their tasks), ``quality_DOMAIN``, and the same of the
            other probes as ``knn_quality`` and so on;
            ``loss`` under the common masks (NaN for other families); ``own_loss``, ``explained``
            and the columns ``HEALTH`` of the run's own task, see :mod:`dasheng_lib.health`.
        """
        features = [
            compute_embeddings(encoder, corpus, np.arange(len(corpus)), progress=False)
            for corpus in self.corpora
        ]
        if keep:
            with atomic_file(keep) as temporary, temporary.open("wb") as file:
                np.save(file, features[0])
        return {
            **measure(features[0], MEASURED),
            **self._scores(features),
            **self._losses(model),
        }

    def _scores(self, features: list[np.ndarray]) -> dict[str, float]:
        rows = []
        for corpus, Z_ND in zip(self.corpora, features, strict=True):
            for task in suite(corpus.name, headline=True):
                if self.protocol.tasks and task.name not in self.protocol.tasks:
                    continue
                labels = corpus.task(task.name)
                for name, predict in self._probes(task).items():
                    score = probes.evaluate(Z_ND, labels, predict)
                    rows.append((name, task.domain, f"{name}:{task.name}", score.accuracy))
        table = pd.DataFrame(rows, columns=["probe", "domain", "column", "accuracy"])
        domains = table.groupby(["probe", "domain"])["accuracy"].mean().unstack("domain")
        found = dict(zip(table["column"], table["accuracy"], strict=True))
        for probe in domains.index:
            prefix = "" if probe == "linear" else f"{probe}_"
            found[f"{prefix}quality"] = float(domains.loc[probe].mean())
            for domain in domains.columns:
                found[f"{prefix}quality_{domain}"] = float(domains.loc[probe, domain])
        return found

    def _probes(self, task: Task) -> dict[str, probes.Predict]:
        return {
            "linear": probes.linear(),
            "knn": probes.knn(self.protocol.k),
            "few": few_labels(self.protocol.few, seed=zlib.crc32(task.name.encode())),
        }

    def _losses(self, model: Objective) -> dict[str, float]:
        facts = {"step": 0, "hours": 0.0, "speed": 0.0}
        own = validate(model, model, self.exam, World(), **facts)
        found = {"loss": float("nan"), "own_loss": own.loss, "explained": own.explained}
        if isinstance(model, MaskedAutoencoder):
            common = copy(model)  # shares the weights
            common.config = replace(model.config, mask_ratio=self.protocol.mask_ratio)
            found["loss"] = validate(common, common, self.exam, World(), **facts).loss
        return {**found, **{name: own.health.get(name, float("nan")) for name in HEALTH}}


def few_labels(count: int, seed: int = 0) -> probes.Predict:
    """The linear probe, trained on at most ``count`` clips of each class, drawn with ``seed``."""
    everything = probes.by_scores(classifiers.logistic())

    def predict(train_ND, train_y, test_MD):
        order = np.random.default_rng(seed).permutation(len(train_y))
        chosen = pd.Series(train_y[order]).groupby(train_y[order]).head(count).index.to_numpy()
        return everything(train_ND[order[chosen]], train_y[order[chosen]], test_MD)

    return predict
