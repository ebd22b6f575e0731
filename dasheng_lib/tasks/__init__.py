"""Tasks as short declarations: what is told apart, and what is held out."""

from dasheng_lib.tasks.pocket import SUITES, Task, never_heard, suite

__all__ = ["SUITES", "Task", "never_heard", "suite"]
