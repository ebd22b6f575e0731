"""A sweep ends with the same table, however often it dies and whoever works on it."""

import shutil
import subprocess
import sys
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from few_clips import few_clips

from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.trim import prepare
from dasheng_lib.encoders.dasheng import DashengEncoder
from dasheng_lib.encoders.layers import every_layer
from dasheng_lib.encoders.of_network import features_of
from dasheng_lib.evaluation.folds import chance
from dasheng_lib.evaluation.probes.few_shot import few_labels
from dasheng_lib.masking import kept_tokens
from dasheng_lib.model import token_count
from dasheng_lib.results import FOLDER as RESULTS
from dasheng_lib.results import read_results
from dasheng_lib.scaling.averages import quality
from dasheng_lib.sweep.columns import spent_by
from dasheng_lib.sweep.engine import chosen, work, work_in_parallel, work_on_cluster
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.iterations import Part, begins, of_one_run, part_of, parts
from dasheng_lib.sweep.judge import (
    HEALTH,
    VIEW_SECONDS,
    VIEWS,
    in_pieces,
    qualities,
    views_of,
)
from dasheng_lib.sweep.rates import base_trials, over_rates, tuned_rates
from dasheng_lib.sweep.table import SweepTable
from dasheng_lib.tasks import suite
from dasheng_lib.train.build import new_model
from dasheng_lib.train.health import verdict
from dasheng_lib.train.recipes import family_defaults

SWEEPS = Path(__file__).parents[2] / "data_manifests" / "sweeps"
DOMAINS = {t.name: t.domain for name in ("pocket", "fsdd", "esc10") for t in suite(name, True)}
RUNS = ["base", "mask_ratio-0.25"]  # of the grid SMALL that have one block
ONE = """
base: {preset: 8x1x1, corpus: synthetic, steps: 1, batch: 4, clip_seconds: 0.3}
judged_at: [1]
protocol: {corpora: [synthetic], tasks: [syn_event], seconds: 0.5, few: 2, exam_crops: 12}
"""
SMALL = """
base: {preset: 12x1x2, corpus: synthetic, steps: 4, batch: 4, clip_seconds: 0.3}
arms:
  mask: {mask_ratio: [0.25]}
  width: {preset: [8x2x2]}
judged_at: [0.5, 1]
protocol: {corpora: [synthetic], tasks: [syn_vowel, syn_event], seconds: 0.5, few: 2, layers: true,
  exam_crops: 32}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "small.yml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def whole(path, tmp_path_factory):
    """The folder of a sweep that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes that it is compared with: the bits depend on it
    try:
        assert work(read_grid(path), folder, progress=False) == []
    finally:
        torch.set_num_threads(threads)
    return folder


def table(folder):
    return (folder / "sweep.csv").read_bytes()


def some(rows, runs):
    """The rows of some runs of one block, which have no inner layers."""
    columns = [column for column in rows if not column.startswith("layer1:")]
    return rows.loc[rows["run"].isin(runs), columns].reset_index(drop=True)


def assert_alike(rows, expected):
    """Equal tables, but for what threads round; a correction's halves go by the very bits."""
    exact = [column for column in expected if "corrected" not in column]
    pd.testing.assert_frame_equal(rows[exact], expected[exact], rtol=1e-4)
    assert list(rows.columns) == list(expected.columns)


def named(**factors):
    """Trials of which only names and arms matter."""
    return [SimpleNamespace(run=run, setting=run, factor=arm) for run, arm in factors.items()]


def grid_of(tmp_path, text):
    path = tmp_path / "grid.yml"
    path.write_text(text)
    return read_grid(path)


def test_a_grid_names_each_run_once_and_says_what_it_changes(tmp_path):
    grid = grid_of(
        tmp_path,
        """
base: {preset: 24x2x2, mask_ratio: 0.75, seed: 0}
arms:
  mask: {mask_ratio: [0.5, 0.75]}
  seeds: {seed: [0, 1], mask_ratio: [0.5, 0.75]}
  clip: [{clip_seconds: 1.0, batch: 32}, {clip_seconds: [0.5]}]
""",
    )
    assert {t.run: t.factor for t in grid.trials} == {
        "base": "base+mask+seeds",
        "mask_ratio-0.5": "mask+seeds",
        "seed-1": "seeds",
        "mask_ratio-0.5.seed-1": "seeds",
        "batch-32.clip_seconds-1.0": "clip",
        "clip_seconds-0.5": "clip",
    }
    by_name = {t.run: t.config for t in grid.trials}
    assert by_name["seed-1"].train.seed == 1 and by_name["seed-1"].task.mask_ratio == 0.75
    assert by_name["batch-32.clip_seconds-1.0"].batch == 32


def test_another_family_brings_its_own_task(tmp_path):
    grid = grid_of(
        tmp_path,
        """
base: {mask_ratio: 0.3, lr: 0.02, steps: 10, preset: 24x1x2}
arms:
  family: [{family: hubert}, {family: ssast, mask_ratio: 0.6}]
  same: {family: wav2vec2, lr: 0.02}
""",
    )
    hubert, ssast, wav2vec2 = (t.config for t in grid.trials[1:])
    assert wav2vec2.train.lr == 0.02, "said, though it is the base's too"
    usual = family_defaults("hubert")
    assert (hubert.task, hubert.train.lr) == (usual.task, usual.train.lr)
    assert ssast.task.mask_ratio == 0.6 and ssast.train.betas == (0.95, 0.999)
    assert {(c.preset, c.train.steps) for c in (hubert, ssast)} == {("24x1x2", 10)}
    # Every family's operations are counted: of HuBERT, the second iteration costs a teacher more.
    spent = [[spent_by(trial, step)["flops"] for step in (0, 3, 6)] for trial in grid.trials[1:]]
    assert spent[0][2] > 2 * spent[0][1] > spent[0][0] == 0
    assert spent[1][2] == pytest.approx(2 * spent[1][1]) and spent[1][1] > 0


def test_a_point_of_hubert_is_two_runs_that_hear_as_much_as_one(tmp_path):
    grid = grid_of(
        tmp_path, "base: {family: hubert, steps: 700, seed: 3}\njudged_at: [0.1, 0.5, 1]"
    )
    config = grid.trials[0].config
    assert begins("hubert", 700) == (0, 233) and begins("hubert", 1) == begins("ssast", 6) == (0,)
    first, second = parts(config, tmp_path)
    assert (first.folder, second.folder) == (tmp_path / "first", tmp_path)
    assert (first.config.train.steps, second.config.train.steps) == (233, 467)
    assert (first.config.keep, second.config.keep) == ((70,), (117, 467))
    assert first.config.teacher is None
    assert second.config.teacher == str(first.folder / "final.safetensors")
    assert {first.config.train.seed, second.config.train.seed} == {3}
    places = {step: part_of(step, (first, second)).begin for step in (0, 1, 233, 234, 700)}
    assert places == {0: 0, 1: 0, 233: 0, 234: 233, 700: 233}
    named = replace(config, task=replace(config.task, teacher="a.safetensors"))
    assert parts(named, tmp_path) == (Part(named, tmp_path, 0),)
    single = replace(config, train=replace(config.train, steps=1), keep=())
    assert parts(single, tmp_path) == (Part(single, tmp_path, 0),)


def test_a_second_run_is_not_compared_with_the_first():
    """But with its untrained encoder; HuBERT's first iteration says nothing of the second."""
    columns = ["step", "loss", "explained", "rankme_centred"]
    rows = [(0, 9.0, -0.1, 30.0), (50, 3.0, 0.5, 30.0), (90, 4.0, 0.2, 30.0)]
    history = pd.DataFrame(rows, columns=columns)
    assert verdict(of_one_run(history, (0,))) == "unstable"
    assert list(of_one_run(history, (0, 60))["step"]) == [0, 90]
    assert verdict(of_one_run(history, (0, 60))) == "healthy"
    assert list(of_one_run(history[:2], (0, 60))["step"]) == [0, 50]


def test_a_sweep_trains_and_judges_both_runs_of_hubert(tmp_path, monkeypatch):
    """Killed in either run it goes on: the rows are those of one that nothing stopped."""
    from dasheng_lib.train import run as runs

    grid = grid_of(
        tmp_path,
        """
base: {family: hubert, preset: 12x1x2, corpus: synthetic, steps: 6, batch: 4, clip_seconds: 0.5}
judged_at: [0.16, 1]
protocol: {corpora: [synthetic], tasks: [syn_vowel], seconds: 0.5, few: 2, exam_crops: 32}
""",
    )
    pretrain, lives = runs.pretrain, [1, 1, 3]  # steps until it dies, life after life

    def dying(*arguments):
        for record in pretrain(*arguments):
            yield record
            if lives and record.step >= lives[0]:
                lives.pop(0)
                raise KeyboardInterrupt

    monkeypatch.setattr(runs, "pretrain", dying)
    while lives:
        with pytest.raises(KeyboardInterrupt):
            work(grid, tmp_path / "cut", progress=False, load=few_clips)
    for name in ("cut", "whole"):
        work(grid, tmp_path / name, progress=False, load=few_clips)
    rows, expected = (pd.read_csv(tmp_path / name / "sweep.csv") for name in ("cut", "whole"))
    assert list(rows["step"]) == [0, 1, 6] and rows["flops"].is_monotonic_increasing
    assert_alike(rows, expected)
    assert (tmp_path / "cut" / "runs" / "base" / "first" / "final.safetensors").exists()
    assert not list((tmp_path / "cut" / "runs").rglob("step-*"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: {presett: nano}", "presett"),
        ("base: {preset: giant}", "giant"),
        ("base: {mask_ratio: 2}", "mask"),
        ("base: {data: 0}", "share"),
        ("base: {}\nshares: [1]", "shares"),
        ("base: {}\narms: {a: 3}", "arm a"),
        ("base: {}\nprotocol: {neighbours: 3}", "neighbours"),
        ("base: [", "YAML"),
        ("[]", "base"),
    ],
)
def test_a_grid_that_cannot_be_is_named(tmp_path, text, said):
    with pytest.raises(UserError, match=said):
        grid_of(tmp_path, text)


def test_the_recorded_grid_is_as_large_as_it_must_be():
    grid = read_grid(SWEEPS / "first.yml")
    assert len(grid.trials) >= 40
    arms = {arm for trial in grid.trials for arm in trial.factor.split("+")}
    assert {"mask", "width", "depth", "data", "clip", "steps", "family", "mask-small"} <= arms
    base = grid.trials[0]
    assert [s * 14 / base.config.train.steps for s in base.steps[2:6]] == [1, 2, 4, 6]
    ratios = {
        size: {t.config.task.mask_ratio for t in grid.trials if t.config.preset == size}
        for size in ("192x4x3", "96x4x3")
    }
    assert min(map(len, ratios.values())) >= 7


def test_the_desk_sweep_is_as_wide_as_it_must_be():
    trials = read_grid(SWEEPS / "desk.yml").trials
    assert len(trials) >= 100
    seeds = Counter(trial.setting for trial in trials)
    assert sum(count >= 3 for count in seeds.values()) >= 5
    for arm in ("mask", "mask-small"):  # ratios that hide as many tokens would be one setting twice
        ratios = {t.config.task.mask_ratio for t in trials if arm in t.factor.split("+")}
        tokens = token_count(round(trials[0].config.clip_seconds * 16_000))
        assert len({kept_tokens(tokens, ratio, 2) for ratio in ratios}) == len(ratios) >= 8
    families = Counter((t.config.family, t.config.preset) for t in trials if "family" in t.factor)
    assert len(families) == 8 and min(families.values()) >= 3


def test_the_desk_sweep_trains_every_tuned_size_at_the_rate_of_the_rule():
    if not (RESULTS / "sweep.csv").exists():
        pytest.skip("the sweep has not begun")
    tuned = tuned_rates(read_results("sweep")).set_index(["family", "preset"])
    tuned = tuned[tuned["inside"]]
    trials = [
        t
        for t in read_grid(SWEEPS / "desk.yml").trials
        if not over_rates(t.factor) or t.config.train.seed
    ]
    kinds = [(t.config.family, t.config.preset) for t in trials]
    rates = {(k, t.config.train.lr) for k, t in zip(kinds, trials, strict=True) if k in tuned.index}
    assert rates == {(kind, tuned.at[kind, "lr"]) for kind in tuned.index if kind in kinds}


def test_the_recorded_sweep_is_its_grids():
    text = (SWEEPS / "first.yml").read_text()
    trials = {trial.run: trial for trial in read_grid(SWEEPS / "first.yml").trials}
    recorded = read_results("first_sweep")
    assert recorded.attrs["grid"] == text  # a grid that changed wants its runs
    first = recorded.groupby("run", sort=False).first()
    assert list(first.index) == list(trials)
    assert [(t.setting, t.factor) for t in trials.values()] == list(
        first[["setting", "factor"]].itertuples(index=False, name=None)
    )
    for (run, step), row in recorded.set_index(["run", "step"]).iterrows():
        trial, train = trials[run], trials[run].config.train
        told = {"lr": train.lr, "steps": train.steps, "seed": train.seed}
        told |= {"batch": trial.config.batch, "mask_ratio": trial.config.task.mask_ratio}
        assert row[list(told)].to_dict() == told
        spent = spent_by(trial, step)
        if row["width"] < 128:  # whose decoders were wider than their encoders then
            del spent["flops"]
        assert row[list(spent)].to_dict() == pytest.approx(spent, rel=1e-5)
    for judge, column in {"linear": "quality", "knn": "knn_quality", "few": "few_quality"}.items():
        tasks = {f"{judge}:{task}": domain for task, domain in DOMAINS.items()}
        means = quality(recorded, tasks)
        assert recorded[column].to_numpy() == pytest.approx(means, rel=2e-5)


def test_every_row_says_what_it_is_and_how_good(whole):
    rows = pd.read_csv(whole / "sweep.csv")
    assert rows.groupby("run", sort=False)["step"].apply(list).to_dict() == {
        "base": [0, 2, 4],
        "mask_ratio-0.25": [0, 2, 4],
        "preset-8x2x2": [0, 2, 4],
    }
    # Of twelve dimensions there is no tail to fit a slope to.
    layers = {column for column in rows if column.startswith("layer1:")}  # of the deeper run
    assert set(rows.columns[rows.isna().any()]) <= {"alpha_req", *HEALTH, *layers}
    deeper = rows[rows["run"] == "preset-8x2x2"]
    assert deeper[["layer1:rankme", "layer1:rankme_centred"]].notna().all(axis=None)
    probed = deeper.set_index("step")[["layer1:quality_heard", "layer1:knn_quality_heard"]].notna()
    assert probed.all(axis=1).to_dict() == {0: True, 2: False, 4: True}
    assert (rows["rankme"] <= rows["width"]).all() and (rows["rankme"] >= 1).all()
    scores = rows.filter(regex="^(quality|knn_|few_|linear:|knn:|few:)(?!.*above_chance)")
    assert scores.to_numpy().min() >= 0 and scores.to_numpy().max() <= 1
    parts = rows[["quality_speech", "quality_environment"]].mean(axis=1)
    assert rows["quality"].to_numpy() == pytest.approx(parts.to_numpy())
    # Under one set of masks the untrained autoencoder has one loss, whatever it will be hidden.
    first = rows[rows["step"] == 0].set_index("run")
    assert first.at["base", "loss"] == pytest.approx(first.at["mask_ratio-0.25", "loss"], rel=1e-3)
    assert rows["flops"].is_unique is False and (rows.loc[rows["step"] == 0, "flops"] == 0).all()
    runs = pd.read_csv(whole / "runs.csv")
    assert (runs["end"] == "finished").all() and runs["provenance"].str.contains("commit").all()
    assert not list((whole / "runs").rglob("step-*"))  # tidied


def test_a_finished_sweep_does_nothing_again(whole, path):
    before = {p: p.stat().st_mtime_ns for p in whole.rglob("*.csv")}
    work(read_grid(path), whole, progress=False)
    assert before == {p: p.stat().st_mtime_ns for p in whole.rglob("*.csv")}


def test_a_table_that_was_lost_is_written_again_from_what_the_runs_hold(path, whole, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(whole, copy)  # of which only the last weights are left
    for name in ("sweep.csv", "runs.csv"):
        (copy / name).unlink()
    work(read_grid(path), copy, progress=False)
    assert table(copy) == table(whole)


def test_a_run_is_tidied_before_its_rows_are_in_the_table(tmp_path, monkeypatch):
    """After that it is not looked at again, as when it was killed meanwhile."""
    path = tmp_path / "one.yml"
    path.write_text(ONE)
    left = []
    monkeypatch.setattr(
        SweepTable, "add", lambda *_: left.extend(tmp_path.rglob("step-*.safetensors"))
    )
    work(read_grid(path), tmp_path, progress=False)
    assert not left and (tmp_path / "runs" / "base" / "final.safetensors").exists()


def test_two_workers_never_write_a_run_twice(path, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    work_in_parallel(path, tmp_path, RUNS, 2)
    rows = pd.read_csv(tmp_path / "sweep.csv")
    assert not rows.duplicated(["run", "step"]).any()
    assert_alike(rows, some(pd.read_csv(whole / "sweep.csv"), RUNS))


def test_a_run_in_other_hands_is_left_alone(path, tmp_path):
    from filelock import FileLock

    place = tmp_path / "runs" / "base"
    place.mkdir(parents=True)
    with FileLock(place / ".trial.lock"):
        assert work(read_grid(path), tmp_path, ["base"], progress=False) == ["base"]
    assert not (tmp_path / "sweep.csv").exists()


def test_workers_do_not_outlive_a_killed_sweep():
    script = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from dasheng_lib.sweep.engine import start_worker
context = multiprocessing.get_context("spawn")
with ProcessPoolExecutor(1, context, start_worker, (1,)) as pool:
    pool.submit(print, "working", flush=True).result()
    pool.submit(time.sleep, 600).result()
"""
    sweep = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert sweep.stdout.readline() == "working\n"
    sweep.kill()
    rest, _ = sweep.communicate(timeout=100)  # the output ends when the worker, too, is gone
    assert rest == ""


def test_rows_of_a_run_are_written_once_and_in_the_order_of_the_grid(tmp_path):
    written = SweepTable(tmp_path, named(a="seed", b="seed", c="seed"))
    for run in ("c", "a", "c", "b"):
        written.add([{"run": run, "step": s, "x": 1.5} for s in (0, 5)], {"run": run, "end": "x"})
    rows = pd.read_csv(tmp_path / "sweep.csv")
    assert list(rows["run"]) == ["a", "a", "b", "b", "c", "c"]
    assert list(rows["step"]) == [0, 5] * 3 and written.done() == {"a", "b", "c"}


def test_a_run_belongs_to_the_arms_of_the_grid_as_it_is_now(tmp_path):
    for arms, run in (({"a": "base", "b": "width"}, "a"), ({"a": "base+mask", "b": "mask"}, "b")):
        SweepTable(tmp_path, named(**arms)).add([{"run": run, "step": 0}], {"run": run, "end": "x"})
    assert list(pd.read_csv(tmp_path / "sweep.csv")["factor"]) == ["base+mask", "mask"]
    again = SweepTable(tmp_path, named(a="base", b="width"))
    assert list(again.rows()["factor"]) == ["base", "width"]
    fewer = SweepTable(tmp_path, named(b="width", c="width"))
    assert list(fewer.rows()["run"]) == list(fewer.runs()["run"]) == ["b"]
    fewer.add([{"run": "c", "step": 0}], {"run": "c", "end": "x"})
    assert len(fewer.rows()) == 2 and len(SweepTable(tmp_path, again.trials).rows()) == 2


def test_a_setting_is_a_run_but_for_its_seed(tmp_path):
    """Also where the table has no column for what differs, as for mixing."""
    grid = grid_of(
        tmp_path,
        """
base: {preset: 24x1x2, steps: 10}
arms:
  seed: {seed: [0, 1]}
  mix: {mix: [0.0, 0.5], seed: [0, 2]}
""",
    )
    assert {t.run: (t.setting, t.factor) for t in grid.trials} == {
        "base": ("base", "base+seed+mix"),  # a default that is spelt out is no other run
        "seed-1": ("base", "seed"),
        "mix-0.0.seed-2": ("base", "mix"),
        "mix-0.5.seed-0": ("mix-0.5", "mix"),
        "mix-0.5.seed-2": ("mix-0.5", "mix"),
    }


def test_a_diverged_run_has_the_rows_it_came_to(path, tmp_path, monkeypatch):
    from dasheng_lib.train import run as runs

    pretrain = runs.pretrain

    def breaks(*arguments):
        for record in pretrain(*arguments):
            if record.step == 3:
                raise FloatingPointError("loss nan at step 3")
            yield record

    monkeypatch.setattr(runs, "pretrain", breaks)
    work(read_grid(path), tmp_path, ["base"], progress=False)
    assert list(pd.read_csv(tmp_path / "sweep.csv")["step"]) == [0, 2]
    assert list(pd.read_csv(tmp_path / "runs.csv")["end"]) == ["diverged"]


def test_the_probe_with_few_labels_is_given_few_and_scored_on_them():
    labels = pd.DataFrame(
        {
            "clip": range(100),
            "label": ["a"] * 60 + ["b"] * 38 + ["c"] * 2,
            "fold": list("xyzw") * 25,
        }
    )
    few = few_labels(labels, 3, seed=1)
    assert few["label"].value_counts().to_dict() == {"a": 3, "b": 3, "c": 2}
    pd.testing.assert_frame_equal(few, labels.loc[few.index])
    pd.testing.assert_frame_equal(few, few_labels(labels, 3, seed=1))
    assert not few.equals(few_labels(labels, 3, seed=2))


def test_means_of_scores_are_of_domains_first_and_above_chance_at_their_own_scale():
    rows = [
        ("linear", "a", "speech", True, 0.6, 0.2),
        ("linear", "b", "speech", True, 0.4, 0.1),
        ("linear", "c", "music", True, 0.9, 0.5),
        ("linear", "d", "speech", False, 0.3, 0.3),
        ("knn", "a", "speech", True, 0.2, 0.2),
    ]
    columns = ["probe", "task", "domain", "heard", "accuracy", "chance"]
    found = qualities(pd.DataFrame(rows, columns=columns))
    assert found["quality_heard"] == pytest.approx((0.5 + 0.9) / 2)
    assert found["quality"] == pytest.approx(((0.6 + 0.4 + 0.3) / 3 + 0.9) / 2)
    assert found["quality_speech"] == pytest.approx(1.3 / 3) and found["quality_unheard"] == 0.3
    above = ((0.5 + 1 / 3) / 2 + 0.8) / 2
    assert found["quality_heard_above_chance"] == pytest.approx(above)
    assert found["quality_unheard_above_chance"] == found["knn_quality_above_chance"] == 0
    assert "knn_quality_unheard" not in found


def test_chance_is_the_majoritys_accuracy_or_one_over_the_classes():
    rows = pd.DataFrame({"clip": range(12), "label": list("aaab" * 3), "fold": list("xyz") * 4})
    assert chance(rows) == 0.75
    apart = pd.DataFrame({"clip": range(6), "label": list("aabbba"), "fold": list("xxxyyy")})
    assert chance(apart) == 0.5  # the commonest of each training part is the other class


def test_views_lie_within_their_clips(synthetic):
    whole = prepare(synthetic)
    views = views_of(whole)
    assert len(views) % VIEWS == 0
    places = whole.clips.set_index("sha256")
    for sha, own in views.clips.groupby("sha256"):
        clip = places.loc[sha]
        assert len(own) == VIEWS and own["offset"].iloc[0] == clip["offset"]
        assert own["offset"].is_monotonic_increasing
        assert (own["offset"] + own["samples"]).max() <= clip["offset"] + clip["samples"]
        if clip["samples"] >= 2 * VIEW_SECONDS * 16_000:
            assert (own["offset"] + own["samples"]).iloc[-1] == clip["offset"] + clip["samples"]


def test_in_pieces_no_token_meets_another_piece_or_a_later_position():
    encoder = in_pieces(DashengEncoder.untrained("24x2x2"), 0.48)
    whole = in_pieces(DashengEncoder.untrained("24x2x2"), 10.0)
    wave = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    first = encoder.frames(wave)[:, :12]
    changed = torch.cat([wave[:, :9000], torch.zeros(1, 7000)], 1)
    assert torch.allclose(encoder.frames(changed)[:, :12], first, atol=1e-5)
    assert not torch.allclose(whole.frames(changed)[:, :12], whole.frames(wave)[:, :12], atol=1e-2)


@pytest.mark.parametrize("family", ["dasheng", "hubert"])
def test_the_last_of_all_layers_is_the_encoder_itself(family):
    model = new_model(replace(family_defaults(family), preset="24x3x2")).eval()
    wave = torch.randn(2, 8000, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([8000, 5000])
    alone = features_of(model, "alone").clips(wave, lengths)
    all_layers = every_layer(features_of(deepcopy(model), "all"))
    Z = all_layers.clips(wave, lengths)
    assert all_layers.dim == Z.shape[1] == 72
    assert torch.allclose(Z[:, -24:], alone, atol=1e-6)
    assert not torch.allclose(Z[:, :24], Z[:, 24:48], atol=1e-2)
    if family == "dasheng":  # what the second block gives is what an encoder of two blocks has
        shallow = deepcopy(model.encoder)
        shallow.blocks = shallow.blocks[:2]
        second = DashengEncoder(shallow, "two")
        second.encoder.norm = torch.nn.Identity()
        assert torch.allclose(Z[:, 24:48], second.clips(wave, lengths), atol=1e-5)


def test_the_best_rate_explains_most_among_healthy_runs():
    columns = ["run", "factor", "family", "preset", "lr", "seed", "step", "explained", "state"]
    small = ("rate-small", "dasheng", "96x4x3")
    rows = [
        ("a", *small, 0.00025, 0, 5, 0.9, "healthy"),  # not its last row
        ("a", *small, 0.00025, 0, 10, 0.40, "healthy"),
        ("b", *small, 0.0005, 0, 10, 0.45, "healthy"),
        ("c", *small, 0.001, 0, 10, 0.50, "collapsed"),
        ("further seed", *small, 0.00025, 1, 10, 0.8, "healthy"),
        ("other arm", "mask-small", "dasheng", "96x4x3", 0.001, 0, 10, 0.8, "healthy"),
        ("d", "family", "hubert", "96x4x3", 0.0005, 0, 10, 0.20, "healthy"),
        ("e", "family", "hubert", "96x4x3", 0.001, 0, 10, 0.30, "healthy"),
    ]
    found = tuned_rates(pd.DataFrame(rows, columns=columns))
    assert found[["family", "lr", "inside"]].values.tolist() == [
        ["dasheng", 0.0005, True],
        ["hubert", 0.001, False],
    ]
    with pytest.raises(ValueError, match="no healthy run of dasheng 96x4x3"):
        tuned_rates(pd.DataFrame(rows[3:4], columns=columns))


def test_a_base_learns_if_both_probes_rise_by_two_floors_above_both_rivals():
    def sweep(gain, knn_gain, seeds=3, noise=0.002):
        settings = ("dear", 5.0, 0.5, seeds), ("lazy", 2.0, 0.3, 3), ("cheap", 2.0, 0.4, 3)
        return pd.DataFrame(
            {
                "run": f"{setting}-{seed}",
                "setting": setting,
                "step": step,
                "seed": seed,
                "flops": flops * step,
                "explained": explained * step,
                "quality": 0.5 + step * gain + noise * seed,
                "knn_quality": 0.4 + step * knn_gain + noise * seed,
            }
            for setting, flops, explained, seeds in settings
            for seed in range(seeds)
            for step in (0, 1)
        )

    logmel = pd.Series({"quality": 0.51, "knn_quality": 0.39})
    found = base_trials(sweep(0.06, 0.05), logmel)
    assert list(found.index) == ["cheap", "lazy", "dear"] and found["learns"].all()
    assert found.at["cheap", "quality gain"] == pytest.approx(6)
    assert found.at["cheap", "quality above log-mel"] == pytest.approx(5.2)
    assert found.at["cheap", "knn_quality floor"] < 1
    assert not base_trials(sweep(0.06, 0.005), logmel)["learns"].any()
    assert not base_trials(sweep(0.06, 0.05, noise=0.02), logmel)["learns"].any()
    assert not base_trials(sweep(0.06, 0.05), logmel + 0.05)["learns"].any()
    assert list(base_trials(sweep(0.06, 0.05, seeds=2), logmel)["learns"]) == [True, True, False]
    alone = sweep(0.06, 0.05)
    alone = base_trials(alone[alone["seed"] == 0], logmel)
    assert alone["quality floor"].isna().all() and not alone["learns"].any()


def test_patterns_choose_runs(path):
    grid = read_grid(path)
    assert chosen(grid, None) == ["base", "mask_ratio-0.25", "preset-8x2x2"]
    assert chosen(grid, ["mask*", "base"]) == ["base", "mask_ratio-0.25"]
    with pytest.raises(UserError, match="base"):
        chosen(grid, ["width*"])


def test_the_command_tells_the_cost_first_and_does_nothing_without_a_folder(path, capsys):
    assert main(["sweep", str(path), "--dry-run"]) == 0
    assert "3 of 3 runs are left" in capsys.readouterr().out
    assert main(["sweep", str(path)]) == 2
    assert "--out" in capsys.readouterr().err


def test_the_command_records_a_finished_sweep(path, whole, tmp_path, capsys):
    record = tmp_path / "kept"
    assert main(["sweep", str(path), "--out", str(whole), "--record", str(record)]) == 0
    rows = pd.read_csv(tmp_path / "kept.csv")
    pd.testing.assert_frame_equal(rows, pd.read_csv(whole / "sweep.csv"), rtol=1e-5)
    assert "commits" in (tmp_path / "kept.json").read_text()
    assert (tmp_path / "kept_runs.csv").exists()


def test_jobs_of_a_cluster_share_the_folder(path, whole, tmp_path):
    pytest.importorskip("submitit")
    jobs = work_on_cluster(path, tmp_path, ["base"], 1, cluster="debug")
    assert [job.result() for job in jobs] == [[]]
    rows, expected = (pd.read_csv(place / "sweep.csv") for place in (tmp_path, whole))
    assert len(rows) == 3  # its layers are fewer than those of other runs
    assert_alike(rows, expected.query("run == 'base'")[rows.columns])


def test_a_live_grid_is_computed_once(monkeypatch, tmp_path):
    from dasheng_lib.sweep import live

    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path))
    monkeypatch.setattr(live, "FOLDER", tmp_path)
    (tmp_path / "small.yml").write_text(ONE)
    first = live.live("small", progress=False)
    monkeypatch.setattr(live, "work", lambda *_, **__: pytest.fail("computed twice"))
    pd.testing.assert_frame_equal(live.live("small", progress=False), first)
    with pytest.raises(UserError, match=r"large.yml cannot be read"):
        live.live("large")
