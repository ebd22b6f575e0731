"""The linear head of the benchmark ARCH.

Shapes: N training rows, M test rows, D features, C classes.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dasheng_lib.evaluation.probes.classifier import Classifier


def arch(multilabel: bool = False, seed: int = 0, epochs: int = 200, batch: int = 32) -> Classifier:
    """ARCH's linear head: features as they are, AdamW with 1e-3, a tenth of the steps up and the
    rest down to 0, the last epoch's weights. Scores are logits.

    Source: ARCH (arXiv 2405.00934) and its released code; there the seed is not set, and the
    schedule moves one step too many in each epoch, which is not repeated here.
    """

    def scores(train_ND, train_NC, test_MD):
        generator = torch.Generator().manual_seed(seed)
        x_ND, y_NC = (torch.tensor(a, dtype=torch.float32) for a in (train_ND, train_NC))
        head = nn.Linear(x_ND.shape[1], y_NC.shape[1])
        bound = x_ND.shape[1] ** -0.5  # torch's default, from our own generator
        for parameter in head.parameters():
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        optimizer = torch.optim.AdamW(head.parameters(), 1e-3, fused=True)
        steps = epochs * -(-len(x_ND) // batch)
        warmup = max(round(0.1 * steps), 1)
        loss_of = F.binary_cross_entropy_with_logits if multilabel else F.cross_entropy
        step = 0
        for _ in range(epochs):
            for rows in torch.randperm(len(x_ND), generator=generator).split(batch):
                rate = min((step + 1) / warmup, (steps - step) / max(steps - warmup, 1))
                optimizer.param_groups[0]["lr"] = 1e-3 * rate
                optimizer.zero_grad()
                loss_of(head(x_ND[rows]), y_NC[rows]).backward()
                optimizer.step()
                step += 1
        with torch.inference_mode():
            return head(torch.tensor(test_MD, dtype=torch.float32)).numpy()

    return scores
