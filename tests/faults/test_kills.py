"""Work of every kind is killed and goes on: nothing is lost, torn, or left lying about.

``pytest tests/faults/test_kills.py --kills 200`` kills at any moment by the clock as well, and
real builds of the book; without the option it is the same places each time.
"""

import json
import os
import subprocess
import sys

import pytest
from careless_works import CARELESS
from smoke_book import ROOT


@pytest.fixture(scope="module")
def found(request, tmp_path_factory):
    """What became of each kind of work, see killed_works.py."""
    asked = request.config.getoption("--kills", 40)
    done = subprocess.run(
        [sys.executable, "tests/support/killed_works.py", str(asked)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",  # a card cannot be used after a fork
            "DASHENG_DATA": str(tmp_path_factory.mktemp("none")),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    return json.loads(done.stdout)


def test_work_that_was_killed_ends_as_work_that_was_not(found):
    whole = {name: work["faults"] for name, work in found.items() if name not in CARELESS}
    assert len(whole) >= 11
    assert not {name: faults for name, faults in whole.items() if faults}


def test_every_kind_was_killed(found):
    assert all(work["deaths"] >= 2 and work["rounds"] >= 2 for work in found.values())


def test_work_that_is_careless_is_seen(found):
    assert all(found[name]["faults"] for name in CARELESS)
