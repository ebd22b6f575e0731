"""A file from the network, whole and verified, or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from dasheng_lib.common.cache import locked, need_space
from dasheng_lib.common.errors import UserError

_TRIES = 4
_TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 1 << 16
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM, errno.EIO)


class DownloadError(UserError):
    """A file that could not be had."""


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        url: http, https or file.
        sha256: what its hash must be; None if nobody said.
        size: bytes, if known.
        md5: what its MD5 must be, where a host publishes no better one.
        instead: what to do if it cannot be had, for messages.
    """

    url: str
    sha256: str | None = None
    size: int | None = None
    md5: str | None = None
    instead: str = "name another mirror with DASHENG_MIRROR=URL"


def download(
    remote: Remote,
    destination: Path,
    *,
    bar: tqdm | None = None,
    proxy: str | None = None,
    timeout: float = _TIMEOUT,
    pause: float = 1.0,
) -> Path:
    """Fetch ``remote`` to ``destination``; what is there already is taken as it is.

    The file grows under another name, which a later call goes on with, and takes its place when
    size and SHA-256 are right. Two processes take turns.

    Args:
        bar: told of every byte.
        proxy: for http and https; None for what the environment says.
        timeout: seconds without any answer until a try is given up.
        pause: seconds before the second try; twice as many before the next.

    Raises:
        DownloadError: no network, no such file, cut short, or another hash.
        UserError: the disk is full.
    """
    bar = tqdm(disable=True) if bar is None else bar
    with locked(destination):
        if destination.exists():
            return destination
        part = destination.with_name(destination.name + ".part")
        try:
            for attempt in range(_TRIES):
                try:
                    _receive(remote, part, bar, proxy, timeout)
                    break
                except (OSError, http.client.HTTPException, _CutShort) as error:
                    if _is_final(error) or attempt == _TRIES - 1:
                        raise
                    time.sleep(pause * 2**attempt)
            for kind, promised in (("SHA-256", remote.sha256), ("MD5", remote.md5)):
                with part.open("rb") as file:
                    os.fsync(file.fileno())
                    algorithm = kind.replace("-", "").lower()
                    found = promised and hashlib.file_digest(file, algorithm).hexdigest()
                if found != promised:
                    part.unlink()
                    raise DownloadError(
                        f"{remote.url} does not have the {kind} that was promised "
                        f"({promised[:12]}…); it was thrown away. Run the command again, and if "
                        f"that does not help, {remote.instead}."
                    )
            os.replace(part, destination)
        except (OSError, http.client.HTTPException, _CutShort) as error:
            raise _reason(remote, part, error) from error
    return destination


def download_shown(remote: Remote, destination: Path, progress: bool = True) -> Path:
    """:func:`download` of one file, under a bar of its own."""
    if destination.exists():
        return destination
    about = {"desc": destination.name, "total": remote.size, "unit": "B", "unit_scale": True}
    with tqdm(**about, disable=not progress) as bar:
        return download(remote, destination, bar=bar)


class _CutShort(Exception):
    pass


def _receive(remote: Remote, part: Path, bar: tqdm, proxy: str | None, timeout: float) -> None:
    have = part.stat().st_size if part.exists() else 0
    if remote.size is not None:
        if have == remote.size:
            bar.update(have)
            return
        if have > remote.size:
            part.unlink()
            have = 0
        need_space(part.parent, remote.size - have)
    handlers = [] if not proxy else [urllib.request.ProxyHandler({"http": proxy, "https": proxy})]
    try:
        request = urllib.request.Request(remote.url, headers={"User-Agent": "dasheng-companion"})
        if have:
            request.add_header("Range", f"bytes={have}-")
        answer = urllib.request.build_opener(*handlers).open(request, timeout=timeout)
    except ValueError as error:  # no address at all
        raise DownloadError(f"{remote.url} is no address ({error}): {remote.instead}.") from error
    except urllib.error.HTTPError as error:
        if error.code == 416:  # there is no more: the part is of another, longer file
            part.unlink(missing_ok=True)
            raise _CutShort(f"{have} of {remote.size} bytes came") from error
        raise
    with answer:
        resumed = have > 0 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if resumed else 0
        length = answer.headers.get("Content-Length")
        expected = remote.size or (have + int(length) if length else None)
        bar.update(have)
        with part.open("ab" if resumed else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                have += len(block)
                bar.update(len(block))
    if expected is not None and have != expected:
        bar.update(-have)
        if have > expected:
            part.unlink()
        raise _CutShort(f"{have} of {expected} bytes came")


def _is_final(error: Exception) -> bool:
    """Whether another try cannot help."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code < 500 and error.code not in (408, 429)
    return isinstance(error, OSError) and error.errno in _DISK


def _reason(remote: Remote, part: Path, error: Exception) -> DownloadError:
    if isinstance(error, urllib.error.HTTPError):
        return DownloadError(
            f"{remote.url} was refused ({error.code} {error.reason}): {remote.instead}, or run the "
            "command again later."
        )
    if isinstance(error, OSError) and error.errno in _DISK:
        return DownloadError(
            f"{part.parent} cannot be written ({error.strerror}): make room there, or set "
            "DASHENG_CACHE to a folder on a larger disk."
        )
    if isinstance(error, urllib.error.URLError):
        return DownloadError(
            f"{remote.url} cannot be reached ({error.reason}): check the network, or "
            f"{remote.instead}; what has been fetched is kept, and the next try goes on from there."
        )
    return DownloadError(
        f"{remote.url} broke off ({error or type(error).__name__}): run the command again; it goes "
        "on from where it stopped."
    )
