"""Shared by all tests: a cache of their own and few threads."""

import os
import signal
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # which inherits what the first process has set below
    os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# NumPy's threads wait by spinning: on busy cores small products then take seconds.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

# Files that take longest begin: at the end one worker would wait for the one that has such a file.
LONGEST = {
    "test_book_site.py",
    "test_damaged_run.py",
    "test_kills.py",
    "test_pretraining.py",
    "test_recipes.py",
    "test_sweep.py",
    "test_walks.py",
}

# A shell's background jobs are born deaf to SIGINT, and so are their children; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """Except in a process that only deals the tests out: what it need not import takes seconds."""
    if config.getoption("dist", "no") != "no":
        return
    for name in ("official_folders", "shard_files", "smoke_book"):  # with fixtures for many rooms
        config.pluginmanager.import_plugin(name)
    from hypothesis import settings

    # The same examples at every run, and no clock.
    settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=False)
    settings.load_profile("repeatable")


def pytest_addoption(parser):
    about = "how many times as many broken inputs tests/faults/ tries (1)"
    parser.addoption("--faults", type=int, default=1, metavar="N", help=about)
    about = "deaths of work of all kinds in tests/faults/ (40)"
    parser.addoption("--kills", type=int, default=40, metavar="N", help=about)
    about = "a folder for pictures of some pages, as a browser shows them in the smoke book"
    parser.addoption("--screenshots", type=Path, metavar="FOLDER", help=about)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """No test reads or writes the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("DASHENG_CACHE")
    os.environ["DASHENG_CACHE"] = str(folder)
    yield folder
    os.environ.pop("DASHENG_CACHE")
    if before is not None:
        os.environ["DASHENG_CACHE"] = before


@pytest.fixture(scope="session")
def synthetic():
    from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus

    return synthetic_corpus()
