"""The tasks of each corpus that comes with labels."""

from __future__ import annotations

from dataclasses import dataclass

from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import OPENSETS


@dataclass(frozen=True)
class Declared:
    """What tables say of a task of a corpus; :func:`.of_corpus.corpus_task` makes the task.

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
    Declared("pocket", "number", "spoken number, English", "speech", "talker"),
    Declared("pocket", "vowel", "vowel of a syllable", "speech", "talker and language"),
    Declared("pocket", "number_de", "spoken number, German", "speech", "talker", False),
    Declared("pocket", "word", "spoken word, English", "speech", "talker", False),
    Declared("pocket", "tone", "Mandarin tone", "speech", "syllable", False),
    Declared("pocket", "initial", "Mandarin initial", "speech", "syllable", False),
    Declared("pocket", "instrument", "instrument family", "music", "sound font"),
    Declared("pocket", "drum", "drum element", "music", "drum kit"),
    Declared("pocket", "pitch", "pitch class", "music", "sound font", False),
    Declared("pocket", "octave", "octave", "music", "sound font", False),
    Declared("pocket", "event", "sound event", "environment", "package"),
    Declared("pocket", "effect", "sound effect of a game", "environment", "takes of a sound"),
)
SYNTHETIC = (
    Declared("synthetic", "syn_vowel", "synthetic vowel", "speech", "talker"),
    Declared("synthetic", "syn_contour", "pitch contour", "speech", "talker"),
    Declared("synthetic", "syn_pitch", "synthetic pitch", "music", "build"),
    Declared("synthetic", "syn_instrument", "synthetic instrument", "music", "build"),
    Declared("synthetic", "syn_event", "synthetic event", "environment", "place"),
    Declared("synthetic", "syn_place", "synthetic place", "environment", "event"),
)
SUITES = {
    "pocket": POCKET,
    "pocket-full": POCKET,
    "pocket-large": POCKET,
    "synthetic": SYNTHETIC,
    "fsdd": (Declared("fsdd", "fsdd", "spoken digit (FSDD)", "speech", "talker"),),
    "esc10": (Declared("esc10", "esc10", "environmental sound (ESC-10)", "environment", "source"),),
    "speech_commands_test": (
        Declared(
            "speech_commands_test",
            "speech_commands_test",
            "spoken command (Speech Commands)",
            "speech",
            "talker",
        ),
    ),
    # 80 of its 400 clips are in ESC-10 too, under the same ids.
    "esc50_4": (
        Declared("esc50_4", "esc50_4", "environmental sound (ESC-50)", "environment", "source"),
    ),
    "emovo": (Declared("emovo", "emovo", "acted emotion, Italian", "speech", "talker"),),
}


def never_heard() -> tuple[str, ...]:
    """The corpora whose tasks are all unheard, see :attr:`Declared.unheard`: the judges."""
    return tuple(name for name, tasks in SUITES.items() if all(task.unheard for task in tasks))


def suite(corpus: str, headline: bool = False) -> tuple[Declared, ...]:
    """The tasks of a corpus, in the order of tables; or those of the averages alone.

    Raises:
        UserError: the corpus has no tasks.
    """
    if corpus not in SUITES:
        raise UserError(f"There are no tasks for {corpus!r}: choose one of {', '.join(SUITES)}.")
    return tuple(task for task in SUITES[corpus] if task.headline or not headline)
