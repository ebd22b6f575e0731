"""YAML that people write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dasheng_lib.common.errors import reading


class _Loader(yaml.SafeLoader):
    """Reads 1e-3 as the number that it is; YAML 1.1 wants 1.0e-3."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def read_yaml(path: Path, remedy: str) -> Any:
    """What a file says, as plain values.

    Args:
        remedy: what to do if it cannot be read, as the end of a sentence.

    Raises:
        UserError: it is not there or no YAML.
    """
    with reading(path, "YAML", remedy):
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)
