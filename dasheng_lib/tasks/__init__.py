"""Tasks as short declarations: what is told apart, and what is held out."""

from dasheng_lib.tasks.pocket import SUITES, Declared, never_heard, suite

__all__ = ["SUITES", "Declared", "never_heard", "suite"]
