"""A headless Chromium, driven through the pipe of its DevTools protocol: no port, no library.

Where there is none a test is skipped, or fails if DASHENG_REQUIRE_BROWSER is set.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dasheng_lib.book.driver import pdf
from dasheng_lib.common.errors import UserError

STATIC = Path(__file__).parents[2] / "book" / "_static"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--mute-audio",
    "--disable-features=BackForwardCache,ProactivelySwapBrowsingInstance",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # the network is cut
    "--remote-debugging-pipe",
)
PATIENCE = 60  # s that an answer may take


def chromium() -> str:
    try:
        return pdf.browser()
    except UserError as error:
        (pytest.fail if os.environ.get("DASHENG_REQUIRE_BROWSER") else pytest.skip)(str(error))


class Page:
    """A tab. ``events`` holds what the browser told of it, newest last; clear it at will."""

    def __init__(self, to: int, answers: int):
        self._to, self._answers = to, answers
        self._rest, self._count, self._session = b"", 0, {}
        self.events: list[dict[str, Any]] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask for something of the protocol and wait for what comes of it."""
        self._count += 1
        asked = {"id": self._count, "method": method, "params": params, **self._session}
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while (message := self._read()).get("id") != self._count:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def _read(self) -> dict[str, Any]:
        parts = [self._rest]  # of what may be megabytes, a sound in an address say
        while b"\0" not in parts[-1]:
            parts.append(os.read(self._answers, 1 << 20))
            if not parts[-1]:
                raise RuntimeError("chromium has gone")
        last, _, self._rest = parts.pop().partition(b"\0")
        return json.loads(b"".join([*parts, last]))

    def open(self, address: str, until: str = "true") -> None:
        """Load a page; wait for its load event, then until the expression ``until`` is true."""
        self.events.clear()
        self.send("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())
        self.wait(until)

    def wait(self, until: str) -> None:
        last = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({until})"):
            assert time.monotonic() < last, f"never came true: {until}"
            time.sleep(0.02)

    def run(self, expression: str) -> Any:
        """What a JavaScript expression, or the promise that it is, comes to, as JSON."""
        wanted = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        done = self.send("Runtime.evaluate", userGesture=True, **wanted)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"]["description"])
        return done["result"].get("value")

    def resize(self, width: int, height: int = 900) -> None:
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def theme(self, theme: str) -> None:
        """What a page is told that its reader prefers: "light" or "dark"."""
        wanted = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.send("Emulation.setEmulatedMedia", features=features)

    def screenshot(self, path: Path) -> None:
        """The whole page, scrolled over, as PNG."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def opened(profile: Path) -> Iterator[Page]:
    """A tab of a browser with the empty folder ``profile``; closed in the end."""
    (theirs, to), (answers, back) = os.pipe(), os.pipe()
    command = [chromium(), *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(  # which listens on 3 and answers on 4
        ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{back}', "bash", *command],
        pass_fds=(theirs, back),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as browser:
        os.close(theirs)
        os.close(back)
        try:
            yield Page(to, answers)
        finally:
            browser.kill()
            os.close(to)
            os.close(answers)


def in_browser(folder: Path, body: str, scripts: list[str], ask: str) -> Any:
    """What the function body ``ask`` returns, as JSON, on a page of ``body`` and ``scripts``."""
    sources = "".join(f"<script src='{(STATIC / name).as_uri()}'></script>" for name in scripts)
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><body>{body}{sources}</body>")
    with opened(folder / "profile") as tab:
        tab.open(page.as_uri())
        return tab.run(f"(() => {{{ask}}})()")
