"""Broken tables of clips: no row is lost without a word, and none is invented."""

import csv
import io

import numpy as np
import pytest
from mutations import mutated_text, pick
from official_folders import sound

from dasheng_lib.commands.embed import clips_of as embedded_clips
from dasheng_lib.common.places import ROOT
from dasheng_lib.scaling.design import read_design, read_noise
from dasheng_lib.shards import clips_of
from dasheng_lib.tasks.table import read_table_task

SWEEPS = ROOT / "data_manifests" / "sweeps"
ROWS = [("path", "label", "fold", "group")]
ROWS += [(f"a/{i}.wav", ["dog", "cat", "cow"][i % 3], str(i // 6), f"g{i // 2}") for i in range(12)]


def table_text(rows, delimiter=","):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


def read_by_csv(data, **how):
    """Rows by name as Python's own reader has them; None where it has none."""
    try:
        text = data.decode("utf-8-sig").lstrip("\r\n")
        rows = [*csv.DictReader(io.StringIO(text, newline=""), strict=True, **how)]
    except (UnicodeDecodeError, csv.Error):
        return None
    return [row for row in rows if any(row.values())] if rows and "path" in rows[0] else None


@pytest.fixture
def sounds(watch):
    for row in ROWS[1:]:
        sound(watch.work / row[0], seconds=0.05)
    return watch.work


def test_a_table_of_own_clips(attacked, sounds, watch):
    text = table_text(ROWS)

    def one(rng):
        what, data = mutated_text(text, rng, str(watch.canary))
        path = sounds / "own.csv"
        path.write_bytes(data)
        rows = read_by_csv(data)

        def right(task, told):
            found = sorted((c.name, c.labels[0]) for part in task.clips.values() for c in part)
            if rows is not None and found != sorted((r["path"], r["label"]) for r in rows):
                return f"{len(found)} clips of {len(rows)} rows, or other labels"
            return ""

        return what, lambda: read_table_task(path, progress=False), right

    attacked("tables: evaluate csv", 60, one)


def test_a_table_of_what_to_embed(attacked, sounds, watch):
    text = table_text([(r[0], r[1]) for r in ROWS])

    def one(rng):
        what, data = mutated_text(text, rng, str(watch.canary))
        path = sounds / "own.csv"
        path.write_bytes(data)
        rows = read_by_csv(data)

        def right(found, told):
            names = [r["path"] for r in rows] if rows is not None else list(found[0])
            return "" if names == list(found[0]) else f"{len(names)} rows, {len(found[0])} clips"

        return what, lambda: embedded_clips([str(path)]), right

    attacked("tables: embed", 40, one)


def test_a_table_of_what_to_pack(attacked, sounds, watch):
    rows = [("filename", "text"), *((r[0], 'he "said, so') for r in ROWS[1:])]

    def one(rng):
        tabs = rng.random() < 0.5
        what, data = mutated_text(table_text(rows, "\t" if tabs else ","), rng, str(watch.canary))
        path = sounds / ("own.tsv" if tabs else "own.csv")
        path.write_bytes(data)
        how = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
        wanted = read_by_csv(data.replace(b"filename", b"path"), **how)

        def call():
            def wave(clip):
                try:
                    return len(clip.wave())
                except FileNotFoundError:
                    return None

            return [(clip.origin, wave(clip)) for clip in clips_of(path)]

        def right(found, told):
            if wanted is None:
                return ""
            return "" if len(found) == len(wanted) else f"{len(found)} of {len(wanted)} rows"

        return what, call, right

    attacked("tables: pack", 20, one)


def test_the_design_and_the_noise_of_a_sweep(attacked, watch):
    texts = {name: (SWEEPS / f"desk_{name}.csv").read_text() for name in ("design", "noise")}
    whole = read_design(SWEEPS / "desk_design.csv")

    def one(rng):
        name = pick(rng, list(texts))
        what, data = mutated_text(texts[name], rng, str(watch.canary))
        path = watch.work / f"{name}.csv"
        path.write_bytes(data)

        def right(found, told):
            if name == "design":
                return "" if 0 < len(found) < 20 * len(whole) else f"{len(found)} runs"
            numbers = np.concatenate([found.seed, found.setting, [found.rank, found.shared]])
            return "" if np.isfinite(numbers).all() and numbers.min() >= 0 else f"{numbers}"

        call = {"design": read_design, "noise": read_noise}[name]
        return f"{name}: {what}", lambda: call(path), right

    attacked("tables: design and noise", 60, one)
