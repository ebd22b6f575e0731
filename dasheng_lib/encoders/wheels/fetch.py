"""Weights that lie in a wheel on the package index: fetched, verified, read; never installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from dasheng_lib.common.cache import cache_dir, locked, need_space, scratch_folder
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import MANIFESTS
from dasheng_lib.encoders.pinned import local_file, read_pins, verify

MANIFEST = MANIFESTS / "wheels.yml"
_TIMEOUT = 600  # seconds for one run of pip


def read_weights(name: str) -> list[bytes]:
    """The weight files of a wheel of the manifest, fetched if it is not here yet.

    Raises:
        UserError: pip does not bring it, or what it brought is not the pinned file.
    """
    wanted = wheel_manifest()[name]
    path = local_wheel(name) or fetch_wheel(name)
    verify(path, wanted)
    # Members are asked for by name and read into memory: no name in the archive is a path here.
    with zipfile.ZipFile(path) as archive:
        return [archive.read(member) for member in wanted["members"]]


def wheel_manifest() -> dict[str, dict[str, Any]]:
    """``requirement, file, bytes, sha256, members, licence`` of each wheel, by short name.

    Raises:
        UserError: the manifest is missing.
    """
    return read_pins(MANIFEST)


def local_wheel(name: str) -> Path | None:
    """The wheel in ``$DASHENG_DATA/wheels`` or in the cache; None if it is in neither."""
    return local_file("wheels", wheel_manifest()[name]["file"])


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
    with locked(destination), scratch_folder(destination) as folder:
        if not destination.exists():
            said = _run([*command, "--dest", folder, wanted["requirement"]])
            brought = folder / wanted["file"]
            if not brought.is_file():
                raise UserError(
                    f"pip did not bring {wanted['file']} ({said}): check the network and the "
                    f"package index, or put the file into {destination.parent} yourself."
                )
            verify(brought, wanted)
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
