"""Training of many MLPs side by side, each stopped on its own, by the schedule of heareval.

Models of one depth on as many rows are a batch (on CUDA all of them; on the CPU, where large
products fill a core by themselves, one each, and the batches share the cores). What a model
becomes depends on its own settings, rows and seed alone, not on its company.

Shapes: M models, N rows, D features, H hidden units, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.tensors import view
from dasheng_lib.evaluation.probes.mlp.networks import (
    INITS,
    Adam,
    Network,
    Point,
    backward,
    dropout_gate,
    initial_network,
    logits,
    stack,
)
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
            self.choice, self.network = choice, network.take([0])
        self.scores.append(score)
        waited = len(self.scores) - self.epoch // schedule.every
        settled = not schedule.by_loss and score == schedule.best_possible
        last = len(self.scores) == schedule.max_epochs // schedule.every
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
    together: int | None = None,
) -> None:
    """Train every course to its end.

    Args:
        courses: new ones, the earlier preferred where scores are equal.
        rows: by fold.
        together: models in a batch at most; all on CUDA and one on the CPU by default.
    """
    groups: dict[tuple, list[Course]] = {}
    for course in courses:
        sizes = tuple(len(x) for x, _ in rows[course.fold].batches)
        groups.setdefault((course.point.layers, sizes), []).append(course)
    size = together or (1 if device == "cpu" else len(courses))
    rival = len({course.fold for course in courses}) == 1 and not schedule.by_loss
    jobs = [
        _train_group(group[i : i + size], courses, rival, rows, schedule, multilabel, seed, device)
        for group in groups.values()
        for i in range(0, len(group), size)
    ]
    advance_all(jobs, torch.get_num_threads() if device == "cpu" else 1)
    if rival:
        _forget_after_cut(courses, schedule)


def _train_group(group, courses, rival, rows, schedule, multilabel, seed, device) -> Iterator[None]:
    """Yields after each validation; ends when all its courses are done."""
    some = rows[group[0].fold]
    D, C = some.valid[0].shape[1], some.valid[1].shape[1]
    networks = [
        initial_network(c.point, D, C, schedule.hidden, _weight_seed(seed, c)) for c in group
    ]
    net = stack(networks).to(device)
    gradient = [torch.empty_like(t) for t in net.trained]
    optimizer = Adam(net.trained, gradient, [c.point.lr for c in group])
    room: dict[tuple, Tensor] = {}
    step = 0
    for epoch in range(1, schedule.max_epochs + 1):
        for number in range(len(some.batches)):
            folds = [c.fold for c in group]
            folds = folds[:1] if len(set(folds)) == 1 else folds
            batches = [rows[fold].batches[number] for fold in folds]
            x_MND, y_MNC = (_stacked([batch[i] for batch in batches]) for i in (0, 1))
            shape = (x_MND.shape[1], schedule.hidden)
            gates = []
            for layer in range(len(net.scale)):
                seeds = [(seed, fold, DROPOUT, layer, step) for fold in folds]
                drawn = [dropout_gate(shape, schedule.dropout, numbers) for numbers in seeds]
                gates.append(_stacked(drawn).to(device))
            backward(net, x_MND, y_MNC, gates, multilabel, gradient, room)
            optimizer.step()
            step += 1
        if epoch % schedule.every:
            continue
        for i, course in enumerate(group):
            score, choice = validate(net.one(i), rows[course.fold], multilabel, schedule.by_loss)
            course.judged(score, choice, net.one(i), schedule)
            if rival and not course.done and _lost(course, courses, schedule):
                course.done = course.cut = True
        alive = [i for i, course in enumerate(group) if not course.done]
        if not alive:
            return
        if len(alive) < len(group):
            group, net, room = [group[i] for i in alive], net.take(alive), {}
            gradient = [torch.empty_like(t) for t in net.trained]
            optimizer = optimizer.take(alive, net.trained, gradient)
        yield


def validate(net: Network, rows: Rows, multilabel: bool, by_loss: bool) -> tuple[float, object]:
    """Score (or negative loss) of one network on the validation rows, and its choice."""
    out_NC = outputs(net, rows.valid[0])
    score, choice = rows.judge(probabilities(out_NC, multilabel))
    if by_loss:
        loss = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
        score = -loss(out_NC, rows.valid[1]).item()
    return float(score), choice


def outputs(net: Network, x_ND: Tensor) -> Tensor:
    """Logits of one network for any number of rows, [N, C]."""
    return torch.cat([logits(net, part[None])[0] for part in x_ND.split(ROWS_AT_ONCE)])


def probabilities(out_NC: Tensor, multilabel: bool) -> np.ndarray:
    """Sigmoids, or the softmax over classes: float32 [N, C]."""
    return (out_NC.sigmoid() if multilabel else out_NC.softmax(1)).cpu().numpy()


def as_tensor(array: np.ndarray, device: str) -> Tensor:
    """float32 on the device; on the CPU a view where it can be."""
    return view(np.ascontiguousarray(array, np.float32)).to(device)


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    return tensors[0][None] if len(tensors) == 1 else torch.stack(tensors)


def _weight_seed(seed: int, course: Course) -> tuple[int, ...]:
    point = course.point
    rate = round(point.lr * 1e9)
    return (seed, course.fold, WEIGHTS, point.layers, rate, INITS.index(point.init))


def _lost(course: Course, courses: Sequence[Course], schedule: Schedule) -> bool:
    """Whether an earlier course had the best possible score no later than now."""
    for other in courses:
        if other is course:
            return False
        if schedule.best_possible in other.scores[: len(course.scores)]:
            return True
    return False


def _forget_after_cut(courses: Sequence[Course], schedule: Schedule) -> None:
    """Let courses that had lost end at that validation, however far they were by then."""
    end = math.inf
    for course in courses:
        if len(course.scores) > end:
            del course.scores[end:]
            course.cut, course.network = True, None
            course.epoch = schedule.every * (course.scores.index(max(course.scores)) + 1)
        if schedule.best_possible in course.scores:
            end = min(end, course.scores.index(schedule.best_possible) + 1)
