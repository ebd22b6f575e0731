"""A sweep on one card: here on the processor, whose numbers must be those of one run at a time."""

import argparse
import json
import zipfile
from dataclasses import replace

import gpu
import pandas as pd
import pytest
from card_crops import CardCrops
from card_sweep import Crew, Job, work_on_card
from few_clips import few_clips
from packed import load_packed, pack

from dasheng_lib.commands.pretrain import add_run_arguments, config_from_args
from dasheng_lib.corpora.split import hold_out
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.judge import Judge
from dasheng_lib.sweep.trial import audio_of, rows_of, trained_run
from dasheng_lib.train.batches import batches_of, crops_of
from dasheng_lib.train.run import Execution, pretrain_into

GRID = """
base: {preset: 12x2x2, corpus: synthetic, steps: 2, batch: 4, clip_seconds: 0.48}
arms: {seed: {seed: [0, 1, 2]}}
judged_at: [1]
protocol: {corpora: [synthetic], tasks: [syn_vowel, syn_event], seconds: 0.5, few: 2,
  hold_out: 0.2, exam_crops: 32}
"""


@pytest.fixture
def job(tmp_path):
    (tmp_path / "grid.yml").write_text(GRID)
    out = tmp_path / "out"
    return Job(tmp_path / "grid.yml", out, tmp_path / "runs", few_clips, "made-up sounds")


@pytest.mark.parametrize("apart", [False, True])
def test_two_at_a_time_give_the_rows_of_one_at_a_time(job, apart):
    """One run fails, since a file is where its folder should be: the others do not mind."""
    said = []
    job.place.mkdir()
    (job.place / "seed-2").write_text("")
    assert work_on_card(job, Crew(1, 2, 1, apart), 3600, said.append) == ["seed-2"]
    assert len(said) == 3 and sum("seed-2 failed" in line for line in said) == 1
    grid = read_grid(job.grid)
    held = hold_out(prepare(few_clips()), grid.protocol.hold_out)[1]
    judge, expected = Judge(grid.protocol, few_clips), []
    for trial in grid.trials[:2]:
        place = job.place.parent / "alone" / trial.run
        corpus = audio_of(trial, held, few_clips)
        crops = crops_of(corpus, trial.config, CardCrops)
        ended = trained_run(trial, place, crops, Execution(progress=False))
        expected += rows_of(trial, place, corpus, judge, *ended)[0]
    got = pd.read_csv(job.tables / "sweep.csv")
    assert (got.pop("audio") == "made-up sounds").all()
    expected = pd.DataFrame(expected)
    assert set(expected) | {"setting", "factor"} == set(got)
    # Threads round; a correction's halves go by the very bits.
    exact = [column for column in expected if "corrected" not in column]
    pd.testing.assert_frame_equal(
        got[exact], expected[exact], check_dtype=False, rtol=1e-4, atol=1e-6
    )
    runs = pd.read_csv(job.tables / "runs.csv")
    assert set(runs["end"]) == {"finished"} and len(runs) == 2


def test_what_is_in_the_table_is_not_done_again(job):
    job.tables.mkdir()
    pd.DataFrame({"run": ["base", "seed-1", "seed-2"]}).to_csv(job.tables / "runs.csv")
    assert work_on_card(replace(job, load=None), Crew(), 60) == []


def test_out_of_time_it_says_what_is_left(job):
    assert work_on_card(job, Crew(1, 1, 1), 0.0) == ["base", "seed-1", "seed-2"]


def test_what_a_card_found_becomes_a_record_with_all_that_made_it(job, tmp_path):
    facts = {"corpus": "synthetic", "device": "cuda", "train_seconds": 2.0, "judge_seconds": 1.0}
    facts["provenance"] = json.dumps({"commit": "abc", "processor": "one"})
    runs = pd.DataFrame({"run": ["base", "seed-1", "gone"], "corpus_digest": ["a", "b", "c"]})
    rows = pd.DataFrame({"run": ["base", "base", "seed-1", "gone"], "step": [0, 2, 2, 2]})
    with zipfile.ZipFile(tmp_path / "results.zip", "w") as archive:
        archive.writestr("sweep.csv", rows.to_csv(index=False))
        archive.writestr("runs.csv", runs.assign(**facts).to_csv(index=False))
        archive.writestr("sweep.json", json.dumps({"audio": {"codec": "Opus"}, "gpu": "a card"}))
    record = tmp_path / "kept"
    call = ["keep", str(tmp_path / "results.zip"), "--grid", str(job.grid)]
    gpu.main([*call, "--record", str(record)])
    assert list(pd.read_csv(tmp_path / "kept.csv")["run"]) == ["base", "base", "seed-1"]
    assert list(pd.read_csv(tmp_path / "kept_runs.csv")["run"]) == ["base", "seed-1"]
    origin = json.loads((tmp_path / "kept.json").read_text())
    assert origin["command"] == f"python benchmarks/gpu.py run FILE --steps sweep --grid {job.grid}"
    assert origin["corpora"] == {"synthetic": ["a", "b"]}
    assert (origin["seconds"], origin["device"], origin["commits"]) == (6, "cuda", ["abc"])
    assert origin["card"]["audio"]["codec"] == "Opus" and origin["grid"] == GRID


def test_one_run_on_packed_audio_is_what_pretrain_gives_on_such_crops(tmp_path):
    corpus = prepare(few_clips())
    pack({"pocket": corpus}, tmp_path / "audio.pack")
    options = "--preset 12x2x2 --batch 4 --clip-seconds 0.48 --steps 3 --hold-out 0.2 --epoch 2"
    place, record = tmp_path / "run", tmp_path / "curve"
    where = ["pretrain", str(tmp_path / "audio.pack"), "--out", str(place), "--device", "cpu"]
    gpu.main([*where, *options.split(), "--seed", "3", "--record", str(record)])
    origin = json.loads(record.with_suffix(".json").read_text())
    assert origin["corpora"] == {"pocket": corpus.digest} and origin["parameters"]["batch"] == 4
    assert origin["audio"] == {"codec": "Opus", "kbps": 16.0}
    curve = pd.read_csv(record.with_suffix(".csv"))
    assert list(curve.loc[curve["held_loss"].notna(), "step"]) == [0, 2, 3]

    parser = argparse.ArgumentParser()
    add_run_arguments(parser)
    config = config_from_args(parser.parse_args(options.split()), 3)
    packed = prepare(load_packed(tmp_path / "audio.pack", "pocket"))
    crops, held = batches_of(packed, config, CardCrops)
    alone = pretrain_into(tmp_path / "alone", crops, held, config)
    for weights in ("final.safetensors", "step-0.safetensors"):
        assert (place / weights).read_bytes() == (alone.folder / weights).read_bytes()
