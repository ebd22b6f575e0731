"""Many pretraining runs that differ in one thing at a time, each judged alike at several steps."""

from dasheng_lib.sweep.grid import Grid, Trial, read_grid
from dasheng_lib.sweep.judge import Protocol

__all__ = ["Grid", "Protocol", "Trial", "read_grid"]
