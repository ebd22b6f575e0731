"""A folder for modules that a chapter writes."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path


def module_folder() -> Path:
    """A new folder that modules are imported from, as PYTHONPATH says; gone with the process."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    sys.path.insert(0, folder)
    return Path(folder)
