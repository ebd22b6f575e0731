"""The 12 tasks of HARES (Wang et al., arXiv 2111.12124, appendix A).

What differs from the paper:

- There each step of the probe's training draws a crop of a clip anew. The encoder is frozen, so
  here the pieces of that length, one after the other, are embedded once and stand for the crops.
  This rests on crops at other offsets having like features; longer clips, whose crops were drawn as
  often as those of short ones, weigh more, and what is left behind the last whole piece is not
  heard.
- There AudioSet's clips are mixed with others while the probe trains, and ESC-50's support vector
  machine learns from ten epochs of augmented clips; here none are. Each mixture would have to be
  embedded, ten times the work, and how ESC-50 is augmented, or which label a mixture has for a
  machine of one class a clip, the paper does not say.
- Birdsong and TUT18 are split in another way, see ``hares.yml``.
- Clips of MagnaTagATune that lack each of the 50 tags are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import expanded
from dasheng_lib.corpora.official import (
    audioset,
    birdsong,
    esc50,
    fluent_speech_commands,
    magna_tag_a_tune,
    nsynth,
    speech_commands,
    tut18,
    voxceleb,
    voxforge,
)
from dasheng_lib.corpora.official.files import Recording
from dasheng_lib.corpora.official_sets import benchmark_task, part_of_set
from dasheng_lib.tasks import parts
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.tasks.cut import pieces, spread
from dasheng_lib.tasks.hear.faults import shared_audio
from dasheng_lib.tasks.of_recordings import clips_of
from dasheng_lib.tasks.task import POOLED, Fold, Task, k_folds

Cut = Callable[[Clip], list[Clip]]


@dataclass(frozen=True)
class Declared:
    """What is HARES's own of a task; ``hares.yml`` has what its data set is.

    Attributes:
        read: the data set's reader.
        train: from a clip to the pieces of it that train.
        test: to those whose scores are averaged.
        probe: by name.
        labels: all there are, where they do not follow from the clips.
    """

    read: Callable[[Path], list[Recording]]
    train: Cut
    test: Cut
    probe: str = "hares"
    labels: tuple[str, ...] = ()


def _whole(clip: Clip) -> list[Clip]:
    return [clip]


def _pieces(read: Callable[[Path], list[Recording]], seconds: float, **more) -> Declared:
    """Pieces train, and the mean over those of a clip is scored."""
    cut = partial(pieces, seconds=seconds)
    return Declared(read, cut, cut, **more)


HARES = {
    "audioset": Declared(
        audioset.read, partial(pieces, seconds=3), partial(spread, seconds=3, count=10), "hares-mlp"
    ),
    "birdsong": _pieces(birdsong.read, 1),
    "tut18": _pieces(tut18.read, 5),
    "esc50": Declared(esc50.read, _whole, _whole, "hares-svm"),
    "speech_commands_v1": _pieces(speech_commands.twelve, 1),
    "speech_commands_v2": _pieces(speech_commands.words, 1),
    "fluent_speech_commands": _pieces(fluent_speech_commands.read, 3),
    "voxforge": _pieces(voxforge.read, 3),
    "voxceleb": _pieces(voxceleb.read, 3),
    "nsynth_instrument": Declared(nsynth.families, _whole, _whole),
    "nsynth_pitch": _pieces(nsynth.pitches, 1, labels=nsynth.PITCHES),
    "magna_tag_a_tune": _pieces(magna_tag_a_tune.read, 3, probe="hares-mtt"),
}
SEED = 42  # of folds that are drawn, where the set is here in part; as ARCH's
PREDICTIONS = {"mAP": "multilabel", "all_slots": "slots"}


def hares_task(name: str, folder: Path | str, progress: bool = True) -> Task:
    """A task of HARES from its data set's official folder.

    Validation clips are left out: the benchmark chooses nothing on them. ESC-50 tests each of its
    five folds, and the next one may select: the paper picks C of its probe on one fold. The others
    have one test. The same recording in two splits is said, and stays. Of a set of which one fold
    or the test alone is here, the folds are ours, see :func:`parts.by_group`, and
    :attr:`Task.part` says so.

    Raises:
        UserError: no such task; the folder is not the set's, or nothing is left to train or test.
    """
    published, folder = benchmark_task("hares", name), expanded(folder)
    own, name = HARES[published.name], published.name
    used = [one for one in own.read(folder) if one.split != "valid"]
    pairs, notes = _parted(clips_of(folder, used, progress))
    splits = sorted({one.split for one, _ in pairs})
    whole = Task(
        name=name,
        clips={split: tuple(clip for one, clip in pairs if one.split == split) for split in splits},
        labels=own.labels or tuple(sorted({label for one, _ in pairs for label in one.labels})),
        folds=_folds(splits),
        metrics=(published.metric,) if published.metric == "mAP" else (published.metric, POOLED),
        prediction=PREDICTIONS.get(published.metric, "multiclass"),
        domain=published.domain,
        probe=own.probe,
        part=part_of_set(published, [one.path for one, _ in pairs], notes),
    )
    if not whole.folds:
        has = " and ".join(split or "clips of no split" for split in splits)
        raise UserError(
            f"{folder} holds nothing to train or nothing to test {name} on, only {has}."
        )
    if twice := shared_audio(whole):
        warnings.warn(f"{folder}: {'; '.join(twice)}; they stay.", stacklevel=2)
    cut = {
        split: tuple(
            piece for clip in part for piece in (own.test if split == "test" else own.train)(clip)
        )
        for split, part in whole.clips.items()
    }
    return replace(whole, clips=cut)


def _parted(pairs: list[tuple[Recording, Clip]]) -> tuple[list[tuple[Recording, Clip]], list[str]]:
    """In place of one fold or test alone, folds that keep a speaker's or a recording's clips
    together, and a note of that; nothing else is changed."""
    (only, *more) = {one.split for one, _ in pairs}
    if more or not (only == "test" or only.isdigit()):
        return pairs, []
    labels = [one.labels[0] for one, _ in pairs]
    groups = [one.group or clip.identity for one, clip in pairs]
    split_of = {row: p.fold for p in parts.by_group(labels, groups, SEED) for row in p.test}
    if not split_of:
        return pairs, []
    own = [(replace(one, split=split_of[row]), clip) for row, (one, clip) in enumerate(pairs)]
    return own, [f"official {only if only == 'test' else f'fold {only}'} alone, in folds of ours"]


def _folds(splits: Sequence[str]) -> tuple[Fold, ...]:
    """Train and test, or each of some numbered folds tested in turn; none if neither is there."""
    if {"train", "test"} <= set(splits):
        return (Fold("test", ("train",), (), ("test",)),)
    numbered = len(splits) > 1 and all(split.isdigit() for split in splits)
    return k_folds(splits) if numbered else ()
