"""``dasheng corpus``: fetch, list and check recordings."""

from __future__ import annotations

import argparse

from dasheng_lib.commands import corpus_benchmark, corpus_hear, corpus_sets
from dasheng_lib.commands.options import path
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import CORPORA
from dasheng_lib.tasks.benchmarks import BENCHMARKS

EPILOG = """\
corpora:
  pocket        speech, notes, drums and sounds of games, from 11 Debian packages:
                2.3 hours, 149 MB to download, 540 MB decoded
  pocket-full   more speech and music, 16 packages: 8.3 hours, 284 MB, 1.9 GB decoded
  pocket-large  for recorded runs: still more, and four times the sounds of things, 41 packages:
                21.8 hours, 1.7 GB to download, 5 GB decoded; the tasks are those of pocket-full
  synthetic     computed here, nothing to download
  esc10         environmental sounds, 10 classes, official 5 folds
  fsdd          spoken digits of 6 speakers
  speech_commands_test
                10 spoken words, silence and unknown words, 4,890 clips of 1 s: the test
                set of Speech Commands v0.02, 113 MB to download
  esc50_4       environmental sounds, 50 classes of 8 clips: fold 4 of ESC-50, 646 MB
  emovo         Italian acted emotions of 6 speakers; to be fetched with a browser
  hear          the 19 tasks of the HEAR benchmark, one by one: name them with --task
  arch          the 12 data sets of the ARCH benchmark, likewise
  hares         those of the HARES benchmark's 12 tasks, likewise

examples:
  dasheng corpus fetch                      download and decode pocket; a second run does nothing
  dasheng corpus fetch pocket-full esc10
  dasheng corpus fetch --mirror http://mirror.example/debian
                                            where there is no apt-get: any Debian mirror
  dasheng corpus fetch hear --task esc50 --task beijing_opera
  dasheng corpus fetch hear --task esc50 --from ~/downloads
                                            where its archive or folder is here already
  dasheng corpus check arch --task emovo --from ~/data
                                            read ~/data/emovo and compare what is published
  dasheng corpus list pocket                tasks, classes, splits and licences
  dasheng corpus check pocket               read everything again and compare the hashes

Packages are neither installed nor unpacked to disk, and root is not needed. Downloads and
samples lie in the cache folder: $DASHENG_CACHE, else ~/.cache/dasheng. The folders of sets from
esc10 to emovo, HEAR's folders and archives, and the sets of arch and hares in their authors'
layouts, are first looked for in $DASHENG_DATA."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``dasheng corpus`` and their options."""
    parser.set_defaults(task=[], place=None)
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    fetch = actions.add_parser("fetch", help="download and decode, once")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="which corpora (default: pocket)")
    fetch.add_argument(
        "--mirror", metavar="URL", help="a Debian mirror, instead of apt-get's (or $DASHENG_MIRROR)"
    )
    fetch.add_argument("--quiet", action="store_true", help="no progress bars")
    show = actions.add_parser("list", help="what there is, and what is here already")
    show.add_argument("names", nargs="*", metavar="NAME", help="tell more about these")
    check = actions.add_parser("check", help="compare what is here with the manifest's hashes")
    check.add_argument("names", nargs="*", metavar="NAME", help="which corpora (default: pocket)")
    tasks = ", ".join(("hear", *BENCHMARKS))
    for action in (fetch, show, check):
        action.add_argument(
            "--task", action="append", default=[], metavar="NAME", help=f"{tasks}: which task"
        )
        action.add_argument(
            "--from", metavar="FOLDER", type=path, dest="place", help=f"{tasks}: where sets lie"
        )


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; 0, or 1 if a check found something.

    Raises:
        UserError: an unknown corpus, or it cannot be had.
    """
    usual = [] if args.action == "list" else ["hear" if args.task else "pocket"]
    names = args.names or usual
    by_task = ("hear", *BENCHMARKS)
    known = (*CORPORA, *by_task)
    for name in names:
        if name not in known:
            raise UserError(f"There is no corpus {name!r}; there are {', '.join(known)}.")
    if (args.task or args.place) and not set(names) & set(by_task):
        raise UserError(f"--task and --from are for {' and '.join(by_task)} alone: leave them out.")
    kinds = {**dict.fromkeys(CORPORA, corpus_sets), "hear": corpus_hear}
    kinds |= dict.fromkeys(BENCHMARKS, corpus_benchmark)
    codes = [0]
    for name in names:
        if args.action == "fetch":
            kinds[name].fetch(name, args)
        elif args.action == "check":
            codes.append(kinds[name].check(name, args))
        else:
            print(kinds[name].line(name))
            kinds[name].show(name, args)
            print()
    if not names:
        print(f"{'corpus':<22}{'clips':>6}{'hours':>7}  {'here':<12}what")
        print("\n".join(kind.line(name) for name, kind in kinds.items()))
        print("`dasheng corpus list NAME` tells its tasks and licences.")
    return max(codes)
