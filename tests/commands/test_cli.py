"""The dasheng command: quick to start, one sentence for what a user can mend."""

import errno
import importlib
import os
import subprocess
import sys
import types

import pytest

from dasheng_lib import cli
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import LIBRARY


@pytest.fixture
def verb(monkeypatch):
    """A verb ``try`` with an option --times, whose action a test sets as ``verb.act``."""
    module = types.ModuleType("dasheng_lib_try")
    module.act = lambda args: 0
    module.add_arguments = lambda parser: parser.add_argument("--times", type=int, default=1)
    module.run = lambda args: module.act(args)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(cli, "VERBS", {**cli.VERBS, "try": (module.__name__, "try something")})
    return module


def test_no_arguments_print_help_with_every_verb(capsys):
    assert cli.main([]) == 0
    said = capsys.readouterr().out
    assert said.startswith("usage: dasheng") and all(verb in said for verb in cli.VERBS)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.split()[0] == "dasheng"


def test_help_imports_nothing_heavy():
    code = "import sys; from dasheng_lib.cli import main; main([]); main(['--version'])\n"
    code += "sys.exit(', '.join({'torch', 'numpy', 'pandas', 'papermill'} & {*sys.modules}) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb_name", cli.VERBS)
def test_every_verb_has_its_module(verb_name, capsys):
    module = importlib.import_module(cli.VERBS[verb_name][0])
    assert callable(module.run)
    assert cli.main([verb_name, "--help"]) == 0
    assert f"usage: dasheng {verb_name}" in capsys.readouterr().out


def test_options_reach_the_verb_and_its_code_comes_back(verb):
    verb.act = lambda args: args.times
    assert cli.main(["try", "--times", "7"]) == 7


@pytest.mark.parametrize("argv", [["bok"], ["--corpus"], ["try", "--times", "x"], ["try", "more"]])
def test_wrong_arguments(verb, argv, capsys):
    assert cli.main(argv) == 2
    assert "error: " in capsys.readouterr().err


def fail(verb, error):
    def act(args):
        raise error

    verb.act = act
    return cli.main(["try"])


def test_user_error_is_one_sentence(verb, capsys):
    assert fail(verb, UserError("Set k to 1 or more.")) == 2
    assert capsys.readouterr() == ("", "dasheng: Set k to 1 or more.\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_is_one_sentence(verb, capsys, number):
    assert fail(verb, OSError(number, os.strerror(number), "out.csv")) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "disk is full (writing out.csv)" in said and "free" in said


def test_a_file_of_the_users_is_one_sentence(verb, capsys):
    assert fail(verb, PermissionError(errno.EACCES, "Permission denied", "mine.wav")) == 2
    assert capsys.readouterr().err.startswith("dasheng: mine.wav cannot be used (Permission")


def test_what_the_library_warns_of_is_a_line_and_others_warnings_are_as_ever(verb, capsys):
    text = "import warnings\nwarnings.warn({!r}, stacklevel=1)"

    def act(args):
        exec(compile(text.format("2 clips are empty."), str(LIBRARY / "tasks/x.py"), "exec"), {})
        exec(compile(text.format("careful"), "/elsewhere/x.py", "exec"), {})
        return 0

    verb.act = act
    with pytest.warns(UserWarning, match="careful") as others:
        assert cli.main(["try"]) == 0
    assert len(others) == 1
    assert capsys.readouterr().err == "dasheng: 2 clips are empty.\n"


ANY_LETTER = r"""
import sys, types
from dasheng_lib import cli
verb = types.ModuleType("verb")
verb.add_arguments = lambda parser: None
verb.run = lambda args: print("\u2192 \u5b57 caf\udce9") or 0
sys.modules["verb"] = verb
cli.VERBS["try"] = ("verb", "try")
sys.exit(cli.main(["try"]))
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "euc-jp", "utf-8"])
def test_any_letter_is_printed_on_any_terminal(encoding):
    done = subprocess.run(
        [sys.executable, "-c", ANY_LETTER],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert (done.returncode, done.stderr) == (0, b"") and b"caf\\udce9" in done.stdout


def test_a_closed_stdout_is_no_error():
    command = 'exec "$0" -c "$1" >&-'
    done = subprocess.run(["sh", "-c", command, sys.executable, ANY_LETTER], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("error", [FileNotFoundError(2, "no file"), ValueError("bug")])
def test_bugs_keep_their_traceback(verb, error):
    with pytest.raises(type(error)):
        fail(verb, error)


def test_interrupt(verb, capsys):
    assert fail(verb, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.endswith("stopped; run the same command again to continue.\n")


def test_closed_pipe_is_quiet():
    code = """
import sys, types
from dasheng_lib import cli
verb = types.ModuleType("verb")
verb.add_arguments = lambda parser: None
verb.run = lambda args: print("word " * 100_000) or 0
sys.modules["verb"] = verb
cli.VERBS["try"] = ("verb", "try")
sys.exit(cli.main(["try"]))
"""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")
