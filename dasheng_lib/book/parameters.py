"""Parameters of a chapter: what is declared, what is allowed, and one sentence when it is not.

A chapter's ``parameters`` cell holds nothing but annotated assignments with a comment each:
``k: int = 10  # neighbours that vote``. papermill puts another cell behind it with the values
to use instead, and neither checks names nor types; :func:`check_parameters` does.
"""

from __future__ import annotations

import ast
import difflib
import reprlib
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from dasheng_lib.common.errors import UserError, one_line
from dasheng_lib.common.settings import conforms, type_name

LONGEST = 80  # of a value, in a sentence about it
INJECTED_MARK = "# Parameters"  # first line of the cell that papermill injects


class ParameterError(UserError):
    """A parameter that does not exist, has the wrong type, or has an impossible value."""


@dataclass(frozen=True)
class Check:
    """A test of one value; ``says`` completes the sentence "… must be"."""

    says: str
    holds: Callable[[Any], bool]


def at_least(low: float) -> Check:
    """``value >= low``; for a list, each of its values."""
    return Check(f"at least {low}", lambda value: value >= low)


def between(low: float, high: float, open: bool = False) -> Check:
    """``low <= value <= high``, or strictly between the two when ``open``."""
    says = f"between {low} and {high}"
    if open:
        return Check(f"{says}, both excluded", lambda value: low < value < high)
    return Check(says, lambda value: low <= value <= high)


def one_of(*values: Any) -> Check:
    """One of the given values."""
    return Check("one of " + ", ".join(map(repr, values)), lambda value: value in values)


CORPUS = one_of("pocket", "pocket-full", "synthetic")  # what chapters can be run on


def check_parameters(namespace: MutableMapping[str, Any], **checks: Check) -> None:
    """Check the parameters of the notebook that calls this; its first line after the cell.

    papermill's command line knows True and False alone, and hands ``-p rerun true`` over as a
    word; here it becomes what was meant.

    Args:
        namespace: the notebook's ``globals()``. Declared is what the parameters cell annotated;
            injected is what stands in the cell that papermill put behind it.
        **checks: a parameter's name and what its value must be. A list is checked item by
            item; None passes where the annotation allows it.

    Raises:
        ParameterError: an injected name was never declared, a value does not have its
            declared type (an int passes for a float, a bool passes for neither), or a check fails.
    """
    declared = namespace.get("__annotations__", {})
    for name in _injected(namespace):
        if name not in declared:
            raise ParameterError(unknown_name(name, declared, "this chapter"))
    for name, annotation in declared.items():
        if annotation is bool and namespace[name] in ("true", "false"):
            namespace[name] = namespace[name] == "true"
        check_type(name, namespace[name], annotation)
    for name, check in checks.items():
        if name not in declared:
            raise TypeError(f"check_parameters checks {name!r}, which the parameters cell lacks")
        value = namespace[name]
        for item in value if isinstance(value, list) else [value]:
            if item is not None and not check.holds(item):
                raise ParameterError(
                    f"Parameter {name} must be {check.says}; it is {shortened(item)}."
                )


def check_type(name: str, value: Any, annotation: Any) -> None:
    """Raise :class:`ParameterError` unless ``value`` has the type that ``annotation`` says."""
    if not conforms(value, annotation):
        raise ParameterError(
            f"Parameter {name} must be of type {type_name(annotation)}; "
            f"it is {shortened(value)}, which is of type {type(value).__name__}."
        )


def shortened(value: Any) -> str:
    """The value as Python writes it, or how it begins."""
    text = reprlib.repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def unknown_name(name: str, known: Iterable[str], where: str) -> str:
    """The sentence for a name that is not there, with the nearest one that is."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    known_ones = ", ".join(known) or "none"
    return f"There is no parameter {one_line(name)} in {where}: {hint}It has {known_ones}."


def _injected(namespace: Mapping[str, Any]) -> list[str]:
    names = []
    for source in namespace.get("In", []):  # IPython's list of what has been run so far
        if source.startswith(INJECTED_MARK):
            for node in ast.parse(source).body:
                if isinstance(node, ast.Assign):
                    names += [t.id for t in node.targets if isinstance(t, ast.Name)]
    return names
