"""The transformer block, of encoder and decoder: B clips, T tokens, D width."""

from __future__ import annotations

from torch import Tensor, nn

from dasheng_lib.model.attention import Attention, attend

LAYER_NORM_EPS = 1e-6


class Block(nn.Module):
    """Pre-norm transformer block: attention, then an MLP of four times the width, both added."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dim, LAYER_NORM_EPS)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, LAYER_NORM_EPS)
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x_BTD: Tensor, attention: Attention = attend) -> Tensor:
        x_BTD = x_BTD + self.proj(attention(self.qkv(self.norm1(x_BTD)), self.heads))
        return x_BTD + self.fc2(self.act(self.fc1(self.norm2(x_BTD))))


def through(blocks: nn.ModuleList, x_BTD: Tensor, attention: Attention = attend) -> Tensor:
    """One block after another."""
    for block in blocks:
        x_BTD = block(x_BTD, attention)
    return x_BTD


def xavier(module: nn.Module) -> None:
    """Linear layers as the reference begins them: Xavier's uniform weights, biases of 0."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
