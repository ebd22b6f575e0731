"""Fits of quality over effective rank, and how far they can be trusted."""

from dasheng_lib.scaling.answers import judge_sweep
from dasheng_lib.scaling.correlate import correlate
from dasheng_lib.scaling.early import FRACTIONS, compare_early, early, early_and_last
from dasheng_lib.scaling.fit import Fit
from dasheng_lib.scaling.floor import retrain_floor
from dasheng_lib.scaling.increment import increment
from dasheng_lib.scaling.partial import partial_spearman
from dasheng_lib.scaling.power_law import fit_power_law
from dasheng_lib.scaling.rows import arms, last_checkpoints
from dasheng_lib.scaling.rules import read_rules
from dasheng_lib.scaling.simpson import simpson

__all__ = [
    "FRACTIONS",
    "Fit",
    "arms",
    "compare_early",
    "correlate",
    "early",
    "early_and_last",
    "fit_power_law",
    "increment",
    "judge_sweep",
    "last_checkpoints",
    "partial_spearman",
    "read_rules",
    "retrain_floor",
    "simpson",
]
