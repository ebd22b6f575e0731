"""An encoder's weights prepared once for inference, in float32 or bfloat16."""

from __future__ import annotations

import copy
import platform

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.model.encoder import Encoder

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def freeze(encoder: Encoder, precision: str = "float32", in_place: bool = False) -> Encoder:
    """A copy of ``encoder`` that runs faster and cannot be trained, saved or moved.

    The linear layers of the blocks hold their weights in the layout that the processor's
    product wants, and add bias and GELU to it. With ``"bfloat16"`` these products and attention
    are in bfloat16; the front end, the residual stream and the layer norms stay float32. All
    other parameters are shared with ``encoder``. ``in_place`` changes ``encoder`` itself, so that
    its weights are never in memory twice.

    Raises:
        ValueError: no such precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {' or '.join(PRECISIONS)}, not {precision!r}")
    dtype = PRECISIONS[precision]
    shared = {id(t): t for t in (*encoder.parameters(), *encoder.buffers())}
    frozen = encoder.eval() if in_place else copy.deepcopy(encoder, shared).eval()
    del shared  # which would keep what is replaced below
    for block in frozen.blocks:
        for name in ("qkv", "proj", "fc2"):
            setattr(block, name, FrozenLinear(getattr(block, name), dtype))
        block.fc1 = FrozenLinear(block.fc1, dtype, gelu=True)
        block.act = nn.Identity()
    return frozen


class FrozenLinear(nn.Module):
    """``x @ weight.T + bias``, then GELU if asked; in ``dtype`` whatever the type of ``x``.

    On x86 processors the weight is packed for oneDNN, whose product is 5 to 15 % faster than
    ``nn.Linear`` (which packs at every call, and whose MKL is not at its best on AMD), and GELU
    costs next to nothing inside it. These are the operators that ``torch.compile`` puts in the
    place of a frozen linear layer. Elsewhere this is a linear layer whose weight is cast once.
    """

    def __init__(self, linear: nn.Linear, dtype: torch.dtype, gelu: bool = False) -> None:
        super().__init__()
        weight = linear.weight.detach().to(dtype)
        self.dtype = dtype
        self.gelu = gelu
        self.packed = weight.device.type == "cpu" and _can_pack(dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight) if self.packed else weight
        self.bias = linear.bias.detach().to(dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        if self.packed:
            then, how = ("gelu", "none") if self.gelu else ("none", "")
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, then, [], how)
        out = F.linear(x, self.weight, self.bias)
        return F.gelu(out) if self.gelu else out


def _can_pack(dtype: torch.dtype) -> bool:
    return (
        platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        and hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
        # Processors without AVX-512 have no packed product in bfloat16, and oneDNN raises.
        and (dtype != torch.bfloat16 or torch.ops.mkldnn._is_mkldnn_bf16_supported())
    )
