"""The probes: what is trained on frozen embeddings. A new one is a file here and a row below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation.probes.arch import arch, arch_best, attention, nonlinear
from dasheng_lib.evaluation.probes.classifier import Classifier, Features, Selector, Turn
from dasheng_lib.evaluation.probes.hares import hares
from dasheng_lib.evaluation.probes.knn import nearest
from dasheng_lib.evaluation.probes.linear import logistic
from dasheng_lib.evaluation.probes.majority import majority
from dasheng_lib.evaluation.probes.svm import hares_svm


@dataclass(frozen=True)
class Probe:
    """One row of the table.

    Attributes:
        about: for help, in a line.
        make: from whether several classes may hold, and its settings by name, to a classifier, or
            to a selector if it selects. None for heareval's grid of networks, see
            :mod:`dasheng_lib.evaluation.probes.mlp.probe`.
        settings: those of ``k``, ``metric`` and ``seed`` that it asks for; one that asks for
            ``seed`` draws its first weights, the others give the same for every seed.
        reads: a vector a clip, all its frames, or nothing.
        valid: what it does with a validation split: train on it too, select by it, or leave it.
    """

    about: str
    make: Callable[..., Classifier | Selector] | None
    settings: tuple[str, ...] = ()
    reads: Literal["clips", "frames", ""] = "clips"
    valid: Literal["trains", "selects", "unused"] = "trains"

    @property
    def draws(self) -> bool:
        """Whether another seed gives other scores."""
        return "seed" in self.settings

    @property
    def chooses(self) -> bool:
        """Whether it needs a validation set."""
        return self.valid == "selects"

    @property
    def times(self) -> bool:
        """Whether it can tell when an event begins and ends."""
        return self.make is None


def _arch(about: str, make=arch, reads="clips", valid="unused") -> Probe:
    return Probe(f"ARCH's {about}", make, ("seed",), reads, valid)


def _hares(about: str, **settings) -> Probe:
    return Probe(f"HARES's {about}", partial(hares, **settings), ("seed",), valid="unused")


AUDIOSET = {"hidden": 512, "batch": 128, "whole": 200_000}
MTT = {"batch": 128, "whole": 20_000, "share": 1}  # MagnaTagATune

PROBES = {
    "linear": Probe("logistic regression on standardised features", logistic),
    "knn": Probe(
        "a vote for each of the k nearest",
        lambda multilabel, k, metric: nearest(k, metric),
        ("k", "metric"),
    ),
    "knn-softmax": Probe(
        "k-NN whose votes weigh exp(cosine / 0.07), as in X-ARES",
        lambda multilabel, k: nearest(k, weights="softmax"),
        ("k",),
    ),
    "arch": _arch("linear head, the last epoch's weights"),
    "arch-best": _arch("linear head, the best epoch's weights", arch_best, valid="selects"),
    "arch-nonlinear": _arch("head with a hidden layer", partial(arch, head=nonlinear)),
    "arch-attention": _arch("attention over frames", partial(arch, head=attention), "frames"),
    "hares": _hares("linear layer, a twentieth of its 400,000 steps"),
    "hares-paper": _hares("linear layer, all 400,000 steps", share=1),
    "hares-mtt": _hares("linear layer by its 20,000 steps for tags", **MTT),
    "hares-mlp": _hares("512 hidden units, a twentieth of their 200,000 steps", **AUDIOSET),
    "hares-mlp-paper": _hares("512 hidden units, all 200,000 steps", **AUDIOSET, share=1),
    "hares-svm": Probe("HARES's support vector machine", hares_svm, valid="selects"),
    "mlp": Probe("heareval's grid of networks", None, ("seed",), valid="selects"),
    "majority": Probe("the most frequent class", lambda multilabel: majority, reads=""),
}


def find_probe(name: str) -> Probe:
    """The probe of that name.

    Raises:
        UserError: there is none; the sentence lists them.
    """
    if name not in PROBES:
        raise UserError(f"There is no probe {name!r}: choose {', '.join(PROBES)}.")
    return PROBES[name]


def probe_seeds(
    probes: Sequence[str], seeds: Sequence[int], drawn: bool = False
) -> list[tuple[str, int]]:
    """Each probe with each of its seeds: one that draws nothing has the first only.

    Args:
        drawn: whether the folds too depend on the seed.

    Raises:
        UserError: there is no such probe.
    """
    return [
        (probe, seed)
        for probe in probes
        for seed in (seeds if drawn or find_probe(probe).draws else seeds[:1])
    ]


def classifier(
    name: str, multilabel: bool = False, k: int = 10, metric: str = "cosine", seed: int = 0
) -> Classifier:
    """A probe that chooses nothing, ready to classify; settings that it does not ask are ignored.

    Raises:
        UserError: there is no such probe.
        ValueError: it chooses on a validation set.
    """
    probe = find_probe(name)
    if probe.chooses:
        raise ValueError(f"{name} wants a validation set")
    return _made(probe, multilabel, k, metric, seed)


def selector(
    name: str, multilabel: bool = False, k: int = 10, metric: str = "cosine", seed: int = 0
) -> Selector:
    """A probe of the table over folds, but heareval's grid; settings as in :func:`classifier`."""
    probe = find_probe(name)
    made = _made(probe, multilabel, k, metric, seed)
    if probe.chooses:
        return made
    return lambda turns: (made(turn.train, turn.train_NC, turn.test) for turn in turns)


def _made(probe: Probe, multilabel: bool, k: int, metric: str, seed: int) -> Classifier | Selector:
    asked = {"k": k, "metric": metric, "seed": seed}
    made = probe.make(multilabel, **{key: asked[key] for key in probe.settings})
    if probe.chooses:
        return lambda turns: made(turn.checked() for turn in turns)

    def scores(train: Features, train_NC: np.ndarray, test: Features) -> np.ndarray:
        turn = Turn(train, train_NC, test).checked()
        return made(turn.train, turn.train_NC, turn.test)

    return scores
