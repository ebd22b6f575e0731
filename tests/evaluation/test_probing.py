"""Encoders by name, embeddings of a corpus, and probes on them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dasheng_lib.audio import resample
from dasheng_lib.cli import main
from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import load_encoder
from dasheng_lib.evaluation import embed as embed_module
from dasheng_lib.evaluation.embed import compute_embeddings, embed
from dasheng_lib.evaluation.folds import evaluate_folds
from dasheng_lib.evaluation.pocket import accuracy_by_domain, evaluate_corpus
from dasheng_lib.evaluation.probes import PROBES, Probe, classifier, find_probe
from dasheng_lib.tasks.of_corpus import corpus_clips


def of(corpus, rows):
    clips = corpus_clips(corpus)
    return [clips[row] for row in rows]


@pytest.mark.parametrize("name", ["logmel", "random:nano"])
def test_an_embedding_is_that_of_the_clip_alone(synthetic, name):
    encoder = load_encoder(name)
    clips = np.array([0, 300, 7, *np.flatnonzero(synthetic.clips["samples"] < 600)])
    together = compute_embeddings(encoder, of(synthetic, clips))
    assert together.shape == (len(clips), encoder.dim) and together.dtype == np.float32
    for row, clip in enumerate(clips):
        wave = torch.from_numpy(np.array(synthetic.wave(clip)))[None]
        wave = torch.nn.functional.pad(wave, (0, max(0, 480 - wave.shape[1])))
        np.testing.assert_allclose(together[row], encoder.clips(wave)[0], rtol=1e-4, atol=1e-4)


def test_log_mel_statistics_are_mean_and_deviation(synthetic):
    encoder = load_encoder("logmel")
    wave = torch.from_numpy(np.array(synthetic.wave(3)))[None]
    mel = encoder.frames(wave)[0]
    expected = torch.cat([mel.mean(0), mel.std(0, correction=0)])
    assert torch.allclose(encoder.clips(wave)[0], expected, atol=1e-4)


def test_embeddings_of_a_corpus_are_computed_once(synthetic, monkeypatch):
    encoder, clips = load_encoder("random:nano"), corpus_clips(synthetic)[:5]
    first = embed(encoder, clips, progress=False)
    np.testing.assert_array_equal(first.features, compute_embeddings(encoder, clips))

    def never(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(embed_module, "embed_batches", never)
    again = embed(encoder, corpus_clips(synthetic)[:5], progress=False)
    np.testing.assert_array_equal(again.features, first.features)
    with pytest.raises(AssertionError):
        embed(encoder, corpus_clips(synthetic)[:6], progress=False)
    with pytest.raises(AssertionError):
        embed(encoder, corpus_clips(replace(synthetic, digest="other"))[:5], progress=False)
    other = load_encoder("random:nano")
    other.fingerprint = "other weights"
    with pytest.raises(AssertionError):
        embed(other, clips, progress=False)


def test_untrained_encoders_are_the_same_every_time():
    assert load_encoder("random:nano").fingerprint == load_encoder("random:nano").fingerprint


@pytest.mark.parametrize(
    "name", ["nonsense", "random:giant", "random:", "dasheng:absent.safetensors"]
)
def test_unknown_encoders_are_named(name):
    with pytest.raises(UserError):
        load_encoder(name)


def test_an_encoder_that_gives_nan_is_named(synthetic):
    class Broken:
        name, sample_rate, dim, min_samples, fingerprint = "broken", 16000, 2, 480, "x"

        def clips(self, wave_BN, lengths=None):
            return torch.full((len(wave_BN), 2), torch.nan)

    with pytest.raises(UserError, match="broken gave a value that is not finite"):
        compute_embeddings(Broken(), corpus_clips(synthetic)[:2])
    Broken.dim = 3
    with pytest.raises(UserError, match=r"\[2, 3\]"):
        compute_embeddings(Broken(), corpus_clips(synthetic)[:2])


def test_clips_are_resampled_to_the_rate_of_the_encoder(synthetic):
    class Ends:
        """The number of samples, and the last one heard."""

        name, sample_rate, dim, min_samples, fingerprint = "ends", 44_100, 2, 700, "x"

        def clips(self, wave_BN, lengths):
            last = wave_BN.gather(1, lengths[:, None] - 1)
            return torch.cat([lengths[:, None].float(), last], 1)

    clips = np.argsort(synthetic.clips["samples"].to_numpy())[[0, 1, 100, 101, -1]]
    got = compute_embeddings(Ends(), of(synthetic, clips))
    for row, clip in zip(got, clips, strict=True):
        wave = resample(np.array(synthetic.wave(clip)), 16_000, 44_100)
        assert row[0] == max(700, -(-synthetic.clips["samples"][clip] * 441 // 160))
        assert row[1] == (wave[-1] if len(wave) >= 700 else 0)


def task(labels, folds):
    return pd.DataFrame({"clip": range(len(labels)), "label": labels, "fold": folds})


def test_every_clip_is_tested_once_by_a_probe_that_never_saw_its_fold():
    rows = task(list("abab") * 3, list("xxxxyyyyzzzz"))
    seen = []

    def spy(train_ND, train_NC, test_MD):
        seen.append((set(train_ND[:, 0]), set(test_MD[:, 0])))
        return np.tile([1.0, 0.0], (len(test_MD), 1))

    score = evaluate_folds(np.arange(12.0)[:, None], rows, spy)
    assert sorted(score.clips) == list(range(12)) and score.accuracy == 0.5
    assert all(not train & test and train | test == set(range(12)) for train, test in seen)
    low, high = score.interval
    assert low < 0.5 < high


def test_classes_absent_from_training_are_left_out():
    rows = task(["a", "b", "a", "only"], ["x", "x", "y", "y"])
    score = evaluate_folds(np.zeros((4, 1)), rows, classifier("majority"))
    assert "only" not in rows["label"].to_numpy()[score.clips]


def test_a_table_counts_the_classes_that_were_tested(synthetic):
    tasks = synthetic.tasks.copy()
    vowel = tasks["task"] == "syn_vowel"
    first = tasks[vowel].iloc[0]
    tasks.loc[vowel & (tasks["label"] == first["label"]), "fold"] = first["fold"]
    corpus = replace(synthetic, digest="a class in one fold", tasks=tasks)
    table = evaluate_corpus(load_encoder("logmel"), corpus, "majority", progress=False).set_index(
        "task"
    )
    labelled = synthetic.task("syn_vowel")["label"].nunique()
    assert table.at["syn_vowel", "classes"] == labelled - 1


def test_probes_learn_what_is_there_and_not_what_is_not():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    rows = task(labels, rng.integers(4, size=300))
    informative = np.eye(3)[labels] + 0.3 * rng.normal(size=(300, 3))
    for probe in (
        classifier("linear"),
        classifier("knn"),
        classifier("knn", k=5, metric="euclidean"),
    ):
        assert evaluate_folds(informative, rows, probe).accuracy > 0.9
        assert evaluate_folds(rng.normal(size=(300, 3)), rows, probe).accuracy < 0.5
    assert evaluate_folds(informative, rows, classifier("majority")).accuracy < 0.5


def test_impossible_tasks_are_named():
    with pytest.raises(ValueError, match="two folds"):
        evaluate_folds(np.zeros((2, 1)), task(["a", "a"], ["x", "x"]), classifier("majority"))
    with pytest.raises(ValueError, match="no test clip"):
        evaluate_folds(np.zeros((2, 1)), task(["a", "b"], ["x", "y"]), classifier("majority"))


def test_one_class_is_what_is_guessed():
    x_ND = np.arange(12.0).reshape(6, 2)
    rows = task(["hum"] * 6, list("xxxyyy"))
    assert list(evaluate_folds(x_ND, rows, classifier("linear")).guesses) == ["hum"] * 6


def test_linear_is_scikit_learns_logistic_regression():
    rng = np.random.default_rng(0)
    labels = np.array(["c", "a", "b"])[rng.integers(3, size=200)]
    x_ND = rng.standard_normal((200, 6)) + (labels[:, None] == ["a", "b", "c", "a", "b", "c"])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, tol=1e-3))
    expected = model.fit(x_ND[:120], labels[:120]).predict(x_ND[120:])
    assert 0.4 < np.mean(expected == labels[120:]) < 1
    rows = task(labels, ["train"] * 120 + ["test"] * 80)
    found = evaluate_folds(x_ND, rows, classifier("linear"))
    np.testing.assert_array_equal(found.guesses[found.groups == "test"], expected)


def test_a_new_probe_is_one_row_of_the_table(synthetic, monkeypatch, capsys):
    def last(multilabel, seed):
        return lambda train_ND, train_NC, test_MD: np.arange(train_NC.shape[1]) + 0 * test_MD[:, :1]

    monkeypatch.setitem(PROBES, "last", Probe("the class that sorts last", last, ("seed",)))
    command = ["evaluate", "pocket", "--corpus", "synthetic", "--encoder", "logmel"]
    assert main([*command, "--probes", "last"]) == 0
    assert "last" in capsys.readouterr().out
    assert PROBES["last"].draws and not PROBES["last"].chooses
    table = evaluate_corpus(load_encoder("logmel"), synthetic, "last", progress=False)
    assert (table["accuracy"] < 0.6).all()


def test_an_unknown_probe_is_named_with_those_there_are(synthetic):
    with pytest.raises(UserError, match=r"no probe 'near'.*linear, knn, "):
        find_probe("near")
    with pytest.raises(UserError, match="no probe 'near'"):
        evaluate_corpus(load_encoder("logmel"), synthetic, "near", progress=False)
    with pytest.raises(ValueError, match="validation"):
        classifier("mlp")


def test_seeds_reach_the_probes_that_draw_and_no_others(synthetic, monkeypatch, tmp_path):
    asked = []

    def scores(encoder, corpus, probe, k, seed=0):
        asked.append((encoder.name, probe, seed))
        row = {"headline": True, "encoder": encoder.name, "probe": probe, "domain": "speech"}
        row["task"] = "vowel"
        return pd.DataFrame([{**row, "accuracy": 0.5}])

    monkeypatch.setattr("dasheng_lib.evaluation.pocket.evaluate_corpus", scores)
    command = ["evaluate", "pocket", "--corpus", "synthetic", "--encoder", "logmel"]
    command += ["--probes", "linear", "arch", "mlp", "--seeds", "3", "4"]
    assert main([*command, "--record", str(tmp_path / "kept")]) == 0
    expected = [("linear", 0), ("arch", 3), ("arch", 4), ("mlp", 3), ("mlp", 4)]
    assert [row[1:] for row in asked] == expected
    kept = pd.read_csv(tmp_path / "kept.csv")["seed"]
    assert np.isnan(kept[0]) and kept[1:].tolist() == [3, 4, 3, 4]


def test_averages_are_of_domains_and_of_headline_tasks():
    rows = [
        ("a", "speech", True, 0.2),
        ("b", "speech", True, 0.4),
        ("c", "music", True, 0.9),
        ("d", "music", False, 0.0),
    ]
    table = pd.DataFrame(rows, columns=["task", "domain", "headline", "accuracy"])
    table = table.assign(encoder="e", probe="knn")
    both = pd.concat([table, table.assign(accuracy=0.5, encoder="first by name")])
    means = accuracy_by_domain(both)
    assert list(means.columns) == ["speech", "music", "average"]
    np.testing.assert_allclose(means.loc["e", "knn"], [0.3, 0.9, 0.6])
    assert list(means.index) == [("e", "knn"), ("first by name", "knn")]
