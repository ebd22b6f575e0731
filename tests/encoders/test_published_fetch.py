"""Files of Dasheng's authors by name: as a record states size and sum, or not at all."""

import functools
import hashlib
import io
import json

import pytest
import torch
from fake_packages import serving

from dasheng_lib.book.published_stand_in import stand_in
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch.zenodo import zenodo_remote
from dasheng_lib.encoders import load_encoder, released
from dasheng_lib.encoders.pinned import read_pins
from dasheng_lib.hear_api import load_model

FILE = "dasheng_base.pt"


@pytest.fixture
def zenodo(tmp_path, monkeypatch):
    """A server with the record of the manifest, in which ``published:base`` is tiny."""
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_DATA", raising=False)
    monkeypatch.setattr("dasheng_lib.corpora.fetch.download.time.sleep", lambda _: None)
    with serving({}) as server:
        api = f"{server.url}/api/records/{{record}}"
        remote = functools.partial(zenodo_remote, api=api)
        monkeypatch.setattr(released, "zenodo_remote", remote)
        offer(server, stand_in("nano").read_bytes())
        yield server


def offer(server, data, **changes):
    file = {
        "key": FILE,
        "size": len(data),
        "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
        "links": {"self": f"{server.url}/files/{FILE}/content"},
    }
    record = read_pins(released.MANIFEST)["published:base"]["zenodo"]
    listed = json.dumps({"files": [{**file, **changes}]}).encode()
    server.files = {f"/api/records/{record}": listed, f"/files/{FILE}/content": data}


def test_a_name_fetches_once_what_a_path_reads(zenodo):
    named, path = load_encoder("published:base"), load_encoder(f"published:{stand_in('nano')}")
    assert named.fingerprint == path.fingerprint and named.name == "published:base"
    asked = len(zenodo.requests)
    assert asked == 2  # the record and the file
    assert load_encoder("published:base").fingerprint == path.fingerprint
    assert load_model("published:base").scene_embedding_size == named.dim
    assert len(zenodo.requests) == asked


def test_what_broke_off_goes_on(zenodo, tmp_path):
    content = f"/files/{FILE}/content"
    data = zenodo.files.pop(content)
    with pytest.raises(UserError, match=rf"refused \(404 .*put it at .*/{FILE}, or run"):
        load_encoder("published:base")  # the record came
    part = tmp_path / "cache" / "downloads" / "weights" / f"{FILE}.part"
    part.write_bytes(data[:10_000])
    zenodo.files[content], zenodo.cut = data, 70_000
    load_encoder("published:base")
    *_, first, second = [asked for path, asked in zenodo.requests if path == content]
    assert first == "bytes=10000-" and int(second[6:-1]) > 10_000  # not from the beginning


def test_another_file_than_the_record_states_is_thrown_away(zenodo, tmp_path):
    offer(zenodo, stand_in("nano").read_bytes(), checksum="md5:" + "0" * 32)
    place = tmp_path / "cache" / "downloads" / "weights" / FILE
    with pytest.raises(UserError, match=rf"MD5 that was promised .*zenodo.org.*put it at {place}"):
        load_encoder("published:base")
    assert [path.name for path in place.parent.iterdir()] == [f"{FILE}.lock"]


def test_a_record_without_the_file_says_where_to_put_it(zenodo, tmp_path):
    offer(zenodo, b"", key="another.pt")
    with pytest.raises(UserError, match=rf"lists {FILE}: get it by hand and put it at .*/{FILE}\."):
        load_encoder("published:base")


def test_a_file_that_changed_since_is_refused(zenodo, tmp_path):
    load_encoder("published:base")
    place = tmp_path / "cache" / "downloads" / "weights" / FILE
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1  # among the weights, where torch would not see it
    place.write_bytes(data)
    with pytest.raises(UserError, match=rf"{FILE} is not the .* MD5 begins with"):
        load_encoder("published:base")


def test_a_file_put_by_hand_needs_no_network(zenodo, tmp_path, monkeypatch):
    (tmp_path / "mine" / "weights").mkdir(parents=True)
    (tmp_path / "mine" / "weights" / FILE).write_bytes(stand_in("nano").read_bytes())
    monkeypatch.setenv("DASHENG_DATA", str(tmp_path / "mine"))
    assert load_encoder("published:base").name == "published:base"
    assert not zenodo.requests


class Foreign:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_a_fetched_file_runs_no_code(zenodo, capsys):
    buffer = io.BytesIO()
    torch.save({"model": Foreign()}, buffer)
    offer(zenodo, buffer.getvalue())
    with pytest.raises(UserError, match="files that need unpickling are refused"):
        load_encoder("published:base")
    assert "unpickled" not in capsys.readouterr().out


def test_every_name_has_its_record():
    pins = read_pins(released.MANIFEST)
    assert [n for n in pins if n.startswith("published:")] == [
        f"published:{n}" for n in released.PUBLISHED
    ]
    for name in released.PUBLISHED:
        pin = pins[f"published:{name}"]
        assert pin["source"] == f"https://zenodo.org/records/{pin['zenodo']}"
        assert pin["file"].endswith(".pt") and pin["licence"].startswith("Apache-2.0")
