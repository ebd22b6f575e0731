"""Run by test_rank_streaming.py: two processes, each with its rows, reduce to one rank.

Prints a line of JSON: what each says of rows dealt unevenly, and with none for the second.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from dasheng_lib.rank import RankMe


def say(rank: int, folder: Path) -> list:
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    Z = np.load(folder / "rows.npy")
    said = []
    for cut in (len(Z) // 3, len(Z)):
        mine = RankMe(Z.shape[1]).update(Z[:cut] if rank == 0 else Z[cut:])
        whole = mine.all_reduce()
        said.append(
            [
                whole.count,
                *(
                    f(centred)
                    for f in (whole.compute, whole.corrected)
                    for centred in (False, True)
                ),
                whole.mean_ratio(),
                mine.count,
            ]
        )
    dist.destroy_process_group()
    return said


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    child = os.fork()  # rather than torchrun, which would load torch three times
    said = say(1 if child == 0 else 0, folder)
    if child == 0:
        (folder / "child.json").write_text(json.dumps(said))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    print(json.dumps([said, json.loads((folder / "child.json").read_text())]))
