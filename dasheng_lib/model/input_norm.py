"""Batch normalisation of the log-mel, over the batches of all processes."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F


class InputNorm(nn.BatchNorm1d):
    """``nn.BatchNorm1d`` for ``[B, F, frames]`` inputs that need no gradient.

    In training, mean and variance are those of all processes together, so that a batch spread
    over two gives the numbers of the same batch in one. (``nn.SyncBatchNorm`` does that on
    GPUs only.) Alone, and in evaluation, it is ``nn.BatchNorm1d``.
    """

    def forward(self, mel_BFT: Tensor) -> Tensor:
        if not (self.training and dist.is_initialized() and dist.get_world_size() > 1):
            return super().forward(mel_BFT)
        wide_BFT = mel_BFT.detach().double()  # a variance from sums of squares needs the digits
        rows = wide_BFT.new_tensor([mel_BFT.shape[0] * mel_BFT.shape[2]])
        sums = torch.cat([wide_BFT.sum((0, 2)), wide_BFT.square().sum((0, 2)), rows])
        dist.all_reduce(sums)
        count = sums[-1]
        mean_F, square_F = sums[:-1].view(2, -1) / count
        variance_F = (square_F - mean_F.square()).clamp_min(0)
        with torch.no_grad():
            self.num_batches_tracked += 1
            share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            unbiased_F = variance_F * count / (count - 1)
            self.running_mean += share * (mean_F - self.running_mean).to(self.running_mean)
            self.running_var += share * (unbiased_F - self.running_var).to(self.running_var)
        return F.batch_norm(
            mel_BFT,
            mean_F.to(mel_BFT),
            variance_F.to(mel_BFT),
            self.weight,
            self.bias,
            eps=self.eps,
        )
