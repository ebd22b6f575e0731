"""Many pretraining runs that differ in one thing at a time, each judged alike at several steps."""

from dasheng_lib.common.places import SWEEPS
from dasheng_lib.sweep.columns import spent_by
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.rates import base_trials, tuned_rates

__all__ = [
    "SWEEPS",
    "base_trials",
    "read_grid",
    "spent_by",
    "tuned_rates",
]
