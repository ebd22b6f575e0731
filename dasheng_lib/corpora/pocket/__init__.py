"""The corpus pocket: real recordings out of Debian packages.

Where another release of Debian offers other versions of the packages, the hash of each clip
decides whether it is the same sound. A place is the packages' files, by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.common.cache import atomic_file, cache_dir, digest
from dasheng_lib.corpora.manifest import Manifest, labels_of, read_csv, read_yml
from dasheng_lib.corpora.pocket.debian import fetch_packages, is_pinned, local_package
from dasheng_lib.corpora.pocket.packages import package_sources
from dasheng_lib.corpora.source import Source

Place = dict[str, Path]


def read_manifest(name: str) -> Manifest:
    """Manifest of ``pocket``, ``pocket-full`` or ``pocket-large``.

    Raises:
        UserError: the manifest folder is missing.
    """
    info, clips = read_yml("pocket"), read_csv("pocket")
    packages = {p["package"]: p for p in info["packages"]}
    clips["licence"] = clips["package"].map(lambda package: packages[package]["licence"])
    chosen = clips["package"].map(lambda package: name in packages[package]["sets"])
    clips = clips[chosen].reset_index(drop=True)
    return Manifest(name, info, clips, labels_of(read_csv("pocket_tasks"), clips))


def find(manifest: Manifest) -> Place | None:
    """The packages that were fetched; None unless all are there."""
    paths = {p["package"]: local_package(p) for p in manifest.packages()}
    return None if None in paths.values() else paths


def fetch(manifest: Manifest, *, mirror: str | None = None, progress: bool = True) -> Place:
    """The packages that are offered; see :func:`debian.fetch_packages`."""
    return fetch_packages(
        manifest.packages(),
        release=manifest.info["release"],
        component=manifest.info["component"],
        mirror=mirror,
        progress=progress,
    )


def as_found(manifest: Manifest, place: Place) -> tuple[Manifest, set[str]]:
    """The manifest, and the hashes of what the packages hold; pinned ones need not be read."""
    pinned = {p["package"]: p for p in manifest.packages()}
    if all(n in place and is_pinned(place[n], p) for n, p in pinned.items()):
        return manifest, set(manifest.clips["sha256"])
    memo = cache_dir("corpora", f"found-{digest(sorted(p.name for p in place.values()))}.json")
    if not memo.exists():
        found = {source.sha256() for source in sources(manifest, place)}
        with atomic_file(memo) as temporary:
            temporary.write_text(json.dumps(sorted(found)))
    return manifest, set(json.loads(memo.read_text()))


def sources(manifest: Manifest, place: Place) -> Iterator[Source]:
    """Clips of all the packages, one after the other."""
    for path in place.values():
        yield from package_sources(path)


def instead(manifest: Manifest) -> str:
    """What to do about packages that lack clips."""
    release = manifest.info["release"]
    return f"name a Debian mirror that has release {release} with DASHENG_MIRROR=URL"
