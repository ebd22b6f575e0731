"""Broken YAML, notebooks and words of a command: what they say is done, or refused; none is run."""

import json
import shutil

import pytest
import yaml
from mutations import NASTY, mutated_text, nasty, pick

from dasheng_lib.book.driver.chapters import read_chapter, read_chapters, read_parameters
from dasheng_lib.book.driver.plan import read_overrides, read_profile
from dasheng_lib.common.places import ROOT
from dasheng_lib.common.settings import conforms
from dasheng_lib.corpora.fetch.unpack import plain_name
from dasheng_lib.sweep.grid import read_grid

BOOK = ROOT / "book"
GRID = """\
base: {family: dasheng, corpus: synthetic, data: 1.0, steps: 400, batch: 8, lr: 0.001, seed: 0}
arms:
  steps: {steps: [100, 200]}
  mask: [{mask_ratio: [0.5, 0.75], seed: [0, 1]}, {batch: 16}]
judged_at: [0, 0.5, 1]
protocol: {corpora: [synthetic], k: 5, hold_out: 0.25}
"""


def as_asked(grid, text):
    """ "" if every setting of the base is in the base's run, and every run has a folder's name."""
    if any(plain_name(trial.run) != trial.run or "/" in trial.run for trial in grid.trials):
        return "a run whose name is a path"
    asked = yaml.safe_load(text)["base"]
    base = next((t for t in grid.trials if "base" in t.factor.split("+")), None)
    if base is None:
        return "no base"
    has = {**vars(base.config.task), **vars(base.config.train), **vars(base.config)}
    has |= {"corpus": base.corpus, "data": base.data, "family": base.config.family}
    other = [name for name, value in asked.items() if not equal(has.get(name), value)]
    return f"{other} are not as asked" if other else ""


def equal(has, asked):
    asked = tuple(asked) if isinstance(asked, list) else asked
    try:
        return has == asked or has == float(asked)  # YAML 1.1 takes 1e-3 for a text
    except (TypeError, ValueError):
        return False


def test_a_grid(attacked, watch):
    path = watch.work / "grid.yml"

    def one(rng):
        what, data = mutated_text(GRID, rng, str(watch.canary))
        path.write_bytes(data)
        return (
            what,
            lambda: read_grid(path),
            lambda grid, told: as_asked(grid, data.decode("utf-8-sig")),
        )

    attacked("yaml: grid", 80, one)


@pytest.fixture(scope="module")
def chapters():
    return read_chapters(BOOK)


def test_words_for_parameters(attacked, watch, chapters):
    names = sorted({name for chapter in chapters for name in chapter.parameters})

    def one(rng):
        name = pick(rng, [*names, *NASTY[:20]])
        value = nasty(rng, str(watch.canary))
        word = f"{name}={value}" if rng.random() < 0.95 else value

        def right(found, told):
            for key, one in found.items():
                kinds = [c.parameters[key].annotation for c in chapters if key in c.parameters]
                if not any(conforms(one, kind) for kind in kinds):
                    return f"{key} is {one!r}, not {kinds}"
            return ""

        return word[:60], lambda: read_overrides([word], chapters), right

    attacked("words: -p", 200, one)


def test_a_cell_of_parameters(attacked, watch, chapters):
    sources = [cell.source for c in chapters for cell in c.notebook.cells
               if "parameters" in cell.metadata.get("tags", [])]  # fmt: skip

    def one(rng):
        what, data = mutated_text(pick(rng, sources), rng, str(watch.canary))
        text = data.decode("utf-8", "replace")
        return what, lambda: read_parameters(text, "it"), None

    attacked("words: parameters cells", 100, one)


def test_a_notebook(attacked, watch):
    text = json.dumps(json.loads((BOOK / "08_tables.ipynb").read_text()))
    cell = {"cell_type": "code", "id": "x", "metadata": {"tags": ["parameters"]}, "outputs": [],
            "execution_count": None, "source": ["k: int = 10  # neighbours"]}  # fmt: skip
    head = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"companion": {"after": ["a"]}}}
    small = json.dumps({**head, "cells": [cell]})
    path = watch.work / "08_it.ipynb"

    def one(rng):
        what, data = mutated_text(text if rng.random() < 0.2 else small, rng, str(watch.canary))
        path.write_bytes(data)
        return what, lambda: read_chapter(path), None

    attacked("yaml: notebook", 40, one)


def test_profiles_and_contents(attacked, watch, chapters):
    for name in ("_toc.yml", "profiles.yml"):
        shutil.copy(BOOK / name, watch.work / name)
    for chapter in chapters:
        (watch.work / f"{chapter.name}.ipynb").symlink_to(chapter.path)
    for page in BOOK.glob("*.md"):
        (watch.work / page.name).symlink_to(page)
    texts = {name: (watch.work / name).read_text() for name in ("_toc.yml", "profiles.yml")}
    names = list(yaml.safe_load(texts["profiles.yml"]))

    def one(rng):
        for name, text in texts.items():
            (watch.work / name).write_text(text)
        name = pick(rng, ["profiles.yml", "profiles.yml", "profiles.yml", "_toc.yml"])
        what, data = mutated_text(texts[name], rng, str(watch.canary))
        (watch.work / name).write_bytes(data)
        if name == "_toc.yml":
            return f"{name}: {what}", lambda: read_chapters(watch.work), None
        profile = pick(rng, names)
        return what, lambda: read_profile(watch.work / name, profile, chapters), None

    attacked("yaml: profiles and contents", 60, one)
