"""The benchmarks of data sets in official layouts; a new one is a reader and a row here."""

from __future__ import annotations

from collections.abc import Callable

from dasheng_lib.tasks.arch import arch_task
from dasheng_lib.tasks.task import Task

# From a benchmark's name to read(task, folder, progress=True); its manifest,
# data_manifests/corpora/NAME.yml, describes the tasks and their sets.
BENCHMARKS: dict[str, Callable[..., Task]] = {"arch": arch_task}
