"""The synthetic corpus: a few hundred clips that this file computes, for tests and offline books.

Three domains in the shape of the pocket corpus, each with two tasks whose folds hold a group
out: a talker, a build of the instruments, a recording place, an event. Nothing is downloaded.

The samples are the same to the bit on every machine: random numbers are Philox's raw counter
output (whose stream NumPy promises not to change), everything is computed in float64 and
rounded to 16-bit steps, so that a last-place difference between two mathematics libraries
(1e-16) would have to fall on a rounding edge to be seen. A test pins the SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from dasheng_lib.common.cache import digest
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.synthetic import sounds
from dasheng_lib.features import SAMPLE_RATE

VERSION = 1  # raise it when a sample changes

# First three formants in Hz of an average adult, after Peterson and Barney (1952).
VOWELS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
}
# Pitch in semitones at the start, the middle and the end of a syllable.
CONTOURS = {"flat": (0, 0, 0), "rise": (-3, -2, 4), "dip": (1, -4, 2), "fall": (4, 1, -4)}
# Talkers: pitch in Hz, and how much shorter than average the vocal tract is.
TALKERS = ((98, 0.90), (118, 0.97), (135, 1.04), (176, 1.06), (205, 1.16), (262, 1.28))

NOTES = ("C", "Cis", "D", "Dis", "E", "F", "Fis", "G", "Gis", "A", "Ais", "B")
INSTRUMENTS = ("bell", "organ", "pluck", "reed")
BUILDS = ("bright", "dark", "worn")

PLACES = ("booth", "hall", "street", "phone")

Clip = tuple[str, str, str, np.ndarray, dict[str, tuple[str, str]]]


def synthetic_corpus() -> Corpus:
    """The corpus, built in memory once in a process: about a second, no files, no network.

    Returns:
        A corpus whose ``tasks`` are ``syn_vowel``, ``syn_contour`` (speech, talker held out),
        ``syn_pitch``, ``syn_instrument`` (music, build held out), ``syn_event`` (environment,
        place held out) and ``syn_place`` (environment, event held out). A few clips are as
        awkward as real ones (one sample, 12.5 ms, silence, clipped …) and have no task.
    """
    built = _built()
    return replace(built, clips=built.clips.copy(), tasks=built.tasks.copy())


@cache
def _built() -> Corpus:
    clips, tasks, waves, offset = [], [], [], 0
    for domain, group, name, wave, labels in _all_clips():
        pcm = np.clip(np.round(wave * 32767), -32768, 32767).astype("<i2")
        tasks += [(task, len(clips), label, fold) for task, (label, fold) in labels.items()]
        clips.append(
            {
                "package": "dasheng_lib",
                "member": f"{domain}/{name}",
                "domain": domain,
                "group": group,
                "seconds": len(pcm) / SAMPLE_RATE,
                "samples": len(pcm),
                "offset": offset,
                "rate": SAMPLE_RATE,
                "sha256": hashlib.sha256(pcm.tobytes()).hexdigest(),
                "licence": "CC0-1.0",
            }
        )
        waves.append(pcm)
        offset += len(pcm)
    table = pd.DataFrame(clips)
    return Corpus(
        name="synthetic",
        digest=digest({"synthetic": VERSION, "clips": table["sha256"].tolist()}),
        clips=table,
        tasks=pd.DataFrame(tasks, columns=["task", "clip", "label", "fold"]),
        store=np.concatenate(waves).astype(np.float32) / np.float32(32768),
    )


def _all_clips() -> Iterator[Clip]:
    yield from _speech()
    yield from _music()
    yield from _environment()
    yield from _awkward()


def _speech() -> Iterator[Clip]:
    for number, (pitch, shorter) in enumerate(TALKERS):
        talker = f"talker{number}"
        for vowel, formants in VOWELS.items():
            for contour, semitones in CONTOURS.items():
                name = f"{talker}/{vowel}-{contour}"
                wave = sounds.syllable(sounds.Dice(name), pitch, semitones, formants, shorter)
                labels = {"syn_vowel": (vowel, talker), "syn_contour": (contour, talker)}
                yield "speech", talker, name, wave, labels


def _music() -> Iterator[Clip]:
    for build in BUILDS:
        for instrument in INSTRUMENTS:
            for number, note in enumerate(NOTES):
                name = f"{build}/{instrument}-{note}"
                dice = sounds.Dice(name)
                pitch = 130.8128 * 2 ** (dice.choice(3) + number / 12)
                wave = sounds.tone(dice, instrument, BUILDS.index(build), pitch)
                labels = {"syn_pitch": (note, build), "syn_instrument": (instrument, build)}
                yield "music", f"{build}-{instrument}", name, wave, labels


def _environment() -> Iterator[Clip]:
    for place in PLACES:
        for event in sounds.EVENTS:
            for take in range(2):
                name = f"{place}/{event}-{take}"
                dice = sounds.Dice(name)
                wave = sounds.record(dice, sounds.event(dice, event), place)
                labels = {"syn_event": (event, place), "syn_place": (place, event)}
                yield "environment", f"{place}-{event}", name, wave, labels


def _awkward() -> Iterator[Clip]:
    """What real corpora hold and code must survive; no task asks about them."""
    noise = sounds.Dice("awkward").uniform(2 * SAMPLE_RATE)
    tone = np.sin(2 * np.pi * (440 / SAMPLE_RATE * np.arange(SAMPLE_RATE) % 1))
    waves = {
        "one-sample": np.full(1, 0.25),
        "shorter-than-a-window": 0.3 * noise[:200],
        "three-hundredths": 0.3 * noise[:480],
        "digital-silence": np.zeros(SAMPLE_RATE),
        "stereo-mean": 0.25 * (noise[:SAMPLE_RATE] + tone),  # left: noise, right: tone
        "clipped": np.clip(4 * tone, -1, 1),
        "offset": 0.5 + 0.01 * noise[SAMPLE_RATE:],
        "nearly-silent": np.sign(tone) / 32767,
    }
    for name, wave in waves.items():
        yield "environment", f"awkward-{name}", f"awkward/{name}", wave, {}
