"""Debian packages as files, without root and without installing anything.

Where there is apt-get, it says what its sources offer: its lists are refreshed in a folder of
ours, so the machine's own may be absent, old or unreadable. Elsewhere any mirror serves.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from dasheng_lib.common.cache import cache_dir, locked, need_space, scratch_folder
from dasheng_lib.common.errors import UserError
from dasheng_lib.corpora.fetch.download import DownloadError, Remote, download
from dasheng_lib.corpora.fetch.unpack import UnpackError, unpacked_xz

_TIMEOUT = 180  # seconds for one run of apt-get
_INDEX_LIMIT = 256 << 20  # bytes; Debian 12 says all of main in 50 MB
_DIRECT = ("http://", "https://", "file:")


@dataclass(frozen=True)
class Offer:
    """A package file that somebody offers."""

    package: str
    version: str
    remote: Remote


def local_package(wanted: dict[str, Any]) -> Path | None:
    """The package in the cache: the pinned file, else the newest other version that was fetched."""
    folder = cache_dir("downloads", "debian", "x").parent
    pinned = _file_name(folder, wanted["package"], wanted["sha256"])
    if pinned.exists():
        return pinned
    others = folder.glob(f"{wanted['package']}_*.deb")
    return max(others, key=lambda path: path.stat().st_mtime, default=None)


def is_pinned(path: Path, wanted: dict[str, Any]) -> bool:
    """Whether a file that was fetched is the very one of the manifest."""
    return path == _file_name(path.parent, wanted["package"], wanted["sha256"])


def fetch_packages(
    wanted: list[dict[str, Any]],
    *,
    release: str,
    component: str = "main",
    mirror: str | None = None,
    progress: bool = True,
) -> dict[str, Path]:
    """Files of the packages that are offered, by name; nothing is fetched twice.

    Args:
        wanted: ``package, version, sha256, bytes`` of each. Another version is taken where this
            one is not offered.
        release: the mirror's release that holds these versions, such as ``"bookworm"``.
        mirror: a Debian mirror's URL; None for ``$DASHENG_MIRROR``, or else apt-get's sources.

    Raises:
        UserError: no apt-get and no mirror; no network; a file with another hash; a full disk.
    """
    have = {w["package"]: local_package(w) for w in wanted}
    missing = [w for w in wanted if have[w["package"]] is None]
    if not missing:
        return have
    mirror = mirror or os.environ.get("DASHENG_MIRROR")
    need_space(cache_dir("downloads", "debian", "x"), sum(w["bytes"] for w in missing))
    if mirror:
        offers, proxy = _mirror_offers(missing, mirror.rstrip("/"), release, component), None
    elif shutil.which("apt-get"):
        offers, proxy = _apt_offers(missing), _apt_proxy()
    else:
        raise UserError(
            "There is no apt-get here to ask for packages: name a Debian mirror with "
            "DASHENG_MIRROR=URL."
        )
    if not offers:
        raise UserError(
            f"None of the packages of the corpus ({missing[0]['package']}, …) is offered here: "
            f"name a Debian mirror that has release {release} with DASHENG_MIRROR=URL."
        )
    total = sum(offer.remote.size or 0 for offer in offers)
    how = {"unit": "B", "unit_scale": True, "mininterval": 0.5, "disable": not progress}
    with tqdm(desc="download", total=total, **how) as bar:
        for offer in offers:
            have[offer.package] = _fetch(offer, bar, proxy)
    return {name: path for name, path in have.items() if path is not None}


def _fetch(offer: Offer, bar: tqdm, proxy: str | None) -> Path:
    folder = cache_dir("downloads", "debian", "x").parent
    destination = _file_name(folder, offer.package, offer.remote.sha256)
    if offer.remote.url.startswith(_DIRECT):
        return download(offer.remote, destination, bar=bar, proxy=proxy)
    # mirror+file:, tor+http:, cdrom:, … only apt knows how.
    with locked(destination), scratch_folder(destination) as temporary:
        if not destination.exists():
            _apt("download", f"{offer.package}={offer.version}", cwd=temporary)
            for path in temporary.glob("*.deb"):
                with path.open("rb") as file:
                    sha = hashlib.file_digest(file, "sha256").hexdigest()
                if sha == offer.remote.sha256:
                    os.replace(path, destination)
        if not destination.exists():
            raise DownloadError(
                f"apt-get did not bring {offer.package} {offer.version}: see what "
                f"`apt-get download {offer.package}` says, or name a mirror with "
                "DASHENG_MIRROR=URL."
            )
        bar.update(offer.remote.size or 0)
    return destination


def _file_name(folder: Path, package: str, sha256: str) -> Path:
    return folder / f"{package}_{sha256[:16]}.deb"


# ---- apt-get


def _apt_offers(wanted: list[dict[str, Any]]) -> list[Offer]:
    with locked(cache_dir("apt", "state")):
        # An old list, or the machine's own, may do where the network does not.
        refreshed = _apt("update")
        exact = {w["package"]: f"{w['package']}={w['version']}" for w in wanted}
        for private in (True, False):
            offers = _uris([*exact.values()], private)
            if len(offers) < len(wanted):
                each = (_uris([e], private) or _uris([p], private) for p, e in exact.items())
                offers = [offer for found in each for offer in found]
            if offers:
                return offers
    if refreshed.returncode:
        lines = [x for x in refreshed.stderr.splitlines() if x.startswith(("E:", "W:"))]
        said = lines[0][3:].strip() if lines else f"apt-get ended with {refreshed.returncode}"
        raise UserError(
            f"The package lists cannot be fetched ({said}): check the network, or name a Debian "
            "mirror with DASHENG_MIRROR=URL."
        )
    return []


def _uris(names: list[str], private: bool) -> list[Offer]:
    """What apt-get would download for ``package`` or ``package=version``; [] if it lacks one."""
    answer = _apt("download", "--print-uris", *names, private=private)
    if answer.returncode:
        return []
    offers = []
    for line in answer.stdout.splitlines():
        with contextlib.suppress(ValueError):
            url, name, size, sha = shlex.split(line)
            package, version, _ = name.removesuffix(".deb").split("_")
            if sha.startswith("SHA256:"):
                remote = Remote(url, sha.removeprefix("SHA256:"), int(size))
                offers.append(Offer(package, version.replace("%3a", ":"), remote))
    return offers


def _apt(
    *arguments: str, private: bool = True, cwd: Path | None = None
) -> subprocess.CompletedProcess:
    root = cache_dir("apt", "x").parent
    for part in ("lists/partial", "cache/archives/partial"):
        (root / part).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::Cache": f"{root}/cache",
        "APT::Sandbox::User": "",  # the folder is ours alone
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
        "Acquire::Retries": "1",
        "Acquire::Languages": "none",
    }
    if private:
        options["Dir::State::lists"] = f"{root}/lists"
    command = ["apt-get", "-q"]
    for name, value in options.items():
        command += ["-o", f"{name}={value}"]
    try:
        return subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"apt-get {arguments[0]} did not answer within {_TIMEOUT} s: check the network, or "
            "name a Debian mirror with DASHENG_MIRROR=URL."
        ) from error


def _apt_proxy() -> str | None:
    """The proxy that apt is told to use, which the environment need not know of."""
    answer = subprocess.run(
        ["apt-config", "shell", "PROXY", "Acquire::http::Proxy"], capture_output=True, text=True
    )
    found = re.search(r"PROXY='(https?://[^']+)'", answer.stdout)
    return found[1] if found else None


# ---- a mirror


def _mirror_offers(
    wanted: list[dict[str, Any]], mirror: str, release: str, component: str
) -> list[Offer]:
    names = {w["package"]: w["version"] for w in wanted}
    offers: dict[str, Offer] = {}
    for fields in _stanzas(_index(mirror, release, component)):
        package, version = fields.get("Package", ""), fields.get("Version", "")
        if package in names and (package not in offers or version == names[package]):
            with contextlib.suppress(KeyError, ValueError):  # one that says too little is none
                url, sha = f"{mirror}/{fields['Filename']}", bytes.fromhex(fields["SHA256"]).hex()
                offers[package] = Offer(package, version, Remote(url, sha, int(fields["Size"])))
    return list(offers.values())


def _index(mirror: str, release: str, component: str) -> str:
    url = f"{mirror}/dists/{release}/{component}/binary-amd64/Packages.xz"
    with scratch_folder(cache_dir("apt", "lists")) as temporary:
        path = download(Remote(url), temporary / "Packages")
        try:
            return unpacked_xz(path, _INDEX_LIMIT).decode("utf-8")
        except (UnpackError, UnicodeDecodeError) as error:
            raise DownloadError(
                f"{url} is damaged ({error}): name another mirror with DASHENG_MIRROR=URL."
            ) from error


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in re.split(r"\n\s*\n", text):
        lines = (line.partition(": ") for line in stanza.splitlines() if line[:1].strip())
        yield {name: value.strip() for name, colon, value in lines if colon}
