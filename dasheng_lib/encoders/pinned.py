"""Files of weights that a manifest pins: where they may lie, and whether they are those files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import CHECKOUT, expanded
from dasheng_lib.common.yaml_files import read_yaml


def read_pins(manifest: Path) -> dict[str, dict[str, Any]]:
    """What a manifest says of each file, at least ``file, licence``, by short name.

    Raises:
        UserError: the manifest is missing or no YAML.
    """
    return read_yaml(manifest, CHECKOUT)


def local_file(kind: str, file: str) -> Path | None:
    """The file in ``$DASHENG_DATA/KIND`` or in the cache; None if it is in neither."""
    data = os.environ.get("DASHENG_DATA")
    places = [expanded(data) / kind / file] if data else []
    places.append(cache_dir("downloads", kind, file))
    return next((path for path in places if path.is_file()), None)


def verify(path: Path, wanted: dict[str, Any]) -> None:
    """Raise unless a file is the pinned one, by its ``sha256`` or ``md5``.

    Raises:
        UserError: its sum is another.
    """
    key, kind = ("sha256", "SHA-256") if "sha256" in wanted else ("md5", "MD5")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, key).hexdigest()
    if found != wanted[key]:
        raise UserError(
            f"{path} is not the {wanted['file']} of the manifest (its {kind} begins with "
            f"{found[:12]}, not {wanted[key][:12]}): delete it and try again."
        )
