"""Which files of a library a piece of code reaches by import, read and not run."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path


def modules(library: Path) -> dict[str, Path]:
    """The files of a library by dotted name, packages by that of their ``__init__``."""
    found = {}
    for path in library.rglob("*.py"):
        parts = path.relative_to(library.parent).with_suffix("").parts
        found[".".join(parts[: -1 if parts[-1] == "__init__" else None])] = path
    return found


def imports(tree: ast.AST, known: Collection[str]) -> Iterator[str]:
    """The modules of ``known`` that a file imports anywhere, but for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.expr):  # no expression holds an import, and most nodes are in one
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name in known)
        if isinstance(node, ast.ImportFrom) and node.module in known:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in known else node.module
        yield from imports(node, known)


def named(text: str, known: dict[str, Path]) -> set[str]:
    """The modules of ``known`` that a cell imports, or names in full, as in a string."""
    try:
        found = set(imports(ast.parse(text), known))
    except SyntaxError:  # a cell that begins with a magic, or a value that is no code
        found = set()
    for name in re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", text):
        parts = name.split(".")
        prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        found |= {next((prefix for prefix in prefixes if prefix in known), None)}
    return found - {None}


def graph(known: dict[str, Path]) -> dict[str, set[str]]:
    """What each module imports, and the packages that it lies in."""
    found, names = {}, frozenset(known)
    for name, path in known.items():
        parts = name.split(".")
        around = {".".join(parts[:n]) for n in range(1, len(parts))}
        found[name] = {*_imports_of(path.read_bytes(), names), *(around & names)}
    return found


@cache  # of its content, so that who builds often reads each version of a file once
def _imports_of(source: bytes, known: frozenset[str]) -> frozenset[str]:
    return frozenset(imports(ast.parse(source), known))


def reached(starts: Iterable[str], edges: dict[str, set[str]]) -> set[str]:
    """All modules that importing ``starts`` may come to import."""
    found, left = set(), set(starts)
    while left:
        found |= left
        left = set().union(*(edges[name] for name in left)) - found
    return found
