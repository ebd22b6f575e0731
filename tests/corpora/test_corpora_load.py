"""From a mirror to samples: the whole way, on packages made here."""

import gzip
import hashlib
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from fake_packages import (
    audio_bytes,
    cat_bytes,
    deb_bytes,
    mirror_files,
    serving,
    sf2_bytes,
    tar_bytes,
    tone,
    written,
    zip_bytes,
)  # fmt: skip
from pocket_tables import tables

from dasheng_lib import cli
from dasheng_lib.common import cache, places
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import decoded, load_corpus, manifest, openset, pocket


def kajongg():
    voices = "./usr/share/kajongg/voices"
    return {
        f"{voices}/{who}/{word}.ogg": audio_bytes(
            tone(0.2 + 0.01 * i, 44100, 300 + 100 * i + 7 * j, 2), 44100, "OGG", "VORBIS"
        )
        for i, who in enumerate(["male1", "female1", "de/male1"])
        for j, word in enumerate(["b1", "b2", "ww"])
    }


def games():
    wav = audio_bytes(tone(0.3, 22050, 700), 22050)
    ogg = audio_bytes(tone(0.4, 48000, 500), 48000, "OGG", "OPUS")
    empty = audio_bytes(np.zeros((0, 1)), 44100, "OGG", "VORBIS")
    pk3 = zip_bytes({"sound/doors/door1-open.ogg": ogg, "sound/aliens/die.wav": wav})
    note = {"name": "Piano", "pcm": (tone(0.1)[:, 0] * 20000).astype("<i2"), "loop": (100, 500)}
    return {
        "./usr/share/games/ufoai/base/0snd.pk3": pk3,
        "./usr/share/games/opensfx.cat": cat_bytes({'"Cow"': audio_bytes(tone(0.5), 16000)}),
        "./usr/share/sounds/x.sf2": sf2_bytes([note]),
        "./usr/share/games/twin.wav": wav,
        "./usr/share/games/empty.ogg": empty,
        "./usr/share/games/broken.ogg": b"OggS no",
        "./usr/share/doc/copyright": b"free",
    }


VOICES = kajongg()  # once: the ogg encoder draws a serial number
PACKAGES = {"kajongg": ("4:1-1", deb_bytes(VOICES)), "ufoai-sound": ("2-1", deb_bytes(games()))}


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A cache, a manifest folder and a mirror of two packages; the tables are made by the index."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    packages = [
        {
            "package": name, "version": version, "bytes": len(deb), "licence": "free",
            "sha256": hashlib.sha256(deb).hexdigest(), "sets": ["pocket", "pocket-full"],
        }
        for name, (version, deb) in PACKAGES.items()
    ]  # fmt: skip
    info = {"title": "t", "release": "bookworm", "component": "main", "packages": packages}
    (folder / "pocket.yml").write_text(yaml.safe_dump(info))
    monkeypatch.setattr(manifest, "FOLDER", folder)
    monkeypatch.setattr(tables, "FOLDER", folder)
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    files = {}
    for name, (_, deb) in PACKAGES.items():
        files[name] = tmp_path / f"{name}.deb"
        files[name].write_bytes(deb)
    said = []
    tables.index_pocket(files, said.append)
    with serving(mirror_files(PACKAGES)) as server:
        monkeypatch.setenv("DASHENG_MIRROR", server.url)
        server.said, server.folder, server.cache = said, folder, tmp_path / "cache"
        yield server


def test_the_index_says_what_it_left_out(world):
    said = "\n".join(world.said)
    assert "empty.ogg: it holds no samples" in said
    assert "broken.ogg cannot be read" in said
    assert "twin.wav: bytes of" in said
    assert len(world.said) == 3


def test_from_mirror_to_samples(world):
    corpus = load_corpus("pocket", progress=False)
    assert len(corpus) == 13
    assert corpus.store.dtype == np.float32 and corpus.sample_rate == 16000
    assert corpus.clips["samples"].sum() == len(corpus.store)
    assert sorted(corpus.clips["domain"].unique()) == ["environment", "speech"]
    members = corpus.clips["member"].tolist()
    cow = members.index('usr/share/games/opensfx.cat#0 "Cow"')
    np.testing.assert_allclose(corpus.wave(cow), tone(0.5)[:, 0], atol=1e-4)
    assert len(corpus.wave(members.index("usr/share/sounds/x.sf2#0000 Piano"))) == 16000
    word = corpus.task("word")
    assert sorted(set(zip(word["label"], word["fold"], strict=True))) == [
        (w, t) for w in ("b1", "b2", "ww") for t in ("female1", "male1")
    ]
    assert set(corpus.clips.loc[word["clip"], "package"]) == {"kajongg"}
    folder = world.cache / "corpora" / f"pocket-{corpus.digest}"
    assert written(folder) == ["audio.f32", "clips.csv", "corpus.json", "sums.json", "tasks.csv"]
    assert not corpus.store.flags.writeable


def test_the_second_time_nothing_is_done(world, monkeypatch):
    first = load_corpus("pocket", progress=False)
    asked = len(world.requests)
    monkeypatch.setattr(decoded, "_write", None)
    second = load_corpus("pocket", fetch=False)
    assert second.digest == first.digest and len(world.requests) == asked
    pd.testing.assert_frame_equal(second.clips, first.clips)


def test_two_processes_at_once(world):
    program = (
        "from pathlib import Path; from dasheng_lib.corpora import load_corpus, manifest;"
        f"manifest.FOLDER = Path({str(world.folder)!r});"
        "print(load_corpus('pocket', progress=False).digest)"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    digests = {run.communicate(timeout=120)[0].strip() for run in runs}
    assert [run.returncode for run in runs] == [0, 0] and len(digests) == 1
    assert sum(".deb" in path for path, _ in world.requests) == 2


def test_not_fetched(world):
    with pytest.raises(UserError, match="run `dasheng corpus fetch pocket`"):
        load_corpus("pocket", fetch=False)
    assert world.requests == []


def test_unknown_corpus():
    with pytest.raises(UserError, match="no corpus 'pokcet'; there are pocket, pocket-full, pock"):
        load_corpus("pokcet")


def test_another_release_serves_the_clips_that_are_the_same(world):
    files = dict(VOICES)
    changed = next(iter(files))
    files[changed] = audio_bytes(tone(0.3, 44100, 99), 44100, "OGG", "VORBIS")
    moved = {name.replace("voices", "sounds"): data for name, data in files.items()}
    newer = {**PACKAGES, "kajongg": ("4:9-1", deb_bytes(moved))}
    world.files = {f"/{k}": v for k, v in mirror_files(newer).items()}
    with pytest.warns(UserWarning, match=r"1 of 13 clips .*male1/b1\.ogg"):
        corpus = load_corpus("pocket", progress=False)
    assert len(corpus) == 12 and len(corpus.task("word")) == 5
    assert corpus.digest != pocket.read_manifest("pocket").digest()
    assert not (corpus.clips["member"] == changed.removeprefix("./")).any()
    asked = len(world.requests)
    with pytest.warns(UserWarning, match="1 of 13 clips"):
        assert load_corpus("pocket", fetch=False).digest == corpus.digest
    assert len(world.requests) == asked


def test_packages_that_hold_nothing_of_it(world):
    other = {name: ("9", deb_bytes({"./a.txt": b"a"})) for name in PACKAGES}
    world.files = {f"/{k}": v for k, v in mirror_files(other).items()}
    with pytest.raises(UserError, match=r"No clip of pocket .*bookworm with DASHENG_MIRROR=URL"):
        load_corpus("pocket", progress=False)


def test_few_seconds_wait_in_memory(monkeypatch):
    """Long pieces wait two at a time, words by the dozen; all come in their order."""
    alive, most = set(), []

    class Piece:
        payload = b""

        def __init__(self, name):
            self.name = name

        def sha256(self):
            alive.add(self.name)
            most.append(len(alive))
            return self.name

        def decode(self):
            return np.zeros(1, np.float32), 16000, 1

    def waiting(seconds):
        most.clear()
        names = [f"{i:03}" for i in range(100)]
        found = []
        for name, _, _ in decoded._decoded(map(Piece, names), dict.fromkeys(names, seconds)):
            alive.discard(name)
            found.append(name)
        assert found == names
        return max(most)

    monkeypatch.setattr(decoded, "_WINDOW_SECONDS", 600.0)
    assert waiting(0.5) == 64
    assert waiting(250.0) == 3
    assert waiting(5000.0) == 2  # the one that is decoded and the one that comes


def test_a_full_disk_leaves_nothing(world, monkeypatch):
    monkeypatch.setattr(decoded, "need_space", lambda *_: None)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoded, "_decoded", full)
    with pytest.raises(UserError, match="disk is full"):
        load_corpus("pocket", progress=False)
    assert not [f for f in written(world.cache / "corpora") if "audio" in f]


def test_too_little_space_is_seen_before(world, monkeypatch):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 9))
    with pytest.raises(UserError, match="MB are needed"):
        load_corpus("pocket", progress=False)
    assert not [path for path, _ in world.requests if path.endswith(".deb")]


def test_a_damaged_corpus_is_made_again(world):
    corpus = load_corpus("pocket", progress=False)
    samples = np.array(corpus.store)
    store = world.cache / "corpora" / f"pocket-{corpus.digest}" / "audio.f32"
    store.write_bytes(store.read_bytes()[:-4000])
    np.testing.assert_array_equal(load_corpus("pocket", progress=False).store, samples)


def test_the_digest_follows_bytes_labels_and_decoding(world, monkeypatch):
    base = pocket.read_manifest("pocket")
    digests = {base.digest()}
    for table, column in (("clips", "sha256"), ("clips", "group"), ("tasks", "label")):
        other = pocket.read_manifest("pocket")
        getattr(other, table).loc[0, column] = "other"
        digests.add(other.digest())
    monkeypatch.setattr(manifest, "DECODING", 2)
    digests.add(base.digest())
    assert len(digests) == 5


def test_the_command(world, capsys):
    assert cli.main(["corpus", "fetch", "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("pocket: 13 clips, 0.0 h, digest ")
    assert cli.main(["corpus", "check"]) == 0
    assert "13 clips, all as the manifest says (what was fetched and samples)" in (
        capsys.readouterr().out
    )
    assert cli.main(["corpus", "list", "pocket"]) == 0
    out = capsys.readouterr().out
    assert "ready" in out and "word" in out and "free" in out
    store = next((world.cache / "corpora").glob("pocket-*/audio.f32"))
    store.write_bytes(b"\1" + store.read_bytes()[1:])
    assert cli.main(["corpus", "check"]) == 1
    assert "has changed since it was written" in capsys.readouterr().out
    assert cli.main(["corpus", "check", "bird"]) == 2
    assert "no corpus 'bird'" in capsys.readouterr().err


def test_a_package_that_rots_is_found(world, capsys):
    load_corpus("pocket", progress=False)
    path = next((world.cache / "downloads").rglob("kajongg_*.deb"))
    path.write_bytes(path.read_bytes()[:3000])
    assert cli.main(["corpus", "check"]) == 1
    assert f"{path.name} is damaged" in capsys.readouterr().out


# ---- ESC-10 and FSDD


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A place for open sets, nothing else to find, and manifests of a few clips."""
    folder = tmp_path / "manifests"
    shutil.copytree(manifest.FOLDER, folder, ignore=lambda *_: ["pocket.csv", "pocket_tasks.csv"])
    monkeypatch.setattr(manifest, "FOLDER", folder)
    monkeypatch.setattr(places, "ROOT", tmp_path / "no" / "checkout")
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DASHENG_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def spoken():
    samples = {
        f"{digit}_{who}_{take}": (tone(0.2, 8000, 200 + 50 * i)[:, 0] * 32767).astype("<i2")
        for i, (digit, who, take) in enumerate(
            (d, w, t) for d in (0, 1) for w in ("theo", "lucas") for t in (3, 5)
        )
    }
    return {
        name: (audio_bytes(pcm, 8000), audio_bytes(pcm, 8000, "FLAC"))
        for name, pcm in samples.items()
    }


def pin_fsdd(files):
    rows = []
    for name, (wav, _) in files.items():
        source = openset.Source("", wav, by_samples=True)
        rows.append((f"recordings/{name}.wav", source.sha256(), 0.2))
    table = pd.DataFrame(rows, columns=["member", "sha256", "seconds"])
    table.to_csv(manifest.FOLDER / "fsdd.csv", index=False)


def test_fsdd_as_wav_as_flac_and_as_archive_is_one_corpus(data, monkeypatch):
    files = spoken()
    pin_fsdd(files)
    stores = []
    for number, suffix in enumerate(("wav", "flac")):
        monkeypatch.setenv("DASHENG_CACHE", str(data.parent / suffix))
        folder = data / "fsdd" / "recordings"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, kinds in files.items():
            (folder / f"{name}.{suffix}").write_bytes(kinds[number])
        stores.append(load_corpus("fsdd", progress=False))
    shutil.rmtree(data / "fsdd")
    monkeypatch.setenv("DASHENG_CACHE", str(data.parent / "archive"))
    tar = tar_bytes({f"top/recordings/{name}.wav": wav for name, (wav, _) in files.items()})
    archive = openset._archive(openset.read_manifest("fsdd"))
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(gzip.compress(tar))
    stores.append(load_corpus("fsdd", progress=False))
    assert len({corpus.digest for corpus in stores}) == 1
    for corpus in stores:
        np.testing.assert_array_equal(corpus.wave(3), stores[0].wave(3))
    held = stores[0].task("fsdd")
    assert held["fold"].unique().tolist() == ["theo", "lucas"]
    takes = stores[0].task("fsdd-takes")
    assert takes["fold"].value_counts().to_dict() == {"test": 4, "train": 4}


def test_a_changed_recording_does_not_enter(data):
    files = spoken()
    pin_fsdd(files)
    folder = data / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name, (wav, _) in files.items():
        (folder / f"{name}.wav").write_bytes(wav)
    (folder / "0_theo_3.wav").write_bytes(audio_bytes(tone(0.1, 8000), 8000))
    (folder / "1_theo_3.wav").write_bytes(b"RIFF")
    with pytest.warns(UserWarning, match=r"2 of 8 clips of fsdd .*0_theo_3"):
        corpus = load_corpus("fsdd", progress=False)
    assert len(corpus) == 6


def test_a_set_that_is_nowhere_says_where_to_put_it(data, monkeypatch):
    info = yaml.safe_load((manifest.FOLDER / "esc10.yml").read_text())
    info["url"] = "http://127.0.0.1:9/ESC-10.tar.gz"
    (manifest.FOLDER / "esc10.yml").write_text(yaml.safe_dump(info))
    monkeypatch.setattr("dasheng_lib.corpora.fetch.download.time.sleep", lambda seconds: None)
    with pytest.raises(UserError, match=r"unpack it as a folder esc10, and set DASHENG_DATA"):
        load_corpus("esc10", progress=False)


def test_labels_of_esc10_and_fsdd_are_the_official_ones():
    esc10, fsdd = openset.read_manifest("esc10"), openset.read_manifest("fsdd")
    tasks = esc10.tasks
    assert len(tasks) == 400 and (tasks.groupby(["label", "fold"]).size() == 8).all()
    assert sorted(tasks["label"].unique())[:3] == ["baby_cry", "chainsaw", "clock_tick"]
    folds = tasks["fold"].groupby(esc10.clips["group"].to_numpy()).nunique()
    assert len(folds) == 304 and (folds == 1).all()
    assert esc10.clips["licence"].value_counts().to_dict() == {
        "CC0-1.0": 233, "CC-BY-3.0": 165, "CC-Sampling-Plus-1.0": 2,
    }  # fmt: skip
    held = fsdd.tasks[fsdd.tasks["task"] == "fsdd"]
    assert held["fold"].value_counts().to_dict() == dict.fromkeys(
        ["george", "jackson", "lucas", "nicolas", "theo", "yweweler"], 500
    )
    assert fsdd.tasks["fold"].value_counts()[["train", "test"]].tolist() == [2700, 300]
    assert esc10.clips["sha256"].is_unique and fsdd.clips["sha256"].is_unique
    assert esc10.info["commit"].startswith("553c8f1") and esc10.info["commit"] in esc10.info["url"]
