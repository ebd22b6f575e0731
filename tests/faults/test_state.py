"""Broken state on disk: healed to the very same, or refused in a sentence; never other numbers."""

import json
import shutil
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from mutations import mutated, mutated_text, pick
from official_folders import sound

from dasheng_lib.common.cache import cache_dir
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.corpora.wav_facts import wav_facts
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.results.recorded import read_results, write_results
from dasheng_lib.shards import read_shards
from dasheng_lib.sweep.table import SweepTable
from dasheng_lib.tasks.own_files import clips_at
from dasheng_lib.train import TrainConfig
from dasheng_lib.train.batches import batches_of
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.folder import RunFolder
from dasheng_lib.train.run import Execution, pretrain_into

CONFIG = RunConfig(
    preset="32x2x2", batch=4, clip_seconds=0.3, hold_out=0.25, epoch=2, train=TrainConfig(steps=4)
)


class Stopped(Exception):
    pass


def facts(folder):
    """What may not differ between two runs: all but the clock."""
    log, held = ((folder / n).read_text().splitlines() for n in ("log.csv", "validation.csv"))
    return (
        [line.rsplit(",", 1)[0] for line in log],
        [line.split(",")[:6] for line in held],
        (folder / "final.safetensors").read_bytes(),
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory, pytestconfig):
    """How to train; a run that was stopped behind a checkpoint; and the same to its end."""
    if pytestconfig.getoption("faults") == 1:
        pytest.skip("it trains: every day train/test_damaged_run.py does, these with --faults N")
    data, root = batches_of(synthetic_corpus(), CONFIG), tmp_path_factory.mktemp("runs")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(folder):
        how = Execution(checkpoint_every=2, progress=False)
        return pretrain_into(folder, *data, CONFIG, None, how)

    with pytest.MonkeyPatch.context() as patch:
        keep = RunFolder.keep

        def stop(self, weights, optimizer, step, seconds):
            keep(self, weights, optimizer, step, seconds)
            if step == 2:
                raise Stopped

        patch.setattr(RunFolder, "keep", stop)
        with pytest.raises(Stopped):
            train(root / "stopped")
    train(root / "whole")
    yield train, root / "stopped", root / "whole"
    torch.set_num_threads(threads)


def change(rng, path, canary):
    """Other bytes, other text, a file that is gone."""
    data = path.read_bytes()
    if rng.random() < 0.1:
        path.unlink()
        return f"{path.name} is gone"
    if path.suffix in (".json", ".csv") and rng.random() < 0.7:
        what, bad = mutated_text(data.decode(), rng, canary)
    else:
        what, bad = mutated(data or b"\0", rng)
    path.write_bytes(bad)
    return f"{path.name}: {what}"


@pytest.mark.parametrize("kind", ["stopped", "finished"])
def test_a_run_that_goes_on(attacked, watch, runs, kind):
    train, stopped, whole = runs
    wanted = facts(whole)

    def one(rng):
        folder = watch.work / f"run{rng.integers(1 << 60)}"
        shutil.copytree(stopped if kind == "stopped" else whole, folder)
        # Weights of early steps are for those who ask for them, not to go on from.
        names = [p for p in sorted(folder.iterdir()) if p.is_file() and "step-" not in p.name]
        what = change(rng, pick(rng, names), str(watch.canary))

        def right(found, told):
            same = facts(folder) == wanted
            shutil.rmtree(folder)
            return "" if same else "another result"

        return what, lambda: train(folder), right

    attacked(f"state: run, {kind}", 8, one)


def artefacts(kind):
    return sorted(p for p in cache_dir("artefacts", kind).rglob("*") if p.is_file())


def test_embeddings_in_the_cache(attacked, watch, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(watch.work / "cache"))
    paths = [sound(watch.work / f"{i}.wav", seconds=0.1 + i / 20) for i in range(4)]
    clips, encoder = clips_at(paths, "abcd", "it", False), load_encoder("logmel")
    wanted = np.array(embed(encoder, clips, progress=False).features)
    kept = shutil.copytree(watch.work / "cache", watch.work / "kept")

    def one(rng):
        shutil.rmtree(watch.work / "cache")
        shutil.copytree(kept, watch.work / "cache")
        files = [p for p in artefacts("embedded") if p.suffix != ".lock"]
        what = change(rng, pick(rng, files), str(watch.canary))

        def right(found, told):
            return "" if np.array_equal(found.features, wanted) else "other numbers"

        return what, lambda: embed(encoder, clips, progress=False), right

    attacked("state: embeddings", 20, one)


def test_facts_about_sounds(attacked, watch, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(watch.work / "cache"))
    for i in range(4):
        sound(watch.work / f"{i}.wav", seconds=0.1 + i / 20)
    names = [f"{i}.wav" for i in range(4)]
    wanted = wav_facts(watch.work, names, False)
    (store,) = cache_dir("hear", "index").glob("*.json")
    text = store.read_text()

    def one(rng):
        store.write_text(text)
        what = change(rng, store, str(watch.canary))

        def right(found, told):
            return "" if found == wanted else f"{found}"

        return what, lambda: wav_facts(watch.work, names, False), right

    attacked("state: facts about wavs", 40, one)


def test_the_index_of_a_shard(attacked, watch, shards, monkeypatch):
    monkeypatch.setenv("DASHENG_CACHE", str(watch.work / "cache"))
    path = watch.work / "x.tar"
    shutil.copy(sorted(shards.glob("*.tar"))[0], path)

    def read():
        skipped = {}
        return [(s.key, s.wave.tobytes(), s.meta) for s in read_shards(path, skipped)], skipped

    wanted = read()
    kept = shutil.copytree(watch.work / "cache", watch.work / "kept")

    def one(rng):
        shutil.rmtree(watch.work / "cache")
        shutil.copytree(kept, watch.work / "cache")
        files = [p for p in artefacts("shard-index") if p.suffix != ".lock"]
        what = change(rng, pick(rng, files), str(watch.canary))
        return what, read, lambda found, told: "" if found == wanted else "other clips"

    attacked("state: shard index", 20, one)


def test_recorded_results(attacked, watch):
    table = pd.DataFrame({"encoder": ["a", "b", "c"], "accuracy": [0.5, 0.25, 0.125], "seed": 0})
    write_results(watch.work / "it", table, "dasheng evaluate", parameters={"k": 10})
    files = {p: p.read_bytes() for p in (watch.work / "it.csv", watch.work / "it.json")}

    def one(rng):
        for path, data in files.items():
            path.write_bytes(data)
        what = change(rng, pick(rng, list(files)), str(watch.canary))

        def right(found, told):
            gone = what == "it.csv is gone" and found.empty  # nothing is recorded yet
            return "" if gone or found.equals(table) else "another table"

        return what, lambda: read_results("it", watch.work), right

    attacked("state: results", 60, one)


def test_the_table_of_a_sweep(attacked, watch):
    origin = json.dumps({"commit": "c", "processor": "p"})
    runs = pd.DataFrame([{"run": f"r{i}", "corpus": "synthetic", "corpus_digest": "d",
                          "train_seconds": 1.0, "judge_seconds": 2.0, "device": "cpu",
                          "provenance": origin} for i in range(3)])  # fmt: skip
    rows = pd.DataFrame(
        [{"run": f"r{i}", "step": s, "loss": i + s / 7} for i in range(3) for s in (0, 4)]
    )
    trials = [type("T", (), {"run": f"r{i}", "setting": "s", "factor": "f"}) for i in range(3)]

    def one(rng):
        folder = watch.work / f"s{rng.integers(1 << 60)}"
        folder.mkdir()
        runs.to_csv(folder / "runs.csv", index=False)
        rows.to_csv(folder / "sweep.csv", index=False)
        what = change(rng, folder / pick(rng, ["runs.csv", "sweep.csv"]), str(watch.canary))
        found = SweepTable(folder, trials)
        return what, lambda: (found.done(), found.rows(), found.runs(), found.origin()), None

    with warnings.catch_warnings():
        attacked("state: sweep tables", 40, one)
