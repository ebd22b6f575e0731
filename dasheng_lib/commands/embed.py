"""``dasheng embed``: what an encoder makes of audio files, as one file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dasheng_lib.commands.options import device, writable
from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.common.places import expanded

EPILOG = """\
--out FILE.npz holds `path`, `embedding` [clips, width], `encoder` and `fingerprint`; with
--frames, `embedding` has a row a frame, clip i the rows start[i] to start[i + 1], and `ms` is the
middle of each. FILE.parquet has a row a clip (path, embedding), or a row a frame (path, ms,
embedding).

What is embedded is kept as it goes: the same command goes on after a crash. Several processes that
are given it on one cache share the work, on one machine or on many, and each ends with the whole:
  torchrun --nproc-per-node 2 --no-python dasheng embed calls/ --out calls.npz
  sbatch --array=0-15 --wrap "dasheng embed calls.csv --out calls.npz"

examples:
  dasheng embed one.wav two.flac --out two.npz
  dasheng embed recordings/ --encoder published:base --out recordings.parquet
  dasheng embed recordings/ --encoder published:1.2B --device cuda --out recordings.npz
  dasheng embed clips.csv --encoder hear:my.module --frames --out frames.npz
"""
ENDINGS = (".npz", ".parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        nargs="+",
        help="audio files, folders of them, or tables (.csv) with a column path",
    )
    parser.add_argument("--encoder", default="dasheng:nano", help="its name (dasheng:nano)")
    parser.add_argument("--out", type=writable, required=True, help="FILE.npz or FILE.parquet")
    parser.add_argument("--device", type=device, default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--frames", action="store_true", help="a vector a frame, not one a clip")


def run(args: argparse.Namespace) -> int:
    if args.out.suffix not in ENDINGS:
        raise UserError(f"--out is FILE.npz or FILE.parquet, not {args.out}.")
    from dasheng_lib.encoders import load_encoder
    from dasheng_lib.evaluation.embed_shares import embed_in_shares

    _share_cores()
    names, clips = clips_of(args.inputs)
    encoder = load_encoder(args.encoder, device=args.device)
    kind = "frames" if args.frames else "clips"
    found = embed_in_shares(encoder, clips, kind)
    with atomic_file(args.out) as temporary, temporary.open("wb") as file:
        if args.out.suffix == ".npz":
            arrays = {"path": np.array(names), "embedding": found.features}
            if args.frames:
                arrays |= {"start": found.starts, "ms": found.timestamps_ms}
            np.savez(file, encoder=args.encoder, fingerprint=encoder.fingerprint, **arrays)
        else:
            table = pd.DataFrame({"path": np.repeat(names, np.diff(found.starts))})
            if args.frames:
                table["ms"] = found.timestamps_ms
            table["embedding"] = list(found.features)
            table.to_parquet(file, index=False)
    rows, width = found.features.shape
    print(f"{args.out}: {len(names)} clips, {rows} x {width}")
    return 0


def clips_of(inputs: Sequence[str]):
    """Names as they were given, and the clips, of files, folders and tables.

    Raises:
        UserError: something is not there or no audio, or there is nothing.
    """
    from dasheng_lib.audio.below import audio_below
    from dasheng_lib.tasks.own_files import clips_at, read_table

    names, paths = [], []
    for given in inputs:
        place = expanded(given)
        if place.is_dir():
            found, passed = audio_below(place)
            if not found:
                raise UserError(f"{place} holds no audio: name files, or a folder of them.")
            if passed:
                what = "hidden or of a kind that libsndfile does not read, passed over"
                said = tell(f"file is {what}", list(map(str, passed)), f"files are {what}")
                print(f"dasheng: {said}", file=sys.stderr)
            names += map(str, found)
            paths += found
        elif place.suffix == ".csv":
            table = list(read_table(place, ["path"])["path"])
            names += table
            paths += [place.parent / expanded(name) for name in table]
        else:
            names.append(given)
            paths.append(place)
    return names, clips_at(paths, names, "The command")


def _share_cores() -> None:
    """Of processes that were started together on one machine each takes its part of the cores."""
    import torch

    together = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if together > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // together))
