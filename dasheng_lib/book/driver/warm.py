"""A process that has imported what chapters import, and forks a kernel for each one.

A kernel spends five to seven seconds on imports; a fork of one that has them starts in a tenth.
Nothing of ``dasheng_lib`` is imported here, so a chapter still runs the code that lies there when
it runs. This file is a program of its own, run by path: see ``dasheng_lib.book.driver.kernels``.
"""

import importlib
import json
import os
import signal
import sys
import warnings
from contextlib import suppress

# What chapters spend time on importing; where one cannot be had, the chapter says so itself.
IMPORTS = """
    IPython.display ipykernel.kernelapp matplotlib.pyplot matplotlib_inline.backend_inline pandas
    pandas.io.formats.style safetensors.torch scipy.fft scipy.optimize scipy.signal
    scipy.sparse.csgraph scipy.stats seaborn sklearn.cluster sklearn.linear_model sklearn.metrics
    sklearn.model_selection sklearn.preprocessing sklearn.svm soundfile torch torch._dynamo
    torch.distributed.fsdp torch.utils.flop_counter yaml
"""


def serve() -> None:
    """Fork a kernel for each line of JSON on standard input: ``command``, ``env``, ``cwd``.

    Answers with the process number of the kernel. Ends with its input; kernels end with it, since
    IPython's watch their parent.
    """
    # The kernel's parent is to learn that a kernel has ended from its number being gone.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Nothing is printed by a module that is imported where answers are expected.
    answers, requests = os.fdopen(os.dup(1), "w", buffering=1), os.fdopen(os.dup(0))
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with warnings.catch_warnings(action="ignore"):
        # Elsewhere a process that has loaded the system's libraries may not be forked.
        for name in IMPORTS.split() if sys.platform == "linux" else ():
            with suppress(Exception):
                importlib.import_module(name)
    for line in requests:
        number = os.fork()
        if number == 0:
            os.close(answers.fileno())
            os.close(requests.fileno())
            _kernel(**json.loads(line))
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(number, number)  # here too, so that it is done before anyone signals it
        with suppress(BrokenPipeError):  # whoever asked is gone, and soon the kernel is
            print(number, file=answers)


def _kernel(command: list[str], env: dict[str, str], cwd: str) -> None:
    """Be the kernel that ``command``, ``python -m ipykernel_launcher …``, would have started."""
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        sys.argv = command[2:]
        from ipykernel.kernelapp import IPKernelApp

        IPKernelApp.launch_instance([*sys.argv[1:], f"--IPKernelApp.parent_handle={os.getppid()}"])
        status = 0
    finally:
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    serve()
