"""Valid bytes and text made invalid, or almost: each kind of damage and malice, by a seed."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

WORDS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
         1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
HEAD = 128  # bytes that hold most headers

# What a person, a broken program or an attacker may write where a value was.
NASTY = (
    "", " ", "0", "-1", "-0", "1e999", "-1e999", "nan", ".nan", "inf", ".inf", "9" * 400,
    "1" + "0" * 5000, "1.5", "0x10", "1_000", "²", "true", "null", "~", "[]", "{}", "[[[[", "{{",
    "[" * 3000, '{"a":' * 3000, "'", '"', '"""', "\\", "\0", "\r", "\n", "\t", ",", ";", ": ", "- ",
    "#", "&a", "*a", "&a [*a]", "<<: *a", "!!python/object/apply:os.system ['touch CANARY']",
    "!!python/name:os.system", "!!binary x", "!!float x", "2001-01-01", "12:30:45",
    "../../outside/x", "/", "..", ".", "~nosuchuser/x", "a/../../outside", "C:\\x", "/dev/zero",
    "x" * 300, "é" * 200, "\ufeff", "\u202e", "\ud800", "$(touch CANARY)", "`touch CANARY`",
    "%s%n", "<script>", "__import__('os').system('touch CANARY')",
)  # fmt: skip


def pick(rng: np.random.Generator, things: Sequence[Any]) -> Any:
    """One of them, as it is."""
    return things[int(rng.integers(len(things)))]


def mutated(data: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """What was done, and what came of it; ``cut`` only ever removes an end."""
    kind = str(rng.choice(list(_BYTES)))
    return kind, bytes(_BYTES[kind](bytearray(data), rng))


def flipped(data: bytes, rng: np.random.Generator, first: int = 0) -> bytes:
    """One bit is another, from a place on."""
    out = bytearray(data)
    out[int(rng.integers(first, len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """Its beginning, at least one byte less than all."""
    return data[: int(rng.integers(len(data)))]


def mutated_text(text: str, rng: np.random.Generator, canary: str = "") -> tuple[str, bytes]:
    """A text file whose values, lines or bytes are others."""
    kind = str(rng.choice(["value", "value", "value", "values", "line", "bytes"]))
    if kind == "bytes":
        kind, data = mutated(text.encode(), rng)
        return kind, data
    if kind == "line":
        lines = text.splitlines(keepends=True)
        return kind, "".join(_lines(lines, rng)).encode("utf-8", "surrogatepass")
    for _ in range(1 if kind == "value" else int(rng.integers(2, 6))):
        spans = [m.span() for m in re.finditer(r"[^\s,:;\[\]{}\"']+", text)] or [(0, 0)]
        a, b = spans[int(rng.integers(len(spans)))]
        text = text[:a] + nasty(rng, canary) + text[b:]
    return kind, text.encode("utf-8", "surrogatepass")


def nasty(rng: np.random.Generator, canary: str = "") -> str:
    """A value that nobody expects."""
    return NASTY[int(rng.integers(len(NASTY)))].replace("CANARY", canary)


def _lines(lines: list[str], rng: np.random.Generator) -> list[str]:
    at, other = (int(i) for i in rng.integers(len(lines), size=2))
    line = lines[at]
    instead = [
        [],
        [line, line],
        [lines[other]],
        [line.rstrip("\n") + lines[other]],
        ["\n", line],
        [line.rstrip("\n") + ",\n"],
        [line.replace(",", "\t")],
        ["\ufeff" + line],
        [" " + line],
    ]
    return [*lines[:at], *instead[int(rng.integers(len(instead)))], *lines[at + 1 :]]


def _span(data: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    a, b = sorted(int(x) for x in rng.integers(0, len(data) + 1, 2))
    return a, min(b, a + 4096)


def _word(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A length or number in a header is an extreme one."""
    size, order = int(rng.choice([1, 2, 4, 8])), str(rng.choice(["little", "big"]))
    at = int(rng.integers(max(min(HEAD, len(data)) - size, 1)))
    value = WORDS[int(rng.integers(len(WORDS)))] & ((1 << 8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, order)
    return data


def _duplicated(data: bytearray, rng: np.random.Generator) -> bytearray:
    a, b = _span(data, rng)
    return data[:b] + data[a:b] + data[b:]


def _swapped(data: bytearray, rng: np.random.Generator) -> bytearray:
    a, b, c = sorted(int(x) for x in rng.integers(0, len(data) + 1, 3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def _deleted(data: bytearray, rng: np.random.Generator) -> bytearray:
    a, b = _span(data, rng)
    return data[:a] + data[b:]


def _inserted(data: bytearray, rng: np.random.Generator) -> bytearray:
    at, size = int(rng.integers(len(data) + 1)), int(rng.integers(1, 600))
    junk = bytes(size) if rng.random() < 0.5 else rng.bytes(size)
    return data[:at] + junk + data[at:]


def _zeroed(data: bytearray, rng: np.random.Generator) -> bytearray:
    a, b = _span(data, rng)
    data[a:b] = bytes(b - a)
    return data


def _several(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(int(rng.integers(2, 40))):
        data[int(rng.integers(len(data)))] = int(rng.integers(256))
    return data


def _float(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = int(rng.integers(max(len(data) - 4, 1))) // 4 * 4
    data[at : at + 4] = struct.pack("<f", rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e38]))
    return data


_BYTES = {
    "cut": cut,
    "bit": flipped,
    "bit of the head": lambda d, rng: flipped(d[:HEAD], rng) + d[HEAD:],
    "word": _word,
    "words": lambda d, rng: _word(_word(d, rng), rng),
    "several bytes": _several,
    "float": _float,
    "zeros": _zeroed,
    "deleted": _deleted,
    "inserted": _inserted,
    "duplicated": _duplicated,
    "swapped": _swapped,
    "appended": lambda d, rng: d + rng.bytes(int(rng.integers(1, 3000))),
    "twice": lambda d, rng: d + d,
    "noise": lambda d, rng: rng.bytes(len(d)),
    "empty": lambda d, rng: b"",
}
