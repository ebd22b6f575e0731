"""Broken tars, zips and packages: members come out as they were, or it is told, and stay below."""

import gzip
import io
import struct
import tarfile
import zipfile

import pytest
from mutations import mutated
from tar_seeds import MEMBERS, NAMES, broken_tar, entries

from dasheng_lib.corpora.fetch import official
from dasheng_lib.corpora.fetch.unpack import (
    deb_members,
    plain_name,
    tar_members,
    write_members,
    zip_members,
)


def whole_or_told(what, found, told):
    """Of what only lost its end or a bit, every member is as it was, or one is told."""
    if what == "names" and found.keys() != MEMBERS.keys() and not told:
        return f"gave {sorted(found)}"
    for name, data in found.items():
        if plain_name(name) != name:
            return f"gave the name {name!r}"
        if what in ("cut", "bit", "bit of the head") and MEMBERS.get(name, data) != data:
            return f"{name} has other bytes"
    if what in ("cut", "bit", "bit of the head") and len(found) < len(MEMBERS) and not told:
        return f"{len(found)} of {len(MEMBERS)} members"
    return ""


def test_a_zip(attacked, watch):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        for number, (name, data) in enumerate(MEMBERS.items()):
            out.writestr(name, data, [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED][number % 2])

    def one(rng):
        what, data = mutated(file.getvalue(), rng)

        def call():
            found = dict(zip_members(data, "it.zip"))
            list(write_members(found.items(), watch.work / "out"))
            return found

        return what, call, lambda found, told: whole_or_told(what, found, told)

    attacked("archives: zip", 40, one)


def test_a_zip_of_bad_names(attacked, watch):
    def one(rng):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as out:
            for name in rng.choice(NAMES, 4, replace=False):
                info = zipfile.ZipInfo("x")
                info.filename = str(name).encode("utf-8", "replace").decode()
                info.external_attr = int(rng.choice([0, 0o120777 << 16]))  # a link
                out.writestr(info, "../outside/kept.txt")

        def call():
            return list(write_members(zip_members(file.getvalue(), "it"), watch.work / "out"))

        return "names", call, None

    attacked("archives: names in a zip", 15, one)


def test_a_tar_and_a_compressed_one(attacked, watch):
    def one(rng):
        packed = rng.random() < 0.5
        if packed:
            what, data = mutated(gzip.compress(entries(MEMBERS.items()) + bytes(1024), 1), rng)
        else:
            what, data = broken_tar(rng)
        path = watch.work / f"it{rng.integers(1 << 60)}.tar{'.gz' * packed}"
        path.write_bytes(data)

        def call():
            if packed:
                found = dict(official._members(path, 1 << 22))
            else:
                with path.open("rb") as stream:
                    found = dict(tar_members(stream, path.name, 1 << 22))
            list(write_members(found.items(), watch.work / "out"))
            return found

        # A tar has sums of its headers alone, and none of its last block.
        kind = what if packed else {"cut": "cut", "bit": "names"}.get(what, "any")
        return what, call, lambda found, told: whole_or_told(kind, found, told)

    attacked("archives: tar", 50, one)


def test_a_debian_package(attacked, watch, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)  # no dpkg-deb, which is another program
    parts = [
        (b"debian-binary", b"2.0\n"),
        (b"data.tar.gz", gzip.compress(entries(MEMBERS.items()) + bytes(1024), 1)),
    ]
    whole = b"!<arch>\n"
    for name, data in parts:
        whole += struct.pack("16s12s6s6s8s10s2s", name.ljust(16), b"0".ljust(12), b"0".ljust(6),
                             b"0".ljust(6), b"100644".ljust(8), str(len(data)).encode().ljust(10),
                             b"`\n") + data + b"\n" * (len(data) % 2)  # fmt: skip
    path = watch.work / "it.deb"
    path.write_bytes(whole)
    assert dict(deb_members(path)) == MEMBERS

    def one(rng):
        what, data = mutated(whole, rng)

        def call():
            path.write_bytes(data)
            return dict(deb_members(path))

        return what, call, lambda found, told: whole_or_told(what, found, told)

    attacked("archives: deb", 30, one)


@pytest.mark.parametrize("size", [1 << 24, 1 << 33, 1 << 62])
def test_a_bomb_is_no_more_than_its_limit(watch, size):
    watch.bytes = 64 << 20
    entry = tarfile.TarInfo("bomb")
    entry.size = size
    data = gzip.compress(entry.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 24), 9)

    def call():
        with gzip.open(io.BytesIO(data)) as stream:
            return dict(tar_members(stream, "bomb", 1 << 20))

    assert watch(call).kind == "sentence"
