"""The order of imports: a room of the library imports from rooms on the floors below it only.

A room is a folder of the library, or a file at its root. The floors stand in CONTRIBUTING.
"""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from dasheng_lib.book.driver.reach import imports, modules
from dasheng_lib.common.places import LIBRARY, ROOT

DOORS = {("train", "cli")}  # `python -m dasheng_lib.train` is the command `dasheng pretrain`


def floors() -> dict[str, int]:
    """The height of each room, from the block of CONTRIBUTING; an indented line goes on."""
    (block,) = re.findall(r"```floors\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    lines = block.replace("\n    ", " ").splitlines()
    return {room: height for height, line in enumerate(lines) for room in line.split()}


def faults(library: Path, height: dict[str, int], doors: set[tuple[str, str]]) -> list[str]:
    """Arrows that do not point down, rooms without a floor, and circles of files."""
    known = modules(library)
    edges = {name: set(imports(ast.parse(p.read_text()), known)) for name, p in known.items()}
    found = []
    for name, targets in edges.items():
        for target in targets:
            here, there = (
                (m.removeprefix(library.name).lstrip(".") or "").split(".")[0]
                for m in (name, target)
            )
            if not here or not there or here == there or (here, there) in doors:
                continue
            if missing := [room for room in (here, there) if room not in height]:
                found += [f"{room} has no floor" for room in missing]
            elif height[there] >= height[here]:
                found.append(f"{name} imports {target}, which is not below it")
    rooms = {name.split(".")[1] for name in known if "." in name}
    found += [f"{room} has no floor" for room in sorted(rooms - set(height))]
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        found.append("a circle: " + " <- ".join(error.args[1]))
    return sorted(set(found))


def test_every_import_points_down():
    assert faults(LIBRARY, floors(), DOORS) == []


def test_no_floor_is_listed_for_a_room_that_is_gone():
    rooms = {name.split(".")[1] for name in modules(LIBRARY) if "." in name}
    assert set(floors()) <= rooms


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"low.py": "from lib.high import x"}, ["lib.low imports lib.high, which is not below it"]),
        ({"low.py": "from lib import high"}, ["lib.low imports lib.high, which is not below it"]),
        ({"low.py": "def f():\n    import lib.high"}, ["lib.low imports lib.high, which is"]),
        ({"new.py": "x = 1"}, ["new has no floor"]),
        ({"high/a.py": "import lib.high.b", "high/b.py": "from lib.high import a"}, ["a circle"]),
        ({"low.py": "if TYPE_CHECKING:\n    from lib.high import x"}, []),
    ],
)
def test_an_arrow_upward_a_circle_and_a_stranger_are_told(tmp_path, files, said):
    whole = {"__init__.py": "", "low.py": "", "high/__init__.py": "from lib.low import y", **files}
    for name, text in whole.items():
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = faults(tmp_path / "lib", {"low": 0, "high": 1}, set())
    assert len([line for line in found if "circle" not in line]) == len(
        [line for line in said if "circle" not in line]
    )
    assert all(any(line.startswith(start) for line in found) for start in said)
