"""Tasks: what is told apart, what is held out, and the clips of each part."""

from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.of_corpus import corpus_clips, corpus_task
from dasheng_lib.tasks.pocket import SUITES, Declared, never_heard, suite
from dasheng_lib.tasks.task import Fold, Task

__all__ = [
    "SUITES",
    "Clip",
    "Declared",
    "Fold",
    "Task",
    "corpus_clips",
    "corpus_task",
    "never_heard",
    "suite",
]
