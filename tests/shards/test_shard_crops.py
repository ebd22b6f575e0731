"""Crops from shards: each once, in a repeatable order, and nothing bad among them."""

import errno
import os
import shutil
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_files import BAD, LENGTHS, audio, clip, crops, epoch, ramp, tar_of

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.shards import (
    ShardCrops,
    shard_index,
    write_shards,
)
from dasheng_lib.shards.order import Order


@settings(max_examples=60)
@given(
    counts=st.lists(st.integers(0, 30), min_size=1, max_size=8).filter(sum),
    batch=st.integers(1, 12),
    streams=st.integers(1, 9),
    window=st.integers(1, 40),
    seed=st.integers(0, 3),
    start=st.integers(0, 400),
)
def test_every_epoch_shows_every_crop_once_and_any_step_is_the_start_of_the_same_rest(
    counts, batch, streams, window, seed, start
):
    order = Order(np.array(counts), batch, streams, window, seed)
    resumed = Order(np.array(counts), batch, streams, window, seed)
    everything = {(shard, crop) for shard, n in enumerate(counts) for crop in range(n)}
    shown = {0: [], 1: []}
    for step in range(2 * order.total + 2):
        for row in range(batch):
            e, shard, crop = order.place(step, row)
            if step >= start:
                assert resumed.place(step, row) == (e, shard, crop)
            if e < 2:
                shown[e].append((shard, crop))
    assert len(shown[0]) == len(shown[1]) == len(everything)
    assert set(shown[0]) == set(shown[1]) == everything


def test_a_stream_stays_inside_its_window_and_rows_inside_their_stream():
    counts, batch, streams, window = np.full(10, 100), 8, 4, 32
    order = Order(counts, batch, streams, window, seed=1)
    shards, ends = order._shards(0)
    starts = {int(s): int(e) - 100 for s, e in zip(shards, ends, strict=True)}
    moved = []
    for step in range(1000 // batch):
        for row in range(batch):
            _, shard, crop = order.place(step, row)
            line = starts[shard] + crop
            stream = order.stream(row)
            assert stream == row // 2 and 250 * stream <= line < 250 * (stream + 1)
            moved.append(line - (250 * stream + step * 2 + row % 2))
    assert max(map(abs, moved)) < window and np.std(moved) > window / 4


def test_one_epoch_shows_every_crop_of_every_file_once(shards):
    source = crops(shards, batch=1, streams=1)
    want = []
    for number, length in enumerate(LENGTHS):
        wave = np.pad(ramp(number, length), (0, max(16000 - length, 0)))
        want += [wave[i : i + 16000] for i in range(0, len(wave) - 15999, 16000)]
    assert len(source) == len(want)
    got = epoch(source)
    assert sorted(w.tobytes() for w in got) == sorted(w.tobytes() for w in want)
    assert [w.tobytes() for w in got] != [w.tobytes() for w in want]


def test_a_batch_is_a_function_of_seed_and_step_wherever_the_shards_lie(shards, tmp_path):
    moved = shutil.copytree(shards, tmp_path / "moved")
    whole = crops(shards, seed=3)
    run = [whole.batch(step) for step in range(12)]
    resumed = crops(moved, seed=3)
    assert resumed.digest == whole.digest
    for step in (7, 2, 11):
        np.testing.assert_array_equal(resumed.batch(step), run[step])
    assert not np.array_equal(run[7], run[8])
    assert not np.array_equal(run[7], crops(shards, seed=4).batch(7))


def test_folders_may_change_their_names(tmp_path):
    for names in ("ab", "ba"):
        for number, name in enumerate(names):
            member = ("x.flac", audio(ramp(number, 48000)))
            tar_of(tmp_path / names / name / "shard.tar", [member])
    one, other = (crops([tmp_path / n / "a", tmp_path / n / "b"], batch=2) for n in ("ab", "ba"))
    assert one.digest == other.digest
    np.testing.assert_array_equal(epoch(one), epoch(other))


@pytest.mark.parametrize("workers", [0, 3])
def test_ranks_see_together_what_one_process_sees(shards, workers):
    whole, left, right = (crops(shards, batch=6, workers=w) for w in (0, workers, workers))
    for step in [0, 1, 2, 3, 9, 10]:
        parts = [left.batch(step, slice(0, 3)), right.batch(step, slice(3, 6))]
        np.testing.assert_array_equal(np.concatenate(parts), whole.batch(step))
    np.testing.assert_array_equal(left.batch(4, slice(1, 6, 2)), whole.batch(4)[1::2])


def test_crops_of_a_corpus_can_be_made_by_rows_too(synthetic):
    source = Crops(synthetic, 0.5, 6)
    parts = [source.batch(5, slice(0, 2)), source.batch(5, slice(2, None))]
    np.testing.assert_array_equal(np.concatenate(parts), source.batch(5))


def test_a_rank_opens_only_the_shards_of_its_streams(tmp_path, monkeypatch):
    write_shards(tmp_path, [clip(i, 16000) for i in range(32)], 4, progress=False)
    source = crops(tmp_path, batch=8, streams=2, window=4)
    opened, real = set(), os.open
    monkeypatch.setattr(os, "open", lambda path, *a: (opened.add(str(path)), real(path, *a))[1])
    for step in range(4):
        source.batch(step, slice(0, 4))
    assert len({p for p in opened if p.endswith(".tar")}) == 4


def test_short_clips_are_padded_or_filled(shards):
    padded, filled = epoch(crops(shards, batch=1)), epoch(crops(shards, batch=1, short="fill"))
    assert ((padded[:, -2000:] == 0).all(1)).sum() == 4
    assert (filled != 0).all() and len(filled) == len(padded)
    again = epoch(crops(shards, batch=1, short="fill"))
    np.testing.assert_array_equal(filled, again)


@pytest.mark.parametrize("options", [{"short": "loop"}, {"window": 0}, {"streams": 0}])
def test_impossible_settings_are_named(shards, options):
    with pytest.raises(ValueError):
        crops(shards, **options)
    with pytest.raises(ValueError, match=r"0\.03"):
        ShardCrops(shards, 0.01, 4)


@pytest.mark.parametrize("name", BAD)
def test_each_fault_is_named_and_never_trained_on(faulty_shards, name):
    source = crops(faulty_shards, batch=2)
    epoch(source)
    key = name if name == "good1.wav" else name.rpartition(".")[0]
    assert source.skipped[("a.tar", key)] == BAD[name][1]


def test_what_is_bad_gives_way_to_good_crops_on_every_rank_alike(faulty_shards):
    whole, left, right = (crops(faulty_shards, batch=4, workers=w) for w in (0, 2, 2))
    good = {ramp(i, 16000).tobytes() for i in [*range(4), *range(10, 16)]}
    for step in range(12):
        batch = whole.batch(step)
        assert {wave.tobytes() for wave in batch} <= good
        halves = [left.batch(step, slice(0, 2)), right.batch(step, slice(2, 4))]
        np.testing.assert_array_equal(np.concatenate(halves), batch)
    assert len(whole.skipped) == len(BAD) and whole.skipped == left.skipped | right.skipped
    resumed = crops(faulty_shards, batch=4)
    np.testing.assert_array_equal(resumed.batch(11), batch)


def test_what_headers_tell_never_enters_the_order(faulty_shards):
    source = crops(faulty_shards, batch=1)
    known = {key for (_, key), reason in source.skipped.items()}
    unheard = {"headless", "nothing", "fast", "short", "empty", "good1.wav"}
    assert known == unheard | {"half", "lost", "lying", "cut"}
    assert len(source) == 10 + len(BAD) - len(known)


def test_one_silent_crop_does_not_cost_its_clip(tmp_path):
    wave = ramp(3, 48000)
    wave[16000:32000] = 0
    source = crops(tar_of(tmp_path / "a.tar", [("a.flac", audio(wave))]), batch=1)
    assert len(source) == 3
    want = {wave[:16000].tobytes(), wave[32000:].tobytes()}
    assert {w.tobytes() for w in epoch(source)} == want
    assert source.skipped == {("a.tar", "a"): "silent"}


def test_a_wholly_bad_shard_gives_way_to_the_next(tmp_path):
    tar_of(tmp_path / "a.tar", [(f"{i}.flac", audio(np.zeros(16000))) for i in range(3)])
    tar_of(tmp_path / "b.tar", [("x.flac", audio(ramp(1, 16000)))])
    source = crops(tmp_path, batch=4)
    assert {w.tobytes() for w in epoch(source)} == {ramp(1, 16000).tobytes()}
    tar_of(tmp_path / "b.tar", [("x.flac", audio(np.zeros(16000)))])
    for workers in (0, 2):
        with pytest.raises(UserError, match=r"nothing to train on \(\d silent\).*shards pack"):
            crops(tmp_path, batch=4, workers=workers).batch(0)
    tar_of(tmp_path / "b.tar", [("x.flac", audio(ramp(1, 44100), 44100))])
    with pytest.raises(UserError, match="1 wrong rate"):
        crops(tmp_path / "b.tar")


def test_a_damaged_tar_names_itself_and_serves_what_is_readable(tmp_path):
    members = [(f"{i}.flac", audio(ramp(i, 16000))) for i in range(4)]
    whole = tar_of(tmp_path / "whole.tar", members)
    with tarfile.open(whole) as tar:
        third = tar.getmembers()[2]
    data = whole.read_bytes()
    header = bytearray(data)
    header[third.offset + 10 : third.offset + 200] = b"\xa5" * 190
    cases = {
        "in_data": (data[: third.offset_data + 300], ["0", "1"], "after 1.flac"),
        "in_header": (data[: third.offset + 100], ["0", "1"], "after 1.flac"),
        "between": (data[: third.offset], ["0", "1"], "after 1.flac"),
        "bad_header": (bytes(header), ["0", "1"], "after 1.flac"),
        "not_a_tar": (b"hello" * 999, [], "after the beginning"),
        "empty": (b"", [], "after the beginning"),
    }
    for name, (content, keys, said) in cases.items():
        path = tmp_path / f"{name}.tar"
        path.write_bytes(content)
        found = shard_index(path)
        assert [found.member(i).key for i in range(len(found.members))] == keys, name
        assert found.faults == {"": f"cut short or damaged {said}"}, name
        source = crops([path, whole], batch=1)
        assert source.skipped == {(path.name, ""): f"cut short or damaged {said}"}
        assert len(epoch(source)) == len(keys) + 4
    assert shard_index(whole).faults == {}


def test_a_shard_that_disappears_stops_the_run_with_a_sentence(shards, tmp_path):
    folder = shutil.copytree(shards, tmp_path / "copy")
    source = crops(folder)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match="Cannot read the shard"):
        epoch(source)


def test_a_failing_disk_is_not_taken_for_a_bad_member(shards, monkeypatch):
    source = crops(shards)

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(UserError, match="Input/output error"):
        source.batch(0)
    assert not source.skipped
