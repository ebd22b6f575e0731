"""Weights that lie in a wheel on the package index: fetched, verified, read; never installed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from dasheng_lib.common.cache import cache_dir, locked, need_space
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import MANIFESTS

MANIFEST = MANIFESTS / "wheels.yml"
_TIMEOUT = 600  # seconds for one run of pip


def read_weights(name: str) -> list[bytes]:
    """The weight files of a wheel of the manifest, fetched if it is not here yet.

    Raises:
        UserError: pip does not bring it, or what it brought is not the pinned file.
    """
    wanted = wheel_manifest()[name]
    path = local_wheel(name) or fetch_wheel(name)
    _verify(path, wanted)
    # Members are asked for by name and read into memory: no name in the archive is a path here.
    with zipfile.ZipFile(path) as archive:
        return [archive.read(member) for member in wanted["members"]]


def wheel_manifest() -> dict[str, dict[str, Any]]:
    """``requirement, file, bytes, sha256, members, licence`` of each wheel, by short name.

    Raises:
        UserError: the manifest is missing.
    """
    try:
        return yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{MANIFEST} is missing: run from a checkout of the repository, installed with "
            "`make env` or `pip install -e .`."
        ) from error


def local_wheel(name: str) -> Path | None:
    """The wheel in ``$DASHENG_DATA/wheels`` or in the cache; None if it is in neither."""
    file = wheel_manifest()[name]["file"]
    data = os.environ.get("DASHENG_DATA")
    places = [Path(data).expanduser() / "wheels" / file] if data else []
    places.append(cache_dir("downloads", "wheels", file))
    return next((path for path in places if path.is_file()), None)


def fetch_wheel(name: str) -> Path:
    """The wheel, by ``pip download`` without dependencies, in the cache.

    pip is asked because it knows this machine's index, proxy and certificates.

    Raises:
        UserError: there is no pip, no network or no such file, or it is not the pinned one.
    """
    wanted = wheel_manifest()[name]
    destination = cache_dir("downloads", "wheels", wanted["file"])
    need_space(destination, wanted["bytes"])
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:"]
    with (
        locked(destination),
        tempfile.TemporaryDirectory(dir=destination.parent, prefix=".pip.") as folder,
    ):
        if not destination.exists():
            said = _run([*command, "--dest", folder, wanted["requirement"]])
            brought = Path(folder) / wanted["file"]
            if not brought.is_file():
                raise UserError(
                    f"pip did not bring {wanted['file']} ({said}): check the network and the "
                    f"package index, or put the file into {destination.parent} yourself."
                )
            _verify(brought, wanted)
            os.replace(brought, destination)
    return destination


def _run(command: list[str]) -> str:
    """What pip said last, if anything."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_TIMEOUT} s"
    return next(reversed(done.stderr.strip().splitlines()), f"it ended with {done.returncode}")


def _verify(path: Path, wanted: dict[str, Any]) -> None:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != wanted["sha256"]:
        raise UserError(
            f"{path} is not the {wanted['file']} of the manifest (its SHA-256 begins with "
            f"{sha256[:12]}, not {wanted['sha256'][:12]}): delete it and try again."
        )
