"""The environment of a chapter: the same for everyone, whatever the session it is built from.

Programs that run in a kernel, Matplotlib, IPython and Python itself, are steered by variables and
by files of the user's. Of those only what says *where* things lie is handed on; what says *how* to
behave is settled here, and what changes digits, the number of threads say, is in the fingerprint.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

SETTLED = {
    # Equal runs should print equal things, at once, and the frozen-modules note is only noise.
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MATPLOTLIBRC": os.devnull,  # an empty one, in place of the user's
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "COLUMNS": "80",
    "LINES": "24",
}
STEERING = ("MPL", "MATPLOTLIB", "IPYTHON", "JUPYTER", "PYTHON", "PYDEVD", "TQDM_", "LC_")
STEERING_NAMES = ("LANG", "LANGUAGE", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE")
PLACES = (
    "MPLCONFIGDIR",  # Matplotlib's list of fonts, too, which takes seconds to make
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONNOUSERSITE",
    "PYTHONUSERBASE",
    "PYTHONPYCACHEPREFIX",
)
DIGITS = ("OMP_", "MKL_", "OPENBLAS_", "KMP_", "ATEN_", "TORCH", "PYTORCH", "CUDA_", "CUBLAS_")
DIGITS += ("NVIDIA_TF32", "NPY_", "NUMPY_", "SCIPY_", "SKLEARN_")


def surroundings(caller: Mapping[str, str], ipython: str) -> dict[str, str]:
    """The environment of a kernel that ``caller``'s session starts.

    Args:
        ipython: an empty folder, for profile, startup files and history.
    """
    kept = {
        name: value
        for name, value in caller.items()
        if name in PLACES or not (name.startswith(STEERING) or name in STEERING_NAMES)
    }
    return kept | SETTLED | {"IPYTHONDIR": ipython}


def changing(caller: Mapping[str, str]) -> dict[str, str]:
    """What of ``caller``'s environment reaches a chapter and can change what it prints or draws."""
    return SETTLED | {name: caller[name] for name in sorted(caller) if name.startswith(DIGITS)}
