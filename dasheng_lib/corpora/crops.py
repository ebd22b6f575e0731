"""Batches of equally long crops from a corpus, addressed by step.

A batch is a pure function of corpus, settings, seed and step, so a run that resumes at step s
needs no state to see the same audio as a run that was never stopped.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dasheng_lib.audio import played
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.split import exam_clips


def check_crops(short: str, even: str, speed: float, mix: float) -> None:
    """Raise :class:`ValueError` for a value that :class:`Crops` cannot have."""
    if short not in ("fill", "pad"):
        raise ValueError(f"short is 'fill' or 'pad', not {short!r}")
    if even not in ("seconds", "clips", "domains"):
        raise ValueError(f"even is 'seconds', 'clips' or 'domains', not {even!r}")
    if not 1.0 <= speed <= 4.0:
        raise ValueError(f"speed is 1 to 4, not {speed}")
    if not 0.0 <= mix <= 1.0:
        raise ValueError(f"mix is 0 to 1, not {mix}")


class Crops:
    """``crops.batch(step)`` is float32 ``[batch, seconds * 16000]``.

    Every clip is cut into as many whole crops as it holds, at least one, with a random start in
    what is left over; one epoch shows every crop once, in an order of its own. (``even`` keeps a
    few long recordings from taking over.) A clip shorter than a crop is followed by further clips
    of its domain until the crop is full, because nothing can be learned from padding; in
    ``short="pad"`` it is filled up with zeros instead, as in the paper.

    Args:
        corpus: where the audio is.
        seconds: length of a crop.
        batch: crops in a batch.
        seed: of order and starts.
        short: ``"fill"`` or ``"pad"``.
        even: what counts alike. ``"seconds"``: a clip gives as many crops as it holds.
            ``"clips"``: one crop each. ``"domains"``: one crop each, and clips of smaller domains
            again until every domain gives as many crops as the largest.
        speed: a clip is played up to this many times faster or slower, evenly drawn on a
            logarithmic scale; pitch changes with it, so that few talkers become many. 1: as it is.
        mix: into each crop another of its batch is mixed at the same level, with a weight drawn
            between 0 and this; 0 mixes nothing.
    """

    def __init__(
        self,
        corpus: Corpus,
        seconds: float,
        batch: int,
        seed: int = 0,
        short: str = "fill",
        even: str = "seconds",
        speed: float = 1.0,
        mix: float = 0.0,
    ) -> None:
        check_crops(short, even, speed, mix)
        self.name, self.digest = corpus.name, corpus.digest
        self.corpus, self.batch_size, self.seed, self.short = corpus, batch, seed, short
        self.speed, self.mix = speed, mix
        self.samples = round(seconds * corpus.sample_rate)
        self._longest = int(self.samples * speed) + 2  # samples of a clip that a crop can need
        lengths = corpus.clips["samples"].to_numpy()
        domains = corpus.clips["domain"].to_numpy()
        if even == "seconds":
            counts = np.maximum(lengths // self.samples, 1)
            self._clip = np.repeat(np.arange(len(lengths)), counts)
            self._part = np.concatenate([np.arange(count) for count in counts])
        else:
            counts = np.ones_like(lengths)
            clips = np.arange(len(lengths))
            if even == "domains":
                most = max(np.count_nonzero(domains == domain) for domain in set(domains))
                clips = np.concatenate(
                    [np.resize(clips[domains == domain], most) for domain in sorted(set(domains))]
                )
            self._clip, self._part = clips, np.zeros_like(clips)
        self._slack = np.maximum(lengths - counts * self.samples, 0)
        short_clips = lengths < self.samples
        self._fillers = {
            domain: np.flatnonzero(short_clips & (domains == domain)) for domain in set(domains)
        }
        self._domain = domains
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def __len__(self) -> int:
        """Crops in an epoch."""
        return len(self._clip)

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray:
        """The crops of one step, or some of its rows."""
        chosen = range(self.batch_size)[rows or slice(None)]
        plain = {row: self._crop(step, row) for row in chosen}
        if not self.mix:
            return np.stack(list(plain.values()))
        rng = np.random.default_rng((self.seed, 2, step))
        partners = rng.permutation(self.batch_size)
        weights = rng.uniform(0, self.mix, self.batch_size)
        for row in set(partners[list(chosen)]) - set(plain):  # in another process's part
            plain[row] = self._crop(step, row)
        return np.stack([mixed(plain[r], plain[partners[r]], weights[r]) for r in chosen])

    def clips(self, step: int) -> np.ndarray:
        """The clip that each crop of one step begins with, a row of ``corpus.clips``."""
        places = [self._place(step, row) for row in range(self.batch_size)]
        return self._clip[[self._order(epoch)[place] for epoch, place in places]]

    def labels(self, step: int, rows: slice | None = None) -> np.ndarray:
        """The class of each crop's clip, int64, where the corpus is ``split.labelled``.

        Raises:
            UserError: it is not.
        """
        clips = self.corpus.clips
        if "label" not in clips:
            raise UserError(f"The clips of {self.name} have no labels: name tasks that it has.")
        return clips["label"].to_numpy(np.int64)[self.clips(step)[rows or slice(None)]]

    def _crop(self, step: int, row: int) -> np.ndarray:
        epoch, place = self._place(step, row)
        crop = np.zeros(self.samples, np.float32)
        self._fill(crop, self._order(epoch)[place], (self.seed, 1, epoch, place))
        return crop

    def _place(self, step: int, row: int) -> tuple[int, int]:
        return divmod(step * self.batch_size + row, len(self))

    def _shuffled(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, 0, epoch)).permutation(len(self))

    def _fill(self, out: np.ndarray, crop: int, key: tuple[int, ...]) -> None:
        rng = np.random.default_rng(key)
        clip = self._clip[crop]
        start = self._part[crop] * self.samples + rng.integers(self._slack[clip] + 1)
        wave, filled = self.corpus.wave(clip, start, start + self._longest), 0
        fillers = self._fillers[self._domain[clip]]
        while True:
            wave = self._played(wave, self.samples - filled, rng)
            out[filled : filled + len(wave)] = wave
            filled += max(len(wave), 1)
            if filled >= self.samples or self.short == "pad" or not len(fillers):
                return
            wave = self.corpus.wave(rng.choice(fillers), 0, self._longest)

    def _played(self, wave: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
        if self.speed == 1.0 or not len(wave):
            return wave[:samples]
        limit = np.log(self.speed)
        return played(wave, float(np.exp(rng.uniform(-limit, limit))), samples)


class Exam:
    """Held-out crops of a fixed set of clips, in batches of one domain each.

    ``len(exam)`` batches are the same number of each domain, so that the mean over them gives
    every domain the same weight, however much of it was held out. Within a domain clips come
    from its groups in turn, one crop of each clip.

    Args:
        corpus: what was held out.
        seconds: length of a crop.
        batch: crops in a batch.
        crops: at least so many in all.
        short: see :class:`Crops`.
    """

    def __init__(
        self, corpus: Corpus, seconds: float, batch: int, crops: int, short: str = "fill"
    ) -> None:
        self.name, self.digest = corpus.name, corpus.digest
        rounds = -(-crops // (batch * corpus.clips["domain"].nunique()))
        parts = exam_clips(corpus, rounds * batch)
        self._domains = [
            Crops(part, seconds, batch, short=short, even="clips") for part in parts.values()
        ]
        self._rounds = rounds

    def __len__(self) -> int:
        return self._rounds * len(self._domains)

    def batch(self, step: int, rows: slice | None = None) -> np.ndarray:
        """Float32 [rows, N]: these rows of a batch, of one domain."""
        turn, domain = divmod(step, len(self._domains))
        return self._domains[domain].batch(turn, rows)

    def labels(self, step: int, rows: slice | None = None) -> np.ndarray:
        """The classes of that batch, see :meth:`Crops.labels`."""
        turn, domain = divmod(step, len(self._domains))
        return self._domains[domain].labels(turn, rows)


def mixed(wave: np.ndarray, other: np.ndarray, weight: float) -> np.ndarray:
    """``wave`` with a share of ``other``, brought to the same power; silence mixes nothing.

    Args:
        wave, other: float32 [samples].
        weight: of the other, 0 to 1.
    """
    power, others = (float(np.square(w, dtype=np.float64).mean()) for w in (wave, other))
    if not power or not others:
        return wave
    level = weight * (power / others) ** 0.5
    return (np.float32(1 - weight) * wave + np.float32(level) * other).astype(np.float32)
