"""Numbers of the reference implementation, to the tolerances that came with them.

``tests/golden/README.md`` says where the vectors come from.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dasheng_lib.checkpoint import load_published
from dasheng_lib.checkpoint.published import from_upstream
from dasheng_lib.features import LogMel
from dasheng_lib.mae import MAEConfig, MaskedAutoencoder
from dasheng_lib.model import Encoder, EncoderConfig

GOLDEN = Path(__file__).parents[1] / "golden"
TINY = EncoderConfig(dim=32, depth=2, heads=4)

# Upstream's layout meets a fault of torch's CPU batch norm (2.13: channels-last output, gradient
# that is not): its gradients of these two are not the sums of what flows in, and a finite
# difference contradicts them (README of the vectors). These are the true norms, from float64.
TRUE_NORMS = {"encoder.init_bn.1.weight": 0.004931210, "encoder.init_bn.1.bias": 0.018160176}


def vectors(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def weights(golden, prefix="w/"):
    return from_upstream(
        {
            key.removeprefix(prefix): torch.from_numpy(np.array(value))
            for key, value in golden.items()
            if key.startswith(prefix) and "front_end" not in key
        }
    )


@pytest.fixture(scope="module")
def frontend():
    return vectors("frontend")


@pytest.fixture(scope="module")
def encoder_golden():
    return vectors("encoder_tiny")


def tiny_encoder(golden, **choices):
    encoder = Encoder(replace(TINY, **choices))
    encoder.load_state_dict(weights(golden))
    return encoder.eval()


def test_window_and_filters(frontend):
    log_mel = LogMel()
    np.testing.assert_allclose(log_mel.window, frontend["window"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(log_mel.filters, frontend["fb"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["tone", "chirp", "zeros", "noise", "quiet_noise", "short480"])
def test_log_mel(frontend, name):
    expected = frontend[f"db_{name}"]
    got = LogMel()(torch.from_numpy(frontend[f"x_{name}"])[None])[0].numpy()
    deep = expected < expected.max() - 70  # rounding noise of the FFT lives down there
    np.testing.assert_allclose(got[~deep], expected[~deep], rtol=0, atol=1e-3)
    np.testing.assert_allclose(got[deep], expected[deep], rtol=0, atol=0.5)
    if name == "zeros":
        assert (got == -100).all()


def test_floor_is_the_batch_s_or_the_clip_s(frontend):
    wave = torch.from_numpy(
        np.stack([frontend[f"x_{n}"] for n in ("tone", "zeros", "quiet_noise")])
    )
    batch = LogMel()(wave).numpy()
    np.testing.assert_allclose(batch, frontend["db_batch_tone_zeros_quiet"], rtol=0, atol=1e-3)
    assert (LogMel("clip")(wave)[1] == -100).all()


def test_tokens(encoder_golden):
    got = tiny_encoder(encoder_golden)(torch.from_numpy(encoder_golden["x_1s"])).detach().numpy()
    np.testing.assert_allclose(got[0], encoder_golden["y_1s"][0], rtol=0, atol=3e-3)
    np.testing.assert_allclose(got[1], encoder_golden["y_1s"][1], rtol=0, atol=2e-5)


def test_tokens_of_the_same_weights_as_a_published_file(encoder_golden, tmp_path):
    stored = {k[2:]: torch.from_numpy(v) for k, v in encoder_golden.items() if k.startswith("w/")}
    torch.save({"model": stored, "config": {"num_heads": 4}}, tmp_path / "published.pt")
    encoder = load_published(tmp_path / "published.pt", floor="batch")
    got = encoder(torch.from_numpy(encoder_golden["x_1s"])).detach().numpy()
    np.testing.assert_allclose(got[1], encoder_golden["y_1s"][1], rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("expected", "choices"),
    [
        ("y_long_v008", {}),
        ("y_long_v001_to_v007", {"long_audio": "pad"}),
        ("y_long_x_length", {"padding": "reference"}),
    ],
)
def test_tokens_of_long_audio(encoder_golden, expected, choices):
    encoder = tiny_encoder(encoder_golden, **choices)
    lengths = torch.from_numpy(encoder_golden["lengths"]) if "x_length" in expected else None
    got = encoder(torch.from_numpy(encoder_golden["x_long"]), lengths).detach().numpy()
    np.testing.assert_allclose(got[0], encoder_golden[expected][0], rtol=0, atol=2e-5)
    np.testing.assert_allclose(got[1], encoder_golden[expected][1], rtol=0, atol=5e-3)


def test_the_rules_for_long_audio_can_be_told_apart(encoder_golden):
    wave = torch.from_numpy(encoder_golden["x_long"])
    with torch.no_grad():
        short = tiny_encoder(encoder_golden)(wave)[0].numpy()
        pad = tiny_encoder(encoder_golden, long_audio="pad")(wave)[0].numpy()
    assert np.abs(short - encoder_golden["y_long_x_length"][0])[:200].max() > 1e-4
    assert np.abs(short[252:] - pad[252:]).max() > 1e-3


def test_one_step_of_masked_training():
    golden = vectors("mae_tiny")
    model = MaskedAutoencoder(Encoder(replace(TINY, floor="batch")), MAEConfig(16, 1, 2))
    model.encoder.load_state_dict(weights(golden, "w/encoder."))
    model.decoder.load_state_dict(weights(golden, "w/decoder."))
    out = model(torch.from_numpy(golden["x"]), noise=torch.from_numpy(golden["noise"]))
    np.testing.assert_array_equal(out.mask_BT.float(), golden["mask"])
    np.testing.assert_allclose(out.prediction_BTP.detach(), golden["pred"], rtol=0, atol=2e-3)
    decibels = out.target_BTP * out.scale_BT1 + out.mean_BT1
    np.testing.assert_allclose(decibels[:, :2], golden["target_first2"], rtol=0, atol=1e-3)
    assert out.loss.item() == pytest.approx(float(golden["loss"]), abs=1e-5)

    out.loss.backward()
    expected = dict(zip(golden["grad_names"].tolist(), golden["grad_norms"], strict=True))
    expected |= TRUE_NORMS
    got = {name: p.grad.norm().item() for name, p in model.named_parameters()}
    for upstream, norm in expected.items():
        part, _, name = upstream.partition(".")
        (ours,) = from_upstream({name: torch.zeros(1, 1, 1, 1)})
        assert got.pop(f"{part}.{ours}") == pytest.approx(norm, rel=1e-3), upstream
    assert not got

    norm_in = model.encoder.norm_in
    np.testing.assert_allclose(
        norm_in.running_mean, golden["bn_running_mean_after"], rtol=0, atol=2e-5
    )
    np.testing.assert_allclose(
        norm_in.running_var, golden["bn_running_var_after"], rtol=0, atol=2e-3
    )


def test_gradients_of_the_input_norm_agree_with_finite_differences():
    golden = vectors("mae_tiny")
    model = MaskedAutoencoder(Encoder(TINY), MAEConfig(16, 1, 2))
    model.encoder.load_state_dict(weights(golden, "w/encoder."))
    model.decoder.load_state_dict(weights(golden, "w/decoder."))
    wave, noise = torch.from_numpy(golden["x"]), torch.from_numpy(golden["noise"])
    model(wave, noise=noise).loss.backward()
    for parameter in (model.encoder.norm_in.weight, model.encoder.norm_in.bias):
        direction = parameter.grad / parameter.grad.norm()
        losses = []
        with torch.no_grad():
            for step in (-5e-2, 5e-2):
                parameter += step * direction
                losses.append(model(wave, noise=noise).loss.item())
                parameter -= step * direction
        slope = (losses[1] - losses[0]) / 1e-1
        assert slope == pytest.approx(parameter.grad.norm().item(), rel=1e-2)
