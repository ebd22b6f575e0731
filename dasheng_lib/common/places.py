"""Where the files of a checkout lie that are no code. No other module derives a path from its own.

Without a checkout (a wheel installed elsewhere) only ``LIBRARY`` and ``WEIGHTS`` are there.
"""

import os
from pathlib import Path

from dasheng_lib.common.errors import UserError

LIBRARY = Path(__file__).resolve().parents[1]
ROOT = LIBRARY.parent
WEIGHTS = LIBRARY / "weights"
BENCHMARKS = ROOT / "benchmarks"
RESULTS = ROOT / "book" / "results"
MANIFESTS = ROOT / "data_manifests"
CORPORA = MANIFESTS / "corpora"
PUBLISHED = MANIFESTS / "published"
SWEEPS = MANIFESTS / "sweeps"
# What to do where a file of the checkout is not there, as the end of a sentence.
CHECKOUT = "run from a checkout of the repository, installed with `make env` or `pip install -e .`"


def data_places() -> list[Path]:
    """Where data sets are: in ``$DASHENG_DATA`` alone, where it is set; else in ``data`` of the
    checkout and ``shared/data`` beside it."""
    own = os.environ.get("DASHENG_DATA")
    if own:
        return [expanded(own)]
    return [ROOT / "data", ROOT.parent / "shared" / "data"]


def expanded(path: Path | str) -> Path:
    """A path as a user writes it, with ``~`` and ``~name`` as home folders.

    Raises:
        UserError: there is no such home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(
            f"The home folder of {path} is not known: write the whole path (DASHENG_CACHE says "
            "where the cache is)."
        ) from error
