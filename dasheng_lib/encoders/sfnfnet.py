"""SlowFast NFNet-F0 as frozen features, and with the weights of the authors' release.

Shapes: B clips, N samples, T frames (40 ms), D width.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.encoders.dasheng import untrained_network
from dasheng_lib.encoders.fingerprint import state_digest
from dasheng_lib.features import HOP
from dasheng_lib.model.slowfast_encoder import TOKEN_SAMPLES, SlowFastEncoder, token_count
from dasheng_lib.model.slowfast_nfnet import SlowFastConfig, SlowFastNFNet
from dasheng_lib.objectives.family import SLOWFAST

__all__ = ["SlowFastConfig", "SlowFastFeatures", "SlowFastNFNet", "from_release"]

PIECE_SAMPLES = 250 * TOKEN_SAMPLES  # 10 s


class SlowFastFeatures:
    """A :class:`dasheng_lib.model.slowfast_encoder.SlowFastEncoder` as features.

    A clip's vector is what the network pools itself. A clip of more than 10 s is read in the fewest
    pieces of equal length that are no longer, each standardised on its own; its vector is their
    mean, weighted by their frames. Nothing of a batch is padded inside: clips of as many frames of
    10 ms are embedded together, and a clip's vectors are always those of the clip alone.

    Args:
        encoder: given up; it is put into evaluation mode, on the device where it is now.
        name: for tables.
    """

    sample_rate = SlowFastEncoder.sample_rate
    hop_ms = SlowFastEncoder.hop_ms
    first_ms = 15.0  # the middle of the first four windows of log-mel
    min_samples = 1

    def __init__(self, encoder: SlowFastEncoder, name: str) -> None:
        self.name = name
        self.dim = encoder.dim
        self.encoder = encoder.eval()
        self.device = next(encoder.parameters()).device
        choices = encoder.config
        self.fingerprint = f"{state_digest(encoder)}-{choices.reduction}-{choices.mels}"

    @classmethod
    def untrained(cls, size: str, seed: int = 0, device: str = "cpu") -> SlowFastFeatures:
        """A freshly initialised network of a size, see ``sfnfnet_config``.

        Raises:
            UserError: no such size.
        """
        return cls(untrained_network(size, seed, SLOWFAST).to(device), f"untrained {size}")

    @torch.inference_mode()
    def frames(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Vectors, ``[B, T, dim]``; those behind a clip's end are 0."""
        out_BTD = torch.zeros(
            len(wave_BN), token_count(wave_BN.shape[1]), self.dim, device=self.device
        )
        for rows, part_BN in self._of_as_many_frames(wave_BN, lengths):
            part_BTD = torch.cat([self.encoder(piece_BN) for piece_BN in pieces(part_BN)], 1)
            out_BTD[rows, : part_BTD.shape[1]] = part_BTD
        return out_BTD

    @torch.inference_mode()
    def clips(self, wave_BN: Tensor, lengths: Tensor | None = None) -> Tensor:
        """One vector for each clip, ``[B, dim]``."""
        out_BD = torch.zeros(len(wave_BN), self.dim, device=self.device)
        for rows, part_BN in self._of_as_many_frames(wave_BN, lengths):
            for piece_BN in pieces(part_BN):
                share = token_count(piece_BN.shape[1]) / token_count(part_BN.shape[1])
                out_BD[rows] += share * self.encoder.pooled(piece_BN)
        return out_BD

    def _of_as_many_frames(
        self, wave_BN: Tensor, lengths: Tensor | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Rows of the batch with as many frames, and their waveforms with zeros up to the next.

        Beyond its end the log-mel takes a clip for zeros, so that these change no frame.
        """
        if lengths is None:
            lengths = torch.full((len(wave_BN),), wave_BN.shape[1])
        lengths = lengths.to(wave_BN.device)
        frames = -(-lengths // HOP)
        for count in frames.unique().tolist():
            rows = (frames == count).nonzero()[:, 0]
            part_BN = wave_BN[rows, : count * HOP]
            behind_BN = torch.arange(part_BN.shape[1], device=rows.device) >= lengths[rows, None]
            part_BN = part_BN.masked_fill(behind_BN, 0)
            yield rows.to(self.device), part_BN.to(self.device, non_blocking=True)


def pieces(wave_BN: Tensor) -> tuple[Tensor, ...]:
    """The fewest equal pieces of at most 10 s, whole frames each; the last may be shorter."""
    frames = token_count(wave_BN.shape[1])
    count = -(-wave_BN.shape[1] // PIECE_SAMPLES)
    return wave_BN.split(-(-frames // count) * TOKEN_SAMPLES, 1)


def from_release(parameters: Mapping[str, Any]) -> SlowFastNFNet:
    """The network exactly as released, in evaluation mode.

    Args:
        parameters: arrays by the release's names, such as
            ``slow_fast_nf_net/~/NFNet_1/~/stem_conv0/w``, in its layout: weights of convolutions
            are time x mel x inputs x outputs, of linear layers inputs x outputs.

    Raises:
        UserError: a name is missing or unknown, or an array has another shape.
    """
    with torch.device("meta"):  # shapes only: its weights are given
        network = SlowFastNFNet(final_conv=True, fast_stem="release", reduction="max-pool")
    wanted = network.state_dict()
    names = {ours: release_name(ours) for ours in wanted}
    shapes = {names[ours]: _as_released(value).shape for ours, value in wanted.items()}
    arrays = {name: np.asarray(array) for name, array in parameters.items()}
    missing = [name for name in shapes if name not in arrays]
    unknown = [name for name in arrays if name not in shapes]
    wrong = [
        f"{name} is {list(arrays[name].shape)}, not {list(shape)}"
        for name, shape in shapes.items()
        if name in arrays and arrays[name].shape != tuple(shape)
    ]
    found = [
        tell(one, which, many)
        for one, many, which in (
            ("parameter is missing", "parameters are missing", missing),
            ("is unknown", "are unknown", unknown),
            ("has another shape", "have another shape", wrong),
        )
        if which
    ]
    if found:
        raise UserError(
            f"These are not the released network's parameters: {', '.join(found)}; give all "
            f"{len(shapes)} arrays by the release's names, in its layout."
        )
    ours = {
        name: _from_released(torch.from_numpy(np.array(arrays[released], np.float32))).contiguous()
        for name, released in names.items()
    }
    network.load_state_dict(ours, assign=True)
    return network.eval()


def release_name(ours: str) -> str:
    """What the release calls a parameter of :class:`SlowFastNFNet`.

    The first of several layers has no number there, and the slow path is the second ``NFNet``.
    """
    name = re.sub(r"^slow\.", "NFNet_1.", re.sub(r"^fast\.", "NFNet.", ours))
    name = re.sub(r"\.stem\.(\d)", r".stem_conv\1", name)
    name = re.sub(r"\.blocks\.(\d+)", lambda m: f".nf_block_{m[1]}".removesuffix("_0"), name)
    name = re.sub(r"^fusions\.(\d)", lambda m: f"fuse_fast2_slow_{m[1]}".removesuffix("_0"), name)
    name = re.sub(r"^(fuse\w+)", r"\1.conv_f2s", name).replace(".final.", ".final_conv.")
    name = name.replace("squeeze_excite.squeeze", "squeeze_excite.linear")
    name = name.replace("squeeze_excite.excite", "squeeze_excite.linear_1")
    weight, bias = ("w", "b") if ".linear" in name else ("w", "bias")
    name = re.sub(r"\.weight$", f".{weight}", re.sub(r"\.bias$", f".{bias}", name))
    module, _, parameter = name.rpartition(".")
    return "/~/".join(["slow_fast_nf_net", *module.split(".")]) + f"/{parameter}"


def _as_released(value: Tensor) -> Tensor:
    return value.permute(2, 3, 1, 0) if value.ndim == 4 else value.T if value.ndim == 2 else value


def _from_released(value: Tensor) -> Tensor:
    return value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T if value.ndim == 2 else value
