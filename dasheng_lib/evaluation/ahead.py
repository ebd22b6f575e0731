"""About how long embedding will take, said before it begins."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import embedded_folder
from dasheng_lib.evaluation.embed_batches import Kind, embed_batches
from dasheng_lib.tasks.clip import Clip

Job = tuple[AudioEncoder, Sequence[Clip], Kind]
TIMED = 10.0  # seconds of audio by which an encoder is timed
LONGEST = 60.0  # of a clip that is embedded for that alone
WORTH = 60.0  # seconds of work, and of audio, below which nothing is said


def tell_ahead(jobs: Iterable[Job]) -> None:
    """Say about how many minutes it takes to embed what is not embedded yet, if it is one or more.

    Each encoder is timed on a few clips of middling length.
    """
    left = {folder: job for job in jobs if not (folder := embedded_folder(*job)).is_dir()}.values()
    audio = sum(clip.seconds for _, clips, _ in left for clip in clips)
    if audio < WORTH:
        return
    speeds: dict[tuple[str, Kind], float] = {}
    work = 0.0
    for encoder, clips, kind in left:
        key = (encoder.fingerprint, kind)
        if key not in speeds:
            speeds[key] = _seconds_a_second(encoder, clips, kind)
        work += speeds[key] * sum(clip.seconds for clip in clips)
    if work >= WORTH:
        said = "about %.0f min to embed %.1f h of audio"
        logging.getLogger("dasheng").info(said, work / 60, audio / 3600)


def _seconds_a_second(encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind) -> float:
    """Of work for one of audio; 0 where that cannot be told: what fails here fails again later."""
    short = sorted((c for c in clips if 0 < c.seconds <= LONGEST), key=lambda c: c.seconds)
    some: list[Clip] = []
    for clip in short[len(short) // 2 :]:
        if sum(c.seconds for c in some) < TIMED:
            some.append(clip)
    with suppress(Exception):
        for timed in (some[:1], some):  # the first call of a network is slower than any other
            began = time.perf_counter()
            for _ in embed_batches(encoder, timed, kind):
                pass
        return (time.perf_counter() - began) / sum(clip.seconds for clip in some)
    return 0.0
