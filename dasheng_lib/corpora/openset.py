"""Open benchmark sets, from a folder, or from the archive that their authors offer.

A clip is known by a hash: of its bytes (ESC-10), or of its samples (FSDD, which comes as wav
upstream and as flac in smaller copies). Of the sets marked ``hash: name`` the manifest holds the
hashes of Vorbis copies, since the official files were not at hand: there a clip is the sound of
its official name, as wav, flac or ogg, with the manifest's hash or else of the manifest's length.
The digest of the corpus follows the bytes that were found, so that copies and official files are
two corpora.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd
import soundfile

from dasheng_lib.audio.below import files_below
from dasheng_lib.common.cache import cache_dir
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import data_places
from dasheng_lib.corpora.fetch.download import Remote, download
from dasheng_lib.corpora.fetch.unpack import tar_members, zip_members
from dasheng_lib.corpora.manifest import Manifest, read_csv, read_yml
from dasheng_lib.corpora.source import Source

_SUFFIXES = {".ogg", ".wav", ".flac"}
_SAME_LENGTH = 0.01  # seconds by which a coder may lengthen a clip


def read_manifest(name: str) -> Manifest:
    """Manifest of one of ``OPENSETS``: the clips' hashes, labels and folds.

    Of a clip, ``names`` of the yml file takes ``label``, ``fold`` and ``group`` out of its name,
    where they are no columns of the table; ``values`` says what a part of a name means, ``groups``
    what stands before a group (else the set's name), and ``tasks`` which column is the fold of
    each task (else ``fold`` is that of the one task).
    """
    info, clips = read_yml(name), read_csv(name)
    clips.insert(0, "package", name)
    clips["domain"] = info["domain"]
    clips["licence"] = clips.get("licence", info["licence"])
    parts = clips["member"].str.extract(f"^{info['names']}$")
    for column, values in info.get("values", {}).items():
        parts[column] = parts[column].map(values).fillna(values.get("other"))
    said = clips.join(parts)
    said["label"] = said["label"].str.lower().str.replace(" ", "_")
    clips["group"] = info.get("groups", name) + "/" + said["group"]
    folds = sorted(info.get("tasks", {name: "fold"}).items())
    tasks = pd.concat(
        [said.assign(task=task, fold=said[fold]) for task, fold in folds], ignore_index=True
    )
    clips = clips.drop(columns=["label", "fold"], errors="ignore")
    return Manifest(name, info, clips, tasks[["task", "package", "member", "label", "fold"]])


def as_found(manifest: Manifest, place: Path) -> tuple[Manifest, set[str]]:
    """The manifest with the hashes of what lies in ``place``, and the hashes that are there.

    The manifest stays as it is but for sets marked ``hash: name``: a clip that is not the known
    copy and has its length takes the hash of what was found.

    Raises:
        UnpackError: the archive is damaged.
    """
    if manifest.info["hash"] != "name":
        return manifest, {source.sha256() for source in sources(manifest, place)}
    known = manifest.clips.set_index("member")
    found = {}
    for source in sources(manifest, place):
        sha, clip = source.sha256(), known.loc[source.member]
        if sha == clip["sha256"] or abs(_seconds(source) - clip["seconds"]) <= _SAME_LENGTH:
            found[source.member] = sha
    shas = manifest.clips["member"].map(found).fillna(manifest.clips["sha256"])
    return replace(manifest, clips=manifest.clips.assign(sha256=shas)), set(found.values())


def find(manifest: Manifest) -> Path | None:
    """Folder or downloaded archive of the set; None if it is nowhere.

    Looked for in the folders of :func:`dasheng_lib.common.places.data_places`, under our name or
    the official folder's, and in the cache.
    """
    for folder in data_places():
        for name in (manifest.name, manifest.info.get("folder", manifest.name)):
            if (folder / name).is_dir():
                return folder / name
    archive = _archive(manifest)
    return archive if archive and archive.exists() else None


def fetch(manifest: Manifest, *, mirror: str | None = None, progress: bool = True) -> Path:
    """The set's archive, in the cache; compared with its published hash where there is one.

    Raises:
        UserError: it cannot be fetched; says where to put a copy.
    """
    info = manifest.info
    if "url" not in info:
        raise UserError(f"{manifest.name} cannot be fetched by a program: {instead(manifest)}.")
    sha256 = info.get("sha256")
    size = info["bytes"] if sha256 else None  # else it is roughly so many
    return download(
        Remote(info["url"], sha256, size, instead=instead(manifest)), _archive(manifest)
    )


def sources(manifest: Manifest, place: Path) -> Iterator[Source]:
    """Sounds of a folder, or of a downloaded archive; nothing is unpacked to disk.

    Of a set marked ``hash: name`` only the manifest's clips, each once, under its official name;
    where a folder has it twice, its wav.

    Raises:
        UnpackError: the archive is damaged.
    """
    by_samples = manifest.info["hash"] == "samples"
    by_name = manifest.info["hash"] == "name"
    official = {_plain(member): member for member in manifest.clips["member"]}

    def sounds(member: str) -> bool:
        known = not by_name or _plain(member) in official
        return known and PurePosixPath(member).suffix.lower() in _SUFFIXES

    def source(member: str, data: bytes) -> Source:
        return Source(official[_plain(member)] if by_name else member, data, by_samples=by_samples)

    if place.is_dir():
        files = [(path.relative_to(place).as_posix(), path) for path in files_below(place)]
        files.sort(key=lambda file: (not file[0].lower().endswith(".wav"), file[1]))
        seen = set()
        for member, path in files:
            if sounds(member) and not (by_name and _plain(member) in seen):
                seen.add(_plain(member))
                yield source(member, path.read_bytes())
    elif place.suffix == ".zip":
        for member, data in zip_members(place, str(place), sounds):
            yield source(member, data)
    else:
        with gzip.open(place) as stream:
            for member, data in tar_members(stream, str(place)):
                if sounds(member):
                    yield source(member, data)


def _plain(member: str) -> str:
    """Folder and name without ending."""
    return "/".join(PurePosixPath(member).with_suffix("").parts[-2:])


def _seconds(source: Source) -> float:
    """Length as the file's head says; NaN for what is no audio file."""
    try:
        with soundfile.SoundFile(io.BytesIO(source.payload)) as file:
            return file.frames / file.samplerate
    except soundfile.SoundFileError:
        return float("nan")


def _archive(manifest: Manifest) -> Path | None:
    url, mark = manifest.info.get("url"), manifest.info.get("commit", manifest.info.get("sha256"))
    ending = ".zip" if str(url).endswith(".zip") else ".tar.gz"
    return cache_dir("downloads", f"{manifest.name}-{mark[:12]}{ending}") if url else None


def instead(manifest: Manifest) -> str:
    """What to do about a set that is not to be had, or lacks clips."""
    info = manifest.info
    return (
        f"get {info.get('url') or info['page']}, unpack it as a folder {manifest.name}, and set "
        "DASHENG_DATA to the folder that holds it"
    )
