"""What a masked autoencoder was shown and what it painted, as images and beside simple guesses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.checkpoint import load_autoencoder
from dasheng_lib.encoders import WEIGHTS
from dasheng_lib.objectives.mae import MAEOutput, masked_mse, standardise


def by_nano(wave_BN: Tensor, seed: int, **masking: float) -> MAEOutput:
    """What the autoencoder that comes with the library makes of clips of a second at 16 kHz.

    Args:
        masking: ``mask_ratio`` and ``group``, where not those that it was trained with.
    """
    model = load_autoencoder(WEIGHTS["nano"])
    model.config = replace(model.config, **masking)
    with torch.inference_mode():
        return model(wave_BN, torch.Generator().manual_seed(seed))


def original(out: MAEOutput, clip: int) -> np.ndarray:
    """The log-mel of a clip of the batch in dB, [64, frames]."""
    return _picture(_level(out, out.target_BTP, clip))


def painted(out: MAEOutput, clip: int) -> np.ndarray:
    """The same, its hidden tokens replaced by the prediction on the level of the true token."""
    hidden_T1 = out.mask_BT[clip][:, None]
    guess, true = _level(out, out.prediction_BTP, clip), _level(out, out.target_BTP, clip)
    return _picture(torch.where(hidden_T1, guess, true))


def contrast(out: MAEOutput) -> float:
    """Deviation of the prediction on hidden tokens; that of the target is 1."""
    return out.prediction_BTP[out.mask_BT].std().item()


def loss_without_learning(out: MAEOutput) -> dict[str, float]:
    """The loss of two guesses on the very tokens that were hidden.

    ``nothing`` predicts 0; ``neighbours`` draws a straight line, band by band, between the nearest
    visible tokens before and after.
    """
    line_BTP = interpolated(out.target_BTP * out.scale_BT1 + out.mean_BT1, out.mask_BT)
    line = masked_mse(standardise(line_BTP)[0], out.target_BTP, out.mask_BT)
    return {"nothing": out.baseline_loss.item(), "neighbours": line.item()}


def interpolated(x_BTP: Tensor, mask_BT: Tensor) -> Tensor:
    """Hidden tokens on a straight line between the nearest visible ones; at an end the nearest."""
    filled_BTP = x_BTP.clone()
    for clip, mask in enumerate(mask_BT.numpy()):
        seen, hidden = np.flatnonzero(~mask), np.flatnonzero(mask)
        known = x_BTP[clip].numpy()
        right = np.searchsorted(seen, hidden).clip(0, len(seen) - 1)
        left = (np.searchsorted(seen, hidden) - 1).clip(0)
        a, b = seen[left], seen[right]
        weight = np.where(a == b, 0.0, (hidden - a) / np.maximum(b - a, 1)).clip(0, 1)[:, None]
        line = ((1 - weight) * known[a] + weight * known[b]).astype(np.float32)
        filled_BTP[clip, hidden] = torch.from_numpy(line)
    return filled_BTP


def _level(out: MAEOutput, x_BTP: Tensor, clip: int) -> Tensor:
    return x_BTP[clip] * out.scale_BT1[clip] + out.mean_BT1[clip]


def _picture(patch_TP: Tensor) -> np.ndarray:
    return patch_TP.reshape(len(patch_TP), 64, 4).transpose(0, 1).reshape(64, -1).numpy()
