"""What is wrong with a HEAR task, before anything is trained on it.

Every kind of fault is one phrase with its number and the first names, so that one error can tell
all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from dasheng_lib.common.errors import tell
from dasheng_lib.corpora.wav_facts import WavFacts
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.task import Task

# Longer than any advised hop: a clip's end is rounded to samples and an event's to milliseconds.
SLACK_MS = 50.0


def faults(task: Task, rate: int, facts: Mapping[str, WavFacts | None]) -> list[str]:
    """All that keeps a task from being used, one phrase a kind; empty if it is sound.

    Args:
        facts: of each wav, by ``split/name``.

    Missing and unreadable wavs, wavs of another rate than their folder says, labels outside the
    vocabulary, multiclass clips without exactly one label, names in two splits, events that end
    before they start or lie outside their clip, times that are seconds where milliseconds belong.
    The same audio in two splits is apart, see :func:`shared_audio`.
    """
    clips = list(_named(task))
    known = set(task.labels)
    strange = [
        f"{name}: {label!r}"
        for name, clip in clips
        for label in dict.fromkeys((*clip.labels, *(event.label for event in clip.events)))
        if label not in known
    ]
    several = [
        f"{name}: {len(clip.labels)}"
        for name, clip in clips
        if task.prediction == "multiclass" and len(clip.labels) != 1
    ]
    missing = [name for name, clip in clips if clip.rate == -1]
    unreadable = [facts[name].named(name) for name, clip in clips if clip.rate == 0]
    other = [f"{name}: {clip.rate}" for name, clip in clips if clip.rate not in (-1, 0, rate)]
    kinds = [
        ("wav is missing", missing, "wavs are missing"),
        ("wav cannot be read as audio", unreadable, "wavs cannot be read as audio"),
        (f"wav is not at {rate} Hz", other, f"wavs are not at {rate} Hz"),
        ("label is not in labelvocabulary.csv", strange, "labels are not in labelvocabulary.csv"),
        ("clip has not one label", several, "clips have not one label each"),
        ("name is in two splits", _shared_names(task), "names are in two splits"),
        *_wrong_times(clips),
    ]
    return [tell(one, names, many) for one, names, many in kinds if names]


def shared_audio(task: Task) -> list[str]:
    """The same bytes under two names in two splits, as at most one phrase; empty clips aside."""
    splits_of = defaultdict(dict)
    for split, clips in task.clips.items():
        for clip in clips:
            if clip.samples:
                splits_of[clip.identity].setdefault(split, f"{split}/{clip.name}")
    twice = [" = ".join(places.values()) for places in splits_of.values() if len(places) > 1]
    many = "recordings are in more than one split"
    return [tell("recording is in more than one split", twice, many)] if twice else []


def empty_clips(task: Task) -> list[str]:
    """Names of clips without a single sample."""
    return [name for name, clip in _named(task) if clip.rate > 0 and not clip.samples]


def other_lengths(task: Task, seconds: object) -> list[str]:
    """Clips that are not as long as the task says its clips are, as at most one phrase.

    Empty clips aside. A task of clips of any length says nothing, or None.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return []
    other = [
        f"{name}: {clip.seconds:.3g} s"
        for name, clip in _named(task)
        if clip.samples and abs(clip.seconds - seconds) > SLACK_MS / 1000
    ]
    return [tell(f"clip is not {seconds:g} s long", other, f"clips are not {seconds:g} s long")][
        : len(other)
    ]


def _named(task: Task) -> Iterator[tuple[str, Clip]]:
    for split, clips in task.clips.items():
        for clip in clips:
            yield f"{split}/{clip.name}", clip


def _shared_names(task: Task) -> list[str]:
    splits_of = defaultdict(list)
    for split, clips in task.clips.items():
        for clip in clips:
            splits_of[clip.name].append(split)
    return [
        f"{file} in {' and '.join(splits)}" for file, splits in splits_of.items() if len(splits) > 1
    ]


def _wrong_times(clips: list[tuple[str, Clip]]) -> list[tuple[str, list[str], str]]:
    backward, beyond, ends = [], [], []
    for name, clip in clips:
        if clip.rate <= 0 or not clip.events:
            continue
        length = 1000 * clip.samples / clip.rate
        ends.append(max(event.end for event in clip.events) < length / 100)
        for event in clip.events:
            span = f"{name}: {event.label!r} {event.start:g} to {event.end:g} ms"
            if event.end < event.start:
                backward.append(span)
            elif event.start < 0 or event.end > length + SLACK_MS:
                beyond.append(f"{span} of {length:g} ms")
    seconds = [name for name, clip in clips if clip.events] if ends and all(ends) else []
    return [
        ("event ends before it starts", backward, "events end before they start"),
        ("event lies outside its clip", beyond, "events lie outside their clips"),
        (
            "clip has all its events in its first 1 %: their times look like seconds, not "
            "milliseconds",
            seconds,
            "clips have all their events in their first 1 %: their times look like seconds, not "
            "milliseconds",
        ),
    ]
