"""What every checkpoint of a sweep is asked, whatever its run."""

from __future__ import annotations

from dataclasses import dataclass

from dasheng_lib.common.settings import check_types
from dasheng_lib.corpora import CORPORA
from dasheng_lib.tasks import suite


@dataclass(frozen=True)
class Protocol:
    """What every checkpoint is asked.

    Attributes:
        corpora: whose tasks are probed. Runs train on the audio of the first, or on more: its
            tasks are *heard*, those of the others *unheard*. All its clips are the rows of the
            ranks, and what is held out of it is the exam of the losses.
        tasks: names of those that are probed, by default all that count in domain averages.
        aside: those of them that are in no average, since nothing here is told apart by them.
        seconds: each clip's first, so that clip length cannot matter.
        k: neighbours of k-NN by cosine.
        few: labelled clips of each class for the probe with few labels, which sees no others.
        mask_ratio, exam_seconds: share hidden, and length of the crops, where losses of
            different runs are compared.
        exam_crops: of which those losses are the mean.
        hold_out: share of the audio that no run trains on, see
            :func:`dasheng_lib.corpora.split.hold_out`; those losses are of it.
        layers: also rank every layer, and probe it at the first and last step.
        judged_at: shares of a run's steps, besides 0. The paper asks at 50, 100, 200 and 300
            of 700 thousand steps.
    """

    corpora: tuple[str, ...] = ("pocket", "fsdd", "esc10")
    tasks: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    seconds: float = 2.0
    k: int = 10
    few: int = 8
    mask_ratio: float = 0.75
    exam_seconds: float = 2.0
    exam_crops: int = 384
    hold_out: float = 0.03
    layers: bool = False
    judged_at: tuple[float, ...] = (1 / 28, 1 / 14, 1 / 7, 2 / 7, 3 / 7, 1)

    def __post_init__(self) -> None:
        check_types(Protocol, vars(self))
        if (
            not self.corpora
            or len({*self.corpora}) < len(self.corpora)
            or {*self.corpora} - {*CORPORA}
        ):
            raise ValueError(
                f"corpora are some of {', '.join(CORPORA)}, each once, not {self.corpora}"
            )
        known = {task.name for corpus in self.corpora for task in suite(corpus, headline=False)}
        if strange := {*self.tasks, *self.aside} - known:
            raise ValueError(
                f"tasks and aside are of {', '.join(sorted(known))}, not {', '.join(strange)}"
            )
        if min(self.k, self.few, self.exam_crops) < 1:
            raise ValueError("k, few and exam_crops are at least 1")
        if self.seconds <= 0 or self.exam_seconds < 0.1:
            raise ValueError("seconds is above 0, and exam_seconds at least 0.1")
        if not 0.0 < self.mask_ratio < 1.0 or not 0.0 < self.hold_out <= 0.5:
            raise ValueError("mask_ratio is above 0 and below 1, hold_out above 0 and at most 0.5")
        if not all(0.0 <= share <= 1.0 for share in self.judged_at):
            raise ValueError(f"judged_at are shares of the steps, not {self.judged_at}")
