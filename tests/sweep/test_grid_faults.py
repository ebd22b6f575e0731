"""A grid with a fault is one sentence that names the file, before anything is trained or made."""

import pytest

from dasheng_lib.common.errors import UserError
from dasheng_lib.sweep import grid
from dasheng_lib.sweep.grid import read_grid
from dasheng_lib.sweep.protocol import Protocol


def written(tmp_path, text):
    path = tmp_path / "grid.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe",
        "[" * 500,
        "- a",
        "base: [1]",
        "base: {1: 2}",
        "base: {steps: 2}\narms: [1]",
        "base: {steps: 2}\narms: {a: 1}",
        "base: {steps: 2}\narms: {a: [{1: 2}]}",
        "base: {steps: 2}\nprotocol: [1]",
        "base: {steps: 2}\njudged_at: 1",
        "base: {steps: 2}\n1: 2",
        "base: {steps: .inf}",
        f"base: {{steps: 1{'0' * 400}}}",
        "base: {steps: 1e1}",
        "base: {steps: 2, lr: .nan}",
        "base: {steps: 2, batch: 4.5}",
        "base: {steps: 2, batch: [true]}",
        "base: {steps: 2, batch: true}",
        "base: {steps: 2, seed: abc}",
        "base: {steps: 2, seed: -1}",
        "base: {steps: 2, seed: 1.5}",
        "base: {steps: 2, betas: [0.1, 0.2, 0.3]}",
        "base: {steps: 2, betas: [0.1, 1]}",
        "base: {steps: 2, weight_decay: -1}",
        "base: {steps: 2, group: 999}",
        "base: {steps: 2, family: ssast, group: 999}",
        "base: {steps: 2, mask_ratio: {a: 1}}",
        "base: {steps: 2, data: x}",
        "base: {steps: 2, corpus: nope}",
        "base: {steps: 2, corpus: [pocket]}",
        "base: {steps: 2}\narms: {a: {corpus: ['../../x']}}",
        "base: {steps: 2}\narms: {a: {seed: [1, 2, 3, 4], lr: [1e-3, 2e-3, 3e-3, 4e-3]}}",
    ],
)
def test_a_fault_of_a_grid_is_one_sentence(tmp_path, text, monkeypatch):
    monkeypatch.setattr(grid, "MOST_RUNS", 15)  # the last has one more
    path = written(tmp_path, text)
    with pytest.raises(UserError) as told:
        read_grid(path)
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)
    assert len(str(told.value)) < 1000


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: None])
def test_no_file_is_one_sentence(tmp_path, make):
    make(tmp_path / "grid.yml")
    with pytest.raises(UserError, match=r"grid.yml cannot be read .*data_manifests/sweeps"):
        read_grid(tmp_path / "grid.yml")


def test_numbers_are_read_as_people_write_them(tmp_path):
    text = "base: {corpus: synthetic, lr: 1e-3, mask_ratio: 5e-1, weight_decay: 1E-2}\n"
    text += "arms: {a: {lr: [+2e-3, .5e-3, 1.e-4, 0.001]}}\nprotocol: {corpora: [synthetic]}\n"
    trials = read_grid(written(tmp_path, text)).trials
    assert [trial.config.train.lr for trial in trials] == [1e-3, 2e-3, 5e-4, 1e-4]
    assert trials[0].config.task.mask_ratio == 0.5
    assert trials[0].config.train.weight_decay == 0.01


@pytest.mark.parametrize("word", ["1e", "e-3", "1e-3x", "v1e-3"])
def test_what_is_no_number_stays_text(tmp_path, word):
    with pytest.raises(UserError, match="lr is of type float"):
        read_grid(written(tmp_path, f"base: {{lr: {word}}}"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 0},
        {"k": -1},
        {"k": "ten"},
        {"k": True},
        {"few": 0},
        {"exam_crops": 0},
        {"seconds": -1.0},
        {"seconds": float("nan")},
        {"exam_seconds": 0.0},
        {"mask_ratio": 5},
        {"hold_out": 0.0},
        {"hold_out": 0.6},
        {"corpora": ()},
        {"corpora": ("nope",)},
        {"corpora": ("synthetic", "synthetic")},
        {"corpora": "synthetic"},
        {"tasks": ("nope",)},
        {"aside": ("nope",)},
        {"judged_at": (2.0,)},
        {"layers": 1},
    ],
)
def test_a_protocol_is_checked_when_it_is_made(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Protocol(**wrong)


@pytest.mark.parametrize(
    ("teachers", "names"),
    [
        ("['a/b.safetensors', 'c.safetensors']", ["teacher-a_b.safetensors", "teacher-c.s"]),
        ("['../../../x']", ["teacher-.._.._.._x"]),
    ],
)
def test_the_folder_of_a_run_stays_in_that_of_the_sweep(tmp_path, teachers, names):
    text = f"base: {{family: hubert, corpus: synthetic}}\narms: {{a: {{teacher: {teachers}}}}}\n"
    trials = read_grid(written(tmp_path, text + "protocol: {corpora: [synthetic]}")).trials
    assert len(trials) == len(names) + 1
    for trial, name in zip(trials[1:], names, strict=True):
        assert trial.run.startswith(name)
        assert (tmp_path / trial.run).parent == tmp_path


@pytest.mark.parametrize("teachers", ["['a/b', 'a_b']", f"['{'x' * 300}']", '["a\\0b"]'])
def test_a_name_that_no_folder_can_have_or_two_runs_is_said(tmp_path, teachers):
    text = f"base: {{family: hubert, corpus: synthetic}}\narms: {{a: {{teacher: {teachers}}}}}\n"
    with pytest.raises(UserError, match=r"several runs are called|cannot be the name"):
        read_grid(written(tmp_path, text + "protocol: {corpora: [synthetic]}"))
