"""``dasheng doctor``: what is here, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.common.places import ROOT

# Packages are imported where they are used: a doctor must be able to report their absence.

EPILOG = "Exit code 0: usable as it is. 1: something must be mended first."
PROJECT = "dasheng-companion"
PIP = ".venv/bin/pip install -c constraints.txt"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        area: what was looked at, such as ``"torch"``.
        state: ``"ok"``; ``"note"`` works, but differs or lacks something; ``"bad"`` does not work.
        text: what was found.
        remedy: what to do about it; empty if nothing.
    """

    area: str
    state: str
    text: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``dasheng doctor``."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 if none of them is ``bad``, else 1."""
    findings = examine()
    usable = all(finding.state != "bad" for finding in findings)
    if args.json:
        print(json.dumps({"usable": usable, "findings": [*map(asdict, findings)]}, indent=1))
    else:
        for finding in findings:
            mark = {"ok": " ", "note": "·", "bad": "✗"}[finding.state]
            print(f"{mark} {finding.area:<11} {finding.text}")
            if finding.remedy:
                print(f"  {'':<11} → {finding.remedy}")
        print("\nReady." if usable else "\nNot usable yet: see the lines marked ✗.")
    return 0 if usable else 1


def examine() -> list[Finding]:
    """Look at everything. A check that fails is itself a finding; nothing is raised."""
    findings = []
    checks = {
        "Python": _python,
        "packages": _packages,
        "torch": _torch,
        "torchaudio": _torchaudio,
        "soundfile": _soundfile,
        "download": _download,
        "cache": _cache,
        "corpora": _corpora,
    }
    for area, check in checks.items():
        try:
            findings += check()
        except Exception as error:
            told = isinstance(error, ImportError | UserError)
            text = str(error) if told else f"{type(error).__name__}: {error}"
            mend = "make env" if isinstance(error, ImportError) else ""
            findings.append(Finding(area, "bad", text, mend))
    return findings


def _python() -> Iterator[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", "ok" if good else "bad", found, "" if good else "use 3.11 to 3.13")


def _packages() -> Iterator[Finding]:
    """Every package that the project names, against its pin in constraints.txt."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    file = ROOT / "constraints.txt"  # absent where the library was installed without its checkout
    lines = file.read_text().split() if file.exists() else []
    pins = {canonicalize_name(n): v for n, v in (line.split("==") for line in lines)}
    same, exact = 0, True
    for line in metadata.requires(PROJECT) or []:
        requirement = Requirement(line)
        extra = str(requirement.marker).split('"')[1] if requirement.marker else ""
        pin = pins.get(canonicalize_name(requirement.name), "")
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wanted = {"": "", "dev": " (for tests)"}.get(extra, f" (optional: {extra})")
            mend = "make env" if extra in ("", "dev") else f"{PIP} -e '.[{extra}]'"
            text = f"{requirement.name} is not installed{wanted}"
            yield Finding("packages", "note" if extra else "bad", text, mend)
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            text = f"{requirement.name} {found} is not {requirement.specifier}"
            yield Finding("packages", "bad", text, "make env")
        elif pin and Version(found).public != pin:
            text = f"{requirement.name} {found}, the numbers in the book were made with {pin}"
            yield Finding("packages", "note", text, "make env")
        else:
            same += 1
            exact = exact and bool(pin)
    yield Finding("packages", "ok", f"{same} packages {'as pinned' if exact else 'as required'}")


def _torch() -> Iterator[Finding]:
    import torch

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    yield Finding("torch", "ok", f"{torch.__version__} ({build})")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    bf16 = "fast" if "amx_bf16" in flags or "avx512_bf16" in flags else "works, not faster"
    yield Finding(
        "CPU",
        "ok",
        f"{cores} cores, torch uses {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}; bf16: {bf16}",
    )
    if not torch.cuda.is_available():
        yield Finding("GPU", "ok", "none that torch can use; the quick profile needs none")
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        card = torch.cuda.get_device_properties(number)
        bf16 = "yes" if card.major >= 8 else "no"
        yield Finding("GPU", "ok", f"{card.name}, {card.total_memory / 1e9:.0f} GB; bf16: {bf16}")


def _torchaudio() -> Iterator[Finding]:
    from dasheng_lib.common.torchaudio import torchaudio, why_python_only

    reason = why_python_only()
    how = f"its Python part, which is all we need ({reason})" if reason else "with compiled part"
    yield Finding("torchaudio", "ok", f"{torchaudio.__version__}, {how}")


def _soundfile() -> Iterator[Finding]:
    import numpy as np
    import soundfile

    def decodes(kind: str, subtype: str) -> bool:
        buffer = io.BytesIO()
        try:
            tone = 0.5 * np.sin(np.arange(16_000) * 0.1)
            soundfile.write(buffer, tone, 16_000, format=kind, subtype=subtype)
            buffer.seek(0)
            heard, _ = soundfile.read(buffer)
        except Exception:
            return False
        return np.std(heard) > 0.3

    kinds = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16")}
    kinds |= {"vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS")}
    works = {name: decodes(*kind) for name, kind in kinds.items()}
    readable, silent = ([n for n in works if works[n] == can] for can in (True, False))
    text = f"{soundfile.__version__}, {soundfile.__libsndfile_version__}: {', '.join(readable)}"
    if silent:
        text += f"; cannot decode {', '.join(silent)}"
        yield Finding("soundfile", "bad", text, "make env (its wheel brings a newer libsndfile)")
    else:
        yield Finding("soundfile", "ok", text)


def _download() -> Iterator[Finding]:
    absent = [tool for tool in ("apt-get", "dpkg-deb") if not shutil.which(tool)]
    if absent:
        yield Finding(
            "download",
            "note",
            f"{' and '.join(absent)} not found, so the pocket corpus needs a Debian mirror",
            "dasheng corpus fetch --help (or read the book with --corpus synthetic)",
        )
    else:
        yield Finding("download", "ok", "apt-get and dpkg-deb are here; no root is needed")


def _cache() -> Iterator[Finding]:
    from dasheng_lib.common.cache import atomic_file, cache_dir

    probe = cache_dir(".doctor")
    with atomic_file(probe):  # raises a sentence where the folder cannot be written
        pass
    probe.unlink(missing_ok=True)
    root = probe.parent
    free = shutil.disk_usage(root).free
    low = free < 2e9
    yield Finding(
        "cache",
        "note" if low else "ok",
        f"{root}, {_size(root)}, {free / 1e9:.1f} GB free",
        "set DASHENG_CACHE to a folder on a larger disk" if low else "",
    )
    kinds = [*root.glob("*/"), *root.glob("artefacts/*/")]
    for kind in sorted(kind for kind in kinds if kind.is_dir() and kind.name != "artefacts"):
        yield Finding("cache", "ok", f"  {kind.relative_to(root)}: {_size(kind)}")
    unfinished = (".part", ".work")
    parts = sorted(
        path
        for path in root.rglob("*")
        if path.suffix in unfinished
        and not any(parent.suffix in unfinished for parent in path.parents)
    )
    if parts:
        size = sum(file.stat().st_size for part in parts for file in _files(part))
        said = tell("piece", [str(part.relative_to(root)) for part in parts], "pieces")
        yield Finding(
            "cache",
            "note",
            f"  {said} of work that was killed or is still going on, {size / 1e6:.1f} MB",
            "the same command again goes on with them or removes them; or delete them",
        )


def _corpora() -> Iterator[Finding]:
    from dasheng_lib.common.cache import cache_dir

    found = [path.parent for path in sorted(cache_dir("corpora").glob("*/corpus.json"))]
    for folder in found:
        yield Finding("corpora", "ok", f"{folder.name}, {_size(folder)}")
    if not any(folder.name.startswith("pocket-") for folder in found):
        text = "the pocket corpus is not here yet; `make book` fetches it"
        yield Finding("corpora", "note", text, "dasheng corpus fetch")
    yield Finding("corpora", "ok", "synthetic is always there")


def _size(folder: Path) -> str:
    files = _files(folder)
    return f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {len(files)} files"


def _files(place: Path) -> list[Path]:
    """Every file below a folder, or a file itself."""
    return [path for path in [place, *place.rglob("*")] if path.is_file() and not path.is_symlink()]
