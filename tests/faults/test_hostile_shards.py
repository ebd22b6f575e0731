"""Broken shards: every clip comes out as it was, or is told, and nothing is written elsewhere."""

import numpy as np
import pytest
from tar_seeds import CLIPS, MEMBERS, broken_tar

from dasheng_lib.shards import ShardCrops, extract, read_shards, shard_index


def all_told(what, waves, skipped):
    """ "" if every clip is what it was, or there is a word about it."""
    if any(shard and not key for shard, key in skipped):
        return ""
    for key, wave in CLIPS.items():
        found = next((w for k, w in waves.items() if k.endswith(key)), None)
        if found is None and not any(key in k for _, k in skipped) and what in ("cut", "bit"):
            return f"{key} is lost"
        known = found is not None and what in ("cut", "bit", "bit of the head")
        if known and not np.array_equal(found, wave):
            return f"{key} has other samples"
    return ""


@pytest.fixture
def shard(watch):
    def write(rng):
        what, data = broken_tar(rng)
        path = watch.work / f"s{rng.integers(1 << 60)}.tar"
        path.write_bytes(data)
        return what, path

    return write


def test_a_shard_that_is_read(attacked, shard):
    def one(rng):
        what, path = shard(rng)
        skipped = {}

        def call():
            return {one.key: one.wave for one in read_shards(path, skipped)}

        return what, call, lambda waves, told: all_told(what, waves, skipped)

    attacked("shards: read", 40, one)


def test_a_shard_that_is_unpacked(attacked, shard, watch):
    def one(rng):
        what, path = shard(rng)
        folder = watch.work / f"out{rng.integers(1 << 60)}"

        def right(found, told):
            count, _ = found
            files = [p for p in folder.rglob("*") if p.is_file()] if count else []
            if any(p.is_symlink() for p in folder.rglob("*")) or count > len(files):
                return f"{count} clips, {len(files)} files"
            other = [p for p in files if MEMBERS.get(p.name) != p.read_bytes()]
            return f"{other} are other" if what == "cut" and other else ""

        return what, lambda: extract(path, folder), right

    attacked("shards: extract", 25, one)


def test_crops_of_a_shard(attacked, shard):
    def one(rng):
        what, path = shard(rng)

        def call():
            crops = ShardCrops([path], 0.2, 3, workers=0, streams=1, window=4)
            return np.concatenate([crops.batch(step) for step in range(3)])

        def right(found, told):
            if found.shape != (9, 3200) or not np.isfinite(found).all():
                return f"{found.shape}"
            return "" if (abs(found).max(1) > 0).all() else "silence"

        return what, call, right

    attacked("shards: crops", 20, one)


def test_an_index_knows_only_what_is_there(attacked, shard):
    def one(rng):
        what, path = shard(rng)

        def right(index, told):
            rows = index.members
            end = (rows["offset"] + rows["size"]).max(initial=0)
            return f"a member ends at {end}" if end > path.stat().st_size else ""

        return what, lambda: shard_index(path), right

    attacked("shards: index", 20, one)
