"""What every layer of an encoder gives, in one pass."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn

from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.encoders.sfnfnet import SlowFastFeatures
from dasheng_lib.encoders.waveform import WaveformFeatures

OwnEncoder = TypeVar("OwnEncoder", DashengEncoder, WaveformFeatures, SlowFastFeatures)


def every_layer(encoder: OwnEncoder) -> OwnEncoder:
    """Let an encoder give the outputs of all its blocks side by side, ``dim`` numbers each.

    Its ``dim`` becomes that of all together. The last block's are behind the encoder's last norm
    and whitening, so the last columns are what it gave before; the others are as the blocks left
    them.

    Args:
        encoder: changed in place; a SlowFast NFNet is left as it is, with its last layer alone.
    """
    if isinstance(encoder, SlowFastFeatures):  # whose stages differ in width
        return encoder
    network = encoder.encoder
    name = "encode" if isinstance(encoder, DashengEncoder) else "transform"
    blocks, through = network.blocks, getattr(network, name)
    whiten, network.whiten = getattr(network, "whiten", nn.Identity()), nn.Identity()

    def through_all(*arguments: Tensor, **options: object) -> Tensor:
        outputs: list[Tensor] = []
        hooks = [
            block.register_forward_hook(lambda _, __, out: outputs.append(out))
            for block in blocks[:-1]
        ]
        try:
            last = through(*arguments, **options)
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat([*outputs, whiten(last)], -1)

    setattr(network, name, through_all)
    network.dim = encoder.dim = len(blocks) * encoder.dim
    return encoder
