"""BYOL: say what a slowly moving copy of oneself makes of another view of the clip.

Shapes: B clips of this process, N of all, S samples, F mel bins, T frames, D width, d width of the
projection.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.distributed import gather_rows, gather_with_gradient
from dasheng_lib.common.settings import setting
from dasheng_lib.objectives import Objective, Output
from dasheng_lib.objectives.parts import mlp
from dasheng_lib.objectives.views import (
    boxes,
    drops_of,
    mean_vectors,
    partners,
    power_mixed,
    resized,
)

MOST_MIXED = 0.4  # largest share of another clip in a view


@dataclass(frozen=True)
class BYOLConfig:
    """Target, projector and predictor.

    Attributes:
        decay: what the target keeps of itself at a step; 0 makes it the network itself.
        hidden: width of the hidden layer of projector and predictor (published: 4,096).
        projected: width of their output (published: 256).
        projector_norm: batch normalisation of the projector, see
            :func:`dasheng_lib.objectives.parts.mlp`. Published is ``"hidden"``; ``"every"``, as in
            SimSiam, compares clips through the batch, so that targets cannot all become one.
        least_height: smallest height of a view as a share of the mel bins (published: 0.6). Below 1
            views differ in pitch, which is then forgotten.
    """

    decay: float = setting(0.99, "share of itself that the target keeps at a step")
    hidden: int = setting(256, "width of the hidden layers of projector and predictor")
    projected: int = setting(64, "width of what the projector gives")
    projector_norm: str = setting(
        "hidden", "batch normalisation behind layers of the projector: hidden, every or none"
    )

    least_height: float = setting(0.6, "smallest height of a view, as a share of the mel bins")

    def __post_init__(self) -> None:
        if not 0.0 < self.least_height <= 1.0:
            raise ValueError(f"least_height is above 0 and at most 1, not {self.least_height}")
        if not 0.0 <= self.decay <= 1.0:
            raise ValueError(f"decay is 0 to 1, not {self.decay}")
        if min(self.hidden, self.projected) < 1:
            raise ValueError("hidden and projected are at least 1")


@dataclass(frozen=True)
class BYOLOutput(Output):
    """See :class:`dasheng_lib.objectives.Output`.

    Attributes:
        view_B2FT: both views of this process's clips, in dB.
        guess_N2d, target_N2d: predictions, and what the target makes of the same view, of all
            clips; that of one view is compared with the target of the other.
    """

    view_B2FT: Tensor
    guess_N2d: Tensor
    target_N2d: Tensor


class BYOL(Objective):
    """Bootstrap your own latent with the views of BYOL-A.

    Views: a clip's log-mel mixed in power with another's, whose share is even between 0 and 0.4;
    then a random part of it, resized. BYOL-A mixes with one of 2,048 inputs that it remembers; here
    it is another clip of the batch, so that a step is a function of its batch alone. Loss:
    2 - 2 cos, the mean of both ways. Batch statistics are those of both views of all processes.

    Source: Grill et al. 2020, section 3; Niizumi et al. 2021, section III.
    """

    family = "byol"

    def __init__(self, encoder: nn.Module, config: BYOLConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or BYOLConfig()
        self.encoder = encoder
        self.projector = mlp([encoder.dim, config.hidden, config.projected], config.projector_norm)
        self.predictor = mlp([config.projected, config.hidden, config.projected])
        online = nn.ModuleDict({"encoder": encoder, "projector": self.projector})
        self.target = copy.deepcopy(online).requires_grad_(False)

    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Set the input norm from a few batches, where the encoder has one; the target's too."""
        super().calibrate(waves)
        self.target["encoder"].load_state_dict(self.encoder.state_dict())

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """For each view partner, its share, box and what skips blocks, ``[B, 2, columns]``."""
        partner_B2 = partners(2, B, generator)
        chance_B2C = torch.rand(B, 2, 5 + drops_of(self.encoder), generator=generator)
        return torch.cat([partner_B2[..., None], chance_B2C], 2)

    def forward(self, wave_BS: Tensor, noise: Tensor) -> BYOLOutput:
        """One step; ``noise`` is what ``draw_noise`` gave.

        Raises:
            ValueError: the clips are too short for the encoder, or too long.
        """
        view_B2FT = self.views(wave_BS, noise)
        view_VFT, drop_VK = view_B2FT.flatten(0, 1), noise[..., 6:].flatten(0, 1)
        vector_VD = gather_with_gradient(mean_vectors(self.encoder, view_VFT, drop_VK))
        guess_Vd = self.predictor(self.projector(vector_VD))
        with torch.no_grad():
            vector_VD = gather_rows(mean_vectors(self.target["encoder"], view_VFT, drop_VK))
            target_Vd = self.target["projector"](vector_VD)
        guess_N2d, target_N2d = (
            F.normalize(x_Vd.float(), dim=1).unflatten(0, (-1, 2)) for x_Vd in (guess_Vd, target_Vd)
        )
        loss = across(guess_N2d, target_N2d)
        mean_d = target_N2d.mean((0, 1))
        return BYOLOutput(
            loss=loss,
            task_loss=loss,
            baseline_loss=2 - 2 * mean_d.norm(),
            tally={
                "error": loss.detach() * len(target_N2d),
                "targets": mean_d * len(target_N2d),
                "clips": loss.new_tensor(len(target_N2d)),
            },
            view_B2FT=view_B2FT,
            guess_N2d=guess_N2d,
            target_N2d=target_N2d,
        )

    @torch.no_grad()
    def views(self, wave_BS: Tensor, noise: Tensor) -> Tensor:
        """Two views of each clip, in dB, ``[B, 2, F, T]``."""
        mel_BFT = self.encoder.log_mel(wave_BS)
        all_NFT, views = gather_rows(mel_BFT), []
        for noise_BC in noise.unbind(1):
            other_BFT = all_NFT[noise_BC[:, 0].long()]
            mel = power_mixed(mel_BFT, other_BFT, 1 - MOST_MIXED * noise_BC[:, 1])
            views.append(
                resized(mel, boxes(noise_BC[:, 2:6], *mel.shape[1:], self.config.least_height))
            )
        return torch.stack(views, 1)

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        """Move the target's weights towards the network's; its statistics are its own."""
        online = [*self.encoder.parameters(), *self.projector.parameters()]
        for slow, fast in zip(self.target.parameters(), online, strict=True):
            slow.lerp_(fast, 1 - self.config.decay)

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """``explained``, and ``spread``: how far from one direction the targets are.

        Of all clips that were added up, the best single answer points along their mean target, of
        length m, and its loss is 2 - 2 m. Targets that are all alike leave nothing to explain.
        """
        error = float(tally["error"] / tally["clips"])
        spread = 1 - float((tally["targets"] / tally["clips"]).norm())
        return {"explained": 1 - error / (2 * spread) if spread > 1e-6 else 0.0, "spread": spread}


def across(guess_N2d: Tensor, target_N2d: Tensor) -> Tensor:
    """2 - 2 cos of unit vectors, of each view's guess and the other view's target: 0 to 4."""
    return (2 - 2 * (guess_N2d * target_N2d.flip(1)).sum(2)).mean()
