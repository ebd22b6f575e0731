"""What a result was made with: commit, versions, machine."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from dasheng_lib.common.places import LIBRARY

PACKAGES = ("torch", "torchaudio", "numpy", "scipy", "scikit-learn", "pandas", "soundfile")


def provenance() -> dict[str, object]:
    """Commit, Python, library versions, processor, cores and GPU, as plain JSON values.

    Imports none of the libraries it reports, so it is cheap. The commit ends in ``+changes``
    when files differ from it, and is "unknown" outside a git checkout.
    """
    return {
        "commit": commit(LIBRARY),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1,
        "gpu": gpu(),
    }


def version(package: str) -> str:
    """The installed version of a package, or "missing"."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "missing"


def commit(folder: Path) -> str:
    """Short commit of the checkout that holds ``folder``."""
    head = _output(["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"])
    if not head:
        return "unknown"
    changed = _output(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    return head + ("+changes" if changed else "")


@functools.cache
def processor() -> str:
    """The processor's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@functools.cache
def gpu() -> str:
    """Names of the NVIDIA GPUs, or "none"."""
    if not shutil.which("nvidia-smi"):
        return "none"
    names = _output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"])
    return ", ".join(names.splitlines()) or "none"


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
