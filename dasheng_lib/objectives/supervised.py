"""Supervised pretraining: say which class of a task a clip is of.

Shapes: B clips, S samples, D width, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.settings import setting
from dasheng_lib.objectives import Objective, Output
from dasheng_lib.objectives.parts import perplexity
from dasheng_lib.objectives.views import drops_of, mean_vectors

UNLABELLED = -1


@dataclass(frozen=True)
class SupervisedConfig:
    """Which labels are learned.

    An encoder has seen the labels of all clips that it was trained on, so scores on the same tasks
    of the same corpus say little: judge it by others.

    Attributes:
        labels: tasks of the corpus. Clips without a label in any are left out; one with labels in
            several has that of the first. By default those that count in the corpus' averages.
        classes: answers that there are. The tasks may have fewer: the others are soon never given.
    """

    labels: tuple[str, ...] = setting(
        (), "tasks of the corpus whose labels are learned (those of its averages)"
    )
    classes: int = setting(100, "answers; the tasks may have fewer")

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(self.labels))  # files keep a list
        if self.classes < 2:
            raise ValueError(f"classes is at least 2, not {self.classes}")


@dataclass(frozen=True)
class SupervisedOutput(Output):
    """See :class:`dasheng_lib.objectives.Output`.

    Attributes:
        score_BC: of each class.
    """

    score_BC: Tensor


class Supervised(Objective):
    """Cross-entropy of one linear layer on the encoder's mean vector."""

    family = "supervised"

    def __init__(self, encoder: nn.Module, config: SupervisedConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SupervisedConfig()
        self.encoder = encoder
        self.classify = nn.Linear(encoder.dim, config.classes)

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """What skips blocks, ``[B, columns]``."""
        return torch.rand(B, drops_of(self.encoder), generator=generator)

    def forward(
        self, wave_BS: Tensor, label_B: Tensor | None = None, noise: Tensor | None = None
    ) -> SupervisedOutput:
        """One step.

        Args:
            label_B: int64, class of each clip, -1 where it has none; by default none has.
            noise: what ``draw_noise`` gave.

        Raises:
            ValueError: the clips are too short for the encoder, or too long.
        """
        if label_B is None:
            label_B = torch.full((len(wave_BS),), UNLABELLED, device=wave_BS.device)
        mel_BFT = self.encoder.log_mel(wave_BS)
        score_BC = self.classify(mean_vectors(self.encoder, mel_BFT, noise)).float()
        known_B = label_B != UNLABELLED
        count = known_B.sum()
        surprise = F.cross_entropy(score_BC, label_B, ignore_index=UNLABELLED, reduction="sum")
        loss = surprise / count.clamp_min(1)
        label_C, answer_C = (
            torch.bincount(x[known_B], minlength=self.config.classes).float()
            for x in (label_B, score_BC.argmax(1))
        )
        return SupervisedOutput(
            loss=loss,
            task_loss=loss,
            baseline_loss=perplexity(label_C).log(),
            tally={
                "labels": label_C,
                "answers": answer_C,
                "right": (score_BC.argmax(1) == label_B).sum(),
                "surprise": surprise.detach(),
            },
            score_BC=score_BC,
        )

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy, that of the commonest class, and what is known beyond how common each is.

        Of the labels of all audio that was added up; NaN where it has none.
        """
        labels, count = tally["labels"], tally["labels"].sum()
        nothing = count * perplexity(labels).log()
        return {
            "explained": float(1 - tally["surprise"] / nothing),
            "accuracy": float(tally["right"] / count),
            "majority": float(labels.max() / count),
        }
