"""Every clip is packed, indexed and extracted, or counted and named with its reason."""

import gzip
import json
import os
import shutil
import tarfile

import numpy as np
import pytest
from shard_files import audio, crops, epoch, ramp, tar_of

from dasheng_lib.audio.below import OTHER, READ, audio_below
from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.shards import (
    clips_of,
    extract,
    find_shards,
    read_shards,
    shard_index,
    write_shards,
)
from dasheng_lib.shards.member import NO_NAME, NOT_READ

WAV = audio(ramp(1, 4000), 16000, "WAV")


def packed(source, out):
    return write_shards(out, clips_of(source), progress=False)


def test_quotation_marks_in_a_tab_table_are_letters(tmp_path):
    words = ['"he began', 'ended here"', 'a 12" record', "plain", '"all of it"', '"', '""', "'"]
    for i in range(len(words)):
        (tmp_path / f"{i}.wav").write_bytes(WAV)
    rows = [f"{i}.wav\t{word}" for i, word in enumerate(words)]
    (tmp_path / "cv.tsv").write_text("\n".join(["filename\tsentence", *rows]) + "\n")
    assert packed(tmp_path / "cv.tsv", tmp_path / "out").clips == len(words)
    assert [s.meta["sentence"] for s in read_shards(tmp_path / "out")] == words


def test_a_comma_table_whose_quotation_never_ends_is_an_error(tmp_path):
    (tmp_path / "a.wav").write_bytes(WAV)
    (tmp_path / "t.csv").write_text('filename,text\na.wav,"begins\na.wav,b\na.wav,c\n')
    with pytest.raises(UserError, match=r"t\.csv cannot be read"):
        packed(tmp_path / "t.csv", tmp_path / "out")


def test_every_audio_file_is_packed_or_named_by_its_path(tmp_path, capsys):
    source = tmp_path / "in"
    for place in ("a/x.wav", "b/x.wav", "c/x.aif", "d.caf"):
        (source / place).parent.mkdir(parents=True, exist_ok=True)
        kind = {"aif": "AIFF", "caf": "CAF"}.get(place[-3:], "WAV")
        (source / place).write_bytes(audio(ramp(1, 4000), 16000, kind))
    for place in ("x.m4a", "b/x.wma", "y.AMR", ".hidden.wav", "c/x.webm"):
        (source / place).write_bytes(b"of another kind")
    (source / "b/x.wav").write_bytes(WAV[:3000])
    (source / "a/._x.wav").write_bytes(b"a fork")
    (source / "notes.txt").write_bytes(b"no audio")
    found = packed(source, tmp_path / "out")
    assert found.clips == 3
    passed = {name: NOT_READ for name in ("x.m4a", "b/x.wma", "y.AMR", ".hidden.wav", "c/x.webm")}
    assert found.skipped == {"b/x.wav": "shorter than its header says", **passed}
    record = json.loads((tmp_path / "out/shards.json").read_text())
    assert record["shard-000000.tar"]["skipped"] == found.skipped
    assert main(["shards", "pack", str(source), "--out", str(tmp_path / "o"), "--quiet"]) == 0
    assert f"left out, {NOT_READ}: 5 (" in capsys.readouterr().out


def test_linked_folders_are_followed_once(tmp_path):
    real = tmp_path / "real"
    for place in ("in/a.wav", "in/z/b.wav", "elsewhere/c.wav", "elsewhere/deep/d.wav"):
        (real / place).parent.mkdir(parents=True, exist_ok=True)
        (real / place).write_bytes(WAV)
    (real / "in/0_again").symlink_to(real / "in/z")  # comes first, and is the same folder
    (real / "in/linked").symlink_to(real / "elsewhere")
    (real / "elsewhere/deep/round").symlink_to(real / "in")
    (real / "in/e.wav").symlink_to(real / "in/a.wav")
    (real / "in/dangling.wav").symlink_to(real / "nowhere")
    names = ["a.wav", "e.wav", "linked/c.wav", "linked/deep/d.wav", "z/b.wav"]
    found, passed = audio_below(real / "in")
    assert [path.relative_to(real / "in").as_posix() for path in found] == names and not passed
    assert packed(real / "in", tmp_path / "out").clips == 5
    (tmp_path / "top").symlink_to(real / "in")
    assert len(audio_below(tmp_path / "top")[0]) == 5


def test_a_kind_is_read_or_passed_over_and_never_both():
    assert not set(READ) & set(OTHER)


@pytest.mark.parametrize("scale", [5, 32768, 1e30])
def test_what_would_be_packed_as_a_square_wave_is_left_out(tmp_path, scale):
    tone = np.sin(np.arange(16000) / 5).astype(np.float32)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/loud.wav").write_bytes(audio(tone * scale, 16000, "WAV", "FLOAT"))
    (tmp_path / "in/over.wav").write_bytes(audio(tone * 1.2, 16000, "WAV", "FLOAT"))
    found = packed(tmp_path / "in", tmp_path / "out")
    assert (found.clips, found.skipped) == (1, {"loud.wav": "too loud"})


def test_a_shard_that_is_missing_in_a_range_is_named(shards, tmp_path):
    folder = shutil.copytree(shards, tmp_path / "copy")
    (folder / "shard-000001.tar").unlink()
    with pytest.raises(UserError, match=r"1 shard is not there \(.*shard-000001\.tar\)"):
        find_shards(f"{folder}/shard-{{000000..000003}}.tar")
    assert len(find_shards(f"{folder}/shard-*.tar")) == 3
    assert main(["shards", "list", f"{folder}/shard-{{000000..000003}}.tar"]) == 2
    with pytest.raises(UserError, match="over 1000000 shards"):
        find_shards(f"{folder}/{{0..99999}}-{{0..99999}}.tar")


def test_compressed_shards_are_named(shards, tmp_path):
    data = (shards / "shard-000000.tar").read_bytes()
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(data))
    (tmp_path / "y.tar").write_bytes(gzip.compress(data))
    with pytest.raises(UserError, match=r"1 shard is compressed \(x\.tar\.gz\)"):
        find_shards(tmp_path)
    for name in ("x.tar.gz", "y.tar"):
        with pytest.raises(UserError, match=f"{name} is compressed: unpack it with gunzip"):
            shard_index(tmp_path / name)


def test_members_of_other_kinds_are_named_and_forks_are_none(tmp_path):
    kinds = {"a.caf": "CAF", "b.aiff": "AIFF", "c.au": "AU"}
    members = [(name, audio(ramp(1, 16000), 16000, kind)) for name, kind in kinds.items()]
    members += [("d.m4a", b"?"), ("._a.caf", b"fork"), ("e/._f.m4a", b"fork"), ("g.txt", b"")]
    path = tar_of(tmp_path / "a.tar", members)
    index = shard_index(path)
    assert [index.member(row).key for row in range(3)] == ["a", "b", "c"]
    assert index.unusable() == {"d.m4a": NOT_READ}
    assert len(epoch(crops(path, batch=1))) == 3


def test_a_header_that_lies_takes_no_crops(tmp_path):
    flac = bytearray(audio(ramp(9, 16000)))
    members = [(f"{i}.flac", audio(ramp(i, 16000))) for i in range(4)]
    for samples in (2**31, 2**35):
        lies = flac.copy()
        lies[21], lies[22:26] = (
            lies[21] & 0xF0 | samples >> 32,
            (samples % 2**32).to_bytes(4, "big"),
        )
        path = tar_of(tmp_path / f"{samples}.tar", [*members, ("lies.flac", bytes(lies))])
        source = crops(path, batch=1)
        assert len(source) == 4 and list(source.skipped) == [(path.name, "lies")]
        assert len(list(read_shards(path))) == 4
    flac[21], flac[22:26] = flac[21] & 0xF0, bytes(4)  # does not know, as from a pipe
    path = tar_of(tmp_path / "pipe.tar", [*members, ("pipe.flac", bytes(flac))])
    source = crops(path, batch=1)
    assert ramp(9, 16000).tobytes() in {wave.tobytes() for wave in epoch(source)}
    assert len(source) == 5 and not source.skipped


def test_names_that_no_file_can_have_cost_one_member_each(tmp_path):
    long = "字" * 83
    names = ["a", "a.flac/b", "x" * 300, "d/" + "y" * 252, long, "e/f", "e/f.flac", "last"]
    path = tar_of(tmp_path / "a.tar", [(f"{name}.flac", audio(ramp(1, 999))) for name in names])
    written, skipped = extract(path, tmp_path / "out")
    bad = {"a.flac/b", "x" * 300, "d/" + "y" * 252}
    assert skipped == {("a.tar", name): NO_NAME for name in bad}
    assert written == len(names) - len(bad)
    files = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.flac")}
    assert files >= {"a.flac", f"{long}.flac", "e/f.flac", "last.flac"}
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="file is a file: name a folder"):
        extract(path, tmp_path / "file")


def header(name, kind, size):
    entry = tarfile.TarInfo(name)
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
@pytest.mark.parametrize("how", ["huge", "nested"])
def test_headers_that_claim_memory_are_a_fault_of_their_shard(tmp_path, kind, how):
    good = tar_of(tmp_path / "good.tar", [("a.flac", audio(ramp(1, 16000)))])
    bad = header("n", kind, 1 << 36) if how == "huge" else header("n", kind, 0) * 3000
    with tarfile.open(good) as tar:
        end = tar.getmembers()[0].offset_data + (tar.getmembers()[0].size + 511) // 512 * 512
    path = tmp_path / "bad.tar"
    path.write_bytes(good.read_bytes()[:end] + bad + bytes(10240))
    assert shard_index(path).faults == {"": "cut short or damaged after a.flac"}
    assert len(list(read_shards(path))) == 1


def test_a_shard_replaced_by_one_of_equal_size_and_date_is_indexed_again(tmp_path):
    path = tar_of(tmp_path / "a.tar", [("one.flac", audio(ramp(1, 16000)))])
    stat = path.stat()
    before = shard_index(path)
    other = tar_of(tmp_path / "b.tar", [("two.flac", audio(ramp(1, 16000)))])
    assert other.stat().st_size == stat.st_size
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    os.replace(other, path)
    assert [shard_index(path).member(0).key, before.member(0).key] == ["two", "one"]
