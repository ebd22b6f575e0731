"""Fields of frozen configurations that say what they are, so that options can be made of them."""

from __future__ import annotations

from dataclasses import Field, field, fields
from typing import Any


def setting(default: Any, about: str) -> Any:
    """A dataclass field with a default and a few words that ``--help`` prints."""
    return field(default=default, metadata={"about": about})


def settings(config: Any) -> dict[str, Field]:
    """The fields of a dataclass (or of an instance) that were made by :func:`setting`, by name."""
    return {field.name: field for field in fields(config) if "about" in field.metadata}
