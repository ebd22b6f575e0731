"""The library as a HEAR module."""

import numpy as np
import pytest
import torch

from dasheng_lib import hear_api
from dasheng_lib.checkpoint import save_weights
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.encoders.dasheng import untrained_network
from dasheng_lib.hear_api import get_scene_embeddings, get_timestamp_embeddings, load_model


@pytest.fixture(scope="module")
def model():
    return load_model(size="nano")


def noise(clips, samples, seed=0):
    return torch.randn(clips, samples, generator=torch.Generator().manual_seed(seed)) * 0.1


@pytest.mark.parametrize("samples", [480, 639, 640, 16_000, 161_280, 161_281, 400_000])
def test_lengths_from_the_shortest_to_many_chunks(model, samples):
    audio = noise(2, samples)
    vectors, times = get_timestamp_embeddings(audio, model)
    T = (samples // 160 + 1) // 4
    assert vectors.shape == (2, T, 192) and vectors.dtype == torch.float32
    np.testing.assert_array_equal(times.numpy(), np.tile(20 + 40 * np.arange(T), (2, 1)))
    assert times.max() <= samples / 16 or samples < 640
    scenes = get_scene_embeddings(audio, model)
    torch.testing.assert_close(scenes, vectors.mean(1))
    assert not scenes.requires_grad and not model.training


def test_it_agrees_with_the_encoder_of_the_same_name(model):
    audio, encoder = noise(3, 20_000), load_encoder("random:nano")
    torch.testing.assert_close(
        get_scene_embeddings(audio, model), encoder.clips(audio), rtol=0, atol=2e-5
    )


def test_a_trained_file_by_path_and_by_name(tmp_path):
    path = tmp_path / "final.safetensors"
    save_weights(untrained_network("nano", seed=3), path)
    audio = noise(1, 8000)
    expected = get_scene_embeddings(audio, load_model(size="nano", seed=3))
    for name in (path, str(path), f"dasheng:{path}"):
        assert torch.equal(get_scene_embeddings(audio, load_model(name)), expected)
    assert not torch.equal(get_scene_embeddings(audio, load_model(size="nano")), expected)


def test_any_other_encoder(model):
    other, audio = load_model("logmel"), noise(2, 300)
    assert (other.sample_rate, other.scene_embedding_size, other.timestamp_embedding_size) == (
        16_000,
        128,
        64,
    )
    vectors, times = get_timestamp_embeddings(audio, other)
    assert times[0].tolist() == [0, 10, 20, 30] and vectors.shape == (2, 4, 64)
    frozen = hear_api.AnyModel(load_encoder("random:nano"))
    assert not get_scene_embeddings(audio, frozen).is_inference()  # a probe can be trained on them


def test_a_window_longer_than_the_clip_stands_in_its_middle():
    class Slow:
        sample_rate, dim, hop_ms, first_ms, min_samples = 16_000, 1, 1000.0, 900.0, 1

        def frames(self, wave, lengths=None):
            return torch.ones(len(wave), max(1, wave.shape[1] // 16_000), 1)

    slow = hear_api.AnyModel(Slow())
    assert (
        get_timestamp_embeddings(torch.zeros(2, 8000), slow)[1].tolist() == [[250.0]] * 2
    )  # 900 ms lie behind it
    assert get_timestamp_embeddings(torch.zeros(1, 32_000), slow)[1].tolist() == [[900, 1900]]


def test_what_cannot_be_loaded_is_named(monkeypatch):
    monkeypatch.setattr(hear_api, "WEIGHTS", {})
    with pytest.raises(UserError, match="pass model_file_path"):
        load_model()
    for name in ("nonsense", "absent.safetensors", "published:absent.pt", "random:giant"):
        with pytest.raises(UserError):
            load_model(name)
    with pytest.raises(UserError, match="not both"):
        load_model("logmel", size="nano")


def test_bundled_weights_are_the_default(monkeypatch, tmp_path):
    save_weights(untrained_network("nano", seed=5), tmp_path / "nano.safetensors")
    monkeypatch.setattr(hear_api, "WEIGHTS", {"nano": tmp_path / "nano.safetensors"})
    audio = noise(1, 8000)
    expected = get_scene_embeddings(audio, load_model(size="nano", seed=5))
    assert torch.equal(get_scene_embeddings(audio, load_model()), expected)
