"""Is a pretraining run well: a loss that can be compared, and what the loss does not show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from dasheng_lib.distributed import World, gather_rows, mean_over
from dasheng_lib.mae import MaskedAutoencoder, masked_mse
from dasheng_lib.rank import RankMe
from dasheng_lib.train import mask_noise

MASK_SEED = 0x0A5DE  # the same masks for every run, step and seed


@dataclass(frozen=True)
class Validation:
    """The model on held-out crops under one fixed set of masks.

    Attributes:
        step: optimizer steps taken.
        loss: mean over hidden tokens, as in training.
        explained: share of the target's variance that the prediction explains, at most 1;
            0 is what predicting nothing explains.
        rankme, rankme_centred: of the encoder's mean tokens with nothing hidden. With few crops
            they read low; compare them within a run.
        crops: that it was computed from.
        hours: audio trained on so far.
        speed: hours of audio trained on in an hour, since the last validation.
    """

    step: int
    loss: float
    explained: float
    rankme: float
    rankme_centred: float
    crops: int
    hours: float
    speed: float


@torch.no_grad()
def validate(
    parallel: nn.Module,
    model: MaskedAutoencoder,
    batches: list[np.ndarray],
    world: World,
    **facts: float,
) -> Validation:
    """Loss and health of ``model`` (called as ``parallel``) on this process's rows of the batches.

    Args:
        batches: float32 [B, N] each, B alike in every process.
        facts: ``step, hours, speed`` of the result.
    """
    model.eval()
    ranks = RankMe(model.encoder.dim)
    loss = nothing = torch.zeros((), device=world.device)
    for number, wave in enumerate(batches):
        B, N = wave.shape
        noise = mask_noise(model, B * world.size, N, MASK_SEED, number)
        noise_BG = noise[world.rank * B : (world.rank + 1) * B].to(world.device)
        wave_BN = torch.from_numpy(wave).to(world.device)
        out = parallel(wave_BN, noise=noise_BG)
        zero_BTP = torch.zeros_like(out.target_BTP)
        loss = loss + out.loss / len(batches)
        nothing = nothing + masked_mse(zero_BTP, out.target_BTP, out.mask_BT) / len(batches)
        ranks.update(gather_rows(model.summaries(wave_BN).float()).cpu())
    model.train()
    loss, nothing = mean_over(loss).item(), mean_over(nothing).item()
    explained = 1 - loss / nothing if nothing else 0.0
    rank, centred = ranks.compute(), ranks.compute(centred=True)
    return Validation(
        loss=loss,
        explained=explained,
        rankme=rank,
        rankme_centred=centred,
        crops=ranks.count,
        **facts,
    )


def warning(history: pd.DataFrame, steps: int) -> str:
    """What looks wrong after the last row of a run's validations; empty if nothing does.

    Args:
        history: a row a :class:`Validation`.
        steps: of the whole run; the first twentieth is left in peace.
    """
    last = history.iloc[-1]
    if last["step"] < steps / 20:
        return ""
    if last["loss"] < 0.02:
        return "the loss is next to nothing: the target carries no information; look at the audio"
    if last["explained"] < 0.02:
        return (
            "nothing is learned: less than 2 % of the target's variance is explained; "
            "look at the audio, or try another learning rate"
        )
    if last["rankme_centred"] < 3:
        return (
            f"collapse: all clips lie along {last['rankme_centred']:.1f} directions; "
            "lower the learning rate"
        )
    best = history["explained"].max()
    if last["explained"] < best - 0.1:
        return (
            f"the explained variance fell from {best:.2f} to {last['explained']:.2f}: "
            "lower the learning rate, or go back to a kept step"
        )
    return ""
