"""One broken input through one entrance, watched: what became of it, and what it did besides.

Good ends are ``right`` (an oracle agrees with what was given) and ``sentence`` (a fault that the
reader can mend, said in one). All others are faults of the library.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import traceback
import warnings
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dasheng_lib.common.errors import sentence
from dasheng_lib.common.places import LIBRARY

SECONDS, BYTES = 30.0, 2 << 30
FAULTS = ("code run", "escape", "hang", "memory", "traceback", "silent")
SHOWN = 12  # faults of a test that are told
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")
# Audit events and the places of the paths that they change.
_WRITES = {"os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.truncate": 1, "os.chmod": 1,
           "os.rename": 2, "os.link": 2, "os.symlink": 2, "shutil.rmtree": 1}  # fmt: skip
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_now: list[Watch] = []  # who looks; an audit hook can never be taken off again
tally: dict[str, Counter] = defaultdict(Counter)  # entrance to verdicts, for the end of the session


class Hang(BaseException):
    """Too slow; no ``except Exception`` holds it."""


@dataclass(frozen=True)
class Verdict:
    kind: str
    said: str = ""


Right = Callable[[Any, list[str]], str]


@dataclass
class Watch:
    """Looks at calls that may write below some folders and nowhere else.

    Attributes:
        room: holds ``work``, for inputs and what is made of them, ``outside``, which nothing may
            touch, and ``canary``, which hostile code would make.
        allowed: further folders that may be written.
    """

    room: Path
    allowed: tuple[Path, ...] = ()
    seconds: float = SECONDS
    bytes: int = BYTES
    seen: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work, self.outside = self.room / "work", self.room / "outside"
        self.canary = self.room / "canary"
        self.work.mkdir(parents=True)
        self.outside.mkdir()
        (self.outside / "kept.txt").write_text("kept")
        self._places = tuple(os.path.realpath(p) for p in (self.work, *self.allowed))

    def __call__(
        self, call: Callable[[], Any], right: Right | None = None, refusals: tuple = ()
    ) -> Verdict:
        """What becomes of ``call``.

        Args:
            right: says what is wrong with what it gave, having been told the warnings; "" if
                nothing is.
            refusals: errors that are as good as a sentence, where a function promises them.
        """
        self.seen.clear()
        value = error = None
        with warnings.catch_warnings(record=True) as told, _Limits(self) as limits:
            warnings.simplefilter("always")
            try:
                value = call()
            except Exception as caught:
                error = caught
        verdicts = [*self.seen, *limits.broken]
        if self.canary.exists():
            self.canary.unlink()
            verdicts.append(Verdict("code run", "the canary is there"))
        if sorted(os.listdir(self.room)) != ["outside", "work"] or not self._kept():
            verdicts.append(Verdict("escape", f"{sorted(os.listdir(self.room))}"))
        if _in_chain(error, MemoryError):
            verdicts.append(Verdict("memory", str(error)[:200]))
        if error is not None:
            told_one = isinstance(error, refusals) or _is_sentence(error)
            verdicts.append(Verdict("sentence" if told_one else "traceback", _place(error)))
        elif (
            right and not limits.broken and (wrong := right(value, [str(w.message) for w in told]))
        ):
            verdicts.append(Verdict("silent", wrong))
        order = [*FAULTS, "sentence"]
        return min(verdicts, key=lambda v: order.index(v.kind), default=Verdict("right"))

    def _kept(self) -> bool:
        kept = self.outside / "kept.txt"
        return os.listdir(self.outside) == ["kept.txt"] and kept.read_text() == "kept"

    def write(self, event: str, path: Any) -> None:
        if isinstance(path, int) or path is None:
            return
        place = os.path.realpath(os.fsdecode(path))
        inside = any(place == p or place.startswith(p + os.sep) for p in self._places)
        if not inside and not place.startswith(("/dev/", "/proc/")):
            self.seen.append(Verdict("escape", f"{event} {place}"))


class _Limits:
    """Time and memory of one call; ``broken`` says afterwards which did not hold."""

    def __init__(self, watch: Watch) -> None:
        self.watch, self.broken = watch, []

    def __enter__(self) -> _Limits:
        _now.append(self.watch)
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_AS)
        # Threads map their stacks, so addresses may be twice as many as bytes.
        most = _status("VmSize") + 2 * self.watch.bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, self._hard))
        Path("/proc/self/clear_refs").write_text("5")  # this call has a peak of its own
        self._before = _status("VmRSS")
        self._usual = signal.signal(signal.SIGALRM, _too_slow)
        # A hang in C ends the process.
        faulthandler.dump_traceback_later(4 * self.watch.seconds, exit=True, file=sys.__stderr__)
        self._ignored, sys.unraisablehook = sys.unraisablehook, self._printed
        signal.setitimer(signal.ITIMER_REAL, self.watch.seconds)
        return self

    def _printed(self, what) -> None:
        """Python would print a traceback where none can be raised, as in a callback from C."""
        self.broken.append(Verdict("traceback", f"printed: {what.exc_value!r}"))

    def __exit__(self, kind, error, tb) -> bool:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, self._usual)
        sys.unraisablehook = self._ignored
        resource.setrlimit(resource.RLIMIT_AS, (self._soft, self._hard))
        _now.remove(self.watch)
        if kind is Hang:
            self.broken.append(Verdict("hang", _place(error)))
        if _status("VmHWM") - self._before > self.watch.bytes:
            self.broken.append(Verdict("memory", f"{_status('VmHWM') >> 20} MB"))
        return kind is Hang


def storm(
    watch: Watch,
    name: str,
    count: int,
    one: Callable[[np.random.Generator], tuple[str, Callable[[], Any], Right | None]],
    refusals: tuple = (),
) -> None:
    """Attack ``count`` times; the n-th input is the same in every run and on every machine.

    Args:
        name: of the entrance.
        one: makes what was done to the input, the call, and what says whether its result is right.

    Raises:
        AssertionError: there were faults; says the first of them.
    """
    faults = []
    for number in range(count):
        what, call, right = one(np.random.default_rng([zlib.crc32(name.encode()), number]))
        verdict = watch(call, right, refusals)
        tally[name][verdict.kind] += 1
        if verdict.kind in FAULTS:
            faults.append(f"{name} {number} ({what}): {verdict.kind}: {verdict.said}")
    assert not faults, "\n".join([f"{len(faults)} of {count}", *faults[:SHOWN]])


def _is_sentence(error: BaseException) -> bool:
    said = sentence(error)
    return said is not None and "\n" not in said.strip() and len(said) < 4000


def _too_slow(*_) -> None:
    raise Hang


def _status(name: str) -> int:
    """Bytes, as the kernel counts them."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(name + ":"))


def _in_chain(error: BaseException | None, kind: type) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename.startswith(str(LIBRARY))] or frames
    at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    return f"{type(error).__name__} at {at}: {str(error)[:300]}"


def _hook(event: str, args: tuple) -> None:
    for watch in _now:
        if event == "open":
            path, _, flags = args
            if isinstance(flags, int) and flags & _CHANGES:
                watch.write(event, path)
        elif event in _WRITES:
            for path in args[: _WRITES[event]] if event != "os.symlink" else args[1:2]:
                watch.write(event, path)
        elif event in _RUNS:
            watch.seen.append(Verdict("code run", f"{event} {args}"[:300]))


sys.addaudithook(_hook)
