"""The set-up: one set of pins for pip and conda, and a Makefile that copes with odd machines."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def test_constraints_are_exact_sorted_and_unique():
    lines = (ROOT / "constraints.txt").read_text().split()
    names = [line.split("==")[0].lower() for line in lines]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert names == sorted(names) and len(pins()) == len(lines)


def test_every_dependency_is_pinned_to_a_version_it_allows():
    extras = PROJECT["optional-dependencies"].values()
    for requirement in map(Requirement, chain(PROJECT["dependencies"], *extras)):
        pin = pins().get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} has no line in constraints.txt"
        assert requirement.specifier.contains(Version(pin)), f"{requirement} against {pin}"


def test_conda_builds_the_same():
    file = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip_part = file["dependencies"]
    assert file["channels"] == ["conda-forge"]
    assert conda == [f"python{PROJECT['requires-python']}", "pip"]
    assert pip_part == {"pip": ["-c constraints.txt", "-e .[dev]"]}


def test_pre_commit_needs_no_network_and_its_tools_are_installed():
    for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]:
        assert repo["repo"] == "local"
        for hook in repo["hooks"]:
            tool = hook["entry"].split()[0].removeprefix(".venv/bin/")
            assert canonicalize_name(tool) in pins()


TOOLS = ("awk", "cp", "dirname", "flock", "grep", "make", "mkdir", "mv", "rm", "sed", "sh")
PYTHON = f"python3.{sys.version_info.minor}"
# A Python whose venvs hold a pip that only says what it would do.
FAKE_PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    {real} -m venv --without-pip .venv || exit
    for site in .venv/lib/python*/site-packages; do cp {pip} "$site/pip.py"; done
else
    exec {real} "$@"
fi
"""
MOVES = ("TARGET", "PREFIX", "ROOT", "PYTHON", "NO_DEPS", "DRY_RUN")
FAKE_PIP = (
    f"MOVES = {MOVES}"
    + """
import os, signal, sys, time
from pathlib import Path
with open("pip.calls", "a") as calls:
    print(*sys.argv[1:], file=calls)
moved = [name for name in os.environ if name.startswith("PIP_") and name[4:] in MOVES]
print("Collecting numpy", flush=True)
how = Path("pip.fails").read_text() if Path("pip.fails").exists() else ""
if how == "early":
    sys.exit("ERROR: no index can be reached")
print("Installing collected packages: numpy", flush=True)
if how == "late":
    sys.exit("ERROR: no space left on device")
if how in ("interrupted", "killed"):
    os.killpg(0, signal.SIGINT if how == "interrupted" else signal.SIGKILL)
    time.sleep(60)
if not moved and how != "elsewhere":
    for name in ("torch", "dasheng_lib"):
        (Path(__file__).parent / f"{name}.py").touch()
    command = Path(sys.executable).parent / "dasheng"
    command.write_text("#!/bin/sh\\n")
    command.chmod(0o755)
print("Downloading torch-2.13.0.whl (191.8 MB)\\nDownloading small.whl (9.9 MB)")
"""
)


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile, and a PATH on which the fake Python is the only one."""
    folder = tmp_path / "check out"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "tools/env.sh", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    (tmp_path / "pip.py").write_text(FAKE_PIP)
    (tmp_path / "bin").mkdir()
    for tool in (*TOOLS, "tail", "tee"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    script(tmp_path, PYTHON, FAKE_PYTHON.format(real=sys.executable, pip=tmp_path / "pip.py"))
    return folder


def script(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / "bin" / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def make(checkout: Path, *args: str, **environment: str) -> tuple[int, str]:
    home = checkout.parent
    done = subprocess.run(
        ["make", *args],
        cwd=checkout,
        env={"PATH": str(home / "bin"), "HOME": str(home), "PYTHONPATH": "/nowhere"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        check=False,
    )
    return done.returncode, done.stdout


def calls(checkout: Path) -> list[str]:
    file = checkout / "pip.calls"
    return file.read_text().splitlines() if file.exists() else []


def test_env_installs_the_pins_once(checkout):
    code, said = make(checkout, "env")
    assert code == 0, said
    assert [*map(str.strip, said.splitlines())][2:] == [
        "unpacking; this takes a minute or two",
        "Downloading torch-2.13.0.whl (191.8 MB)",
        "The environment is ready.",
    ]
    (call,) = calls(checkout)
    assert call.endswith("-c constraints.txt -e .[dev]") and "index" not in call
    assert make(checkout, "env") == (0, "") and len(calls(checkout)) == 1


def test_goals_do_their_own_set_up():
    workers = "-n auto --dist loadfile --no-loadscope-reorder"
    for goal, command in {
        "book": ".venv/bin/dasheng book --only knn",
        "test": f".venv/bin/python -m pytest {workers} --only knn",
        "lab": ".venv/bin/jupyter lab book/ --only knn",
    }.items():
        done = subprocess.run(
            ["make", "-n", goal, "ARGS=--only knn"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},  # without the flags of a make that runs this test
            capture_output=True,
            text=True,
        )
        first, *rest = done.stdout.splitlines()
        assert first.split() == ["tools/env.sh", *(["lab"] if goal == "lab" else [])]
        assert rest == [command]


def test_the_lab_is_installed_on_first_use_and_stays(checkout):
    (checkout / "book").mkdir()
    script(checkout.parent, "jupyter", '#!/bin/sh\necho "opens $*"\n')
    make(checkout, "env")
    (checkout / ".venv/bin/jupyter").symlink_to(checkout.parent / "bin/jupyter")
    code, said = make(checkout, "lab")
    assert code == 0 and said.endswith("opens lab book/\n") and "anew" not in said
    assert calls(checkout)[1].endswith("-c constraints.txt -e .[dev,lab]")
    assert make(checkout, "lab") == (0, "opens lab book/\n"), "and the next time it only opens"
    assert make(checkout, "env") == (0, "")
    with (checkout / "constraints.txt").open("a") as file:
        file.write("zzz==1.0\n")
    assert make(checkout, "env")[0] == 0
    assert calls(checkout)[2].endswith(".[dev,lab]"), "what is there is kept up to date"


def test_changed_pins_are_installed_and_a_torch_index_is_used(checkout):
    make(checkout, "env")
    with (checkout / "constraints.txt").open("a") as file:
        file.write("zzz==1.0\n")
    code, said = make(checkout, "env")
    assert code == 0 and len(calls(checkout)) == 2 and "anew" not in said
    code, said = make(checkout, "env", "TORCH_INDEX=https://example.org/cpu")
    assert code == 0 and "anew" in said, "another torch needs a clean environment"
    assert "--extra-index-url https://example.org/cpu" in calls(checkout)[2]
    assert make(checkout, "env") == (0, "")


@pytest.mark.parametrize("how", ["late", "interrupted", "killed"])
@pytest.mark.parametrize("before", ["nothing", "older pins"])
def test_half_an_install_is_not_taken_for_a_whole(checkout, before, how):
    if before == "older pins":
        make(checkout, "env")
        (checkout / "constraints.txt").write_text("zzz==1.0\n")
        (checkout / "pip.calls").unlink()
    (checkout / "pip.fails").write_text(how)
    code, said = make(checkout, "env")
    assert code != 0
    assert how != "late" or ("no space left" in said and "run make again" in said)
    (checkout / "pip.fails").unlink()
    code, said = make(checkout, "env")
    assert code == 0 and "anew" in said and len(calls(checkout)) == 2


def test_an_install_that_changed_nothing_keeps_the_environment(checkout):
    make(checkout, "env")
    (checkout / ".venv/witness").touch()
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    (checkout / "pip.fails").write_text("early")
    code, said = make(checkout, "env")
    assert code != 0 and "no index can be reached" in said and "run make again" in said
    (checkout / "pip.fails").unlink()
    assert make(checkout, "env")[0] == 0
    assert (checkout / ".venv/witness").exists()


def test_moved_and_broken_environments_are_made_anew(checkout):
    make(checkout, "env")
    moved = checkout.rename(checkout.with_name("elsewhere"))
    code, said = make(moved, "env")
    assert code == 0 and "moved" in said and len(calls(moved)) == 2
    (moved / ".venv/bin/python").unlink()
    code, said = make(moved, "env")
    assert code == 0 and "broken" in said and len(calls(moved)) == 3
    assert make(moved, "env") == (0, "")


def test_pythons_that_do_not_run_are_passed_over(checkout):
    working = (checkout.parent / "bin" / PYTHON).rename(checkout.parent / "bin/python3")
    for name in ("python3.11", "python3.12"):
        script(checkout.parent, name, "#!/bin/sh\necho pyenv: version not set >&2\nexit 127\n")
    code, said = make(checkout, "env")
    assert code == 0 and f"with {working}" in said and "pyenv" not in said


def test_no_python_is_one_clear_sentence(checkout):
    (checkout.parent / "bin" / PYTHON).unlink()
    script(checkout.parent, "python3", "#!/bin/sh\nexit 1\n")
    code, said = make(checkout, "env")
    assert code != 0 and "No Python 3.11, 3.12 or 3.13 was found" in said and "PYTHON=" in said
    assert not (checkout / ".venv").exists()


def test_python_without_venv_is_one_clear_sentence(checkout):
    text = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n'
    lame = script(checkout.parent, PYTHON, text)
    code, said = make(checkout, "env")
    assert code != 0 and f"{lame} cannot make virtual environments" in said
    assert "python3-venv" in said and not (checkout / ".venv").exists()


def test_named_python(checkout):
    code, said = make(checkout, "env", "PYTHON=python9")
    assert code != 0 and "PYTHON=python9: there is no such program." in said
    old = script(checkout.parent, "old", "#!/bin/sh\nexit 1\n")
    code, said = make(checkout, "env", f"PYTHON={old}")
    assert code != 0 and "is not Python 3.11, 3.12 or 3.13" in said
    code, said = make(checkout, "env", f"PYTHON={PYTHON}")
    assert code == 0, said
    assert make(checkout, "env", f"PYTHON={PYTHON}") == (0, "")


@pytest.mark.parametrize("name", MOVES)
def test_what_would_install_elsewhere_or_less_is_left_out(checkout, name):
    code, said = make(checkout, "env", **{f"PIP_{name}": "1"})
    assert code == 0 and "The environment is ready." in said
    assert (checkout / ".venv/bin/dasheng").exists()


def test_an_environment_that_lacks_what_pip_says_is_there_is_not_ready(checkout):
    """As where pip.conf says ``no-deps`` or ``target``."""
    (checkout / "pip.fails").write_text("elsewhere")
    code, said = make(checkout, "env")
    assert code and "holds no dasheng or no torch" in said and "is ready" not in said
    assert not (checkout / ".venv/.installed").exists()
    (checkout / "pip.fails").unlink()
    code, said = make(checkout, "env")
    assert code == 0 and "The environment is ready." in said


@pytest.mark.parametrize("path", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=str)
def test_workflows_run_what_a_person_runs_with_few_rights(path):
    flow = yaml.safe_load(path.read_text())
    assert flow["permissions"] == {"contents": "read"}, "what more a job needs, it says itself"
    steps = [step for job in flow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in used)
    for command in (step["run"] for step in steps if "run" in step):
        program, *goals = command.split()
        assert program == "make" or os.access(ROOT / program, os.X_OK)
        assert all(re.search(rf"^{goal}:", (ROOT / "Makefile").read_text(), re.M) for goal in goals)
