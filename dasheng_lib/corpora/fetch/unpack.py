"""Members of archives, straight into memory.

Nothing is ever written to disk, so no name inside an archive can choose where something goes;
links are not followed, and sizes are counted while unpacking, so a small archive cannot fill
the memory either.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError, one_line, tell

# The largest member read here is a sound bank of 19 MB, the largest package unpacks to 90 MB.
MEMBER_LIMIT = 64 << 20
TOTAL_LIMIT = 1 << 30
_NO_NAME = {getattr(errno, f"E{e}") for e in ("NAMETOOLONG", "ISDIR", "NOTDIR", "EXIST", "ILSEQ")}
LONGEST = 255  # bytes in a name, nearly everywhere


class UnpackError(UserError):
    """An archive that is damaged or larger than anything this library reads."""


class Entry(tarfile.TarInfo):
    """A member of a tar; tarfile itself takes a damaged header, or that there is none, for the end.

    Only a block of zeros is. For ``tarfile.open(…, tarinfo=Entry)``.
    """

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Entry:
        """Raises: tarfile.ReadError: the tar is damaged, or has no end."""
        try:
            return super().fromtarfile(tar)
        except tarfile.EOFHeaderError:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def deb_members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each regular file in a Debian package, in its order.

    Raises:
        UnpackError: damaged, not a package, or over the limits above.
    """
    with _tar_of_deb(path) as tar, _damage(path.name):
        yield from tar_members(tar, path.name)


def tar_members(
    stream: BinaryIO, name: str, total: int | None = None
) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each regular file of an uncompressed tar stream.

    Args:
        total: bytes that all of it may have; by default ``TOTAL_LIMIT``.

    Raises:
        UnpackError: as for :func:`deb_members`.
    """
    limited = _Limited(stream, name, total or TOTAL_LIMIT)
    with _damage(name), tarfile.open(None, "r|", limited, tarinfo=Entry) as tar:
        for member in tar:
            _refuse_large(member.size, f"{name}: {member.name}")  # tarfile would skip 2^62 bytes
            clean = plain_name(member.name)
            if not member.isreg() or clean is None:
                continue
            yield clean, tar.extractfile(member).read()


def zip_members(
    data: bytes | Path,
    name: str,
    wanted: Callable[[str], bool] = lambda name: True,
    total: int | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each wanted file of a zip archive (pk3 is one), in memory or on disk.

    Args:
        total: bytes that all of it may have; by default ``TOTAL_LIMIT``.

    Raises:
        UnpackError: as for :func:`deb_members`.
    """
    limit, found = total or TOTAL_LIMIT, 0
    with (
        _damage(name),
        zipfile.ZipFile(data if isinstance(data, Path) else io.BytesIO(data)) as archive,
    ):
        for info in archive.infolist():
            clean = plain_name(info.filename)
            if clean is None or info.is_dir() or not wanted(clean):
                continue
            with archive.open(info) as member:
                content = member.read(MEMBER_LIMIT + 1)
            _refuse_large(len(content), f"{name}: {clean}")
            found += len(content)
            if found > limit:
                raise _too_large(name, limit)
            yield clean, content


def write_members(members: Iterable[tuple[str, bytes]], folder: Path) -> Iterator[str]:
    """Write files below a folder, and give the path of each there.

    One that no file can have the name of is told in a warning behind the last.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    left = []
    for name, data in members:
        if why := write_member(folder / name, data):
            left.append(f"{name}: {why}")
        else:
            yield name
    if left:
        many = "members cannot be unpacked"
        warnings.warn(tell("member cannot be unpacked", left, many) + ".", stacklevel=2)


def write_member(path: Path, data: bytes, whole: bool = False) -> str | None:
    """Write a file and the folders above it; why that cannot be, where its name is the reason.

    It may be too long, or that of a folder, or below what is a file.

    Args:
        whole: in the folder of a user, where nothing half-written may be.

    Raises:
        OSError, UserError: another reason, such as a full disk.
    """
    try:
        if whole:
            with atomic_file(path) as temporary:
                temporary.write_bytes(data)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_NAME:
            raise
        return getattr(error, "strerror", None) or str(error)
    return None


def plain_name(name: str) -> str | None:
    """``name`` without a leading ``./``; None for one that points out of its archive, or that no
    file here can have."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or ".." in parts or not parts or "\0" in name:
        return None
    if os.name == "nt" and ":" in parts[0]:  # a drive
        return None
    try:
        longest = max(len(os.fsencode(part)) for part in parts)
    except UnicodeEncodeError:
        return None
    return None if longest > LONGEST else "/".join(parts)


@contextlib.contextmanager
def _tar_of_deb(path: Path) -> Iterator[BinaryIO]:
    """The uncompressed data.tar of a Debian package: an ar archive of two tars."""
    with _damage(path.name), path.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise UnpackError(f"{path.name} is not a Debian package: delete it and fetch it again.")
        while header := file.read(60):
            name, size = header[:16].decode("ascii").strip().rstrip("/"), int(header[48:58])
            if size < 0:
                raise ValueError(f"{name} has {size} bytes")
            if name.startswith("data.tar"):
                with _decompressed(path, name, _Slice(file, size)) as tar:
                    yield tar
                return
            file.seek(size + size % 2, io.SEEK_CUR)
        raise UnpackError(f"{path.name} holds no data: delete it and fetch it again.")


@contextlib.contextmanager
def _decompressed(path: Path, name: str, data: BinaryIO) -> Iterator[BinaryIO]:
    openers = {"xz": lzma.open, "gz": gzip.open}
    kind = name.removeprefix("data.tar").lstrip(".")
    if not kind:
        yield data
    elif kind in openers:
        with openers[kind](data) as tar:
            yield tar
    elif shutil.which("dpkg-deb"):  # zstd; Python has it from 3.14 on
        command = ["dpkg-deb", "--fsys-tarfile", str(path)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        ) as process:
            try:
                yield process.stdout
            finally:
                process.stdout.close()
    else:
        raise UnpackError(
            f"{path.name} is packed with {kind}, which needs the program dpkg-deb: "
            "install dpkg, or name a mirror of an older release with DASHENG_MIRROR=URL."
        )


@contextlib.contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except (
        EOFError,
        OSError,
        MemoryError,  # a header that claims a member larger than any
        RecursionError,  # headers of headers
        RuntimeError,  # zipfile: encrypted
        NotImplementedError,  # zipfile: an unknown compression
        ValueError,
        lzma.LZMAError,
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise UnpackError(
            f"{name} is damaged ({one_line(error)}): delete it and fetch it again."
        ) from error


def _refuse_large(size: int, name: str) -> None:
    if size > MEMBER_LIMIT:
        raise _too_large(name, MEMBER_LIMIT)


def unpacked_xz(path: Path, limit: int) -> bytes:
    """What an xz file holds, if that is not more than ``limit`` bytes.

    Raises:
        UnpackError: it is, or the file is damaged.
    """
    with _damage(path.name), lzma.open(path) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise _too_large(path.name, limit)
    return data


def _too_large(name: str, limit: int) -> UnpackError:
    return UnpackError(
        f"{name} unpacks to more than {limit >> 20} MB, far more than any sound read here: "
        "it is not the archive that the manifest means, so it is left alone."
    )


class _Slice(io.RawIOBase):
    """``size`` bytes of a file from where it stands."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        data = self.file.read(min(len(buffer), self.left))
        buffer[: len(data)] = data
        self.left -= len(data)
        return len(data)


class _Limited:
    """A stream that ends with an error when it has given more than ``limit`` bytes."""

    def __init__(self, stream: BinaryIO, name: str, limit: int) -> None:
        self.stream, self.name, self.limit, self.total = stream, name, limit, 0

    def read(self, size: int) -> bytes:
        # A header that claims more than there may be is not given the memory for it.
        data = self.stream.read(min(size, self.limit - self.total + 1))
        self.total += len(data)
        if self.total > self.limit:
            raise _too_large(self.name, self.limit)
        return data
