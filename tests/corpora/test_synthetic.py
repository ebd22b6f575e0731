"""The synthetic corpus: the same to the bit everywhere, in the shape of the pocket corpus."""

import hashlib

import numpy as np
import pytest
from scipy.signal import stft
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.synthetic import sounds
from dasheng_lib.corpora.synthetic.corpus import synthetic_corpus
from dasheng_lib.features import SAMPLE_RATE

STORE = "b0b361762ce348049dbc881e1851b47f39ca0e0252abbf0efc1c443917dd27fb"
DIGEST = "7198922f4daa4d9a"
TASKS = {  # task: domain, classes, folds, clips
    "syn_vowel": ("speech", 5, 6, 120),
    "syn_contour": ("speech", 4, 6, 120),
    "syn_pitch": ("music", 12, 3, 144),
    "syn_instrument": ("music", 4, 3, 144),
    "syn_event": ("environment", 10, 4, 80),
    "syn_place": ("environment", 4, 10, 80),
}


@pytest.fixture(scope="module")
def corpus():
    return synthetic_corpus()


def test_same_to_the_bit(corpus):
    # If this fails after a change of the sounds: raise VERSION and pin the new values.
    assert hashlib.sha256(corpus.store.astype("<f4").tobytes()).hexdigest() == STORE
    assert corpus.digest == DIGEST


def test_dice_follow_their_name():
    first = sounds.Dice("a").uniform(4)
    assert np.array_equal(first, sounds.Dice("a").uniform(4))
    assert not np.array_equal(first, sounds.Dice("b").uniform(4))
    many = sounds.Dice("c").uniform(20000)
    assert many.min() >= -1 and many.max() < 1 and abs(many.mean()) < 0.02
    assert {sounds.Dice(str(i)).choice(3) for i in range(50)} == {0, 1, 2}


def test_store_and_table_agree(corpus):
    clips = corpus.clips
    assert corpus.store.dtype == np.float32 and corpus.store.ndim == 1
    assert clips["offset"].tolist() == [0, *clips["samples"].cumsum()[:-1]]
    assert clips["samples"].sum() == len(corpus.store)
    assert np.allclose(clips["seconds"] * SAMPLE_RATE, clips["samples"])
    assert 0.05 < corpus.hours() < 8 / 60 and 200 < len(corpus) < 500
    assert not clips["member"].duplicated().any()
    assert not clips["sha256"].duplicated().any()
    steps = corpus.store * 32768
    assert np.array_equal(steps, np.round(steps)) and np.abs(corpus.store).max() <= 1
    last = len(corpus) - 1
    pcm = (corpus.wave(last) * 32768).astype("<i2")
    assert hashlib.sha256(pcm.tobytes()).hexdigest() == clips["sha256"].iat[last]


@pytest.mark.parametrize("name", TASKS)
def test_task_holds_groups_out(corpus, name):
    domain, classes, folds, count = TASKS[name]
    task = corpus.task(name).join(corpus.clips[["domain", "group"]], on="clip")
    assert set(task["domain"]) == {domain}
    assert (task["label"].nunique(), task["fold"].nunique(), len(task)) == (classes, folds, count)
    assert not task["clip"].duplicated().any()
    assert (task.groupby("group")["fold"].nunique() == 1).all()
    assert (task.groupby("label")["fold"].nunique() == folds).all(), "a class unseen in training"


def test_unknown_task_names_the_known(corpus):
    with pytest.raises(UserError, match="syn_vowel"):
        corpus.task("syn_vowels")


def test_awkward_clips_are_there_and_have_no_task(corpus):
    odd = corpus.clips[corpus.clips["member"].str.contains("awkward")]
    waves = {m.rpartition("/")[2]: corpus.wave(i) for i, m in odd["member"].items()}
    assert not set(odd.index) & set(corpus.tasks["clip"])
    assert len(waves["one-sample"]) == 1
    assert 1 < len(waves["shorter-than-a-window"]) < 480 == len(waves["three-hundredths"])
    assert not waves["digital-silence"].any()
    assert 0 < np.abs(waves["nearly-silent"]).max() < 1e-4
    assert np.mean(np.abs(waves["clipped"]) > 0.999) > 0.5
    assert waves["offset"].mean() > 0.4


@pytest.mark.parametrize("name", TASKS)
def test_neither_hopeless_nor_solved(corpus, name):
    """A spectrum's mean and spread say something about every task, and not everything."""
    task = corpus.task(name)
    x = np.stack([spectrum(corpus.wave(i)) for i in task["clip"]])
    y, fold = task["label"].to_numpy(), task["fold"].to_numpy()
    right = 0
    for held_out in np.unique(fold):
        train, test = fold != held_out, fold == held_out
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        right += (probe.fit(x[train], y[train]).predict(x[test]) == y[test]).sum()
    accuracy = right / len(y)
    assert 1.3 / len(set(y)) < accuracy < 0.97, accuracy


def spectrum(wave: np.ndarray) -> np.ndarray:
    power = np.abs(stft(wave / np.abs(wave).max(), SAMPLE_RATE, nperseg=512, noverlap=352)[2]) ** 2
    edges = np.unique(np.geomspace(2, 257, 41).astype(int))
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=0) + 1e-9)
    return np.concatenate([bands.mean(1), bands.std(1)])
