"""Strange words for the options of every verb: one sentence, or the work begins; no traceback."""

import argparse
import contextlib
import math
import shutil

import pytest
from mutations import NASTY, pick
from official_folders import sound

import dasheng_lib.corpora
from dasheng_lib import cli
from dasheng_lib.common.places import ROOT


class Reached(Exception):
    """All options were taken; what follows is work."""


# Where the work of a verb begins.
WORK = [
    "dasheng_lib.train.run.pretrain_into", "dasheng_lib.train.run.pretrained",
    "dasheng_lib.evaluation.pocket.evaluate_corpus",
    "dasheng_lib.commands.evaluate_csv.probe_folds",
    "dasheng_lib.sweep.engine.work", "dasheng_lib.sweep.engine.work_in_parallel",
    "dasheng_lib.sweep.engine.work_on_cluster", "dasheng_lib.sweep.cost.estimate",
    "dasheng_lib.commands.sweep._baselines",
    "dasheng_lib.scaling.simulate.power", "dasheng_lib.scaling.arm_power.arms_needed",
    "dasheng_lib.sweep.interventions.intervene", "dasheng_lib.sweep.interventions.untrained",
    "dasheng_lib.evaluation.embed_shares.embed_in_shares", "dasheng_lib.book.driver.build",
    "dasheng_lib.encoders.hear.validator.check_hear",
]  # fmt: skip
# A call that is right, and how words of it may be told.
LINES = [
    "pretrain --corpus synthetic --preset 32x2x2 --steps 2 --out out",
    "evaluate pocket --corpus synthetic --encoder logmel",
    "evaluate pocket --corpus synthetic --pretrain --preset 32x2x2 --steps 2",
    "evaluate csv own.csv --encoder logmel",
    "evaluate hear --encoder logmel --from .",
    "evaluate arch --encoder logmel --from .",
    "sweep GRID --out out",
    "power --noise NOISE --arm 4 3",
    "interventions --corpus synthetic --encoder logmel",
    "embed a.wav --encoder logmel --out it.npz",
    "shards pack sounds --out shards --quiet",
    "shards list packed",
    "shards extract packed --out back",
    "corpus list synthetic",
    "hear-check dasheng_lib.hear_api",
    "book --only tables --corpus synthetic",
    "bench",
]
# These name places of the reader's choice, above the folder where he stands.
ELSEWHERE = ("/", "..", "../../outside/x", "a/../../outside")
WORDS = [word for word in NASTY if "\0" not in word and word not in ELSEWHERE and word != "\ud800"]
WORDS += ["b\udcff", "--", "-", "@x", "=", "synthetic", "logmel", "knn", "0", "1"]


def options_of(verb):
    """The options of a verb, and of its actions."""
    parser, _ = cli._parser([verb])
    found, todo = [], [parser]
    while todo:
        for action in todo.pop()._actions:
            if isinstance(action, argparse._SubParsersAction):
                todo += [
                    p for name, p in action.choices.items() if name not in cli.VERBS or name == verb
                ]
            elif action.option_strings and action.dest not in ("help", "version"):
                found.append(action)
    return found


def is_number(action):
    with contextlib.suppress(Exception):
        return not isinstance(action.type("1"), bool) and isinstance(action.type("1"), int | float)
    return False


@pytest.fixture
def here(watch, shards, monkeypatch):
    """Where the commands are given, and nothing works for long."""
    for name in ("a.wav", "b.wav", "c.wav", "d.wav", "sounds/a.wav"):
        sound(watch.work / name, seconds=0.1)
    shutil.copytree(shards, watch.work / "packed")
    rows = [f"{n}.wav,{label}" for n, label in zip("abcd", "xyxy", strict=True)]
    (watch.work / "own.csv").write_text("\n".join(["path,label", *rows]))

    def reached(*args, **how):
        raise Reached

    for name in WORK:
        monkeypatch.setattr(name, reached)
    load = dasheng_lib.corpora.load_corpus  # but for one from the network

    def there(name):
        return load(name) if name in ("synthetic", *WORDS) else reached()

    monkeypatch.setattr("dasheng_lib.corpora.load_corpus", there)
    monkeypatch.setattr("dasheng_lib.shards.sources.load_corpus", there)
    monkeypatch.setattr("dasheng_lib.sweep.interventions.load_corpus", there)
    return watch.work


def test_every_word_of_every_verb(attacked, watch, here):
    sweeps = ROOT / "data_manifests/sweeps"
    files = {"GRID": str(sweeps / "tiny.yml"), "NOISE": str(sweeps / "desk_noise.csv")}
    lines = [[files.get(word, word) for word in line.split()] for line in LINES]
    options = {line[0]: options_of(line[0]) for line in lines}

    def one(rng):
        argv = list(pick(rng, lines))
        value, wrong = pick(rng, WORDS), False
        if rng.random() < 0.25 and len(argv) > 1:  # a word that is there is another
            argv[int(rng.integers(1, len(argv)))] = value
        elif options[argv[0]]:
            action = pick(rng, options[argv[0]])
            with contextlib.suppress(ValueError):
                wrong = is_number(action) and not math.isfinite(float(value))
            argv += [action.option_strings[-1], *([value] if action.nargs != 0 else [])]

        def right(code, told):
            if wrong and code == 0:
                return "it was taken"
            return "" if code in (0, 1, 2) else f"exit code {code}"

        return " ".join(argv)[:110], lambda: cli.main(argv), right

    attacked("options", 120, one, refusals=(Reached,))


@pytest.mark.parametrize("verb", [*cli.VERBS, "nothing", "-x", ""])
def test_help_and_no_options_are_told(watch, verb, monkeypatch):
    """The words alone; what a verb would do is not done."""
    for word in ("--help", "--nonsense", "--version"):
        assert watch(lambda word=word: cli.main([verb, word])).kind == "right"
