"""Embeddings of many files by as many processes as there are: each takes what no other has taken.

The files are dealt into shares, which are kept one by one. Any number of processes on one cache,
of one machine or of several, may be given the same files; whoever comes later, or after a crash,
takes what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm.auto import tqdm

from dasheng_lib.common.cache import cache_dir, claimed, digest
from dasheng_lib.encoders.protocol import AudioEncoder
from dasheng_lib.evaluation.embed import Embedded, embed
from dasheng_lib.evaluation.embed_batches import Kind
from dasheng_lib.tasks.clip import Clip

# A share is so much of what is left, and so many seconds of audio: large ones first, since each
# costs a little, small ones last, since whoever is done waits for the others.
PART, LEAST, MOST = 1 / 32, 5.0, 1200.0


def embed_in_shares(
    encoder: AudioEncoder, clips: Sequence[Clip], kind: Kind = "clips", progress: bool = True
) -> Embedded:
    """As :func:`.embed.embed`, together with all processes that ask for the same.

    Returns:
        Embeddings of all clips, whoever made them; of a share that another process is making
        when nothing else is left, the end is waited for, and if it dies the share is taken over.

    Raises:
        UserError, ValueError: as there.
    """
    shares = deal(clips)
    audio = digest([encoder.fingerprint, kind, [clip.identity for clip in clips]])
    found: dict[int, Embedded] = {}
    seconds = [sum(clips[i].seconds for i in share) for share in shares]
    with tqdm(
        desc=f"embed {len(clips)} clips",
        total=sum(seconds),
        unit="s",
        unit_scale=True,
        disable=not progress,
    ) as bar:

        def embed_share(number: int) -> None:
            found[number] = embed(encoder, [clips[i] for i in shares[number]], kind, False)
            bar.update(seconds[number])

        for number in range(len(shares)):
            with claimed(cache_dir("locks", audio) / f"{number}.lock") as mine:
                if mine:
                    embed_share(number)
        for number in set(range(len(shares))) - set(found):
            embed_share(number)
    parts = [found[number] for number in range(len(shares))]
    return _joined(parts).take(np.argsort(np.concatenate(shares)))


def deal(clips: Sequence[Clip]) -> list[np.ndarray]:
    """Numbers of the clips of each share: clips of like length together, the longest first."""
    seconds = np.array([clip.seconds for clip in clips])
    order = np.argsort(-seconds, kind="stable")
    ends, cuts = np.cumsum(seconds[order]), [0.0]
    while cuts[-1] < ends[-1]:
        cuts.append(cuts[-1] + float(np.clip((ends[-1] - cuts[-1]) * PART, LEAST, MOST)))
    shares = np.split(order, np.unique(np.searchsorted(ends, cuts[1:-1])))
    return [share for share in shares if len(share)]


def _joined(parts: Sequence[Embedded]) -> Embedded:
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    features = np.concatenate([part.features for part in parts])
    starts = np.concatenate([[0], np.cumsum(counts)])
    if parts[0].timestamps_ms is None:
        return Embedded(features, starts)
    return Embedded(features, starts, np.concatenate([part.timestamps_ms for part in parts]))
