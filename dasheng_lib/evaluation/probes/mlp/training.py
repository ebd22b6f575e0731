"""Training of many MLPs side by side, each stopped on its own, by the schedule of heareval.

What a model becomes depends on its own settings, rows and seed alone, not on its company.

Shapes: N rows, D features, H hidden units, C classes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.tensors import view
from dasheng_lib.evaluation.probes.mlp.network import INITS, Network, Point, dropout_gate
from dasheng_lib.evaluation.probes.mlp.side_by_side import advance_all

Judge = Callable[[np.ndarray], tuple[float, object]]
WEIGHTS, DROPOUT = 0, 1  # what a random number is for, as part of its seed
ROWS_AT_ONCE = 4096  # in evaluation


@dataclass(frozen=True)
class Schedule:
    """heareval's settings (hear-eval-kit, task_predictions.py).

    Attributes:
        max_epochs, every, patience: epochs at most; epochs between validations; validations
            without a gain after which a model stops.
        batch: rows in a step, in file order.
        hidden, dropout: units of a hidden layer; share that dropout takes away.
        by_loss: keep the checkpoint of the least validation loss, not of the greatest score.
        best_possible: no score is greater. Since only a greater score replaces a checkpoint, a
            model that reaches it is done, and so is every later grid point. Infinity trains all
            of them to the end; the outcome is the same.
    """

    max_epochs: int = 500
    every: int = 3
    patience: int = 20
    batch: int = 1024
    hidden: int = 1024
    dropout: float = 0.1
    by_loss: bool = False
    best_possible: float = 1.0


@dataclass(frozen=True, eq=False)
class Rows:
    """What models of one fold read.

    Attributes:
        batches: of training, features [n, D] and targets [n, C], on the device.
        valid: validation features [N, D] and targets [N, C], on the device.
        judge: from validation scores [N, C] in [0, 1], float32, to a score and what it was
            reached with (such as the post-processing of events).
    """

    batches: list[tuple[Tensor, Tensor]]
    valid: tuple[Tensor, Tensor]
    judge: Judge


@dataclass(eq=False)
class Course:
    """One model on its way.

    Attributes:
        point, fold: what it is and which rows it reads.
        scores: of each validation so far; losses count negative.
        epoch, choice, network: of its best validation; epochs count from 1.
        done: it trains no longer.
        cut: it was left because an earlier grid point has the best score there can be.
    """

    point: Point
    fold: int
    scores: list[float] = field(default_factory=list)
    epoch: int = 0
    choice: object = None
    network: Network | None = None
    done: bool = False
    cut: bool = False

    @property
    def score(self) -> float:
        """The best; NaN where the first was NaN."""
        return self.scores[0] if np.isnan(self.scores[0]) else float(np.nanmax(self.scores))

    def judged(self, score: float, choice: object, network: Network, schedule: Schedule) -> None:
        """Take in a validation: keep the network if it is the best, and decide whether to stop."""
        # As in Lightning: the first is kept whatever it is; NaN or infinity ends the training.
        if not self.scores or score > self.score:
            self.epoch = schedule.every * (len(self.scores) + 1)
            self.choice, self.network = choice, copy.deepcopy(network)
        self.scores.append(score)
        waited = len(self.scores) - self.epoch // schedule.every
        settled = not schedule.by_loss and score == schedule.best_possible
        last = len(self.scores) >= schedule.max_epochs // schedule.every
        self.done = not math.isfinite(score) or waited >= schedule.patience or settled or last


def read_rows(
    train: Sequence[tuple[np.ndarray, np.ndarray]],
    valid: tuple[np.ndarray, np.ndarray],
    judge: Judge,
    batch: int,
    device: str,
) -> Rows:
    """Training arrays one after the other as batches, each a view where it can be.

    A last batch of a single row, at which BatchNorm (and heareval) fails, is left out.

    Raises:
        UserError: there is only one training row.
    """
    starts = np.cumsum([0, *[len(x) for x, _ in train]])
    N = int(starts[-1])
    if N < 2:
        raise UserError(f"A probe needs at least 2 training rows, here are {N}.")

    def cut(first: int, last: int, which: int) -> Tensor:
        parts = [
            pair[which][max(first - start, 0) : max(last - start, 0)]
            for pair, start in zip(train, starts, strict=False)
        ]
        parts = [part for part in parts if len(part)]
        return as_tensor(parts[0] if len(parts) == 1 else np.concatenate(parts), device)

    spans = [(first, min(first + batch, N)) for first in range(0, N, batch)]
    spans = [(first, last) for first, last in spans if last - first > 1]
    batches = [(cut(*span, 0), cut(*span, 1)) for span in spans]
    return Rows(batches, (as_tensor(valid[0], device), as_tensor(valid[1], device)), judge)


def train_together(
    courses: Sequence[Course],
    rows: dict[int, Rows],
    schedule: Schedule,
    multilabel: bool,
    seed: int,
    device: str = "cpu",
) -> None:
    """Train every course to its end.

    Args:
        courses: new ones, the earlier preferred where scores are equal.
        rows: by fold.
    """
    rival = len({course.fold for course in courses}) == 1 and not schedule.by_loss
    earlier = [courses[:i] if rival else [] for i in range(len(courses))]
    jobs = [
        _train(course, before, rows[course.fold], schedule, multilabel, seed, device)
        for course, before in zip(courses, earlier, strict=True)
    ]
    advance_all(jobs, torch.get_num_threads() if device == "cpu" else 1)
    for course, before in zip(courses, earlier, strict=True):
        end = _settled(before, schedule)
        if len(course.scores) > end:  # it was ahead of those before it
            del course.scores[end:]
            course.cut, course.network = True, None
            course.epoch = schedule.every * (course.scores.index(max(course.scores)) + 1)


def _train(course, earlier, rows, schedule, multilabel, seed, device) -> Iterator[None]:
    """Yields after each validation; ends when the course is done."""
    D, C = rows.valid[0].shape[1], rows.valid[1].shape[1]
    network = Network(course.point, D, C, schedule.hidden, first_seed(seed, course)).to(device)
    optimizer = torch.optim.Adam(network.parameters(), lr=course.point.lr, fused=True)
    step = 0
    while not course.done:
        network.train()
        for x_ND, y_NC in rows.batches * schedule.every:
            shape = (len(x_ND), schedule.hidden)
            seeds = [(seed, course.fold, DROPOUT, i, step) for i in range(course.point.layers)]
            gates = [dropout_gate(shape, schedule.dropout, own).to(device) for own in seeds]
            optimizer.zero_grad()
            loss_of(network(x_ND, gates), y_NC, multilabel).backward()
            optimizer.step()
            step += 1
        score, choice = validate(network, rows, multilabel, schedule.by_loss)
        course.judged(score, choice, network, schedule)
        if not course.done and len(course.scores) >= _settled(earlier, schedule):
            course.done = course.cut = True
        yield


def _settled(courses: Sequence[Course], schedule: Schedule) -> float:
    """Validations after which one of these has the best possible score; infinity if none has."""
    best = schedule.best_possible
    return min((c.scores.index(best) + 1 for c in courses if best in c.scores), default=math.inf)


def loss_of(out_NC: Tensor, y_NC: Tensor, multilabel: bool) -> Tensor:
    """Mean binary cross-entropy, or cross-entropy of one-hot rows."""
    loss = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
    return loss(out_NC, y_NC)


def validate(network: Network, rows: Rows, multilabel: bool, by_loss: bool) -> tuple[float, object]:
    """Score (or negative loss) of a network on the validation rows, and its choice."""
    out_NC = outputs(network, rows.valid[0])
    score, choice = rows.judge(probabilities(out_NC, multilabel))
    if by_loss:
        score = -loss_of(out_NC, rows.valid[1], multilabel).item()
    return float(score), choice


@torch.no_grad()
def outputs(network: Network, x_ND: Tensor) -> Tensor:
    """Logits of a network for any number of rows, from its running statistics: [N, C]."""
    network.eval()
    return torch.cat([network(part) for part in x_ND.split(ROWS_AT_ONCE)])


def probabilities(out_NC: Tensor, multilabel: bool) -> np.ndarray:
    """Sigmoids, or the softmax over classes: float32 [N, C]."""
    return (out_NC.sigmoid() if multilabel else out_NC.softmax(1)).cpu().numpy()


def as_tensor(array: np.ndarray, device: str) -> Tensor:
    """float32 on the device; on the CPU a view where it can be."""
    return view(np.ascontiguousarray(array, np.float32)).to(device)


def first_seed(seed: int, course: Course) -> tuple[int, ...]:
    point = course.point
    rate = round(point.lr * 1e9)
    return (seed, course.fold, WEIGHTS, point.layers, rate, INITS.index(point.init))
