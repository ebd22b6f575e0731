"""The HEAR checks: silent about a sound module, and precise about each way to break one."""

import re
import sys

import pytest
import torch
from hear_fakes import Model, fake, timed

from dasheng_lib import cli, hear_api
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.hear.validator import check_hear, check_module, check_times


def findings(model=None, **parts):
    module = fake(**parts)
    return check_module(module, model or module.load_model())


def model_with(**attributes):
    model = Model()
    for name, value in attributes.items():
        setattr(model, name, value)
    return model


def test_a_sound_module_has_no_findings():
    assert findings() == []


@pytest.mark.parametrize("name", ["random:nano", "logmel"])
def test_our_own_module_has_none(name):
    assert check_module(hear_api, hear_api.load_model(name)) == []


def times(first=20.0, hop=40.0):
    return {"get_timestamp_embeddings": lambda audio, model: timed(model(audio), first, hop)}


def stamps(change):
    """Embeddings as they should be, timestamps changed."""

    def get(audio, model):
        vectors, time = timed(model(audio))
        return vectors, change(time)

    return {"get_timestamp_embeddings": get}


def scenes(change):
    return {"get_scene_embeddings": lambda audio, model: change(model(audio).mean(1))}


def broken_call(audio, model):
    raise RuntimeError("no such kernel")


BROKEN = {
    "no scenes": ({"get_scene_embeddings": None}, "no function get_scene_embeddings"),
    "fails": ({"get_scene_embeddings": broken_call}, "4 clips of 2.74 s failed: RuntimeError: no"),
    "one tensor": (
        {"get_timestamp_embeddings": lambda audio, model: model(audio)},
        "does not return two tensors",
    ),
    "list": (scenes(lambda x: x.tolist()), "get_scene_embeddings does not return a tensor"),
    "float64": (scenes(lambda x: x.double()), r"torch.float64 embeddings: give torch.float32"),
    "size": (scenes(lambda x: x[:, :2]), r"embeddings \[4, 2\]: give \[4, 3\]"),
    "clips": (scenes(lambda x: x[:1]), r"embeddings \[1, 3\]: give \[4, 3\]"),
    "dimensions": (scenes(lambda x: x[0]), r"embeddings \[3\]: give \[4, 3\]"),
    "nan": (scenes(lambda x: x * torch.nan), "values that are not finite"),
    "seconds": (stamps(lambda t: t / 1000), "end at 1.06 for 1.07 s of audio, so they are in sec"),
    "mel frames as seconds": (stamps(lambda t: t / 10 / 16_000), "in seconds or another unit"),
    "irregular": (stamps(lambda t: t + 2 * (t == 60)), "not regular: 40 ms apart on average"),
    "backwards": (stamps(lambda t: t.flip(1)), "not regular: -40 ms apart"),
    "behind the end": (times(60, 40), "end at 1100 ms for 1070 ms"),
    "timestamps nan": (stamps(lambda t: t * torch.nan), "timestamp is not finite"),
    "one row": (stamps(lambda t: t[0]), r"timestamps \[27\] with embeddings \[2, 27, 3\]"),
    "too few": (stamps(lambda t: t[:, 1:]), r"timestamps \[2, 26\] with"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_are_named(name):
    parts, said = BROKEN[name]
    (first, *_) = [f for f in findings(**parts) if f.level == "error"]
    assert re.search(said, first.says), first.says


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"sample_rate": 8000}, "sample_rate is 8000: use one of 16000"),
        ({"sample_rate": 16000.0}, "sample_rate is 16000.0 (float): make it a Python int"),
        ({"scene_embedding_size": 3.0}, "scene_embedding_size is 3.0 (float)"),
        ({"timestamp_embedding_size": True}, "timestamp_embedding_size is True (bool)"),
        ({"timestamp_embedding_size": None}, "no attribute timestamp_embedding_size"),
        ({"timestamp_embedding_size": 4}, "embeddings [2, 27, 3]: give [2, timestamps, 4]"),
    ],
)
def test_attributes_are_checked(attributes, said):
    (finding,) = findings(model_with(**attributes))
    assert finding.level == "error" and said in finding.says


@pytest.mark.parametrize(
    ("parts", "attributes", "check"),
    [
        (times(hop=40.0001), {}, None),
        (stamps(lambda t: t + 0.1 * (t == 60)), {}, "spacing"),
        (stamps(lambda t: t[:, :1] + 60 * torch.arange(t.shape[1]) * 0.66), {}, None),
        (stamps(lambda t: t - 20 + 50 * (t > 0)), {}, "begin"),
        (stamps(lambda t: t * 0.9), {}, "end"),
        ({}, {"sample_rate": 32_000}, "sample_rate"),
    ],
)
def test_warnings_are_no_errors(parts, attributes, check):
    found = findings(model_with(**attributes), **parts)
    assert [f for f in found if f.level == "error" and f.check not in ("end",)] == []
    assert check is None or check in {f.check for f in found}


def test_a_wide_hop_is_a_warning():
    wide = torch.arange(10.0, 1070, 80)[None]
    assert [(f.level, f.check) for f in check_times(wide, 1.07)] == [("warning", "hop")]
    one = torch.tensor([[500.0]])
    assert list(check_times(one, 1.0)) == []


def test_a_model_left_in_training_and_batch_mates_are_warned_of():
    noisy = scenes(lambda x: x * (1 + torch.rand_like(x)))
    assert [(f.level, f.check) for f in findings(**noisy)] == [("warning", "repeat")]
    relative = scenes(lambda x: x / x.max())
    assert [(f.level, f.check) for f in findings(**relative)] == [("warning", "batch")]


def test_each_check_speaks_once():
    found = findings(**stamps(lambda t: t / 1000))
    assert len(found) == 1


def test_the_command(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "fake_hear", fake())
    assert cli.main(["hear-check", "fake_hear", "--device", "cpu"]) == 0
    monkeypatch.setitem(sys.modules, "fake_hear", fake(**stamps(lambda t: t / 1000)))
    assert cli.main(["hear-check", "fake_hear", "--device", "cpu"]) == 1
    assert "in seconds" in capsys.readouterr().out


def test_modules_that_do_not_load_are_named(monkeypatch, tmp_path):
    with pytest.raises(UserError, match=r"module no\.such cannot be found"):
        check_hear("no.such")
    with pytest.raises(UserError, match="not the name of a module"):
        check_hear("")
    (tmp_path / "lacks_something.py").write_text("import not_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="imports not_here, which cannot be found"):
        check_hear("lacks_something")
    monkeypatch.setitem(sys.modules, "fake_hear", fake(load_model=lambda: "model"))
    (finding,) = check_hear("fake_hear")
    assert "returned a str" in finding.says
    monkeypatch.setitem(sys.modules, "fake_hear", fake(load_model=lambda: 1 / 0))
    (finding,) = check_hear("fake_hear")
    assert finding.says.startswith("load_model failed: ZeroDivisionError")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def f(:", "SyntaxError"),
        ("import nope_nope", "imports nope_nope, which cannot be found"),
        ("from os import nope", "ImportError"),
        ("raise OSError('libx.so')", "OSError: libx.so"),
        ("raise RuntimeError('no card')", "RuntimeError: no card"),
        ("raise ValueError('bad\\nvalue')", "ValueError: bad value"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
    ],
)
@pytest.mark.parametrize("use", [check_hear, lambda name: load_encoder(f"hear:{name}")])
def test_whatever_a_module_does_when_it_is_imported_is_one_sentence(
    tmp_path, monkeypatch, code, said, use
):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_at_import.py").write_text(code)
    with pytest.raises(UserError, match=f"^The module broken_at_import.*{said}") as told:
        use("broken_at_import")
    assert "\n" not in str(told.value)


def too_short(audio, model):
    if audio.shape[1] < 1.05 * model.sample_rate:
        raise RuntimeError("kernel larger than the input")
    return model(audio).mean(1)


def exits(audio, model):
    raise SystemExit(1)


def squeezed(audio, model):
    return model(audio).mean(1).squeeze(0)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (too_short, "get_scene_embeddings of 1 of 1 s failed: RuntimeError: kernel larger"),
        (squeezed, r"get_scene_embeddings gives embeddings \[3\]: give \[1, 3\]"),
        (exits, "failed: SystemExit"),
    ],
)
def test_what_fails_beside_the_official_sizes_is_a_finding(function, said):
    (found,) = findings(get_scene_embeddings=function)
    assert found.level == "error" and re.search(said, found.says)


def test_a_module_that_cannot_embed_a_second_is_no_encoder(monkeypatch):
    monkeypatch.setitem(sys.modules, "fake_hear", fake(get_scene_embeddings=too_short))
    with pytest.raises(UserError, match=r"cannot embed two clips of 1 s \(RuntimeError: kernel"):
        load_encoder("hear:fake_hear")


def test_the_home_of_weights_is_expanded_and_other_names_are_left_alone(monkeypatch, tmp_path):
    given = []
    module = fake(load_model=lambda path="": given.append(path) or Model())
    monkeypatch.setitem(sys.modules, "fake_hear", module)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("~/x.pt", "http://x/y", "random:nano"):
        check_hear("fake_hear", name, "cpu")
    assert given == [f"{tmp_path}/x.pt", "http://x/y", "random:nano"]
