"""Chunks of clips of any length, packed one after the other without padding.

Shapes: B clips, T tokens of the longest, S tokens of all clips together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from dasheng_lib.model.attention import Runs


@dataclass(frozen=True)
class Packing:
    """Where packed tokens come from.

    Attributes:
        rows_S: int64, their places in the batch flattened to ``[B * T]``.
        places_S: int64, their places in their chunks.
        runs: chunks of equal length, longest first, see
            :func:`dasheng_lib.model.attention.attend_in_runs`.
    """

    rows_S: Tensor
    places_S: Tensor
    runs: Runs


def pack(tokens: Sequence[int], T: int, chunk: int, device: torch.device | str = "cpu") -> Packing:
    """Cut each clip into chunks and line all chunks up, longest first.

    Args:
        tokens: of each clip, at most ``T``.
        T: tokens of a row of the batch.
        chunk: tokens of a full chunk; the last chunk of a clip is as long as it is.
        device: of the indices.
    """
    pieces = [
        (min(chunk, n - start), clip * T + start)
        for clip, n in enumerate(tokens)
        for start in range(0, n, chunk)
    ]
    pieces.sort(key=lambda piece: -piece[0])
    lengths = torch.tensor([length for length, _ in pieces])
    starts = torch.tensor([start for _, start in pieces])
    first = (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    places = torch.arange(len(first)) - first
    rows = starts.repeat_interleave(lengths) + places
    runs = tuple((len(list(same)), n) for n, same in groupby(length for length, _ in pieces))
    return Packing(rows.to(device), places.to(device), runs)
