"""Manifests: what a corpus is made of, as committed in ``data_manifests/corpora``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from dasheng_lib.common.cache import digest
from dasheng_lib.common.errors import UserError, reading
from dasheng_lib.common.places import CHECKOUT
from dasheng_lib.common.places import CORPORA as FOLDER
from dasheng_lib.common.yaml_files import read_yaml

# Part of every digest: raise it when the same bytes come to decode to other samples.
DECODING = 1


@dataclass(frozen=True, eq=False)
class Manifest:
    """A corpus by name: its clips, their labels, and what else its file says.

    Attributes:
        name: such as ``"pocket"``.
        info: the yml file as it stands.
        clips: one row per clip: ``package, member, sha256, seconds, domain, group, licence``.
            ``sha256`` decides which bytes are the clip; clips that share one are one recording
            under several names.
        tasks: one row per label: ``task, package, member, label, fold``.
    """

    name: str
    info: dict[str, Any]
    clips: pd.DataFrame
    tasks: pd.DataFrame

    def digest(self) -> str:
        """Hash of the clips in their order, their groups and labels, and the way of decoding."""
        return digest(
            {
                "decoding": DECODING,
                "clips": self.clips[["sha256", "domain", "group"]].to_numpy().tolist(),
                "tasks": self.tasks[["task", "member", "label", "fold"]].to_numpy().tolist(),
            }
        )

    def only(self, found: set[str]) -> Manifest:
        """The same with only those clips whose hash is in ``found``."""
        clips = self.clips[self.clips["sha256"].isin(found)].reset_index(drop=True)
        return replace(self, clips=clips, tasks=labels_of(self.tasks, clips))

    def packages(self) -> list[dict[str, Any]]:
        """The packages that this corpus is read from: name, version, sha256, bytes, …"""
        return [p for p in self.info["packages"] if self.name in p["sets"]]


def read_yml(name: str) -> dict[str, Any]:
    """``name.yml`` of the manifest folder."""
    return read_yaml(FOLDER / f"{name}.yml", CHECKOUT)


def read_csv(name: str) -> pd.DataFrame:
    """``name.csv`` of the manifest folder; text stays text, empty cells stay empty."""
    path, text = FOLDER / f"{name}.csv", {"seconds": float, "rate": int, "channels": int}
    with reading(path, "a manifest's table", CHECKOUT):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        return table.astype({column: kind for column, kind in text.items() if column in table})


def part_that_is_there(manifest: Manifest, found: set[str], mend: str) -> Manifest:
    """The part of the manifest whose hashes were found; warns of the clips that are missing.

    Args:
        found: hashes of all sounds that are there; those the manifest does not know are ignored.
        mend: what to do about missing ones, for the message.

    Raises:
        UserError: none of it is there.
    """
    part = manifest.only(found)
    missing = manifest.clips[~manifest.clips["sha256"].isin(found)]
    if not len(part.clips):
        raise UserError(f"No clip of {manifest.name} is in what was found: {mend}.")
    if len(missing):
        first = ", ".join(missing["package"].str.cat(missing["member"], ": ").head(3))
        warnings.warn(
            f"{len(missing)} of {len(manifest.clips)} clips of {manifest.name} are missing or "
            f"changed and are left out, so results will differ from those printed (the first: "
            f"{first}): {mend}.",
            stacklevel=3,
        )
    return part


def labels_of(tasks: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``tasks`` whose package and member are those of one of ``clips``."""
    known = pd.MultiIndex.from_frame(clips[["package", "member"]])
    asked = pd.MultiIndex.from_frame(tasks[["package", "member"]])
    return tasks[asked.isin(known)].reset_index(drop=True)
