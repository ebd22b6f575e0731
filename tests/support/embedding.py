"""Run by test_embed.py: embed a task in processes that die, and in two at once.

Prints how each of three processes ended and how many batches it computed.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from dasheng_lib.evaluation import embed_batches
from dasheng_lib.evaluation.embed import Embedded, embed
from dasheng_lib.tasks import Clip, Task
from dasheng_lib.tasks.hear.read import read_hear_task


class Windows:
    """Mean and peak of windows of 10 ms; a clip's vector is their mean. Counts its batches."""

    name, sample_rate, dim, hop_ms, min_samples = "windows", 16_000, 2, 10.0, 160
    fingerprint = "windows-1"

    def __init__(self, dies_at: int | None = None) -> None:
        self.batches, self.dies_at = 0, dies_at

    def frames(self, wave_BN, lengths=None):
        self.batches += 1
        if self.batches == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        windows = wave_BN[:, : wave_BN.shape[1] // 160 * 160].unflatten(1, (-1, 160))
        return torch.stack([windows.mean(2), windows.amax(2)], 2)

    def clips(self, wave_BN, lengths):
        frames_BTD = self.frames(wave_BN)
        count_B = lengths // 160
        valid_BT = torch.arange(frames_BTD.shape[1]) < count_B[:, None]
        return (frames_BTD * valid_BT[..., None]).sum(1) / count_B[:, None]


def by_name(task: Task) -> list[Clip]:
    return [clip for part in task.clips.values() for clip in sorted(part, key=lambda c: c.name)]


def embed_task(folder: Path, encoder: Windows, kind: str = "frames") -> Embedded:
    task = read_hear_task(folder)
    embed_batches.BATCH_SECONDS = 1.0
    return embed(encoder, by_name(task), kind, progress=False)


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    read_hear_task(folder)

    def start(dies_at: int | None) -> tuple[int, int]:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            encoder = Windows(dies_at)
            embed_task(folder, encoder)
            os.write(writer, bytes([encoder.batches]))
            os._exit(0)
        os.close(writer)
        return child, reader

    def end(child: int, reader: int) -> str:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return f"{code}:{(os.read(reader, 1) or b'?')[0] if code == 0 else '-'}"

    print(end(*start(3)))
    print(*[end(*child) for child in [start(None), start(None)]])
