"""The tasks of each corpus that comes with labels."""

from __future__ import annotations

from dataclasses import dataclass

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import OPENSETS


@dataclass(frozen=True)
class Task:
    """One labelled task of a corpus.

    Attributes:
        corpus, name: where :meth:`dasheng_lib.corpora.corpus.Corpus.task` finds it.
        title: for tables.
        domain: speech, music or environment.
        held_out: what a fold is: training never meets the group that is tested.
        headline: whether it counts in its domain's average. The others share clips with a
            headline task, or are nearly trivial.
    """

    corpus: str
    name: str
    title: str
    domain: str
    held_out: str
    headline: bool = True

    @property
    def unheard(self) -> bool:
        """Whether its clips are in no corpus that encoders of this library are pretrained on.

        Published encoders may have heard them: AudioSet and ESC-50 both come from public sites.
        Of the 400 clips of ESC-10 the pocket corpus holds two under other names, found by
        cross-correlation: 1-4211-A (``fire_small`` of Minetest) and 1-19898-C (the chainsaw of
        OpenSFX); they stay, so that recorded digests do.
        """
        return self.corpus in OPENSETS


POCKET = (
    Task("pocket", "number", "spoken number, English", "speech", "talker"),
    Task("pocket", "vowel", "vowel of a syllable", "speech", "talker and language"),
    Task("pocket", "number_de", "spoken number, German", "speech", "talker", False),
    Task("pocket", "word", "spoken word, English", "speech", "talker", False),
    Task("pocket", "tone", "Mandarin tone", "speech", "syllable", False),
    Task("pocket", "initial", "Mandarin initial", "speech", "syllable", False),
    Task("pocket", "instrument", "instrument family", "music", "sound font"),
    Task("pocket", "drum", "drum element", "music", "drum kit"),
    Task("pocket", "pitch", "pitch class", "music", "sound font", False),
    Task("pocket", "octave", "octave", "music", "sound font", False),
    Task("pocket", "event", "sound event", "environment", "package"),
    Task("pocket", "effect", "sound effect of a game", "environment", "takes of a sound"),
)
SYNTHETIC = (
    Task("synthetic", "syn_vowel", "synthetic vowel", "speech", "talker"),
    Task("synthetic", "syn_contour", "pitch contour", "speech", "talker"),
    Task("synthetic", "syn_pitch", "synthetic pitch", "music", "build"),
    Task("synthetic", "syn_instrument", "synthetic instrument", "music", "build"),
    Task("synthetic", "syn_event", "synthetic event", "environment", "place"),
    Task("synthetic", "syn_place", "synthetic place", "environment", "event"),
)
SUITES = {
    "pocket": POCKET,
    "pocket-full": POCKET,
    "pocket-large": POCKET,
    "synthetic": SYNTHETIC,
    "fsdd": (Task("fsdd", "fsdd", "spoken digit (FSDD)", "speech", "talker"),),
    "esc10": (Task("esc10", "esc10", "environmental sound (ESC-10)", "environment", "source"),),
    "speech_commands_test": (
        Task(
            "speech_commands_test",
            "speech_commands_test",
            "spoken command (Speech Commands)",
            "speech",
            "talker",
        ),
    ),
    # 80 of its 400 clips are in ESC-10 too, under the same ids.
    "esc50_4": (
        Task("esc50_4", "esc50_4", "environmental sound (ESC-50)", "environment", "source"),
    ),
    "emovo": (Task("emovo", "emovo", "acted emotion, Italian", "speech", "talker"),),
}


def never_heard() -> tuple[str, ...]:
    """The corpora whose tasks are all unheard, see :attr:`Task.unheard`: the judges."""
    return tuple(name for name, tasks in SUITES.items() if all(task.unheard for task in tasks))


def suite(corpus: str, headline: bool = False) -> tuple[Task, ...]:
    """The tasks of a corpus, in the order of tables; or those of the averages alone.

    Raises:
        UserError: the corpus has no tasks.
    """
    if corpus not in SUITES:
        raise UserError(f"There are no tasks for {corpus!r}: choose one of {', '.join(SUITES)}.")
    return tuple(task for task in SUITES[corpus] if task.headline or not headline)
