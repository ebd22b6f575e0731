"""Archives: members come out whole, and nothing else happens."""

import io
import shutil
import tarfile

import pytest
from fake_packages import deb_bytes, tar_bytes, zip_bytes

from dasheng_lib.corpora.fetch import unpack
from dasheng_lib.corpora.fetch.unpack import UnpackError, deb_members, tar_members, zip_members

FILES = {"./usr/share/a.ogg": b"first", "./usr/share/b.txt": b"second" * 999}
PLAIN = {"usr/share/a.ogg": b"first", "usr/share/b.txt": b"second" * 999}


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


@pytest.mark.parametrize("name", ["../up.ogg", "/abs.ogg", "a/../../up.ogg", "..\\up.ogg", "C:/x"])
def test_names_that_point_out_and_links_are_passed_by(tmp_path, name):
    path = saved(tmp_path, deb_bytes({**FILES, name: b"evil"}, extra=list(links())))
    assert dict(deb_members(path)) == PLAIN
    assert dict(zip_members(zip_bytes({name: b"evil", "good.ogg": b"good"}), "x.pk3")) == {
        "good.ogg": b"good"
    }
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
