"""Events and their scores: the reference's numbers, closed forms and properties."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import median_filter
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from dasheng_lib.metrics.events import (
    EVENT_METRICS,
    Event,
    event_score,
    event_scores,
    events_from_frames,
)
from dasheng_lib.metrics.scene import higher_is_better

GOLDEN = Path(__file__).parents[1] / "golden"
POSTPROCESSING = json.loads((GOLDEN / "event_postprocessing.json").read_text())
SCENARIOS = json.loads((GOLDEN / "event_scores.json").read_text())
ONSET_200, ONSET_50, ONSET_OFFSET, SEGMENT = EVENT_METRICS
F_MEASURES = EVENT_METRICS[:3]


def events(side):
    return {file: [Event(**event) for event in events] for file, events in side.items()}


def one_file(*rows):
    return {"a.wav": [Event(*row) for row in rows]}


def random_side(rng, files=2, most=6, step=25, span=1000, labels=2):
    """Events on a grid, so that many differences lie exactly on a limit."""

    def event():
        start = float(rng.integers(span // step) * step)
        return Event(str(rng.integers(labels)), start, start + float(rng.integers(1, 20) * step))

    return {f"{i}.wav": [event() for _ in range(rng.integers(most))] for i in range(files)}


@pytest.mark.parametrize(
    "case", POSTPROCESSING, ids=lambda c: f"{c['case']}-{c['min_duration_ms']}"
)
def test_events_are_those_of_the_reference(case):
    scores_TC = np.load(GOLDEN / f"event_probs_{case['case']}.npy")
    found = events_from_frames(
        scores_TC,
        case["first_ms"] + case["hop_ms"] * np.arange(len(scores_TC)),
        [f"c{j}" for j in range(scores_TC.shape[1])],
        case["median_filter_ms"],
        case["min_duration_ms"],
    )
    assert [[e.label, e.start, e.end] for e in found] == case["events"]


@pytest.mark.parametrize("number", range(len(SCENARIOS)))
def test_scores_are_those_of_the_reference(number):
    scenario = SCENARIOS[number]
    for metric in EVENT_METRICS:
        expected = {k: math.nan if v is None else v for k, v in scenario["scores"][metric]}
        found = event_scores(metric, events(scenario["ref"]), events(scenario["est"]))
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_the_vectors_notice_how_seconds_are_rounded():
    """Of the scores, 58 change where a tie at a limit is a hit whatever its rounding is."""
    changed = 0
    for scenario, metric in itertools.product(SCENARIOS, F_MEASURES):
        ref, est = events(scenario["ref"]), events(scenario["est"])
        hits = 0
        for file in ref:
            fits = np.array(
                [[within(metric, a, b, unit=1) for b in est[file]] for a in ref[file]], int
            ).reshape(len(ref[file]), len(est[file]))
            hits += (maximum_bipartite_matching(csr_matrix(fits)) >= 0).sum()
        recall = event_scores(metric, ref, est)["recall"]
        changed += not np.isclose(recall * sum(map(len, ref.values())), hits)
    assert changed == 58


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 12, 13])
def test_runs_after_a_median_are_those_of_scipy(width):
    rng = np.random.default_rng(width)
    scores_TC = rng.random((60, 3)).astype(np.float32)
    smooth = median_filter(scores_TC, size=(width, 1))
    plain = events_from_frames(smooth, 10.0 * np.arange(60), "abc", 0, 0)
    assert events_from_frames(scores_TC, 10.0 * np.arange(60), "abc", 10 * width, 0) == plain
    assert plain


def test_an_even_median_lengthens_an_event_by_a_frame():
    scores_TC = np.zeros((40, 1))
    scores_TC[10:20] = 1
    (event,) = events_from_frames(scores_TC, 40.0 * np.arange(40), ["x"], 250, 0)
    assert (event.start, event.end) == (400, 800)  # frames 10 to 20, not 19
    (event,) = events_from_frames(scores_TC, 50.0 * np.arange(40), ["x"], 250, 0)
    assert (event.start, event.end) == (500, 950)


def test_widths_round_half_to_even():
    scores_TC = np.zeros((9, 1))
    scores_TC[4] = 1
    count = {
        ms: len(events_from_frames(scores_TC, 20.0 * np.arange(9), ["x"], ms, 0))
        for ms in (9, 10, 29, 30, 49, 50)
    }
    # One frame survives widths 0, 1 and 2: 10 / 20 is 0, 30 / 20 is 2, 50 / 20 is 2.
    assert count == dict.fromkeys(count, 1)
    assert events_from_frames(scores_TC, 20.0 * np.arange(9), ["x"], 51, 0) == []


def test_length_is_from_first_to_last_frame():
    scores_TC = np.zeros((30, 2))
    scores_TC[2:6, 0] = 1  # 4 frames: 120 ms
    scores_TC[2:7, 1] = 1  # 5 frames: 160 ms
    times = 20 + 40.0 * np.arange(30)
    assert events_from_frames(scores_TC, times, "ab", 0, 125) == [Event("b", 100, 260)]
    assert len(events_from_frames(scores_TC, times, "ab", 0, 120)) == 2


def test_the_threshold_is_strict_and_nan_is_silent():
    scores_TC = np.array([[0.5], [np.nextafter(0.5, 1)], [np.nan], [1.0]])
    found = events_from_frames(scores_TC, np.arange(4.0), ["x"], 0, 0)
    assert found == [Event("x", 1, 1), Event("x", 3, 3)]


def test_clips_without_frames_or_with_one():
    assert events_from_frames(np.zeros((0, 2)), np.zeros(0), "ab", 250, 0) == []
    assert events_from_frames(np.ones((1, 1)), np.array([20.0]), "a", 250, 0) == [
        Event("a", 20, 20)
    ]


def test_a_filter_longer_than_the_clip_still_mirrors():
    scores_TC = np.array([[1.0], [0.0], [1.0]])
    smooth = median_filter(scores_TC, size=(11, 1))
    expected = events_from_frames(smooth, np.arange(3.0), "a", 0, 0)
    assert events_from_frames(scores_TC, np.arange(3.0), "a", 11, 0) == expected


def test_wrong_frames_are_named():
    with pytest.raises(ValueError, match="2 frames, 1 classes"):
        events_from_frames(np.zeros((3, 1)), np.arange(2.0), "a", 0, 0)
    with pytest.raises(ValueError, match="increase"):
        events_from_frames(np.zeros((2, 1)), np.array([1.0, 0.0]), "a", 0, 0)


@pytest.mark.parametrize("metric", EVENT_METRICS)
def test_a_reference_is_perfect_against_itself(metric):
    side = random_side(np.random.default_rng(0))
    assert event_score(metric, side, side) == (1 if higher_is_better(metric) else 0)


@pytest.mark.parametrize(("metric", "shift"), [(ONSET_200, 190), (ONSET_50, 45)])
def test_a_shift_within_the_collar_costs_nothing(metric, shift):
    side = random_side(np.random.default_rng(1))
    late = {f: [Event(e.label, e.start + shift, e.end + 9999) for e in v] for f, v in side.items()}
    assert event_score(metric, side, late) == 1
    far = {f: [Event(e.label, e.start + 5000, e.end) for e in v] for f, v in side.items()}
    assert event_score(metric, side, far) == 0


@pytest.mark.parametrize("metric", F_MEASURES)
def test_matching_is_the_best_of_all_assignments(metric):
    rng = np.random.default_rng(2)
    span = 1000 if metric == ONSET_200 else 300
    greedy_would_lose = 0
    for _ in range(100):
        ref, est = (random_side(rng, 1, most=7, span=span, labels=1) for _ in range(2))
        r, e = ref["0.wav"], est["0.wav"]
        if not r or not e:
            continue
        fits = np.array([[within(metric, a, b) for b in e] for a in r])
        wide = fits if len(r) <= len(e) else fits.T
        best = max(
            sum(wide[i, j] for i, j in enumerate(order))
            for order in itertools.permutations(range(wide.shape[1]), wide.shape[0])
        )
        greedy_would_lose += best > greedy(fits)
        found = event_scores(metric, ref, est)
        assert found["precision"] == pytest.approx(best / len(e))
        assert found["recall"] == pytest.approx(best / len(r))
    assert greedy_would_lose > 0, "the cases must tell a maximum from a greedy matching"


def within(metric, ref, est, unit=1000):
    """One pair, as it is written down in the rules; times are divided by ``unit`` first."""
    collar = (0.2 if metric == ONSET_200 else 0.05) * 1000 / unit
    onset = abs(ref.start / unit - est.start / unit) <= collar
    limit = max(collar, 0.2 * (ref.end / unit - ref.start / unit))
    offset = metric != ONSET_OFFSET or abs(ref.end / unit - est.end / unit) <= limit
    return ref.label == est.label and onset and offset


def greedy(fits):
    free, count = np.ones(fits.shape[1], bool), 0
    for row in fits:
        if (row & free).any():
            free[np.argmax(row & free)] = False
            count += 1
    return count


def test_ties_at_the_collar_are_decided_in_float_seconds():
    assert 1.2 - 1.0 < 0.2 < 2.1 - 1.9
    for start, late, f in ((1000.0, 1200.0, 1.0), (1900.0, 2100.0, 0.0)):
        ref, est = one_file(("a", start, 3000)), one_file(("a", late, 3000))
        assert event_score(ONSET_200, ref, est) == f


def test_the_offset_may_be_off_by_a_fifth_of_the_reference():
    ref = one_file(("a", 0, 1000))
    assert event_score(ONSET_OFFSET, ref, one_file(("a", 0, 1190))) == 1
    assert event_score(ONSET_OFFSET, ref, one_file(("a", 0, 1210))) == 0
    short = one_file(("a", 0, 100))  # a fifth is 20 ms, so the 50 ms hold
    assert event_score(ONSET_OFFSET, short, one_file(("a", 0, 145))) == 1
    # The limit is the reference's: the other way round a fifth of 1240 ms would be enough.
    assert event_score(ONSET_OFFSET, ref, one_file(("a", 0, 1240))) == 0
    assert event_score(ONSET_OFFSET, one_file(("a", 0, 1240)), ref) == 1


def test_labels_and_files_are_kept_apart():
    ref = {"a.wav": [Event("x", 0, 100)], "b.wav": [Event("y", 0, 100)]}
    crossed = {"a.wav": [Event("y", 0, 100)], "b.wav": [Event("x", 0, 100)]}
    for metric in F_MEASURES:
        assert event_score(metric, ref, crossed) == 0
    assert event_score(SEGMENT, ref, crossed) == 1  # one substitution in each of two segments


def test_counts_are_summed_before_they_are_divided():
    ref = {"a.wav": [Event("x", 1000.0 * i, 1000.0 * i + 100) for i in range(9)], "b.wav": []}
    est = {"a.wav": ref["a.wav"], "b.wav": [Event("x", 0, 100)]}
    assert event_scores(ONSET_50, ref, est) == pytest.approx(
        {"f_measure": 18 / 19, "precision": 0.9, "recall": 1.0}
    )


@pytest.mark.parametrize("metric", EVENT_METRICS)
def test_order_of_events_and_files_does_not_matter(metric):
    rng = np.random.default_rng(3)
    ref, est = random_side(rng, 3), random_side(rng, 3)
    turned = {file: est[file][::-1] for file in reversed(est)}
    assert event_score(metric, ref, turned) == event_score(metric, ref, est)


@pytest.mark.parametrize("metric", EVENT_METRICS)
def test_a_file_on_one_side_is_empty_on_the_other(metric):
    side = {"a.wav": [Event("x", 0, 100)], "b.wav": [Event("x", 0, 100)]}
    part = {"a.wav": side["a.wav"]}
    whole = part | {"b.wav": []}
    assert event_scores(metric, side, part) == event_scores(metric, side, whole)
    assert event_scores(metric, part, side) == event_scores(metric, whole, side)
    assert event_score(metric, side, part) == event_score(metric, part, side) or metric == SEGMENT


def test_nothing_estimated_or_nothing_to_find():
    one, none = one_file(("a", 0, 100)), {"a.wav": []}
    for metric in F_MEASURES:
        nan = pytest.approx(math.nan, nan_ok=True)
        assert event_scores(metric, one, none) == {"f_measure": nan, "precision": nan, "recall": 0}
        assert event_scores(metric, none, one) == {"f_measure": nan, "precision": 0, "recall": nan}
        assert math.isnan(event_score(metric, none, none))
        assert math.isnan(event_score(metric, {}, {}))
    assert event_score(SEGMENT, one, none) == 1
    assert event_score(SEGMENT, none, none) == event_score(SEGMENT, {}, {}) == 0
    assert event_score(SEGMENT, none, one) > 1e15  # as sed_eval divides by almost nothing


def test_segments_by_hand():
    ref = one_file(("a", 500, 2500), ("b", 0, 1000))  # a: segments 0 1 2; b: 0
    est = one_file(("c", 0, 900), ("a", 1999, 2000), ("a", 3000, 3001))  # c: 0; a: 1 and 3
    # 0: two against one, none right: S 1, D 1. 1: right. 2: D 1. 3: I 1.
    assert event_score(SEGMENT, ref, est) == pytest.approx(4 / 4)
    twice = one_file(("a", 500, 900), ("a", 600, 2500), ("b", 0, 1000))
    assert event_score(SEGMENT, twice, est) == pytest.approx(4 / 4), "an active cell counts once"


def test_long_crowded_clips_are_matched_as_class_by_class():
    rng = np.random.default_rng(4)

    def clip(n=1200):
        start = np.sort(rng.integers(0, 120_000, n)).astype(float)
        return [
            Event(str(c), s, s + 200) for s, c in zip(start, rng.integers(88, size=n), strict=True)
        ]

    ref, est = ({f"{i}.wav": clip() for i in range(3)} for _ in range(2))
    found = event_scores(ONSET_200, ref, est)
    hits = 0
    for file, pitch in itertools.product(ref, range(88)):
        alone = [{file: [e for e in side[file] if e.label == str(pitch)]} for side in (ref, est)]
        recall = event_scores(ONSET_200, *alone)["recall"]
        hits += 0 if math.isnan(recall) else round(recall * len(alone[0][file]))
    assert found["recall"] == hits / 3600


def test_unknown_metric():
    with pytest.raises(ValueError, match="no event metric"):
        event_score("event_f1", {}, {})
