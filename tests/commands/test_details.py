"""What ``dasheng evaluate`` shows of each task, whole or cut short, and what it says ahead."""

import logging

import numpy as np
import pandas as pd
import pytest
import torch
from hear_folder import make_task

from dasheng_lib.cli import main
from dasheng_lib.commands.details import chance_of, details
from dasheng_lib.common.errors import UserError
from dasheng_lib.evaluation import ahead
from dasheng_lib.evaluation.embed import embed
from dasheng_lib.metrics.intervals import t_interval, wilson_interval
from dasheng_lib.tasks import Clip


def rows(metric, scores, clips, seed=0, **more):
    names = {"task": "t", "encoder": "e", "probe": "p", "seed": seed, "metric": metric, **more}
    both = zip(scores, clips, strict=True)
    return pd.DataFrame(
        [{**names, "fold": i, "score": s, "clips": n} for i, (s, n) in enumerate(both)]
    )


def shown(table, chance=None):
    """The numbers of the one row, by column."""
    head, line = details(table, chance or {}).splitlines()
    return dict(zip(head.split(), line.split(), strict=True))


def test_a_share_has_the_interval_of_its_clips():
    one = shown(rows("top1_acc", [0.5, 1.0], [20, 10]), {"t": 1 / 3})
    low, high = wilson_interval(20, 30)
    assert float(one["low"]) == round(100 * low, 1) and float(one["high"]) == round(100 * high, 1)
    assert (one["score"], one["chance"], one["clips"]) == ("75.0", "33.3", "30")


def test_intervals_of_seeds_are_averaged_and_second_metrics_left_out():
    table = [rows("mAP", [0.2, 0.4, 0.3], [5] * 3), rows("mAP", [0.4, 0.6, 0.5], [5] * 3, 1)]
    one = shown(pd.concat([*table, rows("aucroc", [0.9] * 3, [5] * 3)]))
    half = t_interval([0.2, 0.3, 0.4])[1] - 0.3
    assert float(one["low"]) == pytest.approx(100 * (0.4 - half), abs=0.05)
    assert (one["score"], one["seeds"], one["clips"], one["metric"]) == ("40.0", "2", "15", "mAP")


def test_what_has_no_interval_shows_none():
    assert "low" not in shown(rows("mAP", [0.2], [5]))
    assert "low" not in shown(rows("top1_acc", [np.nan], [5]))


def test_chance_is_the_commonest_class_or_one_of_all():
    assert chance_of(rows("top1_acc", [0.1, 0.2], [5, 5]), 4) == {"t": 0.25}
    assert chance_of(rows("top1_acc", [0.4, 0.6], [5, 5]), 4) == {"t": 0.5}
    assert chance_of(rows("mAP", [0.1], [5]), 4) == {"t": 0.1}


def test_details_of_hear_on_request(tmp_path, capsys):
    command = ["evaluate", "hear", "--encoder", "logmel", "--probes", "knn", "-k", "1", "--task"]
    assert main([*command, str(make_task(tmp_path, clips=6)), "--details"]) == 0
    head, row = capsys.readouterr().out.splitlines()[:2]
    low, high = (f"{100 * bound:.1f}" for bound in wilson_interval(6, 6))
    assert head.split()[4:8] == ["score", "low", "high", "chance"]
    assert row.split()[-6:] == ["100.0", low, high, "33.3", "1", "6"]


def test_a_set_that_cannot_be_had_leaves_those_before_it(synthetic, monkeypatch, capsys):
    def load(name):
        if name == "synthetic":
            return synthetic
        raise UserError(f"{name} is out of reach: try again.")

    monkeypatch.setattr("dasheng_lib.corpora.load_corpus", load)
    command = ["evaluate", "pocket", "--corpus", "synthetic", "--also", "esc10", "--probes", "knn"]
    assert main([*command, "--encoder", "logmel"]) == 2
    said = capsys.readouterr()
    assert said.out.startswith("until here") and "syn_vowel" in said.out
    assert said.err.endswith("dasheng: esc10 is out of reach: try again.\n")
    command[command.index("esc10")] = "esc1O"  # that there is no such set shows before any work
    assert main([*command, "--encoder", "logmel"]) == 2
    said = capsys.readouterr()
    assert not said.out and "no corpus 'esc1O'" in said.err


class Slow:
    """An encoder that takes half a second for one of audio, by a clock of its own."""

    name, sample_rate, dim, hop_ms, min_samples = "slow", 1000, 1, 10.0, 1

    def __init__(self, fingerprint="slow"):
        self.fingerprint, self.now = fingerprint, 0.0

    def perf_counter(self):
        return self.now

    def clips(self, wave_BN, lengths):
        self.now += float(lengths.sum()) / 1000 / 2
        return torch.zeros(len(wave_BN), 1)


def clips(count, seconds):
    wave = np.zeros(1000 * seconds, np.float32)
    return [
        Clip(f"{seconds}-{i}", len(wave), 1000, f"{seconds}-{i}", lambda: wave)
        for i in range(count)
    ]


def test_minutes_are_said_ahead(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path))
    caplog.set_level(logging.INFO, "dasheng")
    slow = Slow()
    monkeypatch.setattr(ahead, "time", slow)
    short, long = clips(200, 2), clips(4, 200)
    ahead.tell_ahead([(slow, short, "clips"), (slow, long, "clips"), (slow, short, "clips")])
    assert caplog.messages == ["about 10 min to embed 0.3 h of audio"]
    assert slow.now < 10  # of 600 s
    ahead.tell_ahead([(slow, clips(50, 2), "clips")])  # less than a minute
    ahead.tell_ahead([(slow, long, "clips")])  # none is short enough to be timed by
    embed(slow, short, progress=False)
    ahead.tell_ahead([(slow, short, "clips")])  # nothing is left to do
    assert len(caplog.messages) == 1
