"""``dasheng corpus``: fetch, list and check recordings."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from dasheng_lib.commands import corpus_hear
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora import CORPORA, load_corpus
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.decoded import check_corpus, folder_of, open_corpus
from dasheng_lib.corpora.manifest import Manifest, pocket_manifest
from dasheng_lib.corpora.openset import as_found, find_openset, openset_manifest
from dasheng_lib.corpora.pocket.debian import is_pinned, local_package
from dasheng_lib.corpora.pocket.labels import TASKS
from dasheng_lib.corpora.pocket.load import available, fetch_pocket, load_pocket, package_files

HELP = """\
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

examples:
  dasheng corpus fetch                      download and decode pocket; a second run does nothing
  dasheng corpus fetch pocket-full esc10
  dasheng corpus fetch --mirror http://mirror.example/debian
                                            where there is no apt-get: any Debian mirror
  dasheng corpus fetch hear --task esc50 --task beijing_opera
  dasheng corpus fetch hear --task esc50 --from ~/downloads
                                            where its archive or folder is here already
  dasheng corpus list pocket                tasks, classes, splits and licences
  dasheng corpus check pocket               read everything again and compare the hashes

Packages are neither installed nor unpacked to disk, and root is not needed. Downloads and
samples lie in the cache folder: $DASHENG_CACHE, else ~/.cache/dasheng. The folders of sets from
esc10 to emovo, and HEAR's folders and archives, are first looked for in $DASHENG_DATA."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of ``dasheng corpus`` and their options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = HELP
    actions = parser.add_subparsers(metavar="ACTION", dest="action", required=True)
    fetch = actions.add_parser("fetch", help="download and decode, once")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="which corpora (default: pocket)")
    fetch.add_argument(
        "--mirror", metavar="URL", help="a Debian mirror, instead of apt-get's (or $DASHENG_MIRROR)"
    )
    fetch.add_argument(
        "--from", metavar="FOLDER", type=Path, dest="place", help="hear: where its archives are"
    )
    fetch.add_argument("--quiet", action="store_true", help="no progress bars")
    show = actions.add_parser("list", help="what there is, and what is here already")
    show.add_argument("names", nargs="*", metavar="NAME", help="tell more about these")
    check = actions.add_parser("check", help="compare what is here with the manifest's hashes")
    check.add_argument("names", nargs="*", metavar="NAME", help="which corpora (default: pocket)")
    for action in (fetch, check):
        action.add_argument(
            "--task", action="append", default=[], metavar="NAME", help="hear: which task"
        )
    index = actions.add_parser("index", help="for maintainers: write pocket's tables anew")
    index.add_argument("names", nargs=1, choices=["pocket"], metavar="pocket")
    index.add_argument("--mirror", metavar="URL", help="a Debian mirror, instead of apt-get's")


def run(args: argparse.Namespace) -> int:
    """Do what the arguments say; 0, or 1 if a check found something.

    Raises:
        UserError: an unknown corpus, or it cannot be had.
    """
    tasks = getattr(args, "task", [])
    names = args.names or ([] if args.action == "list" else ["hear" if tasks else "pocket"])
    known = (*CORPORA, "hear")
    for name in names:
        if name not in known:
            raise UserError(f"There is no corpus {name!r}; there are {', '.join(known)}.")
    if (tasks or getattr(args, "place", None)) and "hear" not in names:
        raise UserError("--task and --from are for hear alone: leave them out.")
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"dasheng: {message}", file=sys.stderr)
        if args.action == "fetch":
            return _fetch(names, args)
        if args.action == "check":
            return max([_check(name, args.task) for name in names])
        if args.action == "index":
            return _index(args.mirror)
        return _list(names)


def _fetch(names: list[str], args: argparse.Namespace) -> int:
    progress = not args.quiet
    for name in names:
        if name == "hear":
            corpus_hear.fetch(args.task, args.place, progress)
            continue
        if name.startswith("pocket"):
            corpus = load_pocket(name, progress=progress, mirror=args.mirror)
        else:
            corpus = load_corpus(name, progress=progress)
        print(f"{name}: {len(corpus)} clips, {corpus.hours():.1f} h, digest {corpus.digest}")
    return 0


def _list(names: list[str]) -> int:
    if not names:
        print(f"{'corpus':<22}{'clips':>6}{'hours':>7}  {'here':<12}what")
        for name in CORPORA:
            print(_line(name))
        print(corpus_hear.line())
        print("`dasheng corpus list NAME` tells its tasks and licences.")
    for name in names:
        if name == "hear":
            corpus_hear.show()
            continue
        manifest = None if name == "synthetic" else _manifest(name)
        clips, tasks = _tables(name, manifest)
        print(_line(name))
        print(f"\n  {'task':<22}{'clips':>6}{'classes':>9}{'folds':>7}  held out")
        for task, rows in tasks.groupby("task", sort=False):
            classes, folds = rows["label"].nunique(), rows["fold"].nunique()
            held_out = TASKS[task].held_out if task in TASKS else ""
            print(f"  {task:<22}{len(rows):>6}{classes:>9}{folds:>7}  {held_out}".rstrip())
        print(f"\n  {'from':<27}{'clips':>6}  licence")
        for (package, licence), rows in clips.groupby(["package", "licence"], sort=False):
            print(f"  {package:<27}{len(rows):>6}  {licence}")
        print()
    return 0


def _line(name: str) -> str:
    manifest = None if name == "synthetic" else _manifest(name)
    clips, _ = _tables(name, manifest)
    title = manifest.info["title"] if manifest else "Vowels, notes and noises, computed here"
    hours = clips["seconds"].sum() / 3600
    return f"{name:<22}{len(clips):>6}{hours:>7.1f}  {_state(manifest):<12}{title}"


def _tables(name: str, manifest: Manifest | None) -> tuple:
    source: Manifest | Corpus = manifest or load_corpus(name)
    return source.clips, source.tasks


def _manifest(name: str) -> Manifest:
    return pocket_manifest(name) if name.startswith("pocket") else openset_manifest(name)


def _state(manifest: Manifest | None) -> str:
    if manifest is None:
        return "always"
    if open_corpus(folder_of(manifest)) is not None:
        return "ready"
    return "downloaded" if _places(manifest) else "no"


def _places(manifest: Manifest) -> dict[str, Path]:
    """Package files, or the folder or archive of an open set; empty unless all is here."""
    if "packages" not in manifest.info:
        place = find_openset(manifest)
        return {manifest.name: place} if place else {}
    paths = {p["package"]: local_package(p) for p in manifest.packages()}
    return {} if None in paths.values() else paths


def _check(name: str, tasks: list[str]) -> int:
    if name == "hear":
        return corpus_hear.check(tasks)
    if name == "synthetic":
        print("synthetic: computed when it is needed; its test pins every sample")
        return 0
    pinned = manifest = _manifest(name)
    places = _places(manifest)
    faults: list[str] = []
    if places:
        manifest, faults = _check_downloads(manifest, places)
    folder = folder_of(manifest)
    if not places and not folder.is_dir():
        raise UserError(f"Corpus {name} is not here: run `dasheng corpus fetch {name}`.")
    if folder.is_dir():
        fault = check_corpus(folder)
        faults += [f"{fault}: delete {folder} and run `dasheng corpus fetch {name}`"] * bool(fault)
    for fault in faults:
        print(f"{name}: {fault}")
    if not faults:
        where = " and ".join(["what was fetched"] * bool(places) + ["samples"] * folder.is_dir())
        print(f"{name}: {len(manifest.clips)} clips, all as the manifest says ({where})")
        others = (manifest.clips["sha256"] != pinned.clips["sha256"]).sum()
        if others:
            print(f"{name}: {others} of them by name and length, their hashes are not known")
    return int(bool(faults))


def _check_downloads(manifest: Manifest, places: dict[str, Path]) -> tuple[Manifest, list[str]]:
    """The manifest with the hashes of what is there, and what is wrong with it."""
    faults = []
    try:
        if "packages" in manifest.info:
            others = [p for p in manifest.packages() if not is_pinned(places[p["package"]], p)]
            faults = [f"{p['package']} is of another version than the manifest's" for p in others]
            found = {source.sha256() for source in package_files(places)}
        else:
            manifest, found = as_found(manifest, places[manifest.name])
    except UserError as error:
        return manifest, [*faults, str(error)]
    lost = manifest.clips[~manifest.clips["sha256"].isin(found)]
    faults += [
        f"{row.package}: {row.member} is missing or changed" for row in lost[:3].itertuples()
    ]
    if len(lost) > 3:
        faults.append(f"and {len(lost) - 3} clips more")
    return manifest, faults


def _index(mirror: str | None) -> int:
    from dasheng_lib.corpora.pocket.make_tables import index_pocket

    manifest = pocket_manifest("pocket-large")
    paths = fetch_pocket(manifest, mirror=mirror)
    available(manifest, paths)  # warns where the versions are not those of the manifest
    index_pocket(paths)
    return 0
