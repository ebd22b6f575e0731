"""Broken tars, zips and packages: what was in them comes out as it was, or is told, and stays in."""

import gzip
import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from mutations import NASTY, mutated
from shard_files import audio, ramp

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch import official
from dasheng_lib.corpora.fetch.unpack import (
    deb_members,
    plain_name,
    tar_members,
    write_members,
    zip_members,
)
from dasheng_lib.shards import ShardCrops, extract, read_shards, shard_index

CLIPS = {f"clip{i}": ramp(i, 4000 + 900 * i) for i in range(5)}
MEMBERS = {f"{key}.flac": audio(wave) for key, wave in CLIPS.items()}
MEMBERS |= {f"{key}.json": b'{"key": "%s"}' % key.encode() for key in CLIPS}
NAMES = [*(n for n in NASTY if n), "../up.flac", "/tmp/x.flac", "a/../../b.flac", "clip1.flac/x.flac",
         "clip0.flac", "x" * 400 + ".flac", "a" * 260 + "/b.flac", "b\udcff.flac"]  # fmt: skip
TYPES = [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE,
         tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, b"Z"]  # fmt: skip


def entries(members, layout=tarfile.PAX_FORMAT):
    """A tar without its end."""
    out = b""
    for name, data in members:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        out += entry.tobuf(layout) + data.ljust(-(-len(data) // 512) * 512, b"\0")
    return out


def hostile_tar(rng):
    """Sound members, and one whose name, kind or size is not; its header's sum is right."""
    members = list(MEMBERS.items())
    entry = tarfile.TarInfo("evil.flac")
    entry.type = TYPES[rng.integers(len(TYPES))] if rng.random() < 0.5 else tarfile.REGTYPE
    entry.linkname = str(rng.choice(["../outside/kept.txt", "/etc/passwd", "clip0.flac"]))
    entry.size = int(rng.choice([0, 1, 511, 700, 1 << 20, 1 << 33, 1 << 62]))
    header = bytearray(entry.tobuf(tarfile.GNU_FORMAT)[:512])
    if rng.random() < 0.5:
        name = NAMES[rng.integers(len(NAMES))].encode("utf-8", "surrogatepass")[:100]
        header[:100] = name.ljust(100, b"\0")
    if rng.random() < 0.2:
        header[124:136] = [b"-7".rjust(12), b"\x80" + b"\xff" * 11, b"\xff" * 12][rng.integers(3)]
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 256)
    body = rng.bytes(int(rng.choice([0, 512, 1024])))
    return entries(members[:4]) + bytes(header) + body + entries(members[4:]) + bytes(1024)


def broken_tar(rng):
    if rng.random() < 0.4:
        return "hostile", hostile_tar(rng)
    layouts = tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT
    names = (
        MEMBERS
        if rng.random() < 0.7
        else {f"{'d' * 90}/{'e' * 90}{n}": MEMBERS[n] for n in MEMBERS}
    )
    return mutated(entries(MEMBERS.items(), layouts[rng.integers(3)]) + bytes(1024), rng)


def all_told(what, waves, skipped):
    """ "" if every clip is what it was, or there is a word about it."""
    if any(shard and not key for shard, key in skipped):
        return ""
    for key, wave in CLIPS.items():
        found = next((w for k, w in waves.items() if k.endswith(key)), None)
        if found is None and not any(key in k for _, k in skipped) and what in ("cut", "bit"):
            return f"{key} is lost"
        if found is not None and what in ("cut", "bit", "bit of the head"):
            if not np.array_equal(found, wave):
                return f"{key} has other samples"
    return ""


@pytest.fixture
def shard(watch):
    def write(rng):
        what, data = broken_tar(rng)
        path = watch.work / f"s{rng.integers(1 << 60)}.tar"
        path.write_bytes(data)
        return what, path

    return write


def test_a_shard_that_is_read(attacked, shard):
    def one(rng):
        what, path = shard(rng)
        skipped = {}

        def call():
            return {one.key: one.wave for one in read_shards(path, skipped)}

        return what, call, lambda waves, told: all_told(what, waves, skipped)

    attacked("shards: read", 40, one)


def test_a_shard_that_is_unpacked(attacked, shard, watch):
    def one(rng):
        what, path = shard(rng)
        folder = watch.work / f"out{rng.integers(1 << 60)}"

        def right(found, told):
            count, _ = found
            files = [p for p in folder.rglob("*") if p.is_file()] if count else []
            if any(p.is_symlink() for p in folder.rglob("*")) or count > len(files):
                return f"{count} clips, {len(files)} files"
            other = [p for p in files if MEMBERS.get(p.name) != p.read_bytes()]
            return f"{other} are other" if what == "cut" and other else ""

        return what, lambda: extract(path, folder), right

    attacked("shards: extract", 25, one)


def test_crops_of_a_shard(attacked, shard):
    def one(rng):
        what, path = shard(rng)

        def call():
            crops = ShardCrops([path], 0.2, 3, workers=0, streams=1, window=4)
            return np.concatenate([crops.batch(step) for step in range(3)])

        def right(found, told):
            if found.shape != (9, 3200) or not np.isfinite(found).all():
                return f"{found.shape}"
            return "" if (abs(found).max(1) > 0).all() else "silence"

        return what, call, right

    attacked("shards: crops", 20, one)


def test_an_index_knows_only_what_is_there(attacked, shard):
    def one(rng):
        what, path = shard(rng)

        def right(index, told):
            rows = index.members
            end = (rows["offset"] + rows["size"]).max(initial=0)
            return f"a member ends at {end}" if end > path.stat().st_size else ""

        return what, lambda: shard_index(path), right

    attacked("shards: index", 20, one)


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
