"""A benchmark's data set from its host: verified, unpacked once, or a sentence that says how."""

import hashlib
import shutil
import tarfile
import zipfile

import pytest
from official_folders import SETS

from dasheng_lib.cli import main
from dasheng_lib.common import places
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch import official as fetching
from dasheng_lib.corpora.fetch.download import Remote
from dasheng_lib.corpora.fetch.official import fetch_set
from dasheng_lib.corpora.official import medleydb, vivae
from dasheng_lib.corpora.official_sets import absent, benchmark_task, benchmark_tasks, find_set
from dasheng_lib.tasks.benchmarks import BENCHMARKS


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Zenodo as a folder, ``host.mkdir()``; every file is promised with its MD5."""
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_DATA", raising=False)
    monkeypatch.setattr(places, "ROOT", tmp_path / "nowhere" / "checkout")
    host = tmp_path / "host"
    host.mkdir()

    def remote(name, records):
        path = host / name
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        return Remote(path.as_uri(), size=path.stat().st_size, md5=md5)

    monkeypatch.setattr(fetching, "zenodo_remote", remote)
    return host


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"VIVAE/{file.relative_to(folder)}")
        archive.writestr("__MACOSX/VIVAE/full_set/._S01_anger_low_01.wav", b"Mac OS X")
        archive.writestr("../escaped.txt", b"x")


def get(name, place=None):
    return fetch_set(benchmark_task("arch", name), place, progress=False)


def test_a_zip_is_unpacked_once_and_read(host, tmp_path):
    SETS["vivae"](tmp_path / "vivae")
    zipped(tmp_path / "vivae", host / "VIVAE.zip")
    assert find_set(benchmark_task("arch", "vivae")) is None
    folder = get("vivae")
    assert folder == tmp_path / "cache" / "official" / "vivae"
    assert [one.labels for one in vivae.read(folder)] == [("anger",), ("fear",)] * 4
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not list((tmp_path / "cache" / "downloads").glob("*.zip"))
    shutil.move(host / "VIVAE.zip", tmp_path / "cache" / "downloads")  # as if killed just before
    assert get("vivae") == folder == find_set(benchmark_task("arch", "vivae"))
    assert not list((tmp_path / "cache" / "downloads").glob("*.zip"))


def test_a_tar_and_a_table_beside_it(host, tmp_path):
    SETS["medleydb"](tmp_path / "medleydb")
    with tarfile.open(host / "Medley-solos-DB.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "medleydb" / "audio", "Medley-solos-DB")
    table = "Medley-solos-DB_metadata.csv"
    (tmp_path / "medleydb" / table).rename(host / table)
    assert len(medleydb.read(get("medleydb"))) == 6


def test_an_archive_that_is_not_the_one_promised_is_thrown_away(host, tmp_path, monkeypatch):
    (host / "VIVAE.zip").write_bytes(b"another")
    promised = Remote((host / "VIVAE.zip").as_uri(), size=7, md5="0" * 32)
    monkeypatch.setattr(fetching, "zenodo_remote", lambda *_: promised)
    with pytest.raises(UserError, match="does not have the MD5 that was promised"):
        get("vivae")
    assert not (tmp_path / "cache" / "official" / "vivae").exists()


def test_archives_that_are_here_are_unpacked_and_kept(host, tmp_path, monkeypatch):
    SETS["vivae"](tmp_path / "made")
    zipped(tmp_path / "made", tmp_path / "VIVAE.zip")
    shutil.rmtree(tmp_path / "made")
    monkeypatch.setattr(fetching, "zenodo_remote", None)
    with pytest.raises(UserError, match="arch vivae is not here"):
        get("vivae", tmp_path / "host")
    assert len(vivae.read(get("vivae", tmp_path))) == 8
    assert (tmp_path / "VIVAE.zip").is_file()


def test_an_archive_that_grows_too_large_is_refused(host, tmp_path):
    with zipfile.ZipFile(host / "VIVAE.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("VIVAE/full_set/S01_anger_low_01.wav", bytes(1 << 20))
    with pytest.raises(UserError, match="unpacks to more than"):
        get("vivae")
    assert not (tmp_path / "cache" / "official" / "vivae").exists()


EVERY = [(benchmark, name) for benchmark in BENCHMARKS for name in benchmark_tasks(benchmark)]


@pytest.mark.parametrize(("benchmark", "name"), EVERY)
def test_an_absent_set_is_one_sentence_with_way_licence_and_place(
    benchmark, name, host, tmp_path, capsys
):
    task = benchmark_task(benchmark, name)
    (tmp_path / "empty").mkdir()
    command = ["evaluate", benchmark, "--task", name, "--from", str(tmp_path / "empty")]
    assert main(command) == 2
    said = capsys.readouterr().err.removeprefix("dasheng: ").removesuffix("\n")
    assert said == absent(task, tmp_path / "empty")
    assert f"(licence: {task.set.licence}" in said and f"see {task.set.page})." in said
    assert f"{tmp_path}/empty/{task.set.name} holds {task.set.holds}" in said
    # One sentence: no full stop with a blank behind it but in the name of a licence.
    assert said.endswith(").") and "\n" not in said and ". " not in said
    fetched = f"`dasheng corpus fetch {benchmark} --task {name}`"
    assert (fetched in said) == bool(task.set.zenodo or task.set.url)
    assert bool(task.set.how) != bool(task.set.zenodo or task.set.url)
    assert "name FOLDER with --from or DASHENG_DATA" in absent(task)
    assert benchmark_task(benchmark, task.column.lower()) == task


def test_what_no_program_can_get_says_how(host):
    with pytest.raises(UserError, match=r"emovo is not here: download emovo.zip .*non-commercial"):
        get("emovo")


def test_a_set_is_found_in_the_folder_that_is_named(host, tmp_path, monkeypatch):
    data = benchmark_task("arch", "emovo")
    for inside in ("emovo", "official/emovo"):
        root = tmp_path / inside.replace("/", "-")
        (root / inside).mkdir(parents=True)
        assert find_set(data, root) == root / inside and find_set(data) is None
    assert find_set(data, tmp_path / "emovo" / "emovo") == tmp_path / "emovo" / "emovo"
    monkeypatch.setenv("DASHENG_DATA", str(tmp_path / "emovo"))
    assert find_set(data) == tmp_path / "emovo" / "emovo"
