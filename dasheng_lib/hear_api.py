"""The encoders of this library as a module of the HEAR benchmark.

Any tool that follows the HEAR API (https://hearbenchmark.com/hear-api.html) can use it, such as
``python -m heareval.embeddings.runner dasheng_lib.hear_api --model /path/dasheng_base.pt``.

Shapes: B clips, N samples, T timestamps, D width.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.checkpoint.weights import load_encoder_weights, load_published
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.encoders import WEIGHTS, AudioEncoder, load_encoder
from dasheng_lib.encoders.dasheng import untrained_network
from dasheng_lib.encoders.protocol import first_ms
from dasheng_lib.encoders.released import published_file
from dasheng_lib.evaluation.frame_times import frame_times
from dasheng_lib.features import SAMPLE_RATE
from dasheng_lib.model.encoder import Encoder


def load_model(
    model_file_path: str | Path = "", *, size: str | None = None, seed: int = 0
) -> nn.Module:
    """A model in evaluation mode, on the CPU; ``model.to(device)`` moves the Dasheng ones.

    Args:
        model_file_path: a file that ``dasheng pretrain`` wrote (``.safetensors``) or one of
            Dasheng's authors, or any name that
            :func:`dasheng_lib.encoders.load_encoder` takes (``dasheng:PATH``,
            ``published:base``, ``random:SIZE``, ``logmel``, ``wheel:aisfx``, …). By default
            ``dasheng:nano``, where its weights come with the library.
        size, seed: an untrained model of this size instead.

    Returns:
        A module with the integers ``sample_rate``, ``scene_embedding_size`` and
        ``timestamp_embedding_size``.

    Raises:
        UserError: there is no such file or encoder, or nothing was named and no weights come with
            this installation.
    """
    name = str(model_file_path)
    if size is not None:
        if name:
            raise UserError(f"Name a model ({name}) or a size ({size}), not both.")
        return DashengModel(untrained_network(size, seed))
    if not name and "nano" not in WEIGHTS:
        raise UserError(
            "No weights come with this installation: pass model_file_path, a file that "
            "`dasheng pretrain` wrote or published:base, or size='base' for an untrained model."
        )
    kind, _, rest = (name or "dasheng:nano").partition(":")
    if kind == "dasheng" and rest:
        return DashengModel(load_encoder_weights(WEIGHTS.get(rest, rest)))
    if kind == "published" and rest:
        return DashengModel(load_published(published_file(rest)))
    if kind == "random" and rest:
        return DashengModel(untrained_network(rest, seed))
    if Path(name).suffix == ".safetensors":
        return DashengModel(load_encoder_weights(name))
    if expanded(name).is_file():
        return DashengModel(load_published(name))
    return AnyModel(load_encoder(name))


@torch.no_grad()
def get_scene_embeddings(audio: Tensor, model: nn.Module) -> Tensor:
    """One vector for each clip: for Dasheng the mean over its tokens.

    Args:
        audio: float [B, N] in -1…1 at ``model.sample_rate``, on the device of the model; at least
            480 samples for Dasheng, and as long as memory allows.

    Returns:
        float32 [B, ``model.scene_embedding_size``], on the device of ``audio``.
    """
    return model.scenes(audio).float()


@torch.no_grad()
def get_timestamp_embeddings(audio: Tensor, model: nn.Module) -> tuple[Tensor, Tensor]:
    """Vectors over time, and where they are: for Dasheng a token each 40 ms.

    Args:
        audio: as for :func:`get_scene_embeddings`.

    Returns:
        float32 [B, T, ``model.timestamp_embedding_size``], and float32 [B, T], the middle of what
        each vector stands for in milliseconds: for Dasheng 20, 60, 100, … in every row.
    """
    vectors_BTD = model.timestamps(audio).float()
    T, length_ms = vectors_BTD.shape[1], 1000 * audio.shape[1] / model.sample_rate
    time_T = torch.from_numpy(frame_times(model.first_ms, model.hop_ms, [T], [length_ms]))
    return vectors_BTD, time_T.float().to(audio.device).expand(len(audio), T).contiguous()


class DashengModel(nn.Module):
    """A Dasheng encoder that can be moved to a device."""

    sample_rate = SAMPLE_RATE
    hop_ms = Encoder.hop_ms
    first_ms = Encoder.hop_ms / 2

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder.eval()
        self.scene_embedding_size = self.timestamp_embedding_size = encoder.dim
        self.eval()

    def scenes(self, audio_BN: Tensor) -> Tensor:
        return self.encoder(audio_BN).mean(1)

    def timestamps(self, audio_BN: Tensor) -> Tensor:
        return self.encoder(audio_BN)


class AnyModel(nn.Module):
    """Any other encoder; it stays where it is, and its embeddings come to where the audio is."""

    def __init__(self, encoder: AudioEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.sample_rate = encoder.sample_rate
        self.hop_ms = encoder.hop_ms
        self.first_ms = first_ms(encoder)
        self.scene_embedding_size = encoder.dim
        shortest = torch.zeros(1, encoder.min_samples)
        self.timestamp_embedding_size = encoder.frames(shortest).shape[2]
        self.eval()

    def scenes(self, audio_BN: Tensor) -> Tensor:
        return self._here(self.encoder.clips(self._filled(audio_BN)), audio_BN)

    def timestamps(self, audio_BN: Tensor) -> Tensor:
        return self._here(self.encoder.frames(self._filled(audio_BN)), audio_BN)

    @staticmethod
    def _here(vectors: Tensor, audio_BN: Tensor) -> Tensor:
        # A copy: what was made in inference mode could not be trained on.
        return vectors.to(audio_BN.device, copy=True)

    def _filled(self, audio_BN: Tensor) -> Tensor:
        missing = max(0, self.encoder.min_samples - audio_BN.shape[1])
        return F.pad(audio_BN.cpu(), (0, missing))
