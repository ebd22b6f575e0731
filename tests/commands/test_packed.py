"""Corpora in one small file: the same clips at the same places, and no other file for one."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import packed
import pytest
from packed import load_packed, pack, packed_head

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.split import shortened
from dasheng_lib.corpora.trim import prepare


@pytest.fixture(scope="module")
def some(synthetic):
    keep = synthetic.clips["samples"] > 2000
    rows = np.flatnonzero(keep)[:60]
    renumbered = {row: number for number, row in enumerate(rows)}
    tasks = synthetic.tasks[synthetic.tasks["clip"].isin(rows)]
    tasks = tasks.assign(clip=tasks["clip"].map(renumbered)).reset_index(drop=True)
    clips = synthetic.clips.iloc[rows].reset_index(drop=True)
    return prepare(replace(synthetic, digest="some", clips=clips, tasks=tasks))


@pytest.fixture(scope="module")
def file(some, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "audio.pack"
    patch = pytest.MonkeyPatch()
    patch.setattr(packed, "PART", 5 * 16_000)  # several parts
    pack({"synthetic": some, "cut": shortened(some, 0.25)}, path, kbps=64)
    patch.undo()
    return path


def test_a_clip_lies_where_it_should_and_sounds_as_it_did(some, file):
    got = load_packed(file, "synthetic")
    assert len(packed_head(file)["corpora"]["synthetic"]["parts"]) > 3
    assert got.name == "synthetic" and len(got) == len(some)
    for i in range(len(some)):
        before, after = some.wave(i), got.wave(i)
        assert len(before) == len(after)
        # Noise codes badly, but a clip that is one sample off, or another, is like no other.
        assert np.corrcoef(before, after)[0, 1] > 0.7, i
        assert np.abs(after).max() < 0.9 and np.abs(after).max() > 0.2


def test_labels_and_groups_come_along(some, file):
    got = load_packed(file, "synthetic")
    assert got.tasks.astype(str).equals(some.tasks.astype(str))
    for column in ("domain", "group", "sha256", "samples"):
        assert (got.clips[column].astype(str) == some.clips[column].astype(str)).all()


def test_the_digest_is_its_own_and_that_of_the_file(some, file, tmp_path):
    got = load_packed(file, "synthetic")
    assert got.digest != some.digest
    pack({"synthetic": some}, tmp_path / "other.pack", kbps=32)
    assert load_packed(tmp_path / "other.pack", "synthetic").digest != got.digest
    assert load_packed(file, "synthetic").digest == got.digest
    assert (tmp_path / "other.pack").stat().st_size < file.stat().st_size


def test_clips_cut_short_stay_short(file):
    got = load_packed(file, "cut")
    assert got.clips["samples"].max() == 4000


def test_what_is_no_packed_file_is_named(file, tmp_path):
    (tmp_path / "text").write_text("no zip")
    with pytest.raises(UserError, match="pack them again"):
        load_packed(tmp_path / "text", "synthetic")
    with pytest.raises(UserError, match=r"no corpus 'pocket': it has synthetic, cut"):
        load_packed(file, "pocket")
    with zipfile.ZipFile(tmp_path / "old", "w") as archive:
        archive.writestr("head.json", json.dumps({"format": 0}))
    with pytest.raises(UserError, match="another format"):
        load_packed(tmp_path / "old", "synthetic")


def test_a_part_that_is_too_short_is_damage(some, file, tmp_path):
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / "bad", "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == "synthetic/part-1.ogg":
                data = old.read("synthetic/part-0.ogg")
            new.writestr(member, data)
    with pytest.raises(UserError, match="damaged at synthetic"):
        load_packed(tmp_path / "bad", "synthetic")
