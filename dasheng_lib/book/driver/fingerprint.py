"""What a chapter's outputs depend on, as one hash: equal hash, nothing to run."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.book.driver.reach import graph, modules, named, reached
from dasheng_lib.book.driver.surroundings import changing
from dasheng_lib.common.cache import digest
from dasheng_lib.common.provenance import PACKAGES, provenance, version

DRAWN_BY = ("matplotlib", "seaborn", "ipykernel", "ipython", "matplotlib-inline", "jinja2")
FOLDERS = ("data_manifests", "book/results", "dasheng_lib/weights")


@dataclass(frozen=True)
class Ground:
    """What chapters stand on.

    Attributes:
        root: the checkout.
        common: hash of what all stand on: manifests, recorded results, weights, versions, audio,
            and the surroundings of a kernel.
        modules: the library's files by dotted name.
        edges: what each of them imports.
    """

    root: Path
    common: str
    modules: dict[str, Path]
    edges: dict[str, set[str]]


def ground(root: Path, corpus_digest: str, judges: tuple[str, ...] = ()) -> Ground:
    """The ground of a checkout, its audio being of these digests."""
    files = [path for name in FOLDERS for path in (root / name).rglob("*") if path.is_file()]
    common = digest(
        {
            "files": hash_files(root, files),
            "python": provenance()["python"],
            "versions": {name: version(name) for name in (*PACKAGES, *DRAWN_BY)},
            "surroundings": changing(os.environ),
            "corpus": [corpus_digest, *judges],
        }
    )
    known = modules(root / "dasheng_lib")
    return Ground(root, common, known, graph(known))


def fingerprint(chapter: Chapter, values: dict[str, Any], below: Ground) -> str:
    """Hash of a chapter's code cells, resolved parameters, ground, and the code it reaches.

    Words, tags and the order of text cells are not in it: an edit there costs no run. Neither
    does an edit of a file of the library that the chapter does not come to import.
    """
    code = [c.source for c in chapter.notebook.cells if c.cell_type == "code"]
    settled = {p.name: p.default for p in chapter.parameters.values()} | values
    texts = [*code, *map(str, settled.values())]
    starts = set().union(*(named(text, below.modules) for text in texts))
    files = [below.modules[name] for name in reached(starts, below.edges)]
    return digest(
        {
            "code": code,
            "values": settled,
            "library": hash_files(below.root, files),
            "ground": below.common,
        }
    )


def hash_files(root: Path, files: list[Path]) -> dict[str, str]:
    """SHA-256 of each file under its path relative to ``root``."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }
