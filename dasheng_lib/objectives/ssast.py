"""SSAST: hide patches of a spectrogram, tell each from the others, and paint it.

The encoder and its front end are Dasheng's; what differs is the task. Hidden tokens are replaced by
a learned one and stay in the row, so the encoder works on all of them, twice a step.

Shapes: B clips, N samples, F mel bins (64), T tokens, M hidden tokens, P numbers in a patch (256),
D width.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.settings import setting
from dasheng_lib.masking import group_mask
from dasheng_lib.model.encoder import PATCH, Encoder, patches, token_count
from dasheng_lib.objectives import Objective, Output


@dataclass(frozen=True)
class SSASTConfig:
    """What is hidden, and what the two tasks weigh.

    Attributes:
        mask_ratio, group: see :func:`dasheng_lib.masking.group_mask`. The paper hides 400 of 512
            patches, its frame model one by one.
        generative: weight of the squared error beside the InfoNCE.
    """

    mask_ratio: float = setting(0.75, "share of the tokens that is hidden")
    group: int = setting(1, "neighbouring tokens hidden together")
    generative: float = setting(10.0, "weight of painting beside telling apart")

    def __post_init__(self) -> None:
        if not 0.0 < self.mask_ratio < 1.0 or self.group < 1:
            raise ValueError(
                "mask ratio is above 0 and below 1 and group at least 1, "
                f"not {self.mask_ratio} and {self.group}"
            )


@dataclass(frozen=True)
class SSASTOutput(Output):
    """See :class:`dasheng_lib.objectives.Output`.

    Attributes:
        mask_2BT: what was hidden from the head that tells apart, and from the one that paints.
        score_BMM: of each hidden place (row) for each of the clip's hidden patches.
        painted_BMP, target_BMP: hidden patches, as predicted and as they are.
    """

    mask_2BT: Tensor
    score_BMM: Tensor
    painted_BMP: Tensor
    target_BMP: Tensor


class SSAST(Objective):
    """Joint discriminative and generative masked patch modelling, on tokens of full height.

    Loss: InfoNCE + 10 x squared error, each under its own mask. Scores are plain products without
    temperature. The softmax runs over the patches that a place could be (equation 1); the released
    code's runs over the places that a patch could come from.

    Source: Gong et al. 2022, section 2 and algorithm 1.
    """

    family = "ssast"

    def __init__(self, encoder: Encoder, config: SSASTConfig | None = None) -> None:
        super().__init__()
        self.config = config or SSASTConfig()
        self.encoder = encoder
        dim = encoder.dim
        self.mask_token = nn.Parameter(torch.randn(dim) * 0.02)
        self.tell = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, PATCH))
        self.paint = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, PATCH))
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("deviation", torch.tensor(1.0))

    @torch.no_grad()
    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Set the input norm, and mean and deviation of the targets, from a few batches."""
        waves = list(waves)
        self.encoder.calibrate(waves)
        # Of the whole spectrogram, from the norm's own statistics: they are all processes'.
        norm = self.encoder.norm_in
        self.mean.copy_(norm.running_mean.mean())
        spread = norm.running_var.mean() + norm.running_mean.var(correction=0)
        self.deviation.copy_(spread.sqrt())

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """The noise of both masks, ``[B, 2, groups]``."""
        T = token_count(N)
        return torch.rand(B, 2, T // min(self.config.group, T), generator=generator)

    def forward(self, wave_BN: Tensor, noise: Tensor) -> SSASTOutput:
        """One step; ``noise`` is what ``draw_noise`` gave.

        Raises:
            ValueError: the clips are so short that fewer than two tokens are hidden, or too long.
        """
        mel_BFT = self.encoder.log_mel(wave_BN)
        B, T = len(mel_BFT), token_count(wave_BN.shape[1])
        if self.encoder.config.positions < T:
            raise ValueError(f"{T} tokens and {self.encoder.config.positions} positions: crop it")
        ratio, group = self.config.mask_ratio, self.config.group
        mask_2BT = torch.stack(
            [group_mask(B, T, ratio, group, noise=n)[1] for n in noise.unbind(1)]
        )
        if (M := int(mask_2BT[0, 0].sum())) < 2:
            raise ValueError(f"of {T} tokens {M} would be hidden: use longer clips")
        # AST divides by two deviations.
        target_BTP = (patches(mel_BFT) - self.mean) / (2 * self.deviation)
        x_BTD = self.encoder.patch(patches(self.encoder.normalise(mel_BFT)))

        told_BMP = self.tell(self._hidden(x_BTD, mask_2BT[0])).float()
        true_BMP = target_BTP[mask_2BT[0]].view(B, M, PATCH)
        score_BMM = told_BMP @ true_BMP.transpose(1, 2)
        right_M = torch.arange(M, device=score_BMM.device)
        infonce = F.cross_entropy(score_BMM.transpose(1, 2), right_M.expand(B, M))

        painted_BMP = self.paint(self._hidden(x_BTD, mask_2BT[1])).float()
        target_BMP = target_BTP[mask_2BT[1]].view(B, M, PATCH)
        error = F.mse_loss(painted_BMP, target_BMP)

        weight, blank = self.config.generative, target_BMP.square().mean()
        loss = infonce + weight * error
        tally = {
            "right": (score_BMM.argmax(2) == right_M).sum(),
            "hidden": loss.new_tensor(B * M),
            "chance": loss.new_tensor(B),  # one of M, at B x M places
            "error": error.detach() * B,
            "blank": blank * B,
        }
        return SSASTOutput(
            loss=loss,
            task_loss=loss,
            baseline_loss=loss.new_tensor(M).log() + weight * blank,
            tally=tally,
            mask_2BT=mask_2BT,
            score_BMM=score_BMM,
            painted_BMP=painted_BMP,
            target_BMP=target_BMP,
        )

    def _hidden(self, x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
        """What the encoder says about hidden tokens, ``[B, M, D]``."""
        token_D = self.mask_token.to(x_BTD.dtype)
        x_BTD = torch.where(mask_BT[..., None], token_D, x_BTD)
        T = x_BTD.shape[1]
        z_BTD = self.encoder.encode(x_BTD + self.encoder.time[:T] + self.encoder.frequency)
        return z_BTD[mask_BT].view(len(x_BTD), -1, z_BTD.shape[2])

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """Share ``told`` apart, and its ``chance``; share of the variance ``painted``."""
        return {
            "told": float(tally["right"] / tally["hidden"]),
            "chance": float(tally["chance"] / tally["hidden"]),
            "painted": float(1 - tally["error"] / tally["blank"]),
        }
