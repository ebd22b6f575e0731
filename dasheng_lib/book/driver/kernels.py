"""Kernels that run this very Python, whatever kernels a user has registered, and start at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dasheng_lib.book.driver import warm
from dasheng_lib.book.driver.surroundings import PLACES, changing

_servers: dict[tuple[object, ...], subprocess.Popen[str]] = {}


def kernel_manager(environment: dict[str, str]) -> type:
    """The class of managers whose kernels have ``environment``; their imports begin at once.

    Raises:
        OSError: no program runs as this Python.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class Kernel(AsyncKernelManager):
        kernel_spec = KernelSpec(argv=command, language="python", display_name="Python 3")

        async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
            provisioner = self.provisioner
            provisioner.cwd = str(options.get("cwd") or Path.cwd())  # papermill has changed to it
            provisioner.process = forked = fork(kernel_cmd, environment, provisioner.cwd)
            provisioner.pid = provisioner.pgid = forked.pid
            self._reconcile_connection_info(provisioner.connection_info)

    _server(environment)
    return Kernel


class Forked:
    """A kernel that a warm process forked, with what a kernel manager asks of a ``Popen``."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs; how it ended, only its parent knows."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 1
        return None

    wait = poll

    def send_signal(self, number: int) -> None:
        """Raises ``ProcessLookupError`` if it is gone, which a manager takes well."""
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def fork(command: list[str], environment: Mapping[str, str], folder: str) -> Forked:
    """Start the kernel that ``command`` would, in a process that has its imports done.

    Raises:
        RuntimeError, OSError: no kernel runs with this Python.
    """
    server = _server(environment)
    request = {"command": command, "env": dict(environment), "cwd": folder}
    try:
        print(json.dumps(request), file=server.stdin, flush=True)
        answer = server.stdout.readline()
    except BrokenPipeError:
        answer = ""
    if not answer:
        raise RuntimeError(f"it ended with status {server.wait()} before it could start one")
    return Forked(int(answer))


def _server(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """The warm process, another one if it is gone or what steers its imports has changed."""
    places = {name: environment.get(name) for name in PLACES}
    key = (sys.executable, *(changing(environment) | places).items())
    server = _servers.get(key)
    if server is None or server.poll() is not None:
        for old in _servers.values():
            old.communicate()  # ends its input, and so itself
        _servers.clear()
        command = [sys.executable, "-P", str(Path(warm.__file__))]
        pipe = subprocess.PIPE
        server = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True, text=True
        )
        _servers[key] = server
    return server
