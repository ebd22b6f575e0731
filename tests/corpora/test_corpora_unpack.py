"""Archives: members come out whole, and nothing else happens."""

import errno
import io
import lzma
import os
import shutil
import tarfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from unittest import mock

import pytest
from fake_packages import deb_bytes, tar_bytes, zip_bytes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch import unpack
from dasheng_lib.corpora.fetch.unpack import (
    UnpackError,
    deb_members,
    plain_name,
    tar_members,
    unpacked_xz,
    write_member,
    write_members,
    zip_members,
)

FILES = {"./usr/share/a.ogg": b"first", "./usr/share/b.txt": b"second" * 999}
PLAIN = {"usr/share/a.ogg": b"first", "usr/share/b.txt": b"second" * 999}


def joined(parts):
    return "".join(part + slash for part, slash in parts)[:-1]


def is_file(name):
    return name and not name.endswith("/")


def saved(folder, data):
    path = folder / "pack_1.deb"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("packing", ["xz", "gz", ""])
def test_members_of_a_package(tmp_path, packing):
    assert dict(deb_members(saved(tmp_path, deb_bytes(FILES, packing=packing)))) == PLAIN


def test_zstd_asks_for_dpkg_deb(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack.shutil, "which", lambda name: None)
    with pytest.raises(UnpackError, match="needs the program dpkg-deb"):
        list(deb_members(saved(tmp_path, deb_bytes(FILES, packing="zst"))))


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb")
def test_a_damaged_zstd_package_is_named(tmp_path):
    with pytest.raises(UnpackError, match=r"pack_1\.deb is damaged"):
        list(deb_members(saved(tmp_path, deb_bytes(FILES, packing="zst"))))


@pytest.mark.parametrize("keep", [0, 5, 100, 200, 0.4, 0.7])
def test_a_truncated_package_is_named(tmp_path, keep):
    data = deb_bytes({f"./{i}": bytes(range(256)) * i for i in range(40)})
    data = data[: keep if isinstance(keep, int) else int(keep * len(data))]
    with pytest.raises(UnpackError, match=r"pack_1\.deb"):
        list(deb_members(saved(tmp_path, data)))


def links():
    for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "usr/share/a.ogg")):
        info = tarfile.TarInfo(f"./usr/share/link{kind.decode()}.ogg")
        info.type, info.linkname = kind, target
        yield info
    pipe = tarfile.TarInfo("./usr/share/pipe.ogg")
    pipe.type = tarfile.FIFOTYPE
    yield pipe


def is_name(name):
    try:
        return "\0" not in name and max(len(os.fsencode(p)) for p in name.split("/")) <= 255
    except UnicodeEncodeError:
        return False


PARTS = st.sampled_from(["..", ".", "", "...", "a", "b.ogg", "C:", "~", " ", "ä"])
STRANGE = st.sampled_from(["\0", "x" * 256, "字" * 85, "字" * 86, "\ud800", "\udce9"])


@example("C:/x")
@settings(max_examples=60)
@given(
    st.lists(st.tuples(PARTS | STRANGE, st.sampled_from("/\\")), max_size=4).map(joined) | st.text()
)
@pytest.mark.parametrize("system", ["posix", "nt"])
def test_no_name_points_out_of_its_archive(system, name):
    """As a POSIX or a Windows machine would read it; names without such parts stay as they are."""
    with mock.patch.object(os, "name", system):
        clean = plain_name(name)
    parts = name.replace("\\", "/").split("/")
    if clean is None:
        assert (
            name[:1] in ("", "/", "\\")
            or ".." in parts
            or (system == "nt" and ":" in name)
            or not is_name(name)
            or not any(part.strip(".") for part in parts)
        )
        return
    assert clean.split("/") == [part for part in parts if part not in ("", ".")]
    for path in (PurePosixPath(clean), PureWindowsPath(clean))[: 1 + (system == "nt")]:
        assert not path.anchor and not path.drive and path.parts and ".." not in path.parts


@settings(max_examples=20)
@given(st.lists(st.tuples(PARTS, st.sampled_from("/\\")), min_size=1).map(joined).filter(is_file))
def test_members_come_under_their_plain_names_or_not_at_all(name):
    files = {name: b"some", "good.ogg": b"good"}
    there = {key: data for key, data in [(plain_name(name), b"some"), ("good.ogg", b"good")] if key}
    assert dict(tar_members(io.BytesIO(tar_bytes(files)), "x.tar")) == there
    assert dict(zip_members(zip_bytes(files), "x.pk3")) == there


def test_links_are_passed_by(tmp_path):
    path = saved(tmp_path, deb_bytes({**FILES, "../up.ogg": b"evil"}, extra=list(links())))
    assert dict(deb_members(path)) == PLAIN
    assert [p.name for p in tmp_path.iterdir()] == ["pack_1.deb"]
    assert not (tmp_path.parent / "up.ogg").exists()


def test_a_bomb_is_refused_before_it_goes_off(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "MEMBER_LIMIT", 1 << 20)
    bomb = {"./bomb.ogg": bytes(8 << 20)}
    with pytest.raises(UnpackError, match=r"bomb\.ogg unpacks to more than 1 MB"):
        list(deb_members(saved(tmp_path, deb_bytes(bomb))))
    with pytest.raises(UnpackError, match=r"bomb\.ogg unpacks to more than 1 MB"):
        list(zip_members(zip_bytes({"bomb.ogg": bytes(8 << 20)}), "x.pk3"))


def test_many_small_members_are_counted_together(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "TOTAL_LIMIT", 1 << 20)
    many = {f"{i}.ogg": bytes(100_000) for i in range(40)}
    with pytest.raises(UnpackError, match="unpacks to more than 1 MB"):
        list(deb_members(saved(tmp_path, deb_bytes(many))))
    with pytest.raises(UnpackError, match="unpacks to more than 1 MB"):
        list(zip_members(zip_bytes(many), "x.pk3"))


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\3\4", zip_bytes({"a.ogg": bytes(5000)})[:-30]],
    ids=["empty", "its first bytes", "cut"],
)
def test_a_damaged_zip_is_named(data):
    with pytest.raises(UnpackError, match=r"x\.pk3 is damaged"):
        list(zip_members(data, "x.pk3"))


def test_a_damaged_tar_is_named():
    with pytest.raises(UnpackError, match="set is damaged"):
        list(tar_members(io.BytesIO(tar_bytes(FILES)[:700]), "set"))


def ar(size: str) -> bytes:
    """The beginning of a package whose first member says so many bytes."""
    return b"!<arch>\n" + f"{'debian-binary':<16}{0:<12}{0:<6}{0:<6}{0:<8}{size:<10}`\n".encode()


@pytest.mark.parametrize("size", ["-60", "-61", "-1", "x", "", "9" * 10])
def test_a_size_that_is_none_is_damage(tmp_path, size):
    """The same header again and again, where one seeks back by -60."""
    with pytest.raises(UnpackError, match=r"pack_1\.deb"):
        list(deb_members(saved(tmp_path, ar(size) * 3)))


def pax(depth=1, size=0):
    """Nested extended headers, or one that claims to be large."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, size
    return info.tobuf(tarfile.GNU_FORMAT) * depth


@pytest.mark.parametrize("data", [pax(3000), pax(size=64 << 30)], ids=["deep", "large"])
def test_a_hostile_header_is_damage(data):
    with pytest.raises(UnpackError, match="set is damaged"):
        list(tar_members(io.BytesIO(data + bytes(1024)), "set"))


def test_a_member_that_cannot_be_written_is_one_fault_and_the_rest_is_there(tmp_path):
    members = [("a", b"1"), ("a/b", b"2"), ("d/e", b"3"), ("d", b"4"), ("x" * 256, b"5")]
    with pytest.warns(UserWarning, match=r"3 members cannot be unpacked \(a/b: .*, d: .*, xxx"):
        assert list(write_members([*members, ("z", b"6")], tmp_path)) == ["a", "d/e", "z"]
    there = {p.relative_to(tmp_path).as_posix(): p.read_bytes() for p in tmp_path.rglob("*")
             if p.is_file()}  # fmt: skip
    assert there == {"a": b"1", "d/e": b"3", "z": b"6"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_disk_is_not_the_fault_of_a_member(tmp_path, monkeypatch, number):
    def faulty(path, data):
        raise OSError(number, "Not its fault", str(path))

    monkeypatch.setattr(Path, "write_bytes", faulty)
    for whole in (False, True):
        with pytest.raises((OSError, UserError), match=r"Not its fault|disk is full|Cannot write"):
            write_member(tmp_path / "a", b"", whole)
    with pytest.raises(OSError, match="Not its fault"):
        list(write_members([("a", b"")], tmp_path))


def test_a_list_is_unpacked_up_to_its_limit(tmp_path):
    path = tmp_path / "Packages"
    path.write_bytes(lzma.compress(bytes(100_000)))
    assert unpacked_xz(path, 100_000) == bytes(100_000)
    with pytest.raises(UnpackError, match="unpacks to more than"):
        unpacked_xz(path, 99_999)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UnpackError, match="Packages is damaged"):
        unpacked_xz(path, 100_000)


@pytest.mark.parametrize("damage", ["a header", "no end", "cut between members"])
def test_a_tar_with_a_damaged_header_or_no_end_is_not_taken_for_a_shorter_one(damage):
    """tarfile ends where a header is no header."""
    entries = []
    for name in "abc":
        entry = tarfile.TarInfo(name)
        entry.size = 5
        entries.append(entry.tobuf(tarfile.USTAR_FORMAT) + b"sound".ljust(512, b"\0"))
    assert len(dict(tar_members(io.BytesIO(b"".join(entries) + bytes(1024)), "it"))) == 3
    if damage == "a header":
        entries[1] = b"B" + entries[1][1:] + bytes(1024)
    elif damage == "cut between members":
        entries.pop()
    with pytest.raises(UnpackError, match="it is damaged"):
        list(tar_members(io.BytesIO(b"".join(entries)), "it"))


def test_a_zip_may_name_a_member_nothing():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        info = zipfile.ZipInfo("x")
        info.filename = ""
        out.writestr(info, "nameless")
        out.writestr("a.wav", "sound")
    assert list(zip_members(file.getvalue(), "it")) == [("a.wav", b"sound")]


def test_a_member_that_is_passed_over_is_as_large_as_others_at_most():
    """Of 2^62 bytes that are not there each 10 kB were waited for."""
    for name, kind in (("../up", tarfile.REGTYPE), ("x", b"Z")):
        entry = tarfile.TarInfo(name)
        entry.size, entry.type = 1 << 62, kind
        with pytest.raises(UnpackError, match="unpacks to more than"):
            list(tar_members(io.BytesIO(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)), "it"))
