"""Files of weights that a manifest pins: where they may lie, and whether they are those files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import CHECKOUT
from dasheng_lib.common.yaml_files import read_yaml


def read_pins(manifest: Path) -> dict[str, dict[str, Any]]:
    """What a manifest says of each file, at least ``file, bytes, sha256, licence``, by short name.

    Raises:
        UserError: the manifest is missing or no YAML.
    """
    return read_yaml(manifest, CHECKOUT)


def local_file(kind: str, file: str) -> Path | None:
    """The file in ``$DASHENG_DATA/KIND`` or in the cache; None if it is in neither."""
    data = os.environ.get("DASHENG_DATA")
    places = [Path(data).expanduser() / kind / file] if data else []
    places.append(cache_dir("downloads", kind, file))
    return next((path for path in places if path.is_file()), None)


def verify(path: Path, wanted: dict[str, Any]) -> None:
    """Raise unless a file is the pinned one.

    Raises:
        UserError: its SHA-256 is another.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != wanted["sha256"]:
        raise UserError(
            f"{path} is not the {wanted['file']} of the manifest (its SHA-256 begins with "
            f"{sha256[:12]}, not {wanted['sha256'][:12]}): delete it and try again."
        )
