"""Effective rank and its kin: numbers that tell about embeddings without labels."""

from dasheng_lib.rank.effective import (
    RankMe,
    effective_rank,
    rankme,
)

__all__ = [
    "RankMe",
    "effective_rank",
    "rankme",
]
