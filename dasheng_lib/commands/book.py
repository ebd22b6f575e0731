"""``dasheng book``."""

from __future__ import annotations

import argparse
from pathlib import Path

from dasheng_lib.common.errors import UserError
from dasheng_lib.common.places import ROOT

DESCRIPTION = """\
Build the book: run each chapter whose code, parameters, library or audio changed since its
last run, then write the site to _build/html/ and print the path of its front page."""

EPILOG = """\
examples:
  dasheng book                        the whole book, minutes on two cores
  dasheng book --only knn -p k=5      one chapter with another number of neighbours
  dasheng book --profile desk         a longer run on more recordings, about an hour
  dasheng book --corpus synthetic     no download; every page says so
  dasheng book --pdf                  the same, and one PDF of all pages

A profile is a set of parameters in book/profiles.yml; what -p sets comes before it. To run a
chapter by itself, without the site: papermill book/05_knn.ipynb out.ipynb -p k 5
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``dasheng book``."""
    from dasheng_lib.book.driver.audio import CHOICES

    parser.description = DESCRIPTION
    parser.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="set of parameters: quick (default), desk, paper or smoke",
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="CHAPTER",
        help="run only this chapter, such as 05_knn, 5 or knn; may be repeated. The others keep "
        "the outputs of their last run",
    )
    parser.add_argument("--force", action="store_true", help="run chapters that did not change too")
    parser.add_argument(
        "--corpus",
        default="auto",
        choices=CHOICES,
        help="recordings to use; auto (default) is pocket, or synthetic where no download is "
        "possible",
    )
    parser.add_argument(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter in every chapter that has it; may be repeated",
    )
    parser.add_argument(
        "--cell-timeout",
        type=int,
        metavar="SECONDS",
        help="longest time for one cell, 0 for no limit (default: 3600 for the profiles quick and "
        "smoke, no limit for the others)",
    )
    parser.add_argument(
        "--no-site", dest="site", action="store_false", help="run the chapters and stop there"
    )
    parser.add_argument(
        "--pdf",
        action="store_true",
        help="also print the whole book into _build/book.pdf; a chromium does that",
    )
    parser.add_argument(
        "--readme",
        action="store_true",
        help="also put the front page's picture and claims into README.md",
    )
    parser.add_argument(
        "--strict", action="store_true", help="treat warnings of the site builder as errors"
    )


def run(args: argparse.Namespace) -> int:
    """Build the book as the arguments say; 0.

    Raises:
        UserError: what cannot be, before anything is run.
    """
    from dasheng_lib.book.driver import Options, build

    if (args.pdf or args.readme) and not args.site:
        raise UserError(
            "--pdf and --readme show the site, which --no-site leaves out: take one of the two."
        )
    build(
        Options(
            root=find_root(Path.cwd()),
            profile=args.profile,
            only=tuple(args.only),
            force=args.force,
            corpus=args.corpus,
            parameters=tuple(args.parameters),
            cell_seconds=cell_seconds(args.profile, args.cell_timeout),
            strict=args.strict,
            site=args.site,
            pdf=args.pdf,
            readme=args.readme,
        )
    )
    return 0


def cell_seconds(profile: str, asked: int | None) -> int | None:
    """The limit for one cell: what was asked for, or what suits the profile."""
    if asked is None:
        return 3600 if profile in ("quick", "smoke") else None
    if asked < 0:
        raise UserError(f"--cell-timeout {asked} is no time: write seconds, or 0 for no limit.")
    return asked or None


def find_root(start: Path) -> Path:
    """The checkout that ``start`` lies in, or else the one that the library is installed from.

    Raises:
        UserError: neither has a book.
    """
    for folder in (start, *start.parents, ROOT):
        if (folder / "_config.yml").exists() and (folder / "book" / "_toc.yml").exists():
            return folder
    raise UserError("No book here: run `dasheng book` inside a checkout of the repository.")
