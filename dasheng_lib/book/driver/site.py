"""From the staging folder to the site: jupyter-book, with execution off."""

from __future__ import annotations

import errno
import html
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from dasheng_lib.book.driver.chapters import MEND
from dasheng_lib.book.driver.fingerprint import hash_files
from dasheng_lib.book.driver.surroundings import surroundings
from dasheng_lib.common.cache import digest, scratch_folder
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.parts import sweep
from dasheng_lib.common.provenance import version
from dasheng_lib.common.yaml_files import read_yaml

BUILDERS = ("jupyter-book", "sphinx", "sphinx-book-theme", "myst-nb", "sphinxcontrib-bibtex")
STAMP = ".built-from"


def site_digest(stage: Path, config: dict[str, Any]) -> str:
    """Hash of all that the site is made from."""
    files = [path for path in stage.rglob("*") if path.is_file()]
    own = Path(__file__).with_name("sphinx_extension.py")
    made_by = [{name: version(name) for name in BUILDERS}, hash_files(own.parent, [own])]
    return digest([hash_files(stage, files), config, made_by])


def is_current(site: Path, built_from: str) -> bool:
    """Whether ``site`` was built from what this hash says."""
    stamp = site / STAMP
    return stamp.exists() and (site / "index.html").exists() and stamp.read_text() == built_from


def site_config(path: Path, banner: str) -> dict[str, Any]:
    """``_config.yml``, with a banner for every page where there is one to show, and with buttons
    that lead to the repository where it says its address."""
    config = read_yaml(path, MEND)
    if not isinstance(config, dict) or not isinstance(config.get("html", {}), dict):
        raise UserError(f"{path} must be a mapping, as jupyter-book reads it: mend it.")
    if banner:
        config.setdefault("html", {})["announcement"] = f"<strong>{html.escape(banner)}</strong>"
    if (config.get("repository") or {}).get("url"):
        config.setdefault("html", {}).update(use_repository_button=True, use_issues_button=True)
    return config


def build_site(
    stage: Path, config: dict[str, Any], site: Path, built_from: str, *, strict: bool = False
) -> list[str]:
    """Build ``stage`` anew and put it in the place of ``site``; the old one stays on failure.

    Returns the warnings. With ``strict`` any warning, an unresolved reference included, is an
    error.

    Raises:
        UserError: jupyter-book failed; its last lines are quoted and its whole output is kept.
    """
    with scratch_folder(site) as work:
        more = ["-W", "-n", "--keep-going"] if strict else []
        built, warnings = jupyter_book(stage, config, work, site, "html", *more)
        (built / STAMP).write_text(built_from)
        replace_folder(built, site)
    return warnings


def jupyter_book(
    stage: Path, config: dict[str, Any], work: Path, place: Path, builder: str, *more: str
) -> tuple[Path, list[str]]:
    """Run jupyter-book in ``work`` on the pages of ``stage``; its folder of pages, and warnings.

    Args:
        place: what is to be replaced by what it builds; its log comes to lie beside.

    Raises:
        UserError: it failed; its last lines are quoted and its whole output is kept.
    """
    log = place.parent / "site.log"
    (work / "_config.yml").write_text(yaml.safe_dump(config, allow_unicode=True))
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(stage), "--path-output", str(work), "--quiet", "--builder", builder]
    command += ["--config", str(work / "_config.yml"), "--toc", str(stage / "_toc.yml"), *more]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=surroundings(os.environ, str(work)) | {"NO_COLOR": "1"},
    )
    # Sphinx only warns of files that it could not write, and goes on.
    if os.strerror(errno.ENOSPC) in done.stderr:
        raise UserError(
            f"The disk that holds {place.parent} is full; {place.name} of the last build is left "
            "as it was: free some space and run the same command again."
        )
    log.write_text(done.stdout + done.stderr)
    warnings = [
        line.replace(f"{stage}/", "")
        for line in done.stderr.splitlines()
        if "WARNING" in line or "ERROR" in line
    ]
    built = work / "_build" / builder
    if done.returncode != 0 or not (built / "index.html").exists():
        lines = warnings or done.stderr.strip().splitlines()[-3:]
        raise UserError(
            f"jupyter-book could not build the site ({len(lines)} complaints, all in {log}; "
            f"{place.name} of the last build is left as it was): {'; '.join(lines[:3])}"
        )
    return built, warnings


def replace_folder(new: Path, place: Path) -> None:
    """Put ``new`` at ``place``; if that fails, what was there is there again."""
    old = place.with_name(f".{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    try:
        new.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def restore_site(site: Path) -> None:
    """Bring back the site that a build was replacing when it was killed, and remove the rest."""
    sweep(site.parent)
    old = site.with_name(f".{site.name}.old")
    if old.exists() and not site.exists():
        old.rename(site)
    shutil.rmtree(old, ignore_errors=True)
