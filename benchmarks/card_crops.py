"""Batches cut on the card: the audio lies there, and some thousand crops are made at a time.

In numpy a batch of 64 varied seconds takes tens of milliseconds, ten times what a card needs to
learn from it. Here the processor only draws addresses, many steps at once.

Shapes: R crops of a few steps, N samples of a crop, Q pieces that crops are put together of.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dasheng_lib.common.cache import digest
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops

AT_ONCE = 1024  # crops: of one second, 65 MB, and ten times that while they are made


class Pieces(NamedTuple):
    """What the crops of a chunk of steps are put together of, one after the other.

    Attributes:
        place_Q: where in the R x N samples a piece begins, ascending.
        count_Q: its samples there.
        offset_Q: where in the store it begins.
        speed_Q, gain_Q: how it is played.
    """

    place_Q: np.ndarray
    count_Q: np.ndarray
    offset_Q: np.ndarray
    speed_Q: np.ndarray
    gain_Q: np.ndarray


class CardCrops(Crops):
    """As ``dasheng_lib.corpora.crops.Crops``, with ``batch`` a tensor ``[batch, N]`` on the device.

    The order of the crops is the same. Starts, speeds, fillers and mixtures are distributed as
    there but drawn a chunk of steps at a time, so the digest is another.

    Args:
        store: the samples of ``corpus``, float32 on the device; by default they are sent to
            ``device`` with the first batch.
        options: of ``Crops``.
    """

    def __init__(
        self,
        corpus: Corpus,
        *options: object,
        device: torch.device | str = "cpu",
        store: Tensor | None = None,
    ) -> None:
        super().__init__(corpus, *options)
        self.digest = digest([corpus.digest, "cut in chunks", AT_ONCE])
        self.device, self._store = torch.device(device), store
        self._steps = max(AT_ONCE // self.batch_size, 1)
        self._chunk: tuple[int, Tensor] = (-1, torch.empty(0))
        fillers = [self._fillers[domain] for domain in sorted(self._fillers)]
        self._filler = np.concatenate(fillers)
        counts = np.array([len(rows) for rows in fillers])
        domain = np.searchsorted(sorted(self._fillers), self._domain)
        self._filler_count, self._filler_first = counts[domain], (counts.cumsum() - counts)[domain]

    def batch(self, step: int, rows: slice | None = None) -> Tensor:
        """The crops of one step, or some of its rows; whoever reads them need not wait."""
        number, within = divmod(step, self._steps)
        if self._chunk[0] != number:
            if self._store is None:
                self._store = torch.tensor(self.corpus.store, device=self.device)
            self._chunk = (number, self._made(number))
            if self.device.type == "cuda":  # other threads and streams take it from here
                torch.cuda.current_stream(self.device).synchronize()
        first = within * self.batch_size
        return self._chunk[1][first : first + self.batch_size][rows or slice(None)]

    def _made(self, number: int) -> Tensor:
        rng = np.random.default_rng((self.seed, 3, number))
        wave_RN = cut(self._store, self.drawn(number, rng), self._rows(), self.samples)
        if not self.mix:
            return wave_RN
        partner_SB = rng.random((self._steps, self.batch_size)).argsort(1)
        partner_SB += self.batch_size * np.arange(self._steps)[:, None]
        weight_R = rng.uniform(0, self.mix, self._rows())
        partner_R, weight_R = (
            torch.from_numpy(a).to(self.device) for a in (partner_SB.reshape(-1), weight_R)
        )
        return mixed_rows(wave_RN, wave_RN[partner_R], weight_R)

    def _rows(self) -> int:
        return self._steps * self.batch_size

    def drawn(self, number: int, rng: np.random.Generator) -> Pieces:
        """The pieces of all crops of chunk ``number``."""
        epoch_R, place_R = np.divmod(number * self._rows() + np.arange(self._rows()), len(self))
        crop_R = np.concatenate([self._order(e)[place_R[epoch_R == e]] for e in np.unique(epoch_R)])
        length, offset = (self.corpus.clips[c].to_numpy() for c in ("samples", "offset"))
        gain = self.corpus.clips["gain"].to_numpy() if "gain" in self.corpus.clips else None
        row, clip = np.arange(len(crop_R)), self._clip[crop_R]
        domain_of = clip  # fillers are of the domain of a crop's first clip
        start = self._part[crop_R] * self.samples + rng.integers(self._slack[clip] + 1)
        filled, pieces = np.zeros_like(row), []
        while len(row):
            left = length[clip] - start
            limit = np.log(self.speed)
            speed = np.exp(rng.uniform(-limit, limit, len(row)))
            count = np.where(left > 0, np.floor((left - 1) / speed).astype(np.int64) + 1, 0)
            count = np.minimum(count, self.samples - filled)
            louder = np.ones(len(row)) if gain is None else gain[clip]
            place = row * self.samples + filled
            pieces.append((place, count, offset[clip] + start, speed, louder))
            filled = filled + np.maximum(count, 1)
            go_on = (filled < self.samples) & (self._filler_count[domain_of] > 0)
            go_on &= self.short == "fill"
            row, filled, domain_of = row[go_on], filled[go_on], domain_of[go_on]
            which = (rng.random(len(row)) * self._filler_count[domain_of]).astype(np.int64)
            clip, start = self._filler[self._filler_first[domain_of] + which], 0
        columns = [np.concatenate(column) for column in zip(*pieces, strict=True)]
        order = columns[0].argsort(kind="stable")
        return Pieces(*(column[order] for column in columns))


def cut(store: Tensor, pieces: Pieces, rows: int, samples: int) -> Tensor:
    """Crops float32 ``[rows, samples]`` on the device of ``store``; 0 where no piece lies.

    Between two samples lies a straight line, as in :func:`dasheng_lib.audio.played`.
    """
    place_Q, count_Q, offset_Q, speed_Q, gain_Q = (
        torch.from_numpy(column).to(store.device) for column in pieces
    )
    at = torch.arange(rows * samples, device=store.device)
    piece = torch.searchsorted(place_Q, at, right=True) - 1
    at = at - place_Q[piece]
    heard = (at >= 0) & (at < count_Q[piece])
    # Places in float64: half a minute into a clip float32 is a hundredth of a sample off.
    where = torch.where(heard, at * speed_Q[piece], 0.0)
    low = where.floor()
    share = (where - low).float()
    low = offset_Q[piece] + low.long()
    wave = torch.lerp(store[low], store[(low + 1).clamp_max(len(store) - 1)], share)
    return (wave * gain_Q[piece].float() * heard).view(rows, samples)


def mixed_rows(wave_RN: Tensor, other_RN: Tensor, weight_R: Tensor) -> Tensor:
    """As :func:`dasheng_lib.corpora.crops.mixed`, row by row."""
    power_R, others_R = (w.square().mean(1, dtype=torch.float64) for w in (wave_RN, other_RN))
    sound_R = (power_R > 0) & (others_R > 0)
    level_R = weight_R * (power_R / others_R.clamp_min(1e-300)).sqrt()
    own_R = torch.where(sound_R, 1 - weight_R, 1.0).float()
    level_R = torch.where(sound_R, level_R, 0.0).float()
    return own_R[:, None] * wave_RN + level_R[:, None] * other_RN
