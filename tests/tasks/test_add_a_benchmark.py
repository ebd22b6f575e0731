"""The worked example of *Add a benchmark* in CONTRIBUTING runs as it stands there."""

import re
import runpy
import warnings

import numpy as np
import pytest
import soundfile
from walks import blocks

from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import manifest, official_sets
from dasheng_lib.tasks.benchmarks import BENCHMARKS

FROGS = {"tree": 400.0, "bull": 1600.0, "cricket": 3200.0}
EXAMPLE, MADE_UP = blocks("Add a benchmark", "python")
(MANIFEST,) = blocks("Add a benchmark", "yaml")
PONDS = ("north", "south [old]", "west")


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The example as a file in an empty folder, which is where it runs."""
    (tmp_path / "frogs.py").write_text(EXAMPLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "frogs.py"


@pytest.fixture
def frogs(example):
    """Three calls of each frog in each pond, one a .flac, one stereo, and one listed and absent."""
    calls = example.parent / "frogs" / "set 1.0" / "calls"  # as archives unpack
    calls.mkdir(parents=True)
    rng, rate = np.random.default_rng(0), 16_000
    lines = ["file,species,pond"]
    for pond in PONDS:
        for species, hertz in FROGS.items():
            for take in range(3):
                t = np.arange(rate * (2 + take)) / rate
                wave = np.sin(2 * np.pi * hertz * t) + 0.3 * rng.normal(size=len(t))
                name = f"{pond} {species} {take}"
                stereo = np.stack([wave, wave], 1) if take == 1 else wave
                ending = ".flac" if take == 2 else ".wav"
                soundfile.write(calls / f"{name}{ending}", 0.3 * stereo, rate)
                lines.append(f"{name}.wav,{species},{pond}")
    lines.append("never recorded.wav,tree,west")
    (calls.parent / "calls.csv").write_text("\n".join(lines) + "\n")
    return calls.parents[1]


def test_the_example_tells_frogs_apart(example, frogs, capsys):
    with pytest.warns(UserWarning, match="1 of the 28"):
        runpy.run_path(str(example), run_name="__main__")
    said = capsys.readouterr().out
    assert "accuracy" in said and "log-mel statistics" in said
    assert float(re.search(r"accuracy +([\d.]+)", said)[1]) == 1.0


def test_frogs_are_made_up_where_there_are_none(example, capsys):
    exec(compile(MADE_UP, "CONTRIBUTING", "exec"), {})
    runpy.run_path(str(example), run_name="__main__")
    assert float(re.search(r"accuracy +([\d.]+)", capsys.readouterr().out)[1]) == 1.0


def test_the_task_of_the_example_keeps_ponds_apart_and_cuts_to_three_seconds(example, frogs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = runpy.run_path(str(example))["frogs_task"]("frogs", frogs)
    assert set(task.clips) == {fold.name for fold in task.folds} == set(PONDS)
    assert task.labels == tuple(sorted(FROGS))
    for pond, clips in task.clips.items():
        assert len(clips) == 9 and all(pond in clip.name for clip in clips)
        assert all(clip.seconds == 3.0 and len(clip.wave()) == clip.samples for clip in clips)
    for fold in task.folds:
        assert not set(fold.test) & {*fold.train, *fold.valid}


@pytest.fixture
def in_the_library(example, tmp_path, monkeypatch):
    """The example as steps 2 and 3 of the section make it part of the library."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "frogs.yml").write_text(MANIFEST)
    monkeypatch.setattr(manifest, "FOLDER", tmp_path / "manifests")
    monkeypatch.setattr(official_sets, "MANIFESTS", ("frogs",))
    monkeypatch.setitem(BENCHMARKS, "frogs", runpy.run_path(str(example))["frogs_task"])
    monkeypatch.setenv("DASHENG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DASHENG_DATA", raising=False)


def test_in_the_library_the_command_knows_it_by_name(in_the_library, frogs, capsys):
    command = ["evaluate", "frogs", "--task", "Frogs", "--from", str(frogs.parent)]
    assert main([*command, "--encoder", "logmel"]) == 0
    said = capsys.readouterr()
    (line,) = [line for line in said.out.splitlines() if line.split()[:1] == ["frogs"]]
    assert "accuracy" in line and "100.0" in line
    assert "1 of the 28 clips" in said.err


def test_in_the_library_a_missing_set_is_told_as_its_manifest_says(
    in_the_library, tmp_path, capsys
):
    assert main(["evaluate", "frogs", "--task", "frogs", "--from", str(tmp_path)]) != 0
    said = capsys.readouterr().err
    assert "record frogs at three ponds, so that" in said and "holds calls/ and calls.csv" in said
    assert "CC0 1.0" in said


def test_another_folder_is_refused_in_a_sentence(example):
    (example.parent / "frogs").mkdir()
    with pytest.raises(UserError, match=r"calls.csv"):
        runpy.run_path(str(example), run_name="__main__")
