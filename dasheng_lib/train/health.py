"""Validation of a pretraining run, and the signs that something is wrong with it.

Besides loss and rank, a family reports those of these columns that it has. Values that are not
normal after the first twentieth of a run are named by :func:`warning` and :func:`verdict`.

=============== ==================================================== =====================
column          what                                                 normal
=============== ==================================================== =====================
explained       1 - loss of the task / loss of the baseline          0.02 to 0.97, rising
rankme_centred  directions that clips differ in                      a sixth of those of the
                                                                     untrained encoder, 3 or more
accuracy        share of answers (of hidden places) that are right   above ``majority``
majority        the same for an answer that does not look            (for comparison)
perplexity      effective number of codes among the targets          (depends on ``use``)
use             ``perplexity`` as a share of all codes               0.05 or more
answers         effective share of codes among the answers           0.02 or more
spread          how far from one direction the targets are           0.02 or more
reach           ``explained`` of perfect answers                     0.1 or more
=============== ==================================================== =====================

Where there is an accuracy a tenth above ``majority``, less than 0.02 explained is normal too: a
contrastive task begins slowly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import nn

from dasheng_lib.common.distributed import World, gather_rows, gathered, mean_over, sum_over
from dasheng_lib.objectives import Objective, clip_vectors
from dasheng_lib.rank.effective import RankMe
from dasheng_lib.train.batches import Batch
from dasheng_lib.train.loop import as_tensors, mask_noise

COLLAPSED = 1 / 6  # of the untrained encoder's directions: runs with fewer probe far below it
MASK_SEED = 0x0A5DE  # the same masks for every run, step and seed


@dataclass(frozen=True)
class Validation:
    """The model on held-out crops under one fixed set of masks.

    Attributes:
        step: optimizer steps taken.
        loss: mean over hidden tokens, as in training.
        explained: 1 - the pretext task's loss over the baseline's, at most 1. Of a
            masked autoencoder it is the share of the target's variance that is explained.
        rankme, rankme_centred: of the encoder's mean tokens with nothing hidden. With few crops
            they read low; compare them within a run.
        crops: that it was computed from.
        hours: audio trained on so far.
        speed: hours of audio trained on in an hour, since the last validation.
        health: what else the family reports, see the table above.
    """

    step: int
    loss: float
    explained: float
    rankme: float
    rankme_centred: float
    crops: int
    hours: float
    speed: float
    health: dict[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, float]:
        """All of it, a column a number."""
        columns = asdict(self)
        health = columns.pop("health")
        return columns | health


@torch.no_grad()
def validate(
    parallel: nn.Module,
    model: Objective,
    batches: list[Batch],
    world: World,
    **facts: float,
) -> Validation:
    """Loss and health of ``model`` (called as ``parallel``) on this process's rows of the batches.

    Args:
        batches: float32 [B, N] each, with labels where they are learned; B alike in every process.
        facts: ``step, hours, speed`` of the result.
    """
    model.eval()
    ranks = RankMe(model.encoder.dim)
    loss = task_loss = baseline = torch.zeros((), device=world.device)
    tally: dict[str, torch.Tensor] = {}
    for number, batch in enumerate(batches):
        wave_BN, *labels = (x.to(world.device) for x in as_tensors(batch))
        B, N = wave_BN.shape
        noise = mask_noise(model, B * world.size, N, MASK_SEED, number)
        noise = noise[world.rank * B : (world.rank + 1) * B].to(world.device)
        out = parallel(wave_BN, *labels, noise=noise)
        loss = loss + out.loss / len(batches)
        task_loss = task_loss + out.task_loss / len(batches)
        baseline = baseline + out.baseline_loss / len(batches)
        for name, count in out.tally.items():
            tally[name] = tally.get(name, 0) + count.double()
        with gathered(model):
            vectors_BD = clip_vectors(model.encoder, wave_BN)
        ranks.update(gather_rows(vectors_BD.float()).cpu())
    model.train()
    loss, task_loss, baseline = (mean_over(value).item() for value in (loss, task_loss, baseline))
    health = model.health({name: sum_over(count).cpu() for name, count in tally.items()})
    return Validation(
        loss=loss,
        explained=health.pop("explained", 1 - task_loss / baseline if baseline else 0.0),
        rankme=ranks.compute(),
        rankme_centred=ranks.compute(centred=True),
        crops=ranks.count,
        health=health,
        **facts,
    )


def warning(history: pd.DataFrame, steps: int) -> str:
    """What looks wrong after the last row of a run's validations; empty if nothing does.

    Args:
        history: rows of :class:`Validation`.
        steps: of the whole run; in the first twentieth there are no warnings.
    """
    if history["step"].iloc[-1] < steps / 20:
        return ""
    return next((said for _, said in findings(history)), "")


def verdict(history: pd.DataFrame) -> str:
    """What became of a run, by its validations: a word or two for a table.

    ``"healthy"``, ``"collapsed"`` (the task or the embedding has become trivial), ``"not
    learning"`` (no better than knowing nothing) or ``"unstable"`` (it was clearly better before).

    Args:
        history: as in :func:`warning`.
    """
    return next((kind for kind, _ in findings(history)), "healthy")


def findings(history: pd.DataFrame) -> list[tuple[str, str]]:
    """What is not normal in the last row, worst first: verdict and sentence.

    Args:
        history: with a row of step 0, the untrained encoder, if its directions are to be
            compared with.
    """
    untrained = history.loc[history["step"] == 0, "rankme_centred"]
    fewest = max(3.0, COLLAPSED * untrained.iloc[0]) if len(untrained) else 3.0
    history = history[history["step"] > 0]
    last, best = history.iloc[-1], history["explained"].max()
    explained, rank = last["explained"], last["rankme_centred"]
    # A task that is not learned because the embedding fell together on the way has collapsed.
    dull = "collapsed" if history["rankme_centred"].min() < fewest else "not learning"
    # Not every family reports all of these, and nothing is above or below NaN.
    accuracy, majority, perplexity = (
        last.get(name, np.nan) for name in ("accuracy", "majority", "perplexity")
    )
    use, answers, spread, reach = (
        last.get(name, np.nan) for name in ("use", "answers", "spread", "reach")
    )
    slower = "lower the learning rate"
    checks = [
        (
            last["loss"] < 0.02,
            "collapsed",
            "the loss is next to nothing: the target carries no information; look at the audio",
        ),
        (
            explained > 0.97,
            "collapsed",
            f"collapse: {explained:.0%} of the task is solved, so it asks for nothing; {slower}",
        ),
        (
            use < 0.05,
            "collapsed",
            f"collapse: the targets use {perplexity:.1f} codes, {use:.0%} of all; {slower}",
        ),
        (
            spread < 0.02,
            "collapsed",
            f"collapse: the targets of all clips are one direction, to {spread:.1%}; {slower}",
        ),
        (
            reach < 0.1,
            "collapsed",
            f"collapse: perfect answers would explain {reach:.1%} of the loss, so it asks for "
            "nothing; lower the temperature",
        ),
        (
            explained < 0.02 and not accuracy > 1.1 * majority,
            dull,
            "nothing is learned: less than 2 % of what there is to predict is explained; "
            "look at the audio, or try another learning rate",
        ),
        (
            accuracy <= majority,
            dull,
            f"nothing is learned: {accuracy:.1%} of the answers are right, and {majority:.1%} "
            "would be without looking; train for longer, or try another learning rate",
        ),
        (
            rank < fewest,
            "collapsed",
            f"collapse: all clips lie along {rank:.1f} directions, where {fewest:.0f} is little; "
            f"{slower}",
        ),
        (
            answers < 0.02,
            "collapsed",
            f"collapse: the answers use {answers:.1%} of the codes; {slower}",
        ),
        (
            explained < best - 0.1,
            "unstable",
            f"the explained variance fell from {best:.2f} to {explained:.2f}: "
            f"{slower}, or go back to a kept step",
        ),
    ]
    return [(kind, said) for wrong, kind, said in checks if wrong]
