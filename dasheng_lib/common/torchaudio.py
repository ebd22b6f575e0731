"""torchaudio, whether or not its compiled part loads.

The torchaudio wheel on the package index is built against one CUDA version. Beside any other
torch, ``import torchaudio`` fails: an OSError where the CUDA libraries are absent (a CPU-only
torch), a RuntimeError where torch was built for another CUDA. This project needs only what
torchaudio has in Python (resample, MelSpectrogram, …), and torchaudio itself has a path for
that: it is taken when its ``.so`` files do not exist.

``tolerate()`` lets that path be taken too when the files exist and do not load. It watches for
one import, ``torchaudio._extension``. That module runs as it is; if it fails, its names are set
to "there is no extension". A torchaudio that loads is left alone, nothing on disk changes, and
torch is not imported before torchaudio is. Use it as

    from dasheng_lib.common.torchaudio import torchaudio
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from dasheng_lib.common.errors import UserError

_WATCHED = "torchaudio._extension"


class TorchaudioMissing(UserError, ImportError):
    """torchaudio is not installed, or its Python part cannot be imported either."""


class _Tolerant:
    """Finder on ``sys.meta_path`` that answers for one module and no other."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != _WATCHED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        run = spec.loader.exec_module

        def run_or_stand_in(module: ModuleType) -> None:
            try:
                run(module)
            except Exception as error:
                vars(module).update(_absent(error))

        spec.loader.exec_module = run_or_stand_in
        return spec


def _absent(error: Exception) -> dict[str, Any]:
    """The names of ``torchaudio._extension`` as they stand when there is no compiled part."""

    def needs_extension(function: Any) -> Any:
        def refuse(*args: Any, **kwargs: Any) -> None:
            raise RuntimeError(f"{function.__name__} needs torchaudio's compiled part: {error}")

        return refuse

    return {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_load_lib": lambda lib: False,
        "_check_cuda_version": lambda: None,
        "fail_if_no_align": needs_extension,
        "_why_absent": f"{type(error).__name__}: {error.__cause__ or error}",
    }


def tolerate() -> None:
    """Make every later ``import torchaudio`` in this process survive its compiled part."""
    if _Tolerant not in sys.meta_path:
        sys.meta_path.insert(0, _Tolerant)


def why_python_only() -> str | None:
    """None if torchaudio's compiled part loaded, else the reason why it did not.

    Raises:
        TorchaudioMissing: there is no torchaudio.
    """
    extension = importlib.import_module(_WATCHED, _load().__name__)
    if extension._IS_TORCHAUDIO_EXT_AVAILABLE:
        return None
    return getattr(extension, "_why_absent", "it is not in this installation")


def _load() -> ModuleType:
    tolerate()
    try:
        return importlib.import_module("torchaudio")
    except ImportError as error:
        raise TorchaudioMissing(
            f"torchaudio cannot be imported ({error}): run `make env`, "
            "or install the versions that constraints.txt names."
        ) from error


def __getattr__(name: str) -> ModuleType:
    # Lazy, so that `import dasheng_lib` costs nothing.
    if name == "torchaudio":
        return _load()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
