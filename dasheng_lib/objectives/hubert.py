"""HuBERT: say which cluster the sound of a hidden frame belongs to.

Clusters come from k-means: in the first iteration of MFCC, in the second, which is a run of its
own with a new network, of what the network of the first makes of the audio.

Shapes: B clips, N samples, T frames (20 ms), V clusters, W width of what is clustered, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from dasheng_lib.common.distributed import broadcast, gather_rows
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.settings import setting
from dasheng_lib.masking import span_mask, span_places
from dasheng_lib.model.waveform import WaveformEncoder, frame_count
from dasheng_lib.objectives import Objective, Output
from dasheng_lib.objectives.mfcc import MFCC
from dasheng_lib.objectives.parts import counts, damp_gradient, hidden_weights, perplexity

CODE_DIM = 256  # where frames and clusters are compared
TEMPERATURE = 0.1
PENALTY = 10.0  # weight of the convolutions' mean square
CONV_GRADIENT = 0.1


@dataclass(frozen=True)
class HubertConfig:
    """What is hidden and what is to be said of it.

    Attributes:
        mask_ratio, span: see :func:`dasheng_lib.masking.span_mask`. Of 99 frames (2 s) these hide
            57 %.
        clusters: their number V (published, of 960 h of speech: 100, then 500).
        teacher: file of a run of the first iteration, of the same size, whose network is learned
            from; None learns from MFCC.
        layer: the block of the teacher whose output is clustered; by default the middle one.
    """

    mask_ratio: float = setting(0.8, "share of the tokens that is hidden")
    span: int = setting(10, "length of a hidden span, in frames of 20 ms")
    clusters: int = setting(100, "kinds of sound that are told apart")
    teacher: str | None = setting(
        None, "final.safetensors of a first run to learn from; without it, from MFCC"
    )
    layer: int | None = setting(None, "block of the teacher whose output is clustered")

    def __post_init__(self) -> None:
        if not 0.0 < self.mask_ratio < 1.0:
            raise ValueError(f"mask ratio is above 0 and below 1, not {self.mask_ratio}")
        if min(self.span, self.clusters) < 1 or (self.layer is not None and self.layer < 1):
            raise ValueError("span, clusters and layer are at least 1")


@dataclass(frozen=True)
class HubertOutput(Output):
    """See :class:`dasheng_lib.objectives.Output`.

    Attributes:
        mask_BT: what was hidden.
        label_BT: the cluster of each frame.
        score_BTV: cosine over temperature.
    """

    mask_BT: Tensor
    label_BT: Tensor
    score_BTV: Tensor


class Hubert(Objective):
    """Masked prediction of clusters; cross-entropy over hidden frames alone.

    Loss: cross-entropy of cosine / 0.1 with a learned vector for each cluster, plus 10 x mean
    square of the convolutions' output, whose gradient is damped to a tenth.

    Source: Hsu et al. 2021, sections II and IV; weights of the loss from fairseq's configuration.

    Raises:
        UserError: transformers is not installed.
    """

    family = "hubert"

    def __init__(self, encoder: WaveformEncoder, config: HubertConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HubertConfig()
        self.encoder = encoder
        self.teacher: nn.Module = MFCC()
        if config.teacher:
            layer = config.layer or max(1, encoder.config.depth // 2)
            self.teacher = WaveformEncoder(replace(encoder.config, depth=layer))
        self.teacher.requires_grad_(False)
        self.project = nn.Linear(encoder.dim, CODE_DIM)
        # Published: uniform in [0, 1), where all cosines begin near 1.
        self.codes = nn.Parameter(torch.randn(config.clusters, CODE_DIM))
        self.register_buffer("centroids", torch.zeros(config.clusters, self.teacher.dim))

    def learn_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take the state dict of the first iteration as the teacher of the second."""
        names = self.teacher.state_dict().keys()
        self.teacher.load_state_dict({name: weights[f"encoder.{name}"] for name in names})

    @torch.no_grad()
    def calibrate(self, waves: Iterable[Tensor]) -> None:
        """Find the clusters in a few batches.

        Raises:
            UserError: they have fewer frames than there are clusters.
        """
        rows_NW = torch.cat([gather_rows(self.teacher(wave_BN).flatten(0, 1)) for wave_BN in waves])
        found = broadcast(kmeans(rows_NW.float().cpu().numpy(), self.config.clusters))
        self.centroids.copy_(torch.from_numpy(found))

    def draw_noise(self, B: int, N: int, generator: Generator, progress: float = 1.0) -> Tensor:
        """The noise of the mask, see :func:`dasheng_lib.masking.span_mask`."""
        places = span_places(frame_count(N), self.config.span)
        return torch.rand(B, places + 1, generator=generator)

    def forward(self, wave_BN: Tensor, noise: Tensor) -> HubertOutput:
        """One step; ``noise`` is what ``draw_noise`` gave.

        Raises:
            ValueError: the clips are no longer than one span.
        """
        V = self.config.clusters
        label_BT = self.labels(wave_BN)
        mask_BT = span_mask(noise, self.config.mask_ratio, self.config.span)

        features_BTC = damp_gradient(self.encoder.features(wave_BN), CONV_GRADIENT)
        x_BTD, _ = self.encoder.project(features_BTC)
        x_BTD = torch.where(mask_BT[..., None], self.encoder.mask_token.to(x_BTD.dtype), x_BTD)
        z_BTD = self.encoder.transform(x_BTD)
        score_BTV = cosines(self.project(z_BTD), self.codes) / TEMPERATURE

        surprise_BT = F.cross_entropy(score_BTV.transpose(1, 2), label_BT, reduction="none")
        weight_BT = hidden_weights(mask_BT)
        task_loss = (weight_BT * surprise_BT).sum()
        answer_BT = score_BTV.argmax(2)
        share_V = weight_BT.new_zeros(V).index_add(0, label_BT.flatten(), weight_BT.flatten())
        B = len(mask_BT)
        return HubertOutput(
            loss=task_loss + PENALTY * features_BTC.float().square().mean(),
            task_loss=task_loss,
            # Of always saying how often each cluster occurs in this batch. Over more audio than a
            # batch that is more, so ``health`` has ``explained`` of all that was examined.
            baseline_loss=torch.special.entr(share_V).sum(),
            tally={
                "labels": counts(label_BT, mask_BT, V),
                "answers": counts(answer_BT, mask_BT, V),
                "right": (answer_BT == label_BT)[mask_BT].sum(),
                "weights": share_V * B,  # of all clips; ``labels`` counts frames
                "surprise": task_loss.detach() * B,
            },
            mask_BT=mask_BT,
            label_BT=label_BT,
            score_BTV=score_BTV,
        )

    @torch.no_grad()
    def labels(self, wave_BN: Tensor) -> Tensor:
        """The nearest cluster of each frame, int64 ``[B, T]``."""
        return self._nearest(self.teacher(wave_BN).float())

    def _nearest(self, rows_W: Tensor) -> Tensor:
        # |x - c|^2 = |x|^2 - 2 x c + |c|^2, of which the first is the same for all clusters.
        with torch.autocast(rows_W.device.type, enabled=False):
            near_V = rows_W @ self.centroids.T - self.centroids.square().sum(1) / 2
        return near_V.argmax(-1)

    def health(self, tally: dict[str, Tensor]) -> dict[str, float]:
        """Accuracy at hidden frames, that of the commonest cluster among them, clusters in use.

        ``majority`` and ``explained`` are against what is known of the labels of all audio that
        was added up, and of nothing else: no single answer is right more often, and no fixed shares
        are surprised less.
        """
        labels, answers, V = tally["labels"], tally["answers"], self.config.clusters
        clips = tally["weights"].sum()
        nothing = clips * torch.special.entr(tally["weights"] / clips).sum()
        return {
            "explained": float(1 - tally["surprise"] / nothing) if nothing > 0 else 0.0,
            "accuracy": float(tally["right"] / labels.sum()),
            "majority": float(labels.max() / labels.sum()),
            "perplexity": float(perplexity(labels)),
            "use": float(perplexity(labels)) / V,
            "answers": float(perplexity(answers)) / V,
        }


def cosines(x_BTD: Tensor, y_VD: Tensor) -> Tensor:
    """Cosine of every vector with each of V others, float32 ``[B, T, V]``."""
    with torch.autocast(x_BTD.device.type, enabled=False):
        return F.normalize(x_BTD.float(), dim=-1) @ F.normalize(y_VD.float(), dim=-1).T


def kmeans(rows_NW: np.ndarray, clusters: int) -> np.ndarray:
    """Centroids ``[clusters, W]`` by mini-batch k-means, the best of 5 starts of k-means++.

    The same for the same rows. (Published: 20 starts and batches of 10,000; of 25,000 rows that
    takes 25 times as long for the same inertia.)

    Raises:
        UserError: there are fewer rows than clusters.
    """
    from sklearn.cluster import MiniBatchKMeans  # takes a second, which no other family needs

    if len(rows_NW) < clusters:
        raise UserError(
            f"{len(rows_NW)} frames are too few for {clusters} clusters: use longer crops or a "
            "larger batch."
        )
    with threadpool_limits(1):  # several threads add up in the order in which they finish
        model = MiniBatchKMeans(
            clusters,
            init="k-means++",
            n_init=5,
            batch_size=2048,
            init_size=4096,
            max_no_improvement=20,
            reassignment_ratio=0.0,
            random_state=0,
        ).fit(rows_NW)
    return model.cluster_centers_.astype(np.float32)
