"""Shards: packed, listed and unpacked, to the bit; found by others, and never outside a folder."""

import errno
import io
import json
import os
import shutil
import tarfile

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_files import LENGTHS, audio, clip, crops, ramp, tar_of

from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.shards import (
    Clip,
    clips_of,
    extract,
    find_shards,
    index,
    read_shards,
    shard_index,
    write,
    write_shards,
)


def test_what_is_packed_comes_back_to_the_bit(shards):
    samples = list(read_shards(shards))
    assert [s.meta["number"] for s in samples] == list(range(13))
    assert [s.shard for s in samples[3:5]] == ["shard-000000.tar", "shard-000001.tar"]
    for sample in samples:
        number = sample.meta["number"]
        np.testing.assert_array_equal(sample.wave, ramp(number, LENGTHS[number]))
        assert sample.rate == 16000 and sample.key == f"clip{number:03d}"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=9), st.integers(480, 700))
def test_any_wave_comes_back_within_half_a_step(tmp_path_factory, values, samples):
    folder = tmp_path_factory.mktemp("wave")
    wave = np.resize(np.array([*values, 0.5], np.float32), samples)
    write_shards(folder, [Clip("a", lambda: wave, {})], progress=False)
    (back,) = read_shards(folder)
    assert np.abs(back.wave - np.clip(wave, -1, 1 - 2**-15)).max() <= 2**-16


def test_equal_clips_make_equal_bytes_whatever_the_threads(shards, tmp_path):
    clips = [clip(i, n) for i, n in enumerate(LENGTHS)]
    write_shards(tmp_path, clips, 4, workers=3, progress=False)
    for path in find_shards(shards):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
    with tarfile.open(shards / "shard-000000.tar") as tar:
        assert {(e.mtime, e.uid, e.gid, e.uname, e.mode) for e in tar} == {(0, 0, 0, "", 0o644)}


def test_packing_goes_on_where_it_stopped(shards, tmp_path):
    asked = []

    def counted(number, stop=None):
        def wave():
            asked.append(number)
            if number == stop:
                raise KeyboardInterrupt
            return ramp(number, LENGTHS[number])

        return Clip(f"clip{number:03d}", wave, {"number": number})

    with pytest.raises(KeyboardInterrupt):
        write_shards(tmp_path, [counted(i, stop=6) for i in range(13)], 4, progress=False)
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".tar"] == ["shard-000000.tar"]
    asked.clear()
    packed = write_shards(tmp_path, [counted(i) for i in range(13)], 4, progress=False)
    assert min(asked) == 4 and packed.clips == 13 and packed.samples == sum(LENGTHS)
    for path in find_shards(shards):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_a_kill_between_a_shard_and_its_record_costs_nothing(tmp_path, monkeypatch):
    real, calls = write._write_record, []

    def dying(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    clips = [clip(i, 4000) for i in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(write, "_write_record", dying)
        with pytest.raises(KeyboardInterrupt):
            write_shards(tmp_path, clips, 2, progress=False)
    assert (tmp_path / "shard-000000.tar").exists()
    assert write_shards(tmp_path, clips, 2, progress=False).clips == 4
    assert len(list(read_shards(tmp_path))) == 4


def test_another_source_is_not_mixed_in(shards, tmp_path):
    folder = shutil.copytree(shards, tmp_path / "shards")
    clips = [clip(i, n) for i, n in enumerate(LENGTHS)]
    for others, per_shard in [(clips[::-1], 4), (clips[1:], 4), (clips, 5), (clips[:4], 4)]:
        with pytest.raises(UserError, match="another folder"):
            write_shards(folder, others, per_shard, progress=False)
    foreign = tar_of(tmp_path / "foreign" / "a.tar", [("a.flac", audio(ramp(1, 999)))])
    with pytest.raises(UserError, match="did not write"):
        write_shards(foreign.parent, clips, progress=False)


def test_a_folder_of_files_is_packed_resampled_and_its_faults_named(tmp_path):
    source = tmp_path / "in"
    (source / "b").mkdir(parents=True)
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100)
    nan = np.zeros(1000, np.float32)
    nan[3] = np.nan
    files = {
        "take.1.final.wav": audio(np.stack([tone, tone], 1), 44100, "WAV"),
        "b/tone.ogg": audio(tone, 44100, "OGG"),
        "b/take.1.final.flac": audio(ramp(1, 4000)),
        "damaged.mp3": b"not audio at all",
        "silent.wav": audio(np.full(1000, 1e-5), 16000, "WAV", "FLOAT"),
        "nan.wav": audio(nan, 16000, "WAV", "FLOAT"),
        "empty.wav": audio(np.zeros(0), 16000, "WAV"),
        "empty.flac": b"",
        "short.wav": audio(ramp(1, 479), 16000, "WAV"),
        "notes.txt": b"not packed",
    }
    for name, data in files.items():
        (source / name).write_bytes(data)
    packed = write_shards(tmp_path / "out", clips_of(source), progress=False)
    assert packed.skipped == {
        "damaged.mp3": "damaged",
        "empty.flac": "damaged",
        "empty.wav": "too short",
        "nan.wav": "not numbers",
        "short.wav": "too short",
        "silent.wav": "silent",
    }
    back = {s.key: s for s in read_shards(tmp_path / "out")}
    assert set(back) == {"take_1_final", "take_1_final-2", "tone"}
    assert back["tone"].meta == {"filename": "b/tone.ogg"}
    assert {len(back[k].wave) for k in ("tone", "take_1_final-2")} == {16000}
    spectrum = np.abs(np.fft.rfft(back["take_1_final-2"].wave))
    assert np.argmax(spectrum) == 440
    record = json.loads((tmp_path / "out" / "shards.json").read_text())
    assert record["shard-000000.tar"]["skipped"] == packed.skipped


def test_a_table_names_files_and_its_other_columns_are_kept(tmp_path):
    (tmp_path / "a.b.wav").write_bytes(audio(ramp(1, 999), 16000, "WAV"))
    for name, sep in (("t.tsv", "\t"), ("t.csv", ",")):
        lines = [["label", "filename"], ["007", "a.b.wav"], ["x", "gone.wav"]]
        (tmp_path / name).write_text("".join(sep.join(line) + "\n" for line in lines))
        packed = write_shards(tmp_path / name[2:], clips_of(tmp_path / name), progress=False)
        (back,) = read_shards(tmp_path / name[2:])
        assert (back.key, back.meta) == ("a_b", {"label": "007", "filename": "a.b.wav"})
        assert packed.skipped == {"gone.wav": "missing"}
    (tmp_path / "no.csv").write_text("path\na.wav\n")
    with pytest.raises(UserError, match="column filename"):
        write_shards(tmp_path / "no", clips_of(tmp_path / "no.csv"), progress=False)
    (tmp_path / "latin.csv").write_bytes(b"filename\n\xe9.wav\n")
    with pytest.raises(UserError, match="UTF-8"):
        write_shards(tmp_path / "no", clips_of(tmp_path / "latin.csv"), progress=False)


def test_a_corpus_is_packed_with_its_labels(synthetic, tmp_path):
    clips = clips_of("synthetic")[:20]
    packed = write_shards(tmp_path, clips, 8, progress=False)
    back = list(read_shards(tmp_path))
    assert packed.clips == len(back) == 20
    for i, sample in enumerate(back):
        assert np.abs(sample.wave - np.clip(synthetic.wave(i), -1, 1)).max() <= 2**-15
        labels = synthetic.tasks[synthetic.tasks["clip"] == i]
        assert {t: v["label"] for t, v in sample.meta["labels"].items()} == dict(
            zip(labels["task"], labels["label"], strict=True)
        )
    assert len(clips_of("synthetic", prepared=True)) == len(synthetic)


def test_extracted_files_pack_to_the_same_shards(shards, tmp_path):
    written, skipped = extract(shards, tmp_path / "files")
    assert written == 13 and not skipped
    write_shards(tmp_path / "again", clips_of(tmp_path / "files"), 4, progress=False)
    for path in find_shards(shards):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["../out", "/tmp/out", "a/../../out", "..\\out"])
def test_no_member_is_extracted_outside(tmp_path, name):
    good = audio(ramp(1, 999))
    members = [(f"{name}.flac", good), ("sub/fine.flac", good), ("fine.flac", good)]
    links = [
        ("link.flac", tarfile.SYMTYPE, "/etc/passwd"),
        ("hard.flac", tarfile.LNKTYPE, "fine.flac"),
    ]
    path = tar_of(tmp_path / "in" / "evil.tar", members, links)
    written, skipped = extract(path, tmp_path / "deep" / "files")
    assert written == 2
    assert list(skipped.values()) == ["no name for a file below the folder"]
    files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {"in/evil.tar", "deep/files/fine.flac", "deep/files/sub/fine.flac"}


def test_a_full_disk_costs_no_finished_shard(tmp_path, monkeypatch):
    clips = [clip(i, 4000) for i in range(4)]
    add, added = tarfile.TarFile.addfile, []

    def full(tar, entry, file):
        added.append(entry)
        if len(added) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        add(tar, entry, file)

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "addfile", full)
        with pytest.raises(UserError, match=r"disk is full.*000001.*same command"):
            write_shards(tmp_path, clips, 2, progress=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shard-000000.tar", "shards.json"]
    assert write_shards(tmp_path, clips, 2, progress=False).clips == 4


def test_an_unwritable_folder_is_told_before_any_audio_is_read(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("dasheng_lib.common.parts._take", refuse)
    read = []
    with pytest.raises(UserError, match="Cannot write"):
        write_shards(tmp_path / "out", [Clip("a", lambda: read.append(1), {})], progress=False)
    assert not read


def test_nothing_to_pack_is_told(tmp_path):
    silent = Clip("a", lambda: np.zeros(999, np.float32), {})
    with pytest.raises(UserError, match=r"None of the clips.*shards\.json"):
        write_shards(tmp_path / "out", [silent], progress=False)
    with pytest.raises(UserError, match=r"Cannot pack .*nowhere: name a corpus"):
        clips_of(tmp_path / "nowhere")
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no audio"):
        clips_of(tmp_path / "none")


def test_the_second_index_scans_nothing_and_writes_nothing_beside_the_shard(
    shards, tmp_path, monkeypatch
):
    folder = shutil.copytree(shards, tmp_path / "copy")
    before = sorted(p.name for p in folder.iterdir())
    first = crops(folder)
    assert first.digest == crops(shards).digest
    assert sorted(p.name for p in folder.iterdir()) == before
    with monkeypatch.context() as patch:
        patch.setattr(index, "_scan", lambda path: pytest.fail(f"{path} was scanned"))
        assert crops(folder).digest == first.digest
    path = folder / "shard-000000.tar"
    tar_of(path, [("new.flac", audio(ramp(1, 16000)))])
    assert [shard_index(path).member(0).key, len(shard_index(path).members)] == ["new", 1]
    assert crops(folder).digest != first.digest


def test_a_shard_of_the_same_size_and_time_is_indexed_again(tmp_path):
    path = tar_of(tmp_path / "a.tar", [("old.flac", audio(ramp(1, 16000)))])
    assert shard_index(path).member(0).key == "old"
    before = path.stat()
    tar_of(path, [("new.flac", audio(ramp(1, 16000)))])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert shard_index(path).member(0).key == "new"


def test_many_shards_take_few_descriptors(tmp_path):
    for number in range(200):
        name = f"clip{number:03d}.flac"
        tar_of(tmp_path / f"s-{number:03d}.tar", [(name, audio(ramp(number, 16000)))])
    before = len(os.listdir("/proc/self/fd"))
    source = crops(tmp_path, batch=8, streams=8)
    for step in range(25):
        source.batch(step)
    # The handles of 64 shards and the maps of 32 indexes are kept, of however many shards.
    assert len(os.listdir("/proc/self/fd")) - before <= 64 + 32


def test_an_index_outlives_an_emptied_cache(shards):
    found = shard_index(shards / "shard-000000.tar")
    members = np.array(found.members)
    index._mapped.cache_clear()
    shutil.rmtree(found.stored.parent)
    np.testing.assert_array_equal(found.members, members)


def test_a_range_beyond_all_reason_is_one_sentence():
    for text in ("x-{0..99999999}.tar", "{0..9999}/{0..9999}.tar"):
        with pytest.raises(UserError, match=r"names over 1000000 shards: name fewer"):
            find_shards(text)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg", "opus"])
def test_every_format_of_upstream_is_indexed_and_read(tmp_path, kind):
    form = {"opus": ("OGG", "OPUS"), "ogg": ("OGG", "VORBIS")}.get(kind, (kind.upper(), None))
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (40000, 2))
    data = audio(noise, 16000, *form)
    meta = json.dumps({"a": 1}).encode()
    path = tar_of(tmp_path / "a.tar", [(f"x.{kind}", data), ("x.json", meta), ("x.txt", b"no")])
    (sample,) = read_shards(path)
    assert len(sample.wave) == 40000 and sample.meta == {"a": 1}
    source = crops(path, batch=2)
    assert len(source) == 2
    batch = source.batch(0)
    for crop, (_, key, start) in zip(batch, source.places(0), strict=True):
        assert key == "x"
        np.testing.assert_allclose(crop, sample.wave[start : start + 16000], atol=1e-3)
    assert {start for _, _, start in source.places(0)} == {0, 16000}


def test_shards_are_found_by_folder_pattern_and_range(shards):
    paths = find_shards(shards)
    assert [p.name for p in paths] == [f"shard-{i:06d}.tar" for i in range(4)]
    assert find_shards(f"{shards}/*.tar") == paths == find_shards([shards, paths[0]])
    assert find_shards(f"{shards}/shard-{{000001..000002}}.tar") == paths[1:3]
    with pytest.raises(UserError, match=r"no shards at .*dasheng shards pack"):
        find_shards(shards / "none*.tar")


def test_our_shards_are_plain_tar_files_in_webdatasets_layout(shards):
    with tarfile.open(shards / "shard-000001.tar") as tar:
        names = [entry.name for entry in tar]
    assert names == [f"clip{i:03d}.{k}" for i in range(4, 8) for k in ("flac", "json")]


def test_webdataset_reads_ours_and_we_read_theirs(shards, tmp_path):
    wds = pytest.importorskip("webdataset")
    theirs = list(wds.WebDataset(str(shards / "shard-000001.tar"), shardshuffle=False))
    assert [s["__key__"] for s in theirs] == [f"clip{i:03d}" for i in range(4, 8)]
    wave, _ = soundfile.read(io.BytesIO(theirs[0]["flac"]), dtype="float32")
    np.testing.assert_array_equal(wave, ramp(4, LENGTHS[4]))
    assert json.loads(theirs[0]["json"]) == {"number": 4}
    with wds.TarWriter(str(tmp_path / "theirs.tar")) as writer:
        for i in range(3):
            writer.write(
                {
                    "__key__": f"k{i}",
                    "wav": audio(ramp(i, 16000), kind="WAV"),
                    "json": {"number": i},
                }
            )
    back = list(read_shards(tmp_path / "theirs.tar"))
    assert [(s.key, s.meta["number"]) for s in back] == [("k0", 0), ("k1", 1), ("k2", 2)]
    np.testing.assert_array_equal(back[2].wave, ramp(2, 16000))
    assert len(crops(tmp_path / "theirs.tar")) == 3


def test_the_command_packs_lists_and_extracts(faulty_shards, tmp_path, capsys):
    files, out = str(tmp_path / "files"), str(tmp_path / "out")
    assert main(["shards", "extract", str(faulty_shards), "--out", files]) == 0
    assert main(["shards", "pack", files, "--out", out, "--per-shard", "5", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "out: 11 clips" in said and "left out, silent: 2 (hush.wav, zeros.flac)" in said
    assert main(["shards", "list", str(faulty_shards)]) == 0
    said = capsys.readouterr().out
    assert "a.tar" in said and "left out, wrong rate: 1 (a.tar/fast)" in said
    assert main(["shards", "list", str(tmp_path / "none")]) == 2
    assert main(["shards", "pack", "synthetic", "--out", "x", "--per-shard", "0"]) == 2
    assert main(["shards", "--help"]) == 0
    assert "examples:" in capsys.readouterr().out
