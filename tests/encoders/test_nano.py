"""The encoder that comes with the library: what its card says is so, and so are its claims."""

import hashlib
import re

import pytest
import torch

from dasheng_lib.checkpoint import load_autoencoder
from dasheng_lib.encoders import WEIGHTS, load_encoder
from dasheng_lib.evaluation.pocket import accuracy_by_domain
from dasheng_lib.mae import masked_mse
from dasheng_lib.model import PRESETS
from dasheng_lib.results import read_results

CARD = WEIGHTS["nano"].with_suffix(".md").read_text()


@pytest.fixture(scope="module")
def recorded():
    return read_results("encoders")


def test_it_is_the_nano_and_small_enough_to_travel():
    encoder = load_encoder("dasheng:nano")
    size = PRESETS["nano"]
    assert (encoder.dim, encoder.encoder.config) == (size.dim, size)
    assert WEIGHTS["nano"].stat().st_size <= 10_000_000


def test_the_card_is_of_this_file():
    sha256 = hashlib.sha256(WEIGHTS["nano"].read_bytes()).hexdigest()
    assert sha256 in CARD


def test_it_reconstructs_sounds_it_never_heard(synthetic):
    model = load_autoencoder(WEIGHTS["nano"])
    wave_BN = torch.zeros(24, 16_000)
    for row, clip in zip(wave_BN, range(0, 240, 10), strict=True):
        samples = torch.from_numpy(synthetic.wave(clip).copy())[:16_000]
        row[: len(samples)] = samples / samples.abs().max()
    with torch.no_grad():
        out = model(wave_BN, torch.Generator().manual_seed(0))
    nothing = masked_mse(torch.zeros_like(out.target_BTP), out.target_BTP, out.mask_BT)
    assert out.loss < 0.9 * nothing


def test_the_card_says_what_is_recorded(recorded):
    """Every row of the card's table is a row of the recorded one, rounded."""
    said = re.findall(r"^\| ([\w-]+) \|((?: [\d.]+ \|){6})$", CARD, re.MULTILINE)
    assert len(said) >= 8
    accuracy = recorded.set_index(["task", "encoder", "probe"])["accuracy"]
    for task, numbers in said:
        shown = [float(number) for number in re.findall(r"[\d.]+", numbers)]
        expected = [100 * accuracy[(task, *column)] for column in COLUMNS]
        assert shown == pytest.approx(expected, abs=0.051)


def test_the_card_says_the_recorded_averages(recorded):
    said = dict(re.findall(r"^\| \*(\w+)\* \|((?: [\d.]+ \|){6})$", CARD, re.MULTILINE))
    means = accuracy_by_domain(recorded)
    assert set(said) == set(means.columns)
    for domain, numbers in said.items():
        shown = [float(number) for number in re.findall(r"[\d.]+", numbers)]
        expected = [100 * means[domain][column] for column in COLUMNS]
        assert shown == pytest.approx(expected, abs=0.051), domain


COLUMNS = [
    (encoder, probe)
    for probe in ("linear", "knn")
    for encoder in ("dasheng:nano", "untrained nano", "log-mel statistics")
]


def test_it_beats_itself_untrained_in_every_domain_and_log_mel_on_average(recorded):
    means = accuracy_by_domain(recorded[recorded["probe"] == "linear"]).droplevel("probe")
    trained, untrained = means.loc["dasheng:nano"], means.loc["untrained nano"]
    assert (trained > untrained).all()
    assert trained["average"] > means.loc["log-mel statistics", "average"]
