"""Fits of quality over effective rank, and how far they can be trusted."""

from dasheng_lib.scaling.answers import judge_sweep
from dasheng_lib.scaling.power_law import PowerLaw, fit_power_law
from dasheng_lib.scaling.rules import Rules, read_rules

__all__ = ["PowerLaw", "Rules", "fit_power_law", "judge_sweep", "read_rules"]
