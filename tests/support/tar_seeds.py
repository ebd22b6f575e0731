"""Tars of a few clips, broken or made to harm."""

import tarfile

from mutations import NASTY, mutated
from shard_files import audio, ramp

CLIPS = {f"clip{i}": ramp(i, 4000 + 900 * i) for i in range(5)}
MEMBERS = {f"{key}.flac": audio(wave) for key, wave in CLIPS.items()}
MEMBERS |= {f"{key}.json": b'{"key": "%s"}' % key.encode() for key in CLIPS}
NAMES = [*(name for name in NASTY if name), "../up.flac", "/tmp/x.flac", "a/../../b.flac",
         "clip1.flac/x.flac", "clip0.flac", "x" * 400 + ".flac", "a" * 260 + "/b.flac",
         "b\udcff.flac"]  # fmt: skip
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
    """What was done to a tar of ``MEMBERS``, and its bytes."""
    if rng.random() < 0.4:
        return "hostile", hostile_tar(rng)
    layouts = tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT
    if rng.random() < 0.3:  # a path longer than a header takes
        long = [(f"{'d' * 90}/{'e' * 90}/{name}", data) for name, data in MEMBERS.items()]
        what, data = mutated(entries(long, layouts[rng.integers(1, 3)]) + bytes(1024), rng)
        return f"long names, {what}", data
    return mutated(entries(MEMBERS.items(), layouts[rng.integers(3)]) + bytes(1024), rng)
