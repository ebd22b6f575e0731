"""Downloads: resumed, verified, whole or not there; and where packages come from."""

import hashlib
import lzma
import os
import shutil
import socket
import threading

import pytest
from fake_packages import mirror_files, serving, written

from dasheng_lib.common import cache
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch import download as downloading
from dasheng_lib.corpora.fetch.download import DownloadError, Remote, download
from dasheng_lib.corpora.pocket import debian
from dasheng_lib.corpora.pocket.debian import fetch_packages, is_pinned, local_package

DATA = bytes(range(256)) * 2000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server():
    with serving({"file.deb": DATA}) as running:
        yield running


def get(server, folder, **changes):
    remote = Remote(f"{server.url}/file.deb", SHA, len(DATA))
    remote = Remote(**{**vars(remote), **changes})
    return download(remote, folder / "file.deb", pause=0, timeout=5)


class Bar:
    total = 0

    def update(self, count):
        self.total += count


def test_a_file_comes_once(server, tmp_path):
    assert get(server, tmp_path).read_bytes() == DATA
    assert get(server, tmp_path).read_bytes() == DATA
    assert len(server.requests) == 1
    assert written(tmp_path) == ["file.deb"]


def test_a_download_that_broke_off_goes_on(server, tmp_path):
    server.cut = 200_000
    bar = Bar()
    path = download(
        Remote(f"{server.url}/file.deb", SHA, len(DATA)), tmp_path / "file.deb", bar=bar, pause=0
    )
    assert path.read_bytes() == DATA
    assert [asked for _, asked in server.requests] == [None, "bytes=200000-"]
    assert bar.total == len(DATA)


def test_a_partial_file_of_an_earlier_run_is_used(server, tmp_path):
    (tmp_path / "file.deb.part").write_bytes(DATA[:300_000])
    assert get(server, tmp_path).read_bytes() == DATA
    assert server.requests == [("/file.deb", "bytes=300000-")]
    (tmp_path / "file.deb").unlink()
    (tmp_path / "file.deb.part").write_bytes(DATA)
    assert get(server, tmp_path).read_bytes() == DATA
    assert len(server.requests) == 1


def test_a_server_that_cannot_resume_is_read_from_the_beginning(server, tmp_path):
    server.ranges = False
    (tmp_path / "file.deb.part").write_bytes(b"x" * 300_000)
    assert get(server, tmp_path).read_bytes() == DATA


def test_a_wrong_hash_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match="SHA-256"):
        get(server, tmp_path, sha256="0" * 64)
    assert written(tmp_path) == []
    assert get(server, tmp_path).read_bytes() == DATA


def test_a_spoilt_partial_file_is_thrown_away(server, tmp_path):
    (tmp_path / "file.deb.part").write_bytes(b"y" * 1000)
    with pytest.raises(DownloadError, match="SHA-256"):
        get(server, tmp_path)
    assert get(server, tmp_path).read_bytes() == DATA


def test_a_file_that_stays_short_is_no_file(server, tmp_path):
    with pytest.raises(DownloadError, match=r"broke off .* of 512001 bytes came"):
        get(server, tmp_path, size=len(DATA) + 1)
    assert not (tmp_path / "file.deb").exists()


def test_no_such_file(server, tmp_path):
    with pytest.raises(DownloadError, match="404"):
        get(server, tmp_path, url=f"{server.url}/other.deb")
    assert len(server.requests) == 1


def test_no_network(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        with pytest.raises(DownloadError, match=r"cannot be reached .* check the network"):
            download(Remote(url), tmp_path / "x", pause=0)
    assert written(tmp_path) == []


def test_a_server_that_says_nothing_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/x"
        with pytest.raises(DownloadError, match="x"):
            download(Remote(url), tmp_path / "x", pause=0, timeout=0.05)


def test_a_full_disk_is_seen_before(server, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 9))
    with pytest.raises(UserError, match="MB are needed"):
        get(server, tmp_path)
    assert server.requests == []


def test_a_disk_that_fills_up_meanwhile(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "file.deb.part")

    monkeypatch.setattr(downloading.os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot be written \(No space left"):
        get(server, tmp_path)
    assert not (tmp_path / "file.deb").exists()


def test_two_at_once_fetch_once(server, tmp_path):
    threads = [threading.Thread(target=get, args=(server, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 1 and (tmp_path / "file.deb").read_bytes() == DATA


# ---- packages


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_MIRROR", raising=False)


def wanted(package="sounds", version="1-1", data=DATA):
    sha = hashlib.sha256(data).hexdigest()
    return {"package": package, "version": version, "sha256": sha, "bytes": len(data)}


def fetch(server=None, packages=None, mirror=True):
    return fetch_packages(
        packages or [wanted()],
        release="bookworm",
        mirror=server.url if mirror and server else None,
        progress=False,
    )


def test_a_mirror_gives_the_pinned_package_once(monkeypatch):
    with serving(mirror_files({"sounds": ("1-1", DATA), "other": ("2", b"x")})) as server:
        paths = fetch(server)
        assert paths["sounds"].read_bytes() == DATA and is_pinned(paths["sounds"], wanted())
        asked = len(server.requests)
        assert fetch(server) == paths and len(server.requests) == asked
        monkeypatch.setenv("DASHENG_MIRROR", server.url)
        assert fetch(packages=[wanted("other", "2", b"x")])["other"].read_bytes() == b"x"


def test_another_version_is_taken_where_the_pinned_one_is_not_offered():
    with serving(mirror_files({"sounds": ("7-1", b"newer")})) as server:
        path = fetch(server)["sounds"]
    assert path.read_bytes() == b"newer" and not is_pinned(path, wanted())
    assert local_package(wanted()) == path


@pytest.mark.parametrize("versions", [("7-1", "1-1"), ("1-1", "7-1")])
def test_the_pinned_version_is_chosen_among_several(versions):
    data = {"1-1": DATA, "7-1": b"newer"}
    files = [mirror_files({"sounds": (version, data[version])}) for version in versions]
    index = next(name for name in files[0] if name.endswith("Packages.xz"))
    both = b"".join(lzma.decompress(offered[index]) for offered in files)
    with serving({**files[0], **files[1], index: lzma.compress(both)}) as server:
        assert fetch(server)["sounds"].read_bytes() == DATA


def test_a_package_that_is_not_offered_is_left_out_unless_none_is():
    with serving(mirror_files({"sounds": ("1-1", DATA)})) as server:
        assert list(fetch(server, [wanted(), wanted("gone")])) == ["sounds"]
        with pytest.raises(UserError, match=r"None of the packages .* release bookworm"):
            fetch(server, [wanted("gone")])


@pytest.mark.parametrize(
    "line",
    ["Size: many\n", "Size:\n", "", f"Size: 5\nSHA256: {'../' * 30}x\n", "Size: 5\nSHA256: 1\n"],
)
def test_what_a_mirror_says_too_little_of_is_not_offered(line):
    stanza = f"Package: sounds\nVersion: 1-1\nFilename: pool/x.deb\n{line}"
    files = mirror_files({"other": ("1-1", DATA)})
    index = next(name for name in files if name.endswith("Packages.xz"))
    files[index] = lzma.compress(stanza.encode() + b"\n" + lzma.decompress(files[index]))
    with serving(files) as server:
        assert list(fetch(server, [wanted(), wanted("other")])) == ["other"]


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"x"])
def test_a_list_of_packages_that_is_damaged_is_named(damage):
    files = mirror_files({"sounds": ("1-1", DATA)})
    index = next(name for name in files if name.endswith("Packages.xz"))
    with (
        serving({**files, index: damage(files[index])}) as server,
        pytest.raises(UserError, match=r"Packages.xz is damaged .*DASHENG_MIRROR"),
    ):
        fetch(server)


def test_a_list_of_packages_is_not_unpacked_without_end(monkeypatch):
    monkeypatch.setattr(debian, "_INDEX_LIMIT", 100)
    with (
        serving(mirror_files({"sounds": ("1-1", DATA)})) as server,
        pytest.raises(UserError, match=r"Packages.xz is damaged .*more than"),
    ):
        fetch(server)


@pytest.mark.parametrize("mirror", ["x", "//x", "http://["])
def test_a_mirror_that_is_no_address(mirror):
    with pytest.raises(UserError, match="DASHENG_MIRROR"):
        fetch_packages([wanted()], release="bookworm", mirror=mirror, progress=False)


def test_a_mirror_that_is_none():
    with serving({}) as server, pytest.raises(UserError, match=r"404.*DASHENG_MIRROR"):
        fetch(server)


def test_neither_apt_nor_mirror(monkeypatch):
    monkeypatch.setattr(debian.shutil, "which", lambda name: None)
    with pytest.raises(UserError, match=r"no apt-get .*DASHENG_MIRROR=URL"):
        fetch(mirror=False)


FAKE_APT = """#!/bin/sh
echo "$@" >> {log}
case "$*" in
*--print-uris*sounds=1-1*) exit 100 ;;
*--print-uris*sounds*)
  echo "'{url}' sounds_4%3a7-1_all.deb {size} SHA256:{sha}" ;;
*" update"*) echo "W: Failed to fetch lists" >&2; exit {code} ;;
*) exit 100 ;;
esac
"""


def fake_apt(folder, monkeypatch, code=0, **values):
    folder.mkdir()
    values = {"log": folder / "log", "url": "", "size": 0, "sha": "", "code": code, **values}
    for name, text in (("apt-get", FAKE_APT.format(**values)), ("apt-config", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
    return folder / "log"


def test_apt_refreshes_lists_of_its_own_and_offers_another_version(tmp_path, monkeypatch):
    with serving({"pool/sounds.deb": DATA}) as server:
        log = fake_apt(
            tmp_path / "bin",
            monkeypatch,
            url=f"{server.url}/pool/sounds.deb",
            size=len(DATA),
            sha=SHA,
        )
        path = fetch(mirror=False, packages=[wanted(data=b"the pinned one")])["sounds"]
    assert path.read_bytes() == DATA
    lines = log.read_text().splitlines()
    assert all(f"Dir::Cache={tmp_path}/cache/apt" in line for line in lines)
    assert f"Dir::State::lists={tmp_path}/cache/apt" in lines[0] and lines[0].endswith("update")


def test_apt_without_network_says_so(tmp_path, monkeypatch):
    fake_apt(tmp_path / "bin", monkeypatch, code=100)
    with pytest.raises(UserError, match=r"lists cannot be fetched .*check the network"):
        fetch(mirror=False, packages=[wanted("unheard")])


def test_apt_that_hangs_is_given_up(tmp_path, monkeypatch):
    fake_apt(tmp_path / "bin", monkeypatch)
    (tmp_path / "bin" / "apt-get").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(debian, "_TIMEOUT", 0.2)
    with pytest.raises(UserError, match="did not answer within"):
        fetch(mirror=False)
