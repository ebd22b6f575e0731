"""dasheng doctor: everything is looked at, nothing raises, and the exit code says usable or not."""

import json
import os
from importlib import metadata
from pathlib import Path

import pytest

from dasheng_lib import cli
from dasheng_lib.commands import doctor


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def examined(area: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.examine() if finding.area == area]


def test_report_here(capsys):
    assert cli.main(["doctor"]) == 0
    said = capsys.readouterr().out
    for area in ("Python", "torch", "CPU", "GPU", "torchaudio", "soundfile", "cache", "corpora"):
        assert area in said
    assert "wav, flac, vorbis, opus" in said and said.endswith("Ready.\n")


def test_json(capsys):
    assert cli.main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["usable"] is True
    assert {"area", "state", "text", "remedy"} == set(report["findings"][0])


def test_missing_package_is_bad_and_says_what_mends_it(monkeypatch, capsys):
    version = metadata.version

    def without_pandas(name):
        if name == "pandas":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_pandas)
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "✗ packages    pandas is not installed" in said and "→ make env" in said


def test_a_missing_extra_is_a_note_with_the_line_that_installs_it(monkeypatch):
    version = metadata.version

    def without(name):
        if name == "onnxruntime":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    needs = ["torch>=2.11", 'onnxruntime; extra == "wheels"']
    monkeypatch.setattr(metadata, "requires", lambda _: needs)
    monkeypatch.setattr(metadata, "version", without)
    (note,) = [finding for finding in doctor._packages() if finding.state != "ok"]
    assert note.state == "note" and "(optional: wheels)" in note.text
    assert note.remedy == ".venv/bin/pip install -c constraints.txt -e '.[wheels]'"


@pytest.mark.parametrize(
    ("found", "state"), [("2.13.0+cu130", None), ("2.14.0", "note"), ("2.6.0", "bad")]
)
def test_versions_against_pin_and_need(monkeypatch, found, state):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda n: found if n == "torch" else version(n))
    told = [f.state for f in doctor._packages() if f.text.startswith("torch ")]
    assert told == ([state] if state else [])


def test_broken_import_is_a_finding(monkeypatch):
    def broken():
        raise ImportError("No module named 'torch'")
        yield

    monkeypatch.setattr(doctor, "_torch", broken)
    (finding,) = examined("torch")
    assert (finding.state, finding.remedy) == ("bad", "make env")


def test_gpus_are_listed(monkeypatch):
    import torch

    card = type("Card", (), {"name": "A card", "total_memory": 80e9, "major": 9})
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda number: card)
    assert [finding.text for finding in examined("GPU")] == ["A card, 80 GB; bf16: yes"] * 2


def test_undecodable_format_is_bad(monkeypatch):
    import soundfile

    write = soundfile.write

    def no_opus(file, data, rate, *, format, subtype):
        if subtype == "OPUS":
            raise soundfile.LibsndfileError(1)
        write(file, data, rate, format=format, subtype=subtype)

    monkeypatch.setattr(soundfile, "write", no_opus)
    (finding,) = examined("soundfile")
    assert finding.state == "bad" and "cannot decode opus" in finding.text


def test_without_apt_get_a_mirror_is_named(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda tool: None)
    (finding,) = examined("download")
    assert finding.state == "note" and "mirror" in finding.text


def test_cache_sizes_by_kind_and_corpora(cache):
    for name in ("artefacts/pretrain/abc/final.bin", "corpora/pocket-1f/corpus.json"):
        (cache / name).parent.mkdir(parents=True)
        (cache / name).write_bytes(bytes(500_000))
    texts = [finding.text.strip() for finding in examined("cache")]
    assert texts[0].startswith(f"{cache}, 1.0 MB in 2 files")
    assert texts[1:] == [
        "artefacts/pretrain: 0.5 MB in 1 files",
        "corpora: 0.5 MB in 1 files",
    ]
    assert examined("corpora")[0].text.startswith("pocket-1f")
    assert all(finding.state == "ok" for finding in examined("corpora"))


def test_killed_work_is_named_with_what_it_holds(cache):
    for name in (
        "corpora/.pocket-1f.0.part/audio.f32",
        "corpora/.pocket-1f.0.part/.clips.csv.0.part",
        "artefacts/embedded/.abc.work/rows.f32",
        "downloads/a.deb.part",
    ):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(bytes(500_000))
    (found,) = [finding for finding in examined("cache") if finding.state == "note"]
    assert found.text.strip() == (
        "3 pieces (artefacts/embedded/.abc.work, corpora/.pocket-1f.0.part, downloads/a.deb.part) "
        "of work that was killed or is still going on, 2.0 MB"
    )
    assert "the same command again" in found.remedy


def test_absent_corpus_names_the_command():
    notes = [finding for finding in examined("corpora") if finding.state == "note"]
    assert [finding.remedy for finding in notes] == ["dasheng corpus fetch"]


def test_unwritable_cache_is_bad(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "file" / "cache"))
    (finding,) = examined("cache")
    assert finding.state == "bad" and finding.text.startswith("Cannot write in")


def test_little_space_is_a_note(monkeypatch):
    usage = doctor.shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=10**6))
    assert examined("cache")[0].state == "note" and os.environ["DASHENG_CACHE"]
