"""Which tokens the encoder sees: masking in groups of neighbours, or in spans that may overlap.

Shapes: B clips, T tokens, K kept tokens, G groups, S places where a span may start.
"""

from __future__ import annotations

import torch
from torch import Tensor


def kept_tokens(T: int, ratio: float = 0.75, group: int = 2) -> int:
    """Tokens that :func:`group_mask` keeps of ``T``: ``int(T * (1 - ratio))`` in whole groups.

    At least one group is kept; tokens left over by ``T % group`` are kept only when all are.

    Raises:
        ValueError: ``ratio`` is outside [0, 1), or ``T`` or ``group`` is below 1.
    """
    if not 0.0 <= ratio < 1.0:
        raise ValueError(f"mask ratio is at least 0 and below 1, not {ratio}")
    if T < 1 or group < 1:
        raise ValueError(f"tokens and group are at least 1, not {T} and {group}")
    if ratio == 0.0:
        return T
    group = min(group, T)
    return max(int(T * (1 - ratio)) // group, 1) * group


def group_mask(
    B: int,
    T: int,
    ratio: float = 0.75,
    group: int = 2,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Random tokens to keep, clip by clip, in whole groups of neighbours.

    Each group draws a uniform number; the lowest are kept. With 250 tokens, ratio 0.75 and
    pairs, 31 pairs (62 tokens) stay and 188 tokens go, in runs of at least two (80 ms).

    Args:
        B, T: clips and tokens.
        ratio: share to remove, in [0, 1).
        group: tokens that live and die together.
        generator: source of the random numbers, on the device of the result.
        noise: the random numbers themselves, [B, T // group], in place of a generator.

    Returns:
        ``keep`` [B, K] int64, ascending indices of what the encoder sees, and
        ``mask`` [B, T] bool, True where a token was removed.

    Raises:
        ValueError: an argument is out of range, or ``noise`` has another shape.

    Source: Dasheng, section 2.2 ("at least two consecutive chunks"); upstream
    ``random_masking_group``. Upstream splits a pair where ``int(T * (1 - ratio))`` is odd and
    fails for odd ``T``; here groups stay whole (see :func:`kept_tokens`).
    """
    K = kept_tokens(T, ratio, group)
    device = noise.device if noise is not None else generator.device if generator else "cpu"
    if K == T:
        keep = torch.arange(T, device=device).expand(B, T).contiguous()
        return keep, torch.zeros(B, T, dtype=torch.bool, device=device)
    group = min(group, T)
    G = T // group
    if noise is None:
        noise = torch.rand(B, G, generator=generator, device=device)
    if noise.shape != (B, G):
        raise ValueError(f"noise is [{B}, {G}] for these clips, not {list(noise.shape)}")
    kept_groups = noise.argsort(stable=True, dim=1)[:, : K // group].sort(1).values
    within = torch.arange(group, device=device)
    keep = (kept_groups[:, :, None] * group + within).flatten(1)
    mask = torch.ones(B, T, dtype=torch.bool, device=device).scatter(1, keep, False)
    return keep, mask


def span_mask(noise_BS1: Tensor, ratio: float, length: int) -> Tensor:
    """Random spans to hide, clip by clip: ``[B, T]`` bool, True where a token is hidden.

    Spans of ``length`` tokens start at ``ratio * T / length`` different places; as they overlap,
    fewer than ``ratio`` of the tokens are hidden (of 99 with 0.65 and spans of 10 about half). A
    fraction of a span is one more span in as many clips.

    Args:
        noise_BS1: uniform in [0, 1), a number for each of the S = T - length + 1 places, and one
            that rounds the number of spans; see :func:`span_places`.
        ratio: share that the spans would hide if they did not overlap, in (0, 1).
        length: of a span.

    Raises:
        ValueError: ``ratio`` is out of range.

    Source: wav2vec 2.0, section 3.1 and appendix A; fairseq ``compute_mask_indices``, from which
    this differs in three ways. A span may start at all T - length + 1 places (as in transformers),
    there at T - length, so that the last token is never hidden. One span is the least, there two
    (``min_masks``), which matters to clips of fewer than 31 tokens (0.63 s) at a ratio of 0.65 and
    spans of 10. And every clip keeps its own number of hidden tokens; there tokens are unmasked
    until all clips of a batch have as many.
    """
    if not 0.0 < ratio < 1.0:
        raise ValueError(f"mask ratio is above 0 and below 1, not {ratio}")
    order_BS = noise_BS1[:, :-1].argsort(stable=True, dim=1)
    B, S = order_BS.shape
    T = S + length - 1
    count_B1 = (ratio * T / length + noise_BS1[:, -1:]).floor().clamp(1, S)
    rank_BS = torch.empty_like(order_BS).scatter(
        1, order_BS, torch.arange(S, device=order_BS.device).expand(B, S)
    )
    start_BS = (rank_BS < count_B1).to(noise_BS1.dtype)
    # A token is hidden if a span started at it or at one of the length - 1 before it.
    total_BT = torch.nn.functional.pad(start_BS.cumsum(1), (0, length - 1), mode="replicate")
    before_BT = torch.nn.functional.pad(start_BS.cumsum(1), (length, 0))[:, :T]
    return total_BT > before_BT


def span_places(T: int, length: int) -> int:
    """Places where a span of ``length`` may start among ``T`` tokens.

    Raises:
        ValueError: every token would be hidden by one span, or there is no room for it.
    """
    if not 1 <= length < T:
        raise ValueError(f"of {T} tokens spans of {length} leave none: use longer clips")
    return T - length + 1
