"""HEAR's archives: found, fetched, verified, unpacked; from a server on this machine."""

import gzip
import hashlib
import json
import tarfile

import pytest
import yaml
from fake_packages import serving, tar_bytes, written
from hear_folder import make_task

from dasheng_lib import cli
from dasheng_lib.common import places
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import manifest
from dasheng_lib.tasks.hear import fetch as hear_fetch
from dasheng_lib.tasks.hear.fetch import fetch_hear, find_hear
from dasheng_lib.tasks.hear.read import read_hear_task

NAME = "made_up-v1-full"
FACTS = {"title": "Made up", "classes": 3, "folds": 0, "metric": "top1_acc"}


def archive_of(folder, root="tasks", **extra):
    """A task's folder as its authors pack it."""
    files = {
        f"{root}/{folder.name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return gzip.compress(tar_bytes(files, **extra), 1)


def listed(server, name, data, **changes):
    file = {
        "key": name,
        "size": len(data),
        "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
        "links": {"self": f"{server.url}/files/{name}/content"},
    }
    return {k: v for k, v in {**file, **changes}.items() if v is not None}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A cache, a manifest of two tasks, and a server with two records; the second has the one."""
    task = make_task(tmp_path / "upstream", clips=2)
    name = f"hear2021-{NAME}-48000.tar.gz"
    with serving({}) as server:
        data = archive_of(task)
        server.files[f"/files/{name}/content"] = data
        server.records = {"11": [], "12": [listed(server, name, data)]}
        publish(server)
        info = {
            "title": "HEAR in miniature",
            "records": [11, 12],
            "api": f"{server.url}/api/records/{{record}}",
            "archive": "hear2021-{folder}-48000.tar.gz",
            "tasks": [
                {"name": "made_up", "column": "MU", "folders": [NAME], "clips": 6, "seconds": 0.5,
                 "licence": "CC0-1.0", **FACTS},
                {"name": "two", "column": "2", "folders": [NAME, "other-v1-full"], "clips": 12,
                 "seconds": 0.5, "licence": "unknown", **FACTS},
            ],
        }  # fmt: skip
        folder = tmp_path / "manifests"
        folder.mkdir()
        (folder / "hear.yml").write_text(yaml.safe_dump(info))
        monkeypatch.setattr(manifest, "FOLDER", folder)
        monkeypatch.setattr(places, "ROOT", tmp_path / "nowhere" / "checkout")
        monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
        monkeypatch.delenv("DASHENG_DATA", raising=False)
        server.task, server.archive, server.data, server.info = task, name, data, info
        yield server


def publish(server):
    for record, files in server.records.items():
        server.files[f"/api/records/{record}"] = json.dumps({"files": files}).encode()


def offer(server, data, **changes):
    server.files[f"/files/{server.archive}/content"] = data
    server.records["12"] = [listed(server, server.archive, data, **changes)]
    publish(server)


def fetch(name="made_up", place=None):
    return fetch_hear(name, place, progress=False)


def test_a_task_comes_once_from_the_record_that_lists_it(world, tmp_path):
    assert find_hear("made_up") is None
    [folder] = fetch()
    assert folder == tmp_path / "cache/hear/tasks" / NAME
    assert written(folder) == written(world.task)
    ours, theirs = read_hear_task(folder), read_hear_task(world.task)
    assert [c.identity for c in ours.clips["test"]] == [c.identity for c in theirs.clips["test"]]
    assert [path for path, _ in world.requests] == [
        "/api/records/11",
        "/api/records/12",
        f"/files/{world.archive}/content",
    ]
    assert fetch("MU") == [folder] == find_hear(NAME) and len(world.requests) == 3
    assert not list((tmp_path / "cache/downloads").glob("*.tar.gz"))


def test_a_download_that_broke_off_goes_on(world, tmp_path):
    part = tmp_path / "cache/downloads" / f"{world.archive}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(world.data[:1000])
    fetch()
    assert world.requests[-1] == (f"/files/{world.archive}/content", "bytes=1000-")


def test_an_archive_that_is_not_the_one_promised_is_not_unpacked(world, tmp_path):
    offer(world, world.data, checksum="md5:" + "0" * 32)
    with pytest.raises(UserError, match=r"MD5 that was promised.*zenodo.org/records/12.*--from"):
        fetch()
    assert written(tmp_path / "cache/hear") == [] and find_hear("made_up") is None
    assert not list((tmp_path / "cache/downloads").glob("*.tar.gz*[!k]"))


@pytest.mark.parametrize("checksum", [None, "", "crc:1234", "md5:"])
def test_an_archive_that_cannot_be_verified_is_not_fetched(world, checksum):
    offer(world, world.data, checksum=checksum)
    with pytest.raises(UserError, match=r"record 12 lists .*48000.tar.gz without its MD5"):
        fetch()
    assert world.requests[-1][0] == "/api/records/12"


def test_an_archive_that_no_record_lists(world):
    world.records["12"] = [listed(world, "hear2021-other-48000.tar.gz", b"x")]
    publish(world)
    with pytest.raises(UserError, match=r"None of Zenodo's records 11, 12 lists hear2021-made_up"):
        fetch()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>busy</html>",
        b"[]",
        b"\xff",
        b'{"message": "gone"}',
        b'{"files": [{"key": "a.tar.gz", "checksum": "md5:0"}]}',
    ],
)
def test_a_host_that_answers_something_else(world, answer):
    world.files["/api/records/11"] = answer
    with pytest.raises(UserError, match=r"records/11 did not answer with a record: get the file"):
        fetch()
    publish(world)
    fetch()  # nothing of it is kept


def test_a_record_that_is_refused(world):
    del world.files["/api/records/11"]
    with pytest.raises(UserError, match=r"refused \(404.*name its folder with --from"):
        fetch()


def test_members_that_would_land_elsewhere_are_passed_by(world, tmp_path):
    link = tarfile.TarInfo(f"tasks/{NAME}/link.wav")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    strange = {
        f"tasks/{NAME}/../../../../escaped.txt": b"x",
        f"/tasks/{NAME}/absolute.txt": b"x",
        "tasks/other-v1-full/other.txt": b"x",
    }
    plain = tar_bytes(
        {**{f"tasks/{NAME}/{p.relative_to(world.task).as_posix()}": p.read_bytes()
            for p in world.task.rglob("*") if p.is_file()}, **strange},
        [link],
    )  # fmt: skip
    offer(world, gzip.compress(plain))
    [folder] = fetch()
    assert written(folder) == written(world.task)
    assert not list(tmp_path.rglob("escaped.txt")) and not list(tmp_path.rglob("absolute.txt"))


def test_an_archive_of_another_task_or_none(world, tmp_path):
    offer(world, gzip.compress(tar_bytes({"tasks/other/task_metadata.json": b"{}"})))
    with pytest.raises(UserError, match=rf"holds no tasks/{NAME}/task_metadata.json"):
        fetch()
    assert find_hear("made_up") is None


@pytest.mark.parametrize(
    "data", [b"no gzip", gzip.compress(b"x" * 2000)[:-9]], ids=["no gzip", "cut"]
)
def test_a_damaged_archive(world, tmp_path, data):
    (tmp_path / world.archive).write_bytes(data)
    with pytest.raises(UserError, match=r"48000.tar.gz is damaged"):
        fetch(place=tmp_path)
    assert find_hear("made_up") is None


def test_an_archive_larger_than_its_task_is_refused(world, monkeypatch):
    monkeypatch.setattr(hear_fetch, "_limit", lambda source: 20_000)
    with pytest.raises(UserError, match="unpacks to more than"):
        fetch()
    assert find_hear("made_up") is None


@pytest.mark.parametrize("root", ["tasks", "hear-2021.0.6/tasks"])
@pytest.mark.parametrize("deep", ["", "set/"])
def test_an_archive_that_is_here_is_unpacked_and_kept(world, tmp_path, root, deep):
    path = tmp_path / "mine" / f"{deep}hear-2021.0.6-{NAME}-16000.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(archive_of(world.task, root))
    [folder] = fetch(place=tmp_path / "mine")
    assert written(folder) == written(world.task)
    assert path.exists() and world.requests == []


@pytest.mark.parametrize("inside", ["", "tasks/", "hear-2021.0.6/tasks/", "hear/", "hear/tasks/"])
def test_a_folder_that_is_here_is_used_where_it_is(world, tmp_path, monkeypatch, inside):
    folder = tmp_path / "mine" / f"{inside}{NAME}"
    folder.parent.mkdir(parents=True)
    world.task.rename(folder)
    assert find_hear("made_up", tmp_path / "mine") == [folder] == fetch(place=tmp_path / "mine")
    assert find_hear("made_up", folder) == [folder]
    assert find_hear("made_up") is None
    monkeypatch.setenv("DASHENG_DATA", str(tmp_path / "mine"))
    assert find_hear("made_up") == [folder] == fetch()
    assert world.requests == [] and written(tmp_path / "cache") == []


def test_a_place_that_does_not_have_it(world, tmp_path):
    with pytest.raises(UserError, match=rf"holds neither a folder {NAME} nor an archive hear…"):
        fetch(place=tmp_path / "empty")
    assert world.requests == []


def test_a_task_of_two_folders(world, tmp_path):
    make_task(tmp_path / "mine", name="other", root="tasks")
    with pytest.raises(UserError, match=NAME):
        fetch("two", tmp_path / "mine")
    world.task.rename(tmp_path / "mine/tasks" / NAME)
    assert [f.name for f in fetch("two", tmp_path / "mine")] == [NAME, "other-v1-full"]


def test_a_pinned_archive_by_its_url(world, tmp_path, monkeypatch):
    pinned = {
        "name": "pinned", "column": "P", "folders": [NAME], "clips": 6, "seconds": 1,
        "licence": "?", **FACTS,
        "url": f"{world.url}/files/{world.archive}/content", "bytes": len(world.data),
        "sha256": hashlib.sha256(world.data).hexdigest(),
    }  # fmt: skip
    path = manifest.FOLDER / "hear.yml"
    path.write_text(yaml.safe_dump({**world.info, "tasks": [pinned | {"sha256": "0" * 64}]}))
    with pytest.raises(UserError, match="SHA-256 that was promised"):
        fetch("pinned")
    path.write_text(yaml.safe_dump({**world.info, "tasks": [pinned]}))
    assert written(fetch("pinned")[0]) == written(world.task)


# ---- the command


def test_fetch_list_and_check(world, tmp_path, capsys):
    assert cli.main(["corpus", "fetch", "hear", "--task", "made_up", "--quiet"]) == 0
    assert f"made_up: {tmp_path}/cache/hear/tasks/{NAME}" in capsys.readouterr().out
    assert cli.main(["corpus", "list", "hear"]) == 0
    out = capsys.readouterr().out
    assert "1 of 2" in out and "HEAR in miniature" in out
    assert out.index("made_up") < out.index("yes") < out.index("CC0-1.0") < out.index("two")
    assert cli.main(["corpus", "check", "hear"]) == 0
    assert f"made_up: {NAME} is sound; 6 clips at 16000 Hz, as published" in capsys.readouterr().out
    wav = next((tmp_path / "cache/hear/tasks").rglob("valid-*.wav"))
    wav.unlink()
    assert cli.main(["corpus", "check", "hear", "--task", "MU"]) == 1
    assert f"1 wav is missing (valid/{wav.name})" in capsys.readouterr().out


def test_what_the_command_refuses(world, tmp_path, capsys):
    def said(*words):
        assert cli.main(["corpus", *words]) == 2
        return capsys.readouterr().err

    assert "say which" in said("fetch", "hear")
    assert "no HEAR task 'esc50'" in said("fetch", "--task", "esc50")
    assert "run `dasheng corpus fetch hear --task two`" in said("check", "hear", "--task", "two")
    assert "--task and --from are for hear and arch" in said("fetch", "synthetic", "--from", "x")
    assert "neither a folder" in said("fetch", "--task", "MU", "--from", str(tmp_path / "x"))


def test_the_help_names_hear(capsys):
    assert cli.main(["corpus", "--help"]) == 0
    assert "fetch hear --task esc50" in capsys.readouterr().out
