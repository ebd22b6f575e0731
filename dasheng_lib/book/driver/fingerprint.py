"""What a chapter's outputs depend on, as one hash: equal hash, nothing to run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from dasheng_lib.book.driver.chapters import Chapter
from dasheng_lib.common.cache import digest
from dasheng_lib.common.provenance import PACKAGES, provenance, version

# Code that no chapter calls; an edit there leaves outputs as they are.
DRIVER_FOLDERS = ("book/driver", "commands")
DRIVER_FILES = ("cli.py",)
FOLDERS = ("data_manifests", "book/results")


def ground(root: Path, corpus_digest: str, judges: tuple[str, ...] = ()) -> str:
    """Hash of what all chapters stand on: library, manifests, recorded results, versions, audio."""
    library = root / "dasheng_lib"
    files = [path for path in library.rglob("*.py") if not _drives(path.relative_to(library))]
    for folder in FOLDERS:
        files += [path for path in (root / folder).rglob("*") if path.is_file()]
    return digest(
        {
            "files": hash_files(root, files),
            "python": provenance()["python"],
            "versions": {name: version(name) for name in PACKAGES},
            "corpus": [corpus_digest, *judges],
        }
    )


def fingerprint(chapter: Chapter, values: dict[str, Any], ground_digest: str) -> str:
    """Hash of a chapter's code cells, resolved parameters and ground.

    Words, tags and the order of text cells are not in it: an edit there costs no run.
    """
    return digest(
        {
            "code": [c.source for c in chapter.notebook.cells if c.cell_type == "code"],
            "values": {p.name: p.default for p in chapter.parameters.values()} | values,
            "ground": ground_digest,
        }
    )


def hash_files(root: Path, files: list[Path]) -> dict[str, str]:
    """SHA-256 of each file under its path relative to ``root``."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def _drives(path: Path) -> bool:
    return path.name in DRIVER_FILES or path.as_posix().startswith(DRIVER_FOLDERS)
