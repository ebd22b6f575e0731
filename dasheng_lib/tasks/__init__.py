"""Tasks: what is told apart, what is held out, and the clips of each part."""

from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.pocket import SUITES, Declared, never_heard, suite
from dasheng_lib.tasks.task import Task

__all__ = [
    "SUITES",
    "Clip",
    "Declared",
    "Task",
    "never_heard",
    "suite",
]
