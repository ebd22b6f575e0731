"""Wav2Vec2: tell the true sound of a hidden frame from those of others in the same clip.

Shapes: B clips, N samples, T frames (20 ms), K negatives, G groups of V codes each, C channels,
D width, d width of the targets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.distributed import mean_over, sum_over
from dasheng_lib.common.settings import setting
from dasheng_lib.masking import span_mask, span_places
from dasheng_lib.model.waveform import WaveformEncoder, frame_count
from dasheng_lib.objectives import Objective, Output
from dasheng_lib.objectives.parts import counts, damp_gradient, hidden_weights, perplexity

TEMPERATURE = 0.1  # of the cosines
DIVERSITY, PENALTY = 0.1, 10.0  # weights of code usage and of the convolutions' mean square
CONV_GRADIENT = 0.1
UPDATES = 400_000  # of the published run, in which the Gumbel temperature falls


@dataclass(frozen=True)
class Wav2Vec2Config:
    """What is hidden, and what it has to be told from.

    Attributes:
        mask_ratio, span: see :func:`dasheng_lib.masking.span_mask`. Of 99 frames (2 s) these hide
            half.
        negatives: other hidden frames of the same clip, drawn with replacement (published: 100).
        groups, codes: codebooks, and codes in each (published: 2 x 320).
        dim: width of codes and targets (published: 256).
    """

    mask_ratio: float = setting(0.65, "share of the tokens that is hidden")
    span: int = setting(10, "length of a hidden span, in frames of 20 ms")
    negatives: int = setting(25, "hidden frames that the true one is told from")
    groups: int = setting(2, "codebooks")
    codes: int = setting(64, "codes in each codebook")
    dim: int = setting(64, "width of codes and targets")

    def __post_init__(self) -> None:
        if not 0.0 < self.mask_ratio < 1.0:
            raise ValueError(f"mask ratio is above 0 and below 1, not {self.mask_ratio}")
        if self.span < 2 or min(self.negatives, self.groups, self.codes) < 1:
            raise ValueError("span is at least 2; negatives, groups and codes are at least 1")
        if self.dim % self.groups:
            raise ValueError(f"{self.dim} does not divide into {self.groups} groups")


@dataclass(frozen=True)
class Wav2Vec2Output(Output):
    """See :class:`dasheng_lib.objectives.Output`; ``task_loss`` is the contrastive loss.

    Attributes:
        diversity: (G V - perplexity) / (G V) of the codes at hidden frames, 0 if all are in use.
        mask_BT: what was hidden.
        code_BTG: the code of each frame in each group.
        score_BTK: cosine over temperature of the true target, then of the negatives; -inf where a
            negative has the codes of the true one.
    """

    diversity: Tensor
    mask_BT: Tensor
    code_BTG: Tensor
    score_BTK: Tensor


class Wav2Vec2(Objective):
    """Contrastive learning over a product quantiser that is learned with it.

    Loss: InfoNCE over cosines / 0.1, + 0.1 x diversity + 10 x mean square of the convolutions'
    output, whose gradient is damped to a tenth. The InfoNCE is a mean over hidden frames
    (:func:`dasheng_lib.objectives.parts.hidden_weights`); the library's and fairseq's are sums.

    Source: Baevski et al. 2020, section 3; weights of the loss from fairseq's configuration.

    Raises:
        UserError: transformers is not installed.
    """

    family = "wav2vec2"

    def __init__(self, encoder: WaveformEncoder, config: Wav2Vec2Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Wav2Vec2Config()
        self.encoder = encoder
        self.quantiser = Quantiser(encoder.config.channels, config)
        self.target = nn.Linear(config.dim, config.dim)
        self.guess = nn.Linear(encoder.dim, config.dim)

    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """There is nothing to set."""

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """Progress, and the noise of mask, negatives and codes, side by side."""
        noise_BR = torch.rand(B, sum(self._widths(N)), generator=generator)
        return torch.cat([torch.full((B, 1), progress), noise_BR], 1)

    def _widths(self, N: int) -> tuple[int, int, int]:
        T, c = frame_count(N), self.config
        return span_places(T, c.span) + 1, T * c.negatives, T * c.groups * c.codes

    def forward(self, wave_BN: Tensor, noise: Tensor) -> Wav2Vec2Output:
        """One step; ``noise`` is what ``draw_noise`` gave.

        In training codes are drawn; in evaluation the likeliest is taken.

        Raises:
            ValueError: the clips are no longer than one span.
        """
        B, N = wave_BN.shape
        T, c = frame_count(N), self.config
        progress, span_BS, chance_BR, code_BR = noise.split([1, *self._widths(N)], 1)
        mask_BT = span_mask(span_BS, c.mask_ratio, c.span)
        other_BTK = negatives(chance_BR.view(B, T, c.negatives), mask_BT)
        gumbel_BTGV = -(-code_BR.clamp_min(1e-20).log()).log().view(B, T, c.groups, c.codes)

        features_BTC = damp_gradient(self.encoder.features(wave_BN), CONV_GRADIENT)
        x_BTD, clean_BTC = self.encoder.project(features_BTC)
        quantised_BTd, code_BTG, share_BTGV = self.quantiser(
            clean_BTC, gumbel_BTGV if self.training else None, gumbel_temperature(progress[0, 0])
        )
        x_BTD = torch.where(mask_BT[..., None], self.encoder.mask_token.to(x_BTD.dtype), x_BTD)
        guess_BTd = self.guess(self.encoder.transform(x_BTD))

        score_BTK = contrast(guess_BTd, self.target(quantised_BTd), code_BTG, other_BTK)
        weight_BT = hidden_weights(mask_BT)
        task_loss = (weight_BT * (score_BTK.logsumexp(2) - score_BTK[:, :, 0])).sum()
        diversity = diversity_loss(torch.einsum("bt,btgv->gv", weight_BT, share_BTGV))
        penalty = features_BTC.float().square().mean()

        with torch.no_grad():
            differ_BTK = score_BTK.isfinite()
            tally = {
                "codes": torch.stack(
                    [counts(code_BT, mask_BT, c.codes) for code_BT in code_BTG.unbind(2)]
                ),
                "right": (score_BTK.argmax(2) == 0)[mask_BT].sum(),
                "commonest": without_looking(code_BTG, other_BTK, mask_BT, c.codes)[mask_BT].sum(),
                "hidden": mask_BT.sum(),
            }
        return Wav2Vec2Output(
            loss=task_loss + DIVERSITY * diversity + PENALTY * penalty,
            task_loss=task_loss,
            baseline_loss=(weight_BT * differ_BTK.sum(2).log()).sum(),
            tally=tally,
            diversity=diversity,
            mask_BT=mask_BT,
            code_BTG=code_BTG,
            score_BTK=score_BTK,
        )

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy, that of the commonest code, and codes in use (from G to G V)."""
        used = float(perplexity(tally["codes"]).sum())
        return {
            "accuracy": float(tally["right"] / tally["hidden"]),
            "majority": float(tally["commonest"] / tally["hidden"]),
            "perplexity": used,
            "use": used / tally["codes"].numel(),
        }


class Quantiser(nn.Module):
    """A code from each of G codebooks for every frame, side by side: section 2 of the paper."""

    def __init__(self, channels: int, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.groups, self.codes = config.groups, config.codes
        self.choose = nn.Linear(channels, config.groups * config.codes)
        self.vectors = nn.Parameter(
            torch.randn(config.groups, config.codes, config.dim // config.groups)
        )  # published: uniform in [0, 1), where all cosines begin near 1
        nn.init.normal_(self.choose.weight)
        nn.init.zeros_(self.choose.bias)

    def forward(
        self, x_BTC: Tensor, gumbel_BTGV: Tensor | None, temperature: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Quantised frames ``[B, T, d]``, codes ``[B, T, G]``, and how likely each code is.

        Args:
            gumbel_BTGV: what is added to the choice; without it the likeliest code is taken, and
                the third result is 1 there and 0 elsewhere.
            temperature: of the soft choice that gradients go through.
        """
        logit_BTGV = self.choose(x_BTC).float().unflatten(2, (self.groups, self.codes))
        noisy_BTGV = logit_BTGV if gumbel_BTGV is None else logit_BTGV + gumbel_BTGV
        code_BTG = noisy_BTGV.argmax(3)
        hard_BTGV = F.one_hot(code_BTG, self.codes).to(logit_BTGV.dtype)
        share_BTGV = hard_BTGV
        if gumbel_BTGV is not None:
            soft_BTGV = (noisy_BTGV / temperature).softmax(3)
            hard_BTGV = hard_BTGV - soft_BTGV.detach() + soft_BTGV  # straight through
            share_BTGV = logit_BTGV.softmax(3)
        quantised_BTGd = torch.einsum("btgv,gvd->btgd", hard_BTGV, self.vectors)
        return quantised_BTGd.flatten(2), code_BTG, share_BTGV


def negatives(chance_BTK: Tensor, mask_BT: Tensor) -> Tensor:
    """For each hidden frame K others of its clip that are hidden too, int64 ``[B, T, K]``.

    Args:
        chance_BTK: uniform in [0, 1).
        mask_BT: what is hidden; at least two frames of each clip. Rows of other frames mean
            nothing.
    """
    B, T, K = chance_BTK.shape
    hidden_B11 = mask_BT.sum(1)[:, None, None]
    place_BT1 = (mask_BT.cumsum(1) - 1)[..., None]  # 0, 1, 2 and so on among the hidden ones
    other_BTK = (chance_BTK * (hidden_B11 - 1)).long()
    other_BTK = other_BTK.minimum(hidden_B11 - 2)  # a product may round up
    other_BTK = other_BTK + (other_BTK >= place_BT1)  # not itself
    first_BT = (~mask_BT).to(torch.int8).argsort(dim=1, stable=True)  # the hidden ones first
    return first_BT.gather(1, other_BTK.clamp_max(T - 1).flatten(1)).view(B, T, K)


def contrast(guess_BTd: Tensor, target_BTd: Tensor, code_BTG: Tensor, other_BTK: Tensor) -> Tensor:
    """Scores of the true target and of the negatives, float32 ``[B, T, 1 + K]``.

    A negative with the codes of the true target is no negative: its score is -inf.
    """
    with torch.autocast(guess_BTd.device.type, enabled=False):
        guess_BTd, target_BTd = (F.normalize(x.float(), dim=2) for x in (guess_BTd, target_BTd))
        score_BTT = guess_BTd @ target_BTd.transpose(1, 2) / TEMPERATURE
    same_BTT = (code_BTG[:, :, None] == code_BTG[:, None]).all(3)
    score_BTK = score_BTT.masked_fill(same_BTT, -math.inf).gather(2, other_BTK)
    return torch.cat([score_BTT.diagonal(dim1=1, dim2=2)[..., None], score_BTK], 2)


def without_looking(code_BTG: Tensor, other_BTK: Tensor, mask_BT: Tensor, V: int) -> Tensor:
    """Whether the true target is the commonest among its negatives, ``[B, T]``; 0.5 if one of two.

    Commonest among all hidden frames of the batch: so often one is right who never looks at the
    clip, and answers with a code that occurs a lot.
    """
    place_G = V ** torch.arange(code_BTG.shape[2], device=code_BTG.device)
    name_BT = (code_BTG * place_G).sum(2)
    name_BTK = name_BT.gather(1, other_BTK.flatten(1)).view(other_BTK.shape)
    count_C = sum_over(torch.bincount(name_BT[mask_BT], minlength=V ** len(place_G)))
    same_BTK = name_BTK == name_BT[..., None]
    own_BT, rival_BT = count_C[name_BT], count_C[name_BTK].masked_fill(same_BTK, 0).amax(2)
    return (own_BT > rival_BT).float() + (own_BT == rival_BT).float() / 2


def diversity_loss(share_GV: Tensor) -> Tensor:
    """(G V - perplexity) / (G V) of how often each code is used, over all processes.

    Source: the library's and fairseq's form; the paper's is the entropy itself (equation 4).
    """
    # Its value is that of all processes, its gradient of this one's share: summed up over them it
    # is that of one process with all rows.
    share_GV = share_GV + (mean_over(share_GV.detach()) - share_GV.detach())
    return 1 - perplexity(share_GV).sum() / share_GV.numel()


def gumbel_temperature(progress: Tensor) -> Tensor:
    """2 at first, times 0.999995 an update of 400,000, never below 0.5."""
    return (2 * (progress * UPDATES * math.log(0.999995)).exp()).clamp_min(0.5)
