"""``dasheng corpus`` of what is one corpus: pocket, synthetic, and the open sets."""

from __future__ import annotations

import argparse

import pandas as pd

from dasheng_lib.common.errors import UserError, tell
from dasheng_lib.corpora import load_corpus, origin_of
from dasheng_lib.corpora.decoded import check_corpus, folder_of, open_corpus
from dasheng_lib.corpora.manifest import Manifest


def fetch(name: str, args: argparse.Namespace) -> None:
    """Get and decode a corpus."""
    corpus = load_corpus(name, progress=not args.quiet, mirror=args.mirror)
    print(f"{name}: {len(corpus)} clips, {corpus.hours():.1f} h, digest {corpus.digest}")


def line(name: str) -> str:
    """What the list of all corpora says about this one."""
    clips, _, info, here = _known(name)
    hours = clips["seconds"].sum() / 3600
    return f"{name:<22}{len(clips):>6}{hours:>7.1f}  {here:<12}{info['title']}"


def show(name: str, args: argparse.Namespace) -> None:
    """Print its tasks and licences."""
    clips, tasks, info, _ = _known(name)
    print(f"\n  {'task':<22}{'clips':>6}{'classes':>9}{'folds':>7}  held out")
    for task, rows in tasks.groupby("task", sort=False):
        classes, folds = rows["label"].nunique(), rows["fold"].nunique()
        held_out = info.get("held_out", {}).get(task, "")
        print(f"  {task:<22}{len(rows):>6}{classes:>9}{folds:>7}  {held_out}".rstrip())
    print(f"\n  {'from':<27}{'clips':>6}  licence")
    for (package, licence), rows in clips.groupby(["package", "licence"], sort=False):
        print(f"  {package:<27}{len(rows):>6}  {licence}")


def check(name: str, args: argparse.Namespace) -> int:
    """Compare what is here with the manifest's hashes; 1 if something is wrong, else 0."""
    if name == "synthetic":
        print("synthetic: computed when it is needed; its test pins every sample")
        return 0
    pinned = manifest = origin_of(name).read_manifest(name)
    place = origin_of(name).find(manifest)
    faults: list[str] = []
    if place:
        manifest, faults = _check_downloads(manifest, place)
    folder = folder_of(manifest)
    if not place and not folder.is_dir():
        raise UserError(f"Corpus {name} is not here: run `dasheng corpus fetch {name}`.")
    if folder.is_dir() and (fault := check_corpus(folder)):
        faults.append(f"{fault}: delete {folder} and run `dasheng corpus fetch {name}`")
    for fault in faults:
        print(f"{name}: {fault}")
    if not faults:
        where = " and ".join(["what was fetched"] * bool(place) + ["samples"] * folder.is_dir())
        print(f"{name}: {len(manifest.clips)} clips, all as the manifest says ({where})")
        if others := (manifest.clips["sha256"] != pinned.clips["sha256"]).sum():
            print(f"{name}: {others} of them by name and length, their hashes are not known")
    return int(bool(faults))


def _known(name: str) -> tuple[pd.DataFrame, pd.DataFrame, dict, str]:
    """Clips, labels, what else the manifest says, and whether the corpus is here."""
    if name == "synthetic":
        corpus = load_corpus(name)
        info = {"title": "Vowels, notes and noises, computed here"}
        return corpus.clips, corpus.tasks, info, "always"
    manifest = origin_of(name).read_manifest(name)
    here = "downloaded" if origin_of(name).find(manifest) else "no"
    here = here if open_corpus(folder_of(manifest)) is None else "ready"
    return manifest.clips, manifest.tasks, manifest.info, here


def _check_downloads(manifest: Manifest, place: object) -> tuple[Manifest, list[str]]:
    """The manifest with the hashes of what is there, and what is wrong with it."""
    origin = origin_of(manifest.name)
    try:
        manifest, _ = origin.as_found(manifest, place)
        found = {source.sha256() for source in origin.sources(manifest, place)}
    except UserError as error:
        return manifest, [str(error)]
    lost = manifest.clips[~manifest.clips["sha256"].isin(found)]
    if lost.empty:
        return manifest, []
    names = list(lost["package"].str.cat(lost["member"], ": "))
    return manifest, [tell("clip is missing or changed", names, "clips are missing or changed")]
