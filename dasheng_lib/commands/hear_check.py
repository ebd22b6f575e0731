"""``dasheng hear-check``: does a module follow the HEAR API?"""

from __future__ import annotations

import argparse

from dasheng_lib.commands.options import device

EPILOG = """\
examples:
  dasheng hear-check dasheng_lib.hear_api --model random:nano
  dasheng hear-check some.module --model weights.pt --device cpu

Exit code 0: no error, warnings at most. 1: something breaks the API."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("module", help="its name, as in `import NAME`")
    parser.add_argument("--model", default="", metavar="PATH", help="handed to its load_model")
    parser.add_argument("--device", type=device, help="where to run it (a GPU if there is one)")


def run(args: argparse.Namespace) -> int:
    from dasheng_lib.encoders.hear.validator import check_hear

    findings = check_hear(args.module, args.model, args.device)
    for finding in findings:
        print(f"{finding.level:<8}{finding.says}")
    errors = sum(finding.level == "error" for finding in findings)
    print(f"{args.module}: errors {errors}, warnings {len(findings) - errors}")
    return int(errors > 0)
