"""What was moved out of the cells of chapters: small, and each with a case that one can check."""

import inspect

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from dasheng_lib.book import (
    at_least,
    mel_to_wave,
    neighbours,
    over_folds,
    rank_traps,
    reconstructions,
    recorded_encoders,
    unheard,
)
from dasheng_lib.book.figures import plots, plots_audio
from dasheng_lib.book.figures.plots_scores import confusions
from dasheng_lib.book.parameters import ParameterError
from dasheng_lib.book.pretraining import RUN, check_run_parameters
from dasheng_lib.book.published_stand_in import stand_in
from dasheng_lib.book.words import captions
from dasheng_lib.checkpoint import load_published
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.mae import MaskedAutoencoder
from dasheng_lib.model import Encoder
from dasheng_lib.rank import rankme
from dasheng_lib.tasks import Declared
from dasheng_lib.train.recipes import RECIPES

RUN_CELL = """
corpus: str = "pocket"
preset: str = "nano"
steps: int = 800
batch: int = 64
clip_seconds: float = 1.0
mask_ratio: float = 0.5
group: int = 2
vary: bool = True
lr: float = 1e-3
seed: int = 0
k: int = 10
"""


def notebook(injected=""):
    names = {"In": ["", RUN_CELL, f"# Parameters\n{injected}"]}
    exec(RUN_CELL + injected, names)
    return names


def test_the_parameters_of_a_run_become_its_configuration():
    assert check_run_parameters(notebook(), k=at_least(1)) == RECIPES["quick"], "the quick run"
    asked = check_run_parameters(notebook("steps = 3\nlr = 1e-4\nseed = 7\nclip_seconds = 1"))
    assert (asked.train.steps, asked.train.lr, asked.train.seed) == (3, 1e-4, 7)
    assert isinstance(asked.clip_seconds, float), "equal runs have equal addresses in the cache"


@pytest.mark.parametrize(
    ("injected", "sentence"),
    [
        ("preset = 'huge'", "preset must be nano, "),
        ("corpus = 'pokcet'", "corpus must be one of 'pocket'"),
        ("mask_ratio = 1.0", "mask_ratio must be between 0 and 1, both excluded"),
        ("clip_seconds = 11.0", "clip_seconds must be between 0.1 and 10.08"),
        ("batch = 2.5", "batch must be of type int"),
        ("stepz = 3", "did you mean steps?"),
        ("k = 0", "k must be at least 1"),
        *((f"{name} = -1", f"{name} must be") for name in RUN if name != "preset"),
    ],
)
def test_a_run_that_cannot_be_is_refused_in_a_sentence(injected, sentence):
    with pytest.raises(ParameterError) as caught:
        check_run_parameters(notebook(injected), k=at_least(1))
    assert sentence in str(caught.value)


def test_a_figure_is_shown_before_its_caption(monkeypatch):
    order = []
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: order.append("figure"))
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: order.append("words"))
    captions.caption("It falls.", alt="A line.")
    assert order == ["figure", "words"]
    with pytest.raises(ValueError, match="description"):
        captions.caption("It falls.", alt="")


def test_hidden_tokens_lie_on_the_line_between_visible_ones():
    x = torch.arange(6.0)[None, :, None] * torch.tensor([1.0, -2.0])
    hidden = torch.tensor([[False, True, True, False, True, False]])
    broken = torch.where(hidden[..., None], torch.nan, x)
    torch.testing.assert_close(reconstructions.interpolated(broken, hidden), x)
    ends = torch.tensor([[True, False, False, False, False, True]])
    filled = reconstructions.interpolated(x, ends)[0, :, 0].tolist()
    assert filled == [1, 1, 2, 3, 4, 4], "beyond the ends the nearest"


def test_a_reconstruction_keeps_what_was_visible():
    torch.manual_seed(0)
    wave = torch.randn(2, 8000) * 0.1
    out = MaskedAutoencoder.preset("nano").eval()(wave, torch.Generator().manual_seed(0))
    out = type(out)(**{k: v.detach() if hasattr(v, "detach") else v for k, v in vars(out).items()})
    true, painted = (f(out, 1) for f in (reconstructions.original, reconstructions.painted))
    np.testing.assert_allclose(true, out.mel_BFT[1, :, : true.shape[1]], atol=1e-3)
    hidden = np.repeat(out.mask_BT[1].numpy(), 4)
    np.testing.assert_array_equal(true[:, ~hidden], painted[:, ~hidden])
    assert np.abs(true - painted)[:, hidden].min() > 0
    guesses = reconstructions.loss_without_learning(out)
    assert guesses["nothing"] == pytest.approx(255 / 256, abs=1e-3)


def test_hidden_tokens_are_silent(monkeypatch):
    heard = []
    monkeypatch.setattr(mel_to_wave, "mel_to_wave", lambda mel: heard.append(mel) or np.zeros(9))
    mel = np.arange(64 * 9, dtype=np.float32).reshape(64, 9)
    hidden = np.array([False, True])
    sound = mel_to_wave.mel_sound(mel, "it", hidden)
    assert sound.mel_FT is mel and sound.hidden_T is hidden
    assert (heard[0][:, 4:8] == mel.min()).all() and (heard[0][:, :4] == mel[:, :4]).all()
    assert (heard[0][:, 8] == mel[:, 8]).all() and mel[0, 4] == 4, "the caller's is left alone"


def test_a_lead_is_that_of_the_same_folds():
    class Score:
        groups = np.repeat(["a", "b", "c"], 10)

        def __init__(self, *right):
            self.correct = np.concatenate([np.arange(10) < n for n in right])

    better, worse = Score(9, 7, 5), Score(7, 5, 3)
    assert over_folds.over_folds(better).tolist() == [90, 70, 50]
    lead = over_folds.lead(better, worse)
    assert tuple(lead) == pytest.approx((20, 20, 20, 3))
    assert lead.interval == "+20.0\u00a0…\u00a0+20.0"
    (pair,) = over_folds.leads_in_rank({"worse": worse, "better": better})
    assert pair[:2] == ("better", "worse") and pair[2] == lead
    assert over_folds.interval([99.0, 100.0, 98.0]).endswith("100.0"), "no more than all"


def test_unheard_sets_are_compared_seed_by_seed():
    task = Declared("fsdd", "fsdd", "digit", "speech", "talker")
    values = {"pretrained": (0.5, 0.7), "untrained": (0.4, 0.6), "log-mel statistics": (0.65,)}
    recorded = pd.DataFrame(
        [
            ("fsdd", probe, encoder, seed, value)
            for probe in unheard.PROBES
            for encoder, by_seed in values.items()
            for seed, value in enumerate(by_seed)
        ],
        columns=["task", "probe", "encoder", "seed", "accuracy"],
    )
    table = unheard.accuracies([task], recorded, {})
    assert table["recorded"].tolist() == pytest.approx([65, 50, 60] * 2)
    assert "just now" not in table and table["interval over seeds"].iloc[0] == ""
    lines, leads, ways = unheard.leads([task], recorded, {})
    assert leads == {
        ("recorded", "untrained"): pytest.approx({"fsdd linear": 10.0, "fsdd k-NN": 10.0}),
        ("recorded", "log-mel statistics"): pytest.approx({"fsdd linear": -5, "fsdd k-NN": -5}),
    }
    assert lines["over seeds"].iloc[1] == "+10.0 … +10.0"
    assert ways["recorded", "untrained"] == [1, 1], "both seeds gain as much"
    assert ways["recorded", "log-mel statistics"] == [0, 0], "one seed is behind, one ahead"
    both = [ways["recorded", rival] for rival in ("untrained", "log-mel statistics")]
    assert unheard.word(*both) == "partly"


@pytest.mark.parametrize(
    ("of_untrained", "of_log_mel", "word"),
    [
        ([1, 1], [1, 1], "supported"),
        ([1, 1], [1, 0], "partly"),
        ([1, 0], [-1, -1], "partly"),
        ([1, -1], [1, 1], "cannot tell"),
        ([-1, 0], [1, 1], "not"),
        ([], [], "cannot tell"),
    ],
)
def test_what_unheard_recordings_say_of_the_claim(of_untrained, of_log_mel, word):
    assert unheard.word(of_untrained, of_log_mel) == word


def test_neighbours_are_near_and_of_other_groups():
    angles = np.radians([0, 5, 20, 10, 90])
    Z_ND = np.stack([np.cos(angles), np.sin(angles)], 1) * [[1], [2], [3], [4], [5]]
    clips = pd.DataFrame({"seconds": [1.0] * 4 + [9.0], "group": list("aabbb")})
    tasks = pd.DataFrame({"task": "t", "clip": range(5), "label": list("vwxyz"), "fold": "f"})
    corpus = Corpus("made", "", clips, tasks, np.zeros(0))
    task = Declared("made", "t", "t", "speech", "talker")
    for seed in range(4):
        ((_, query, near),) = neighbours.neighbours(corpus, [task], Z_ND, seed)
        assert query != 4, "too long to play"
        assert near.tolist() == {0: [3, 2], 1: [3, 2], 2: [1, 0], 3: [1, 0]}[query]
    assert neighbours.name_of(corpus, 2) == "x (b)"


def test_an_epsilon_adds_rank_and_few_rows_take_it():
    Z_ND = np.random.default_rng(0).standard_normal((400, 8)) * 0.5 ** np.arange(8)
    found = rank_traps.variants(Z_ND)
    assert found["RankMe as defined"] == rankme(Z_ND)
    assert found["epsilon 1e-5"] > found["epsilon 1e-7"] > found["RankMe as defined"]
    assert found["participation ratio"] < found["from variances"] < found["centred"]
    points = rank_traps.subsets(Z_ND, [8, 64], 10).groupby("n").mean()
    assert points.at[8, "plain"] < points.at[64, "plain"] < rankme(Z_ND) * 1.01
    assert points.at[8, "corrected"] > points.at[8, "plain"]


def test_the_file_that_stands_in_is_read_as_a_published_one():
    torch.manual_seed(0)
    wanted = Encoder.preset("nano").state_dict()
    read = load_published(stand_in("nano"))
    assert all(torch.equal(value, wanted[name]) for name, value in read.state_dict().items())


def test_table_5_and_what_is_recorded_stand_side_by_side():
    both = recorded_encoders.beside_table_5()
    assert {"published", "recorded"} == set(both.columns.get_level_values(0))
    assert "ESC50 | environmental sound (ESC-10)" in both.index
    lacks = both.index.str.endswith("none here")
    assert both["recorded"][lacks].isna().all(axis=None)
    assert both["recorded"][~lacks]["nano"].notna().all()
    assert recorded_encoders.table_5_domains().notna().all(axis=None)


def test_a_confusion_counts_of_each_class_what_is_right():
    votes = np.array(["a"] * 4 + ["b"]), np.array(["a", "a", "a", "b", "b"])
    assert confusions({("task", "one"): votes}) == {("task", "one"): pytest.approx(87.5)}


def test_sources_have_levels_and_every_figure_says_what_it_draws(synthetic):
    levels = plots_audio.mean_levels(synthetic, most=2)
    assert {len(level) for lines in levels.values() for level in lines} == {64}
    for name, function in inspect.getmembers(plots_audio, inspect.isfunction):
        assert function.__doc__, name


def test_the_look_is_the_books_whatever_was_set_before_and_labels_are_no_formulas():
    with plt.rc_context({"text.usetex": True, "font.size": 40, "lines.linewidth": 9}):
        plots.style()
        once = dict(plt.rcParams)
        plots.style()
        assert dict(plt.rcParams) == once
        assert plt.rcParams["lines.linewidth"] < 2 and not plt.rcParams["text.usetex"]
        figure, ax = plt.subplots()
        ax.plot([1e-4, 2], [1, 20], label=r"$\frac{1}{$")
        ax.set(xscale="log", yscale="log", title="$a$ of $b", xlim=(1e-4, 1), ylim=(2, 30))
        ax.set_xticks([1e-4, 1e-2], [r"$\x$", "$"])
        ax.legend()
        figure.canvas.draw()
        assert [label.get_text() for label in ax.get_xticklabels()] == [r"$\x$", "$"]
        shown = {label.get_text() for label in ax.get_yticklabels(which="both")}
        assert shown >= {"10\u00b9", "2\N{MULTIPLICATION SIGN}10\u2070"}
        plt.close(figure)
