"""Fits of quality over effective rank, and how far they can be trusted."""

from dasheng_lib.scaling.answers import judge_sweep
from dasheng_lib.scaling.beside import form_errors
from dasheng_lib.scaling.correlate import correlate
from dasheng_lib.scaling.early import compare_early, early, early_and_last, looks
from dasheng_lib.scaling.fit import Fit
from dasheng_lib.scaling.floor import retrain_floor
from dasheng_lib.scaling.increment import increment
from dasheng_lib.scaling.off_line import off_line
from dasheng_lib.scaling.partial import partial_spearman
from dasheng_lib.scaling.power_law import fit_power_law
from dasheng_lib.scaling.rows import arms, last_checkpoints
from dasheng_lib.scaling.rules import read_rules
from dasheng_lib.scaling.settings import rows_to_judge, with_gain
from dasheng_lib.scaling.simpson import simpson

__all__ = [
    "Fit",
    "arms",
    "compare_early",
    "correlate",
    "early",
    "early_and_last",
    "fit_power_law",
    "form_errors",
    "increment",
    "judge_sweep",
    "last_checkpoints",
    "looks",
    "off_line",
    "partial_spearman",
    "read_rules",
    "retrain_floor",
    "rows_to_judge",
    "simpson",
    "with_gain",
]
