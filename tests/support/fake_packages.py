"""Debian packages, sound banks and a mirror in miniature, made in the test."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import lzma
import struct
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile


def tone(seconds=0.5, rate=16000, hertz=440.0, channels=1):
    """float64 [frames, channels] of a quiet sine."""
    time = np.arange(round(seconds * rate)) / rate
    return np.repeat(0.3 * np.sin(2 * np.pi * hertz * time)[:, None], channels, axis=1)


def audio_bytes(samples, rate, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def tar_bytes(files, extra=()):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info)
    return file.getvalue()


def deb_bytes(files, extra=(), packing="xz"):
    """A Debian package: ar of debian-binary, control.tar, data.tar."""
    pack = {"xz": lzma.compress, "gz": gzip.compress, "": bytes, "zst": bytes}[packing]
    data = pack(tar_bytes(files, extra))
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(tar_bytes({})),
        "data.tar" + (f".{packing}" if packing else ""): data,
    }
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def zip_bytes(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def cat_bytes(sounds):
    """OpenTTD's archive of {title: wav bytes}."""
    table, body = b"", b""
    start = 8 * len(sounds)
    for title, wav in sounds.items():
        entry = bytes([len(title) + 1]) + title.encode() + b"\0"
        table += struct.pack("<II", (start + len(body)) | 0x8000_0000, len(wav))
        body += entry + wav
    return table + body


def pat_bytes(samples, *, modes=1 | 4, rate=16000, root=440_000, loop=None):
    """A GUS patch with one sample of int16 ``samples``, or of uint8 with modes 2."""
    data = samples.tobytes()
    start, end = loop or (0, len(data))
    header = b"GF1PATCH110\0ID#000002\0" + b"\0" * 60 + bytes([1, 1, 1])
    header += struct.pack("<HHI", 1, 127, 0) + b"\0" * 36
    instrument = struct.pack("<H16sIB40x", 0, b"", 0, 1)
    layer = struct.pack("<BBIB40x", 0, 0, 0, 1)
    sample = struct.pack(
        "<7sBIIIHIIIhB6s6s6xBhH36x",
        b"", 0, len(data), start, end, rate, 0, 0, root, 0, 7, b"", b"", modes, 60, 1024,
    )  # fmt: skip
    return header + instrument + layer + sample + data


def sf2_bytes(samples, *, packed=False, pad=True):
    """A sound font. ``samples``: dicts with name, pcm (int16) or data (ogg), program, bank, low,
    high, root, override, loop (frames), kind."""
    pool, shdr, inst, ibag, igen, phdr, pbag, pgen = (b"",) * 8
    for number, s in enumerate(samples):
        unit = 1 if packed else 2
        data = s["data"] if packed else s["pcm"].astype("<i2").tobytes()
        start, end = len(pool) // unit, (len(pool) + len(data)) // unit
        pool += data
        loop = s.get("loop", (0, 0))
        base = 0 if packed else start
        shdr += struct.pack(
            "<20s5IBbHH", s["name"].encode(), start, end, base + loop[0], base + loop[1],
            s.get("rate", 16000), s.get("root", 60), 0, 0, s.get("kind", 1) | 16 * packed,
        )  # fmt: skip
        inst += struct.pack("<20sH", b"", len(ibag) // 4)
        ibag += struct.pack("<HH", len(igen) // 4, 0)
        igen += struct.pack("<HBB", 43, s.get("low", 0), s.get("high", 127))
        igen += struct.pack("<HH", 54, int("loop" in s))
        if "override" in s:
            igen += struct.pack("<HH", 58, s["override"])
        igen += struct.pack("<HH", 53, number)
        phdr += struct.pack("<20sHHHIII", b"", s.get("program", 0), s.get("bank", 0),
                            len(pbag) // 4, 0, 0, 0)  # fmt: skip
        pbag += struct.pack("<HH", len(pgen) // 4, 0)
        pgen += struct.pack("<HH", 41, number)
    shdr += struct.pack("<20s5IBbHH", b"EOS", *[0] * 9)
    inst += struct.pack("<20sH", b"EOI", len(ibag) // 4)
    ibag += struct.pack("<HH", len(igen) // 4, 0)
    phdr += struct.pack("<20sHHHIII", b"EOP", 255, 255, len(pbag) // 4, 0, 0, 0)
    pbag += struct.pack("<HH", len(pgen) // 4, 0)

    def chunk(name, data):
        return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2 * pad)

    def listed(name, *chunks):
        return chunk(b"LIST", name + b"".join(chunks))

    body = b"sfbk" + listed(b"INFO", chunk(b"INAM", b"abc")) + listed(b"sdta", chunk(b"smpl", pool))
    body += listed(
        b"pdta", chunk(b"phdr", phdr), chunk(b"pbag", pbag), chunk(b"pgen", pgen),
        chunk(b"inst", inst), chunk(b"ibag", ibag), chunk(b"igen", igen), chunk(b"shdr", shdr),
    )  # fmt: skip
    return chunk(b"RIFF", body)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        data = server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        begin = 0
        asked = self.headers.get("Range")
        if asked and server.ranges:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        if begin >= len(data) > 0:
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        end = len(data)
        if server.cut:  # break off once, in the middle
            end, server.cut = begin + server.cut, 0
        self.wfile.write(data[begin:end])

    def log_message(self, *_):
        pass


@contextmanager
def serving(files):
    """A web server on this machine; yields it, with ``url``, ``requests``, ``ranges``, ``cut``."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.files = {f"/{name}": data for name, data in files.items()}
    server.requests, server.ranges, server.cut = [], True, 0
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def mirror_files(packages, release="bookworm"):
    """What a Debian mirror serves for {package: (version, deb bytes)}."""
    files, index = {}, ""
    for package, (version, deb) in packages.items():
        path = f"pool/main/{package[0]}/{package}/{package}_{version}_all.deb"
        files[path] = deb
        index += (
            f"Package: {package}\nVersion: {version}\nDescription: a test\n with more lines\n"
            f"Filename: {path}\nSize: {len(deb)}\nSHA256: {hashlib.sha256(deb).hexdigest()}\n\n"
        )
    where = f"dists/{release}/main/binary-amd64/Packages.xz"
    return {**files, where: lzma.compress(index.encode())}


def written(folder: Path):
    """Files under a folder, locks aside."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )
