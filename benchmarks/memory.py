"""Peak memory of embedding and of a pretraining step, beside the authors' package.

Every case runs in a process of its own. On the CPU the number is the most that lay in memory
at once (resident, with Python and torch, which the row "nothing" tells apart); on a GPU the
most that torch held there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from common import OURS, PEER, add_common_arguments, keep, noise, peer, prepare, run_script
from train_step import our_model, our_step, their_step

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import DashengEncoder
from dasheng_lib.evaluation.embed import compute_embeddings
from dasheng_lib.model import PRESETS, Encoder
from dasheng_lib.tasks.clip import Clip

TASKS = ("10 s clips", "30 s clips", "training step")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser, repeats=1)
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--clips", type=int, default=8, help="in a batch (8)")
    parser.add_argument("--only", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    prepare(args)
    if args.only:
        task, who, precision = args.only
        if task != "nothing":
            act(task, who, precision, args)
        print(json.dumps(peak_bytes(args.device)))
        return

    whos = [(OURS, precision) for precision in args.precision]
    if peer(args, "train.models") is not None and args.size == "base":
        whos += [(PEER, precision) for precision in args.precision]
    rows = [("nothing", OURS, "float32")]
    rows += [(task, who, precision) for task in args.tasks for who, precision in whos]
    result = pd.DataFrame(rows, columns=["task", "who", "precision"])
    result["peak_MB"] = [measure(row, args) / 1e6 for row in rows]
    print(result.to_string(index=False, float_format="{:.0f}".format))
    keep(result, args)


def measure(case: tuple[str, str, str], args: argparse.Namespace) -> int:
    """Peak bytes of one case, from a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--only", *case]
    command += ["--size", args.size, "--device", args.device, "--clips", str(args.clips)]
    command += ["--seed", str(args.seed)]
    if args.threads:
        command += ["--threads", str(args.threads)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{' '.join(case)} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def act(task: str, who: str, precision: str, args: argparse.Namespace) -> None:
    """Do the work of a case, the peer in autocast where it is not float32."""
    seconds = 30.0 if task == "30 s clips" else 10.0
    waves = noise([seconds] * args.clips, args.seed)
    half = precision == "bfloat16"
    if task == "training step":
        wave_BN = torch.stack(waves).to(args.device)
        if who == OURS:
            step = our_step(our_model(args), wave_BN, precision)
        else:
            module = importlib.import_module("dasheng.train.models")
            model = module.dasheng_base(group_masking=True).to(args.device)
            step = their_step(model, wave_BN, half)
        for _ in range(2):  # the optimizer's own memory is there from the second step on
            step()
    elif who == OURS:
        encoder = Encoder(PRESETS[args.size]).to(args.device)
        features = DashengEncoder(encoder, "benchmark", precision, in_place=True)
        clips = [Clip("noise", len(wave), 16_000, "", wave.numpy) for wave in waves]
        compute_embeddings(features, clips)
    else:
        module = importlib.import_module("dasheng.pretrained.pretrained")
        config = PRESETS[args.size]
        model = module.Dasheng(embed_dim=config.dim, depth=config.depth, num_heads=config.heads)
        model = model.eval().to(args.device)
        with torch.inference_mode(), torch.autocast(args.device, torch.bfloat16, half):
            model(torch.stack(waves).to(args.device)).mean(1)


def peak_bytes(device: str) -> int:
    """The most memory of this process so far, in bytes."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():  # unlike getrusage this forgets the process that started us
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    run_script(main)
