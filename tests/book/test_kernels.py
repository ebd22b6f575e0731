"""A kernel forked from a process with its imports done is as good as a new one."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.provisioning import LocalProvisioner
from nbformat.v4 import new_code_cell, new_notebook

from dasheng_lib.book.driver import kernels, warm
from dasheng_lib.book.driver.chapters import read_chapter
from dasheng_lib.book.driver.execute import ChapterFailed, execute

STATE = "import os, sys; print(os.getppid(), 'dasheng_lib' in sys.modules)"
BUILD = """
import sys
from pathlib import Path
from dasheng_lib.book.driver import warm
from dasheng_lib.book.driver.chapters import read_chapter
from dasheng_lib.book.driver.execute import execute
warm.__file__, here = sys.argv[1], Path(sys.argv[2])
chapter = read_chapter(here / "01_one.ipynb")
execute(chapter, {}, here / "done.ipynb", folder=here, record={}, failed=here / "failed.ipynb")
"""


@pytest.fixture(autouse=True)
def few_imports(tmp_path_factory, monkeypatch):
    """The warm process with only what a kernel needs, since these tests start several."""
    program = tmp_path_factory.getbasetemp() / "warm.py"
    text = Path(warm.__file__).read_text()
    program.write_text(text.replace(warm.IMPORTS, "ipykernel.kernelapp"))
    monkeypatch.setattr(warm, "__file__", str(program))
    monkeypatch.setattr(kernels, "_servers", {})
    yield str(program)
    for server in kernels._servers.values():
        server.communicate()


def write(folder, *sources):
    metadata = {"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}}
    cells = [new_code_cell(source, id=f"c{i}") for i, source in enumerate(sources)]
    nbformat.write(new_notebook(cells=cells, metadata=metadata), folder / "01_one.ipynb")
    return read_chapter(folder / "01_one.ipynb")


def run(folder, *sources):
    """What a chapter of these cells printed."""
    done, failed = folder / "done.ipynb", folder / "failed/01_one.ipynb"
    execute(write(folder, *sources), {}, done, folder=folder, record={}, failed=failed)
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in nbformat.read(done, as_version=4).cells
    ]


def test_kernels_share_their_imports_and_nothing_else(tmp_path):
    first = run(tmp_path, STATE, "import math; math.pi = 3")
    second = run(tmp_path, STATE, "import math; print(math.pi)", "print(os.getcwd())")
    assert first[0] == second[0], "one parent for both, and the library is not imported"
    assert first[0].split()[1] == "False"
    assert second[1] != "3\n"
    assert second[2] == f"{tmp_path}\n"


def test_a_kernel_tells_how_its_own_children_ended(tmp_path):
    code = "import subprocess; print(subprocess.run(['sh', '-c', 'exit 7']).returncode)"
    assert run(tmp_path, code) == ["7\n"]


def test_a_kernel_that_dies_is_noticed_and_the_next_one_starts(tmp_path):
    with pytest.raises(ChapterFailed, match=r"cell 1 .*the kernel died"):
        run(tmp_path, "import os; os._exit(3)")
    assert run(tmp_path, "print(1)") == ["1\n"]
    for server in kernels._servers.values():  # and so is the end of the warm process
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
    assert run(tmp_path, "print(2)") == ["2\n"]


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_a_kernel_that_ends_while_it_is_being_ended_is_taken_well(end):
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as gone:
        pass
    provisioner = LocalProvisioner()
    provisioner.process, provisioner.pgid = kernels.Forked(gone.pid), gone.pid
    asyncio.run(getattr(provisioner, end)())
    assert asyncio.run(provisioner.wait()) == 1 and not provisioner.has_process


@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_a_kernel_without_a_group_of_its_own_is_ended_too(end):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as own:
        provisioner = LocalProvisioner()
        provisioner.process = kernels.Forked(own.pid)
        asyncio.run(getattr(provisioner, end)())
    assert own.returncode < 0


def test_another_warm_process_only_where_imports_would_differ(monkeypatch):
    started = []

    class Started:
        poll = communicate = lambda self: None

        def __init__(self, command, env, **_):
            started.append(env)

    monkeypatch.setattr(subprocess, "Popen", Started)
    for environment in ({}, {"DASHENG_DATA": "x"}, {"OMP_NUM_THREADS": "3"}, {"PYTHONPATH": "y"}):
        kernels._server(environment)
    assert [*map(list, started)] == [[], ["OMP_NUM_THREADS"], ["PYTHONPATH"]]


def test_no_kernel_outlives_a_killed_build(tmp_path, few_imports):
    write(tmp_path, "import os; print(os.getpid(), file=open('pid', 'w'))", "while 1: 0")
    pid = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", BUILD, few_imports, tmp_path]) as build:
        while build.poll() is None and not (pid.exists() and pid.read_text()):
            pass
        build.kill()
    kernel = int(pid.read_text())
    with pytest.raises(ProcessLookupError):
        for _ in range(10**7):
            os.kill(kernel, 0)
