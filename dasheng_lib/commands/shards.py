"""``dasheng shards``: audio into tar files for training at scale, what they hold, and back."""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np

from dasheng_lib.audio import SAMPLE_RATE
from dasheng_lib.commands.options import at_least, folder

EPILOG = """\
A shard is a plain tar file in webdataset's layout: KEY.flac (16 kHz, mono, 16 bit) and KEY.json
with whatever else is known of the clip. Shards of the Dasheng authors' tools (mp3, wav, flac, ogg
or opus beside .json, at 16 kHz) are read as well, and webdataset reads these.

examples:
  dasheng shards pack pocket --prepared --out shards/pocket
                                        a corpus, as `dasheng pretrain` hears it
  dasheng shards pack clips.tsv --out shards/mine
                                        files named in the column filename; other columns are kept
  dasheng shards pack recordings/ --out shards/mine --per-shard 2000 --workers 8
                                        every audio file in a folder, any rate or format
  dasheng shards list shards/mine       clips, hours, and what cannot be trained on
  dasheng shards list 'shards/mine/shard-{000000..000012}.tar'
  dasheng shards extract shards/mine --out clips

Packing goes on where it stopped: give the same command again. Files that are missing, damaged,
silent, not numbers or shorter than 30 ms are left out, counted, and named in shards.json beside
the shards."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``dasheng shards`` and their options."""
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    pack = actions.add_parser("pack", help="audio into shards")
    pack.add_argument("source", metavar="SOURCE", help="a corpus, a .tsv or .csv table, a folder")
    pack.add_argument("--out", type=folder, required=True, help="folder of the shards")
    pack.add_argument(
        "--per-shard", type=at_least(1), default=1000, help="clips of the source in a shard (1000)"
    )
    pack.add_argument("--workers", type=at_least(1), default=1, help="threads (1)")
    pack.add_argument(
        "--prepared", action="store_true", help="trim and level a corpus, as pretrain does"
    )
    pack.add_argument("--quiet", action="store_true", help="no progress bar")
    show = actions.add_parser("list", help="what shards hold, and what is wrong with them")
    show.add_argument("shards", nargs="+", metavar="SHARDS", help="tar files, folders, patterns")
    back = actions.add_parser("extract", help="the files again, byte for byte")
    back.add_argument("shards", nargs="+", metavar="SHARDS", help="tar files, folders, patterns")
    back.add_argument("--out", type=folder, required=True, help="folder of the files")


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say.

    Raises:
        UserError: nothing to pack or read, or a folder that cannot be written.
    """
    return {"pack": _pack, "list": _list, "extract": _extract}[args.action](args)


def _pack(args: argparse.Namespace) -> int:
    from dasheng_lib.shards import clips_of, write_shards

    clips = clips_of(args.source, prepared=args.prepared)
    packed = write_shards(args.out, clips, args.per_shard, args.workers, not args.quiet)
    hours = packed.samples / SAMPLE_RATE / 3600
    print(f"{args.out}: {packed.clips} clips, {hours:.2f} h")
    _tell(((key,), reason) for key, reason in packed.skipped.items())
    return 0


def _list(args: argparse.Namespace) -> int:
    from dasheng_lib.shards import find_shards, shard_index

    print(f"{'shard':<28}{'clips':>8}{'hours':>9}{'MB':>8}")
    clips, hours, skipped = 0, 0.0, []
    for path in find_shards(args.shards):
        index = shard_index(path)
        here = (index.members["samples"] / np.maximum(index.members["rate"], 1)).sum() / 3600
        size = path.stat().st_size / 1e6
        print(f"{path.name:<28}{len(index.members):>8}{here:>9.2f}{size:>8.1f}")
        clips, hours = clips + len(index.members), hours + here
        skipped += [((path.name, key), reason) for key, reason in index.unusable().items()]
    print(f"{'all':<28}{clips:>8}{hours:>9.2f}")
    _tell(skipped)
    return 0


def _extract(args: argparse.Namespace) -> int:
    from dasheng_lib.shards import extract

    written, skipped = extract(args.shards, args.out)
    print(f"{args.out}: {written} clips")
    _tell(skipped.items())
    return 0


def _tell(skipped) -> None:
    """One line per reason: how many, and the first three by name."""
    names = defaultdict(list)
    for name, reason in skipped:
        names[reason].append("/".join(name).rstrip("/"))
    for reason, those in names.items():
        more = f" and {len(those) - 3} more" if len(those) > 3 else ""
        print(f"left out, {reason}: {len(those)} ({', '.join(those[:3])}{more})")
