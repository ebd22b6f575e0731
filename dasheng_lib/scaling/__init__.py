"""Fits of quality over effective rank, and how far they can be trusted."""

from dasheng_lib.scaling.power_law import PowerLaw, fit_power_law

__all__ = ["PowerLaw", "fit_power_law"]
