"""Fields of frozen configurations that say what they are, so that options can be made of them."""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import Field, field, fields
from functools import cache
from typing import Any

_hints = cache(typing.get_type_hints)


def setting(default: Any, about: str) -> Any:
    """A dataclass field with a default and a few words that ``--help`` prints."""
    return field(default=default, metadata={"about": about})


def settings(config: Any) -> dict[str, Field]:
    """The fields of a dataclass (or of an instance) that were made by :func:`setting`, by name."""
    return {field.name: field for field in fields(config) if "about" in field.metadata}


def check_types(config: type, values: Mapping[str, Any]) -> None:
    """Whether values have the types that the fields of a dataclass say, and are real numbers.

    Raises:
        ValueError: one has not, is not finite, or does not fit into 64 bits.
    """
    for name, value in values.items():
        kind = _hints(config)[name]
        if not conforms(value, kind):
            raise ValueError(f"{name} is of type {type_name(kind)}, not {value!r}")
        for one in value if isinstance(value, tuple) else [value]:
            if isinstance(one, int | float) and not abs(one) < 2**63:  # nor is NaN
                raise ValueError(f"{name} is a finite number of 64 bits, not {value!r}")


def conforms(value: Any, annotation: Any) -> bool:
    """Whether ``value`` is of a type such as ``int``, ``list[float]`` or ``str | None``.

    An int passes for a float, a bool for neither.
    """
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, arg) for arg in args)
    if origin is typing.Literal:
        return value in args
    if origin is list or (origin is tuple and args[1:] == (...,)):
        return isinstance(value, origin) and all(conforms(item, args[0]) for item in value)
    if origin is tuple:
        return (
            isinstance(value, tuple) and len(value) == len(args) and all(map(conforms, value, args))
        )
    if annotation is None or annotation is type(None):
        return value is None
    if isinstance(value, bool):
        return annotation is bool
    if annotation is float:
        small = isinstance(value, int) and abs(value) <= sys.float_info.max
        return small or isinstance(value, float)
    if annotation is str and isinstance(value, str):
        return value == value.encode(errors="replace").decode()  # not where half a letter is
    return isinstance(value, annotation)


def type_name(annotation: Any) -> str:
    """The annotation as it is written in code."""
    return annotation.__name__ if type(annotation) is type else str(annotation)
