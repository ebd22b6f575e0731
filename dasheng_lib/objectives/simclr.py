"""SimCLR: find the other view of a clip among the views of all clips.

Shapes: B clips of this process, N of all, S samples, F mel bins, t frames of a view, D width,
d width of the projection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.distributed import gather_rows, gather_with_gradient
from dasheng_lib.common.settings import setting
from dasheng_lib.objectives import Objective, Output
from dasheng_lib.objectives.parts import mlp
from dasheng_lib.objectives.views import (
    beta_5_2,
    cropped,
    drops_of,
    mean_vectors,
    mixed,
    partners,
)


@dataclass(frozen=True)
class SimCLRConfig:
    """Views, projector and temperature.

    Attributes:
        view: length of a view as a share of the crop (published: 3 s of AudioSet's 10 s). Of short
            sounds two views that do not meet share nothing: above 0.5 they always do.
        temperature: what cosines are divided by.
        layers, hidden: hidden layers of the projector, and their width (published: 3 of 4,096).
        projected: width of its output (not published).
        projector_norm: its batch normalisation, see :func:`dasheng_lib.objectives.parts.mlp`;
            SimCLR's own code has it behind every layer, HARES does not say.
    """

    view: float = setting(0.75, "length of a view, as a share of the crop")
    temperature: float = setting(0.1, "what cosines are divided by")
    layers: int = setting(1, "hidden layers of the projector")
    hidden: int = setting(256, "width of the hidden layers of projector and predictor")
    projected: int = setting(64, "width of what the projector gives")
    projector_norm: str = setting(
        "hidden", "batch normalisation behind layers of the projector: hidden, every or none"
    )

    def __post_init__(self) -> None:
        if not 0.0 < self.view <= 1.0 or self.temperature <= 0:
            raise ValueError(
                "view is above 0 and at most 1 and temperature above 0, "
                f"not {self.view} and {self.temperature}"
            )
        if self.layers < 0 or min(self.hidden, self.projected) < 1:
            raise ValueError("layers is at least 0, hidden and projected at least 1")

    def frames(self, T: int) -> int:
        """Frames of a view of a crop of ``T`` frames."""
        return max(round(self.view * T), 1)


@dataclass(frozen=True)
class SimCLROutput(Output):
    """See :class:`dasheng_lib.objectives.Output`.

    Attributes:
        view_B2Ft: both views of this process's clips, in dB.
        z_N2d: their projections, of all clips.
    """

    view_B2Ft: Tensor
    z_N2d: Tensor


class SimCLR(Objective):
    """Contrastive learning of clips as in HARES.

    Views: two random crops of a clip, each mixed with a crop of another clip of the batch, its own
    share drawn from Beta(5, 2). Loss: NT-Xent over all views of all processes, whose batch
    statistics are of all of them, too.

    Source: Wang et al. 2021 (HARES), section 3; Chen et al. 2020, equation 1.
    """

    family = "simclr"

    def __init__(self, encoder: nn.Module, config: SimCLRConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SimCLRConfig()
        self.encoder = encoder
        widths = [encoder.dim, *[config.hidden] * config.layers, config.projected]
        self.projector = mlp(widths, config.projector_norm, bias=False)

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """For each view partner, start, share and what skips blocks, ``[B, 2, columns]``."""
        partner_B2 = partners(2, B, generator)
        chance_B2C = torch.rand(B, 2, 7 + drops_of(self.encoder), generator=generator)
        return torch.cat([partner_B2[..., None], chance_B2C], 2)

    def forward(self, wave_BS: Tensor, noise: Tensor) -> SimCLROutput:
        """One step; ``noise`` is what ``draw_noise`` gave.

        Raises:
            ValueError: the clips are too short for the encoder, or too long.
        """
        view_B2Ft = self.views(wave_BS, noise)
        vector_VD = mean_vectors(
            self.encoder, view_B2Ft.flatten(0, 1), noise[..., 8:].flatten(0, 1)
        )
        z_N2d = self.projector(gather_with_gradient(vector_VD)).unflatten(0, (-1, 2))
        loss, right_N2 = nt_xent(z_N2d, self.config.temperature)
        answers, others = right_N2.numel(), right_N2.numel() - 1
        reach = reachable(len(z_N2d), self.config.temperature)
        return SimCLROutput(
            loss=loss,
            task_loss=loss,
            baseline_loss=loss.new_tensor(math.log(others)),
            tally={
                "right": right_N2.sum(),
                "answers": loss.new_tensor(answers),
                "chance": loss.new_tensor(answers / others),
                "reach": loss.new_tensor(answers * reach),
            },
            view_B2Ft=view_B2Ft,
            z_N2d=z_N2d,
        )

    @torch.no_grad()
    def views(self, wave_BS: Tensor, noise: Tensor) -> Tensor:
        """Two views of each clip, in dB, ``[B, 2, F, t]``."""
        mel_BFT = self.encoder.log_mel(wave_BS)
        t = self.config.frames(mel_BFT.shape[2])
        views = []
        for noise_BC in noise.unbind(1):
            crop_BFt = cropped(mel_BFT, noise_BC[:, 1], t)
            other_BFt = gather_rows(crop_BFt)[noise_BC[:, 0].long()]
            views.append(mixed(crop_BFt, other_BFt, beta_5_2(noise_BC[:, 2:8])))
        return torch.stack(views, 1)

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """How often the other view is the nearest of all, and how often it would be by chance.

        And ``reach``, see :func:`reachable`. Views look alike to an untrained network too, so
        accuracy begins far above chance.
        """
        return {
            "accuracy": float(tally["right"] / tally["answers"]),
            "majority": float(tally["chance"] / tally["answers"]),
            "reach": float(tally["reach"] / tally["answers"]),
        }


def nt_xent(z_N2d: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each view's other view among all others, and where it is the nearest.

    Scores are cosines / temperature, float32; a view is not compared with itself, so there are
    2 N - 1 candidates, 2 N - 2 of them wrong.

    Returns:
        The mean over all views, and bool ``[N, 2]``.
    """
    with torch.autocast(z_N2d.device.type, enabled=False):
        z_Vd = F.normalize(z_N2d.float().flatten(0, 1), dim=1)
        score_VV = z_Vd @ z_Vd.T / temperature
        score_VV = score_VV.masked_fill(
            torch.eye(len(z_Vd), dtype=torch.bool, device=z_Vd.device), -math.inf
        )
        other_V = torch.arange(len(z_Vd), device=z_Vd.device) ^ 1  # views 2 i and 2 i + 1 are one
        loss = F.cross_entropy(score_VV, other_V)
    return loss, (score_VV.argmax(1) == other_V).unflatten(0, (-1, 2))


def reachable(N: int, temperature: float) -> float:
    """Share of the loss of chance that perfect answers to ``N`` clips would explain.

    Views of a clip are then one point, and clips the corners of a simplex: no further apart can
    all of them be. It is near 1 at a temperature of 0.1, and 0.02 at 10, where the loss asks for
    next to nothing.
    """
    if N < 2:
        return 1.0
    wrong = (2 * N - 2) * math.exp(-(1 + 1 / (N - 1)) / temperature)
    return 1 - math.log1p(wrong) / math.log(2 * N - 1)
