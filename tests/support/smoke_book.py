"""The real book, run at the smallest size once for all tests of a session."""

import io
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from dasheng_lib.book.driver import Options, build

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class SmokeBook:
    """A copy of the book in which each chapter is run once, however many tests look at it."""

    root: Path

    def run(self, chapter: str) -> Path:
        """Run a chapter through the driver with the smoke profile; its executed notebook."""
        with self._alone():
            build(self._options(only=(chapter,), site=False))
        return self.root / "_build" / "executed" / f"{chapter}.ipynb"

    def site(self) -> Path:
        """Build the site, warnings being errors; its folder."""
        with self._alone():
            index = build(self._options(strict=True))
        return index.parent

    def _alone(self):
        """Without the data sets that a developer may have: with them pages say more."""
        (self.root / "no_data").mkdir(exist_ok=True)
        return patch.dict(os.environ, DASHENG_DATA=str(self.root / "no_data"))

    def _options(self, **more) -> Options:
        quiet = io.StringIO()
        return Options(self.root, profile="smoke", corpus="synthetic", out=quiet, **more)


@pytest.fixture(scope="session")
def smoke_book(tmp_path_factory, cache) -> SmokeBook:
    """The whole book, each chapter at its smallest."""
    root = tmp_path_factory.mktemp("book")
    for name in ("_config.yml", "CHANGELOG.md", "CITATION.cff"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "book", root / "book")
    for folder in ("dasheng_lib", "data_manifests"):
        (root / folder).symlink_to(ROOT / folder)
    return SmokeBook(root)
