"""The grids that compare objectives and domains: what is held equal, and how often it is done."""

from collections import Counter
from dataclasses import replace

import pytest

from dasheng_lib.common.places import SWEEPS
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.sweep.grid import read_grid

GRIDS = ("objectives", "domains")
UNHEARD = {"fsdd", "speech_commands_test", "esc10", "esc50_4"}


def trials(name):
    return read_grid(SWEEPS / f"{name}.yml").trials


@pytest.mark.parametrize("name", GRIDS)
def test_all_runs_hear_as_many_seconds_and_are_judged_alike(name):
    grid, desk = read_grid(SWEEPS / f"{name}.yml"), read_grid(SWEEPS / "desk.yml")
    heard = {t.config.batch * t.config.clip_seconds * t.config.train.steps for t in grid.trials}
    assert len(heard) == 1 and {t.corpus for t in grid.trials} == {"pocket"}
    assert {(t.config.even, t.config.speed, t.config.mix) for t in grid.trials} == {
        ("domains", 1.5, 0.0)
    }
    assert all(t.steps == (0, t.config.train.steps) for t in grid.trials)
    # As the desk sweep, without the set that tells nothing apart and the scores of layers.
    same = replace(
        desk.protocol,
        corpora=tuple(c for c in desk.protocol.corpora if c != "emovo"),
        tasks=tuple(t for t in desk.protocol.tasks if t != "emovo"),
        aside=(),
        layers=False,
    )
    assert grid.protocol == same and set(grid.protocol.tasks) >= UNHEARD


def test_every_objective_is_there_on_each_network_that_it_can_train():
    found = Counter(
        (t.config.family, t.config.preset.startswith("sfnfnet")) for t in trials("objectives")
    )
    views = {"simclr", "byol"}
    assert set(found) == {
        *((family, False) for family in FAMILIES),
        *((family, True) for family in (*views, "supervised")),
    }
    for (family, _), count in found.items():
        assert count == (3 if family in views | {"dasheng"} else 2), family


def test_each_domain_alone_is_there_as_often_as_all_and_as_a_quarter_of_all():
    found = Counter((t.config.family, t.config.only_domain, t.data) for t in trials("domains"))
    audio = [(d, 1.0) for d in ("", "speech", "music", "environment")] + [("", 0.25)]
    assert found == {(f, *what): 3 for f in ("dasheng", "simclr") for what in audio}


@pytest.mark.parametrize("name", GRIDS)
def test_seeds_are_those_of_one_setting(name):
    seeds = {}
    for trial in trials(name):
        seeds.setdefault(trial.setting, []).append(trial.config.train.seed)
    assert all(own == list(range(len(own))) for own in seeds.values())
