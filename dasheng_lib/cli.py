"""The ``dasheng`` command. A verb is a module, imported when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dasheng_lib.common.errors import sentence
from dasheng_lib.common.places import LIBRARY

HELP = {
    "bench": "measure speed and memory beside the authors' package",
    "book": "run the chapters and build the book",
    "corpus": "fetch, list or check recordings",
    "doctor": "say what is installed, what is missing and what mends it",
    "embed": "embed audio files, clip by clip or frame by frame",
    "evaluate": "score encoders on tasks, and keep the result",
    "hear-check": "say whether a module follows the HEAR API",
    "interventions": "move the rank of fixed embeddings, and see what quality does",
    "power": "simulate what a sweep could tell before it is run",
    "pretrain": "pretrain an encoder, or go on where a run stopped",
    "shards": "pack audio for training at scale, list it, unpack",
    "sweep": "train and judge all runs of a grid, as one table",
    "whiten": "put a whitening behind an encoder, for k-NN and linear probes",
}
# verb: (module with add_arguments(parser), run(args) -> int and perhaps EPILOG, one line of help)
VERBS = {
    verb: (f"dasheng_lib.commands.{verb.replace('-', '_')}", line) for verb, line in HELP.items()
}
STOPPED = 130  # as shells report an interrupt
PIPE_CLOSED = 141  # and a closed pipe


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``dasheng`` with ``argv`` (the process's own if None) and return its exit code.

    0 is success; 2 means that the user can mend it, and one sentence on stderr says how; 1 is a
    verb's own "no"; a traceback is a bug.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    # Before torch is loaded: threads that wait by spinning halve the speed of a machine that has
    # anything else to do, and gain nothing on one that has not (measured: 0.45 and 0.78 s a step
    # beside two busy processes, 0.24 and 0.24 s alone).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with _spoken():
            code = _run(argv)
        if sys.stdout:  # there is none where it was closed
            sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter's last flush must not fail on it too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return _say("stopped; run the same command again to continue.", STOPPED)
    except Exception as error:
        if said := sentence(error):
            return _say(said, 2)
        raise


@contextmanager
def _spoken() -> Iterator[None]:
    """What the library warns of and waits for, as lines on stderr; any letter on any terminal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    log, handler = logging.getLogger("dasheng"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("dasheng: %(message)s"))
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    usual = warnings.showwarning

    def show(message, category, filename, *rest):
        ours = category is UserWarning and filename.startswith(str(LIBRARY))
        (_say(str(message), 0) if ours else usual(message, category, filename, *rest))

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = usual
        log.removeHandler(handler)


def _run(argv: list[str]) -> int:
    parser, run = _parser(argv)
    try:
        args = parser.parse_args(argv)
    except SystemExit as stop:  # argparse has said what there is to say
        return int(stop.code or 0)
    if args.version:
        from importlib.metadata import version

        print(f"dasheng {version('dasheng-companion')}")
    elif run is None:
        parser.print_help()
    else:
        return run(args)
    return 0


def _parser(argv: list[str]):
    """The parser, with the options of the one verb that is named, and that verb's ``run``."""
    parser = argparse.ArgumentParser(
        prog="dasheng",
        description="General audio representations, reproduced: data, training, tests, book.",
        epilog="`dasheng VERB --help` tells more about one of them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb")
    named = next((word for word in argv if not word.startswith("-")), None)
    run = None
    for verb, (module_name, line) in VERBS.items():
        child = verbs.add_parser(verb, help=line, description=line[0].upper() + line[1:] + ".")
        child.formatter_class = argparse.RawDescriptionHelpFormatter
        if verb == named:
            module = importlib.import_module(module_name)
            child.epilog = getattr(module, "EPILOG", None)
            module.add_arguments(child)
            run = module.run
    return parser, run


def _say(words: str, code: int) -> int:
    print(f"dasheng: {words}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
