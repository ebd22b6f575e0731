"""Embeddings of files: those of each clip alone, made once, whatever dies or comes at once."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from embedding import Windows, by_name, embed_task
from hear_folder import TVT, make_task, write_wav
from hypothesis import given, settings
from hypothesis import strategies as st
from smoke_book import ROOT

from dasheng_lib import audio
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation import embed_batches as module
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.evaluation.row_store import RowStore, read_rows
from dasheng_lib.tasks.hear.read import read_hear_task


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "BATCH_SECONDS", 1.0)


def path_of(clip):
    return clip.wave.args[0]


def clips_of(folder):
    return by_name(read_hear_task(folder))


def mixed(folder, rate=16000):
    """A task whose clips all differ in length, the longest in the middle."""
    task = make_task(folder, clips=3, rate=rate)
    rng = np.random.default_rng(1)
    for i, path in enumerate(sorted((task / str(rate)).rglob("*.wav"))):
        write_wav(path, rng.uniform(-0.5, 0.5, 37 + [3000, 9000, 500][i % 3] * (1 + i // 3)), rate)
    return clips_of(task)


def alone(encoder, clip, kind):
    """A clip's features, straight from its file."""
    wave = audio.resample(audio.read(path_of(clip))[0], clip.rate, encoder.sample_rate)
    wave = np.pad(wave, (0, max(encoder.min_samples - len(wave), 0)))
    wave_BN = torch.from_numpy(wave)[None]
    found = encoder.clips(wave_BN, torch.tensor([len(wave)])) if kind == "clips" else None
    return (encoder.frames(wave_BN)[0] if found is None else found).numpy()


@pytest.mark.parametrize("kind", ["clips", "frames"])
@pytest.mark.parametrize("name", ["windows", "logmel", "random:nano"])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_clip_is_embedded_as_it_would_be_alone(tmp_path, kind, name, rate):
    clips = mixed(tmp_path, rate)
    encoder = Windows() if name == "windows" else load_encoder(name)
    found = embed(encoder, clips, kind, progress=False)
    assert isinstance(found.features, np.memmap) and not found.features.flags.writeable
    assert found.features.dtype == np.float32 and len(found.starts) == len(clips) + 1
    for i, clip in enumerate(clips):
        expected = alone(encoder, clip, kind)
        assert found[i].shape == expected.shape
        np.testing.assert_allclose(found[i], expected, rtol=1e-4, atol=1e-4)
    if kind == "clips":
        assert found.timestamps_ms is None and len(found.features) == len(clips)
        return
    first, hop = {"windows": (5, 10), "logmel": (0, 10), "random:nano": (20, 40)}[name]
    assert len(found.timestamps_ms) == len(found.features) == found.starts[-1]
    for i in range(len(clips)):
        times = found.timestamps_ms[found.starts[i] : found.starts[i + 1]]
        expected = first + hop * np.arange(len(times))
        length_ms = 1000 * clips[i].samples / clips[i].rate
        if first > length_ms:  # the only frame of a very short clip
            expected = [length_ms / 2]
        np.testing.assert_array_equal(times, expected)


def test_it_is_computed_once_for_encoder_and_audio(tmp_path):
    clips, encoder = mixed(tmp_path), Windows()
    first = embed(encoder, clips, progress=False)
    computed = encoder.batches
    again = embed(encoder, clips, progress=False)
    assert encoder.batches == computed > 0
    np.testing.assert_array_equal(first.features, again.features)
    elsewhere = clips_of((tmp_path / "hear-2021.0.6").rename(tmp_path / "moved"))
    embed(encoder, elsewhere, progress=False)
    assert encoder.batches == computed
    encoder.fingerprint = "windows-2"
    embed(encoder, elsewhere, progress=False)
    assert encoder.batches == 2 * computed
    write_wav(path_of(elsewhere[0]), np.ones(5000) / 2)
    changed = embed(encoder, clips_of(tmp_path / "moved"), progress=False)
    assert encoder.batches > 2 * computed
    np.testing.assert_allclose(changed[0], [[0.5, 0.5]], atol=1e-3)
    np.testing.assert_array_equal(changed[1], first[1])
    turned = embed(encoder, elsewhere[:0:-1], progress=False)
    np.testing.assert_array_equal(turned[0], first[len(clips) - 1])


@pytest.mark.parametrize("kind", ["clips", "frames"])
def test_an_empty_clip_is_silence(tmp_path, kind):
    folder = make_task(tmp_path, empty="valid")
    with pytest.warns(UserWarning, match="counts? as silence"):
        clips = clips_of(folder)
    found = embed(Windows(), clips, kind, progress=False)
    i = next(i for i, clip in enumerate(clips) if not clip.samples)
    np.testing.assert_array_equal(found[i], [[0, 0]])


@pytest.mark.parametrize("shuffled", [False, True])
def test_made_up_labels_can_be_told_apart(tmp_path, shuffled):
    """What other tests build on: nearest class mean of log-mel statistics."""
    task = read_hear_task(make_task(tmp_path, clips=15))
    labels, features = {}, {}
    for split in ("train", "test"):
        clips = task.clips[split]
        found = embed(load_encoder("logmel"), clips, progress=False)
        features[split] = np.array(found.features, float)
        labels[split] = np.array([task.labels.index(clip.labels[0]) for clip in clips])
    if shuffled:
        np.random.default_rng(3).shuffle(labels["train"])
    centres = np.stack([features["train"][labels["train"] == k].mean(0) for k in range(3)])
    distance = ((features["test"][:, None] - centres) ** 2).sum(2)
    accuracy = (distance.argmin(1) == labels["test"]).mean()
    assert accuracy < 0.7 if shuffled else accuracy == 1


def test_long_and_short_clips_share_no_batch_of_frames(tmp_path):
    widths = []

    class Seen(Windows):
        def frames(self, wave_BN, lengths=None):
            assert lengths is None
            widths.append(tuple(wave_BN.shape))
            return super().frames(wave_BN)

    clips = clips_of(make_task(tmp_path, clips=4, splits=TVT, seconds=0.3))
    write_wav(path_of(clips[5]), np.ones(8000) / 2)
    clips = clips_of(tmp_path)
    embed(Seen(), clips, "frames", progress=False)
    assert widths[0] == (1, 8000) and {width for _, width in widths[1:]} == {4800}
    assert sum(rows for rows, _ in widths) == 12 and max(rows for rows, _ in widths) == 3


# ---- stopped


def test_what_is_done_stays(tmp_path, monkeypatch):
    clips = mixed(tmp_path)
    whole = embed(Windows(), clips, "frames", progress=False)

    class Breaks(Windows):
        fingerprint = "breaks"

        def frames(self, wave_BN, lengths=None):
            if self.batches == 3:
                raise RuntimeError("power cut")
            return super().frames(wave_BN)

    with pytest.raises(RuntimeError):
        embed(Breaks(), clips, "frames", progress=False)
    rest = Windows()
    rest.fingerprint = "breaks"
    found = embed(rest, clips, "frames", progress=False)
    assert rest.batches == len(clips) - 3  # all differ in length, so a batch is a clip
    np.testing.assert_array_equal(found.features, whole.features)
    np.testing.assert_array_equal(found.starts, whole.starts)


@settings(max_examples=60)
@given(
    width=st.integers(1, 3),
    shapes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=6),
    kills=st.lists(st.tuples(st.integers(0, 150), st.just(0) | st.integers(0, 40)), max_size=4),
    draw=st.randoms(use_true_random=False),
)
def test_rows_survive_any_end_and_come_in_any_order(tmp_path_factory, width, shapes, kills, draw):
    """Batches of clips of so many rows; a kill after any byte, and rows that a disk lost."""
    folder = tmp_path_factory.mktemp("rows")
    paths = folder / "rows.f32", folder / "counts.i64"  # as they are written
    T_of = [T for clips, T in shapes for _ in range(clips)]
    ends = np.cumsum([clips for clips, _ in shapes])

    def add(store):
        """What is left of the next batch; each clip's rows tell its number."""
        clips = np.arange(len(store.counts), min(end for end in ends if end > len(store.counts)))
        store.add(np.tile(clips[:, None, None], (1, T_of[clips[0]], width)).astype(np.float32))

    for written, lost in kills:
        store, before = RowStore(folder), (0, 0)
        for _ in range(2):
            if len(store.counts) < len(T_of):
                before = [path.stat().st_size if path.exists() else 0 for path in paths]
                add(store)
        kept = []
        for path, old in zip(paths, before, strict=True):
            new = min(path.stat().st_size - old, written)
            written -= new
            kept.append(old + new)
        kept[0] = max(kept[0] - lost, 0)
        for path, size in zip(paths, kept, strict=True):
            os.truncate(path, size)
        store = RowStore(folder)
        whole = [n for n in range((kept[1] // 8 + 1) // 2) if 4 * width * sum(T_of[:n]) <= kept[0]]
        assert store.counts == T_of[: max(whole, default=0)]
        assert store.width == (width if store.counts else None)
    store = RowStore(folder)
    while len(store.counts) < len(T_of):
        add(store)
    order = draw.sample(range(len(T_of)), len(T_of))
    (folder / "features.f32").write_bytes(bytes(draw.randrange(40)))  # killed while ordering
    for _ in range(2):
        RowStore(folder).put_in_order(np.array(order))
        features, starts = read_rows(folder)
        assert not paths[0].exists() and features.shape == (sum(T_of), width)
        for clip, place in enumerate(order):
            rows = features[starts[place] : starts[place + 1]]
            assert len(rows) == T_of[clip] and (rows == clip).all()


@pytest.mark.parametrize("name", ["rows.f32", "counts.i64"])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7), size=st.none() | st.integers(0, 300))
def test_rows_that_changed_on_the_disk_are_made_again(tmp_path_factory, name, place, bit, size):
    folder = tmp_path_factory.mktemp("rows")
    rows = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    for part in (rows[:2], rows[2:4]):
        RowStore(folder).add(part)
    path = folder / name
    data = bytearray(path.read_bytes()[:size])
    if data:
        data[place % len(data)] ^= 1 << bit
    path.write_bytes(bytes(data))
    store = RowStore(folder)
    store.add(rows[len(store.counts) :])
    store.put_in_order(np.arange(5))
    np.testing.assert_array_equal(read_rows(folder)[0], rows.reshape(10, 3))


def test_killed_processes_and_two_at_once(tmp_path):
    folder = make_task(tmp_path, clips=6, seconds=0.4)
    done = subprocess.run(
        [sys.executable, "tests/support/embedding.py", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    killed, one, other = done.stdout.split()
    assert killed == "-9:-"  # in its third batch of nine
    # Two at once: one computes what the dead left, the other waits and finds it.
    assert sorted([one, other]) == ["0:0", "0:7"]
    found = embed_task(folder, Windows())
    for i, clip in enumerate(clips_of(folder)):
        np.testing.assert_array_equal(found[i], alone(Windows(), clip, "frames"))


# ---- faults


class Wrong(Windows):
    def __init__(self, **changes):
        super().__init__()
        self.change = changes.pop("change", lambda features: features)
        for name, value in changes.items():
            setattr(self, name, value)

    def frames(self, wave_BN, lengths=None):
        return self.change(super().frames(wave_BN))


def nan(features):
    features[-1, 0, 1] = float("nan")
    return features


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("clips", {"dim": 3}, r"gave a Tensor \[2, 2\] for 2 clips .* returns a tensor \[2, 3\]"),
        ("frames", {"change": lambda x: x[0]}, r"a Tensor \[50, 2\] .* \[2, frames, width\]"),
        ("frames", {"change": lambda x: x.mean(1)}, r"a Tensor \[2, 2\] for 2 clips of 8000 sam"),
        ("frames", {"change": lambda x: x.numpy()}, r"gave a ndarray \[2, 50, 2\]"),
        ("frames", {"change": lambda x: x[:, :0]}, r"a Tensor \[2, 0, 2\]"),
        ("frames", {"change": lambda x: x[:1]}, r"a Tensor \[1, 50, 2\] for 2 clips"),
        ("frames", {"change": nan}, r"not finite for .*train-001.wav"),
        ("frames", {"hop_ms": 0.01}, r"50 frames at 0.005 \+ k · 0.01 ms .* look like seconds"),
        ("frames", {"hop_ms": 0.01, "first_ms": 0.0}, r"look like seconds"),
        ("frames", {"hop_ms": 20.0}, r"the last is at 990 ms of 500 ms: mend hop_ms"),
        ("frames", {"hop_ms": 0.0}, r"hop_ms is above 0"),
    ],
)
def test_a_wrong_encoder_is_named_before_anything_is_trained(tmp_path, kind, changes, said):
    clips = clips_of(make_task(tmp_path))
    with pytest.raises(UserError, match=said):
        embed(Wrong(**changes), clips, kind, progress=False)


def test_features_that_change_their_width(tmp_path):
    clips = mixed(tmp_path)
    wrong = Wrong(change=lambda x: x if x.shape[1] > 80 else x[..., :1])
    with pytest.raises(UserError, match=r"gave features 1 wide after features 2 wide for .*wav"):
        embed(wrong, clips, "frames", progress=False)


def test_a_file_that_changes_or_goes_meanwhile(tmp_path):
    clips = clips_of(make_task(tmp_path))
    write_wav(path_of(clips[3]), np.zeros(8000))
    with pytest.raises(UserError, match=r"train-003.wav has changed since its task was read"):
        embed(Windows(), clips, progress=False)
    path_of(clips[3]).unlink()
    with pytest.raises(UserError, match=r"train-003.wav cannot be read"):
        embed(Windows(), clips, progress=False)


def test_samples_that_are_no_numbers(tmp_path):
    import soundfile

    folder = make_task(tmp_path)
    path = folder / "16000/train/train-003.wav"
    soundfile.write(path, np.full(8000, np.nan), 16000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"train-003.wav holds samples that are not numbers"):
        embed(Windows(), clips_of(folder), progress=False)


def test_nothing_to_embed_is_a_mistake(tmp_path):
    with pytest.raises(ValueError, match="at least one clip"):
        embed(Windows(), [], progress=False)


def test_a_full_disk_is_known_before_the_second_batch(tmp_path, monkeypatch):
    from dasheng_lib.common import cache

    clips = clips_of(make_task(tmp_path))
    monkeypatch.setattr(
        cache.shutil, "disk_usage", lambda path: cache.shutil._ntuple_diskusage(9, 9, 9)
    )
    encoder = Windows()
    with pytest.raises(UserError, match="MB are needed"):
        embed(encoder, clips, progress=False)
    assert encoder.batches == 1


class Long(Windows):
    """A frame says the mean of 820 ms, every 80 ms; a shorter clip has one frame all the same."""

    fingerprint, hop_ms, first_ms, min_samples = "long", 80.0, 410.0, 1

    def frames(self, wave_BN, lengths=None):
        T = max(0, (wave_BN.shape[1] - 13_120) // 1280) + 1
        return wave_BN.mean(1)[:, None, None].expand(len(wave_BN), T, 2)


@pytest.mark.filterwarnings("ignore:.*empty")
@pytest.mark.parametrize(
    ("seconds", "times"), [(0.25, [125.0]), (1.0, [410.0, 490.0, 570.0]), (0.5, [410.0])]
)
def test_the_frame_of_a_clip_that_is_shorter_than_a_window(tmp_path, seconds, times):
    folder = make_task(tmp_path, embedding="event", seconds=seconds, clips=2, empty="train")
    clips = clips_of(folder)
    found = embed(Long(), clips, "frames", progress=False)
    empty = next(i for i, clip in enumerate(clips) if not clip.samples)
    for i in range(len(clips)):
        span = slice(found.starts[i], found.starts[i + 1])
        expected = [0.0] if i == empty else times
        assert found.timestamps_ms[span].tolist() == expected
