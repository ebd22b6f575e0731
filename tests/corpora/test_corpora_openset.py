"""Sets known by name: official wavs or copies of them, from a folder or the authors' archive."""

import gzip
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from fake_packages import audio_bytes, serving, tar_bytes, tone, zip_bytes

from dasheng_lib import cli
from dasheng_lib.common import places
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import CORPORA, data_places
from dasheng_lib.corpora import OPENSETS, load_corpus, manifest, openset
from dasheng_lib.corpora.source import Source
from dasheng_lib.tasks import SUITES, suite

WAVS = {
    "yes/11111111_nohash_0": 300,
    "yes/11111111_nohash_1": 300,  # the same recording again
    "no/22222222_nohash_0": 500,
    "_unknown_/bed_33333333_nohash_0.wav": 700,  # the official ending is .wav.wav
    "_silence_/7": 900,
}


def sound(hertz, kind="WAV", seconds=0.25):
    return audio_bytes(tone(seconds, 16000, hertz), 16000, kind)


def official():
    """Files of the archive: as long as the manifest says."""
    return {f"./{name}.wav": sound(hertz) for name, hertz in WAVS.items()}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """A manifest of five clips, whose copies are flac, and a place for them."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    rows = [
        (f"{name}.wav", Source("", sound(hertz, "FLAC")).sha256(), 0.25, name[-10:-7], i % 2)
        for i, (name, hertz) in enumerate(WAVS.items())
    ]
    table = pd.DataFrame(rows, columns=["member", "sha256", "seconds", "group", "fold"])
    table.to_csv(folder / "speech_commands_test.csv", index=False)
    info = yaml.safe_load((manifest.FOLDER / "speech_commands_test.yml").read_text())
    data = gzip.compress(tar_bytes(official()))
    info |= {"sha256": Source("", data).sha256(), "bytes": len(data)}
    (folder / "speech_commands_test.yml").write_text(yaml.safe_dump(info))
    monkeypatch.setattr(manifest, "FOLDER", folder)
    monkeypatch.setattr(places, "ROOT", tmp_path / "no" / "checkout")
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DASHENG_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def lay(folder, suffix="wav"):
    kind = "FLAC" if suffix == "flac" else "WAV"
    for name, hertz in WAVS.items():
        path = folder / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sound(hertz, kind))


def test_copies_are_the_manifests_corpus_and_are_found_again_without_their_folder(commands):
    lay(commands / "speech_commands_test_set_v0.02", "flac")
    corpus = load_corpus("speech_commands_test", progress=False)
    assert corpus.digest == openset.read_manifest("speech_commands_test").digest()
    assert corpus.task("speech_commands_test")["label"].tolist() == [
        "yes", "yes", "no", "_unknown_", "_silence_",
    ]  # fmt: skip
    shutil.rmtree(commands)
    assert load_corpus("speech_commands_test", fetch=False).digest == corpus.digest


def test_official_wavs_are_the_same_clips_and_another_corpus(commands, capsys):
    lay(commands / "speech_commands_test", "flac")
    copies = load_corpus("speech_commands_test", progress=False)
    shutil.rmtree(commands.parent / "cache")
    lay(commands / "speech_commands_test")  # beside the copies: a wav is taken before a copy of it
    wavs = load_corpus("speech_commands_test", progress=False)
    assert wavs.digest != copies.digest and len(wavs) == len(WAVS)
    pd.testing.assert_frame_equal(
        wavs.clips[["member", "group", "seconds"]], copies.clips[["member", "group", "seconds"]]
    )
    for i in range(len(wavs)):
        np.testing.assert_allclose(wavs.wave(i), copies.wave(i), atol=1e-4)
    assert cli.main(["corpus", "check", "speech_commands_test"]) == 0
    assert "5 of them by name and length" in capsys.readouterr().out


def test_two_names_of_one_recording_are_two_clips(commands):
    lay(commands / "speech_commands_test")
    corpus = load_corpus("speech_commands_test", progress=False)
    assert corpus.clips["sha256"].nunique() == len(corpus) - 1
    np.testing.assert_array_equal(corpus.wave(0), corpus.wave(1))
    assert len(corpus.store) == sum(corpus.clips["samples"]) - corpus.clips["samples"][1]


def test_a_clip_of_another_length_or_none_does_not_enter(commands):
    lay(commands / "speech_commands_test")
    (commands / "speech_commands_test" / "no/22222222_nohash_0.wav").write_bytes(
        sound(500, seconds=0.5)
    )
    (commands / "speech_commands_test" / "_silence_/7.wav").write_bytes(b"RIFF")
    with pytest.warns(UserWarning, match="2 of 5 clips of speech_commands_test .*_silence_"):
        corpus = load_corpus("speech_commands_test", progress=False)
    assert corpus.clips["member"].str.split("/").str[0].tolist() == ["yes", "yes", "_unknown_"]


def test_fetch_gets_the_archive_with_the_published_hash(commands, monkeypatch):
    lay(commands / "speech_commands_test")
    folder = load_corpus("speech_commands_test", progress=False)
    shutil.rmtree(commands / "speech_commands_test")
    for data, good in ((gzip.compress(tar_bytes(official())), True), (b"another file", False)):
        monkeypatch.setenv("DASHENG_CACHE", str(commands.parent / str(good)))
        monkeypatch.setattr("dasheng_lib.corpora.fetch.download.time.sleep", lambda seconds: None)
        path = manifest.FOLDER / "speech_commands_test.yml"
        with serving({"set.tar.gz": data}) as server:
            info = yaml.safe_load(path.read_text()) | {"url": f"{server.url}/set.tar.gz"}
            info["bytes"] = len(data)
            path.write_text(yaml.safe_dump(info))
            if good:
                info["sha256"] = Source("", data).sha256()  # gzip writes the time
                path.write_text(yaml.safe_dump(info))
                assert load_corpus("speech_commands_test", progress=False).digest == folder.digest
            else:
                with pytest.raises(UserError, match=r"SHA-256 .* unpack it as a folder speech_c"):
                    load_corpus("speech_commands_test", progress=False)


def test_a_zip_is_read_where_it_lies_and_names_cannot_leave_it(commands):
    path = commands.parent / "set.zip"
    names = ("top/yes/11111111_nohash_0.wav", "../no/22222222_nohash_0.wav", "top/README.md",
             "top/yes/99999999_nohash_0.wav")  # fmt: skip
    path.write_bytes(zip_bytes({name: bytes([i]) for i, name in enumerate(names)}))
    files = list(openset.sources(openset.read_manifest("speech_commands_test"), path))
    assert [(file.member, file.payload) for file in files] == [("yes/11111111_nohash_0.wav", b"\0")]


def test_what_no_program_can_fetch_says_how_to_get_it(commands):
    info = yaml.safe_load((CORPORA / "emovo.yml").read_text()) | {"page": "a page"}
    (manifest.FOLDER / "emovo.yml").write_text(yaml.safe_dump(info))
    (manifest.FOLDER / "emovo.csv").write_text("member,sha256,seconds\nf1/dis-f1-b1.wav,aa,1\n")
    with pytest.raises(UserError, match="get a page, unpack it as a folder emovo, and set DASHENG"):
        load_corpus("emovo", progress=False)


# ---- the committed manifests


def rows_of(name):
    found = openset.read_manifest(name)
    assert found.clips["member"].is_unique and found.clips["sha256"].is_unique
    assert len(found.clips) == len(found.tasks) == found.info["clips"]
    return found, found.clips.merge(found.tasks, on=["package", "member"])


@pytest.mark.parametrize("name", ["speech_commands_test", "esc50_4", "emovo"])
def test_no_group_is_in_two_folds(name):
    _, rows = rows_of(name)
    assert (rows.groupby("group")["fold"].nunique() == 1).all()


def test_speech_commands_holds_speakers_and_identical_recordings_together():
    found, rows = rows_of("speech_commands_test")
    name = rows["member"].str.split("/").str[1]
    speaker = name.where(rows["label"] != "_unknown_", name.str.split("_").str[1]).str[:8]
    spoken = rows["label"] != "_silence_"
    assert (rows["group"] == "speech_commands/" + speaker)[spoken].all()
    assert rows["group"][spoken].nunique() == 239 and rows["group"][~spoken].nunique() == 155
    assert rows["fold"].nunique() == 5 and rows["label"].nunique() == 12
    assert rows["label"].value_counts().agg(["max", "min"]).tolist() == [425, 396]
    cells = rows.groupby(["label", "fold"]).size()
    assert len(cells) == 60 and cells.min() >= 78
    assert "cc2a00c1147c" in found.info["sha256"] and found.info["bytes"] == 112563277


def test_esc50_trains_every_class_that_it_tests():
    found, rows = rows_of("esc50_4")
    assert (rows["label"].value_counts() == 8).all() and rows["label"].nunique() == 50
    assert rows["fold"].nunique() == 4 and rows["fold"].value_counts().min() >= 99
    assert (rows["group"] == "esc50/" + rows["member"].str.split("-").str[1]).all()
    folds = rows.groupby("label")["fold"].nunique()
    recordings = rows.groupby("label")["group"].nunique()
    assert (folds == recordings.clip(upper=4)).all()
    assert folds[folds == 1].index.tolist() == ["washing_machine"]
    esc10 = openset.read_manifest("esc10").clips["member"].str.split("/").str[1].str[:-4]
    ids = rows["member"].str.extract(r"/(.*)-\d+\.wav")[0]
    assert ids.isin(esc10).sum() == 80
    assert found.info["commit"] in found.info["url"]


def test_emovo_is_the_whole_of_it():
    _, rows = rows_of("emovo")
    assert (rows.groupby(["fold", "label"]).size() == 14).all()
    assert rows["fold"].nunique() == 6 and rows["label"].nunique() == 7


def test_unheard_tasks_are_those_of_the_open_sets():
    unheard = {task.corpus for tasks in SUITES.values() for task in tasks if task.unheard}
    assert unheard == set(OPENSETS)
    assert not any(task.unheard for name in ("pocket", "synthetic") for task in suite(name))


def test_where_a_place_is_named_nothing_else_is_looked_through(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_DATA", str(tmp_path))
    assert data_places() == [tmp_path]
    monkeypatch.delenv("DASHENG_DATA")
    assert len(data_places()) == 2
