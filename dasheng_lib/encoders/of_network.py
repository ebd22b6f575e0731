"""Networks that we train as frozen features: one row for each kind, whatever trained it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from dasheng_lib.checkpoint.weights import load_encoder_weights
from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.encoders.sfnfnet import SlowFastFeatures
from dasheng_lib.encoders.waveform import WaveformFeatures
from dasheng_lib.encoders.whitening import unwhitened
from dasheng_lib.model.encoder import Encoder
from dasheng_lib.model.slowfast_encoder import SlowFastEncoder
from dasheng_lib.model.waveform import WaveformEncoder
from dasheng_lib.objectives import Objective

# The network as features under a name; a Dasheng encoder has further options.
FEATURES: dict[type[nn.Module], Callable[..., AudioEncoder]] = {
    Encoder: DashengEncoder,
    WaveformEncoder: lambda network, name, **_: WaveformFeatures(network, name),
    SlowFastEncoder: lambda network, name, **_: SlowFastFeatures(network, name),
}


def features_of(model: Objective, name: str) -> AudioEncoder:
    """The encoder of any family as frozen features; a waveform network is given up for them."""
    return FEATURES[type(model.encoder)](model.encoder, name)


def features_from_file(
    path: Path | str,
    kind: str,
    name: str,
    precision: str = "float32",
    whitened: bool = True,
    device: str = "cpu",
) -> AudioEncoder:
    """The encoder in a file that ``dasheng pretrain`` wrote, as frozen features.

    Args:
        whitened: with the whitening that is in the file, if there is one.
        device: of torch, that it runs on.

    Raises:
        UserError: the file is absent, damaged, none of ours, or of another kind.
    """
    network = load_encoder_weights(path, kind)
    if not whitened:
        network = unwhitened(network)
    network.to(device)
    return FEATURES[type(network)](network, name, precision=precision, in_place=True)
