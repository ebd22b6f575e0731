"""``dasheng interventions``: move the rank of fixed embeddings, and see what quality does."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from dasheng_lib.commands.options import once, seed
from dasheng_lib.commands.record import add_record, keep, parameters

NAMES = ["centre", "standardise", "scale:1", "scale:2", "rotate"]
NAMES += ["flatten:0.5", "whiten", "sharpen"]
NAMES += ["drop:1", "drop:4", "drop:16", "keep:64", "keep:32", "keep:16", "keep:8"]
# Of encoders that are only drawn: one of 192x4, and these, a width, depth or scale apart.
DRAWN = [{"width": width, "heads": max(width // 64, 1)} for width in (12, 24, 48, 96, 384)]
DRAWN += [{"width": width, "depth": 0, "heads": 1} for width in (12, 48, 192, 768)]
DRAWN += [{"depth": 1}, {"depth": 2}, {"depth": 8}, {"width": 768, "depth": 1, "heads": 12}]
DRAWN += [{"scale": 0.5}, {"scale": 2.0}, {"scale": 4.0}, {"seed": 1}]

EPILOG = """\
Stop it at any time and give the same command again: what was measured lies in the cache.

examples:
  dasheng interventions --record book/results/interventions
  dasheng interventions --encoder dasheng:runs/first/final.safetensors --no-untrained
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--encoder",
        action="append",
        default=[],
        help="to intervene on, beside an untrained one; repeat it (logmel and plain:nano)",
    )
    parser.add_argument("--interventions", nargs="+", default=NAMES, help=", ".join(NAMES))
    parser.add_argument("--corpus", default="pocket", help="what interventions are fitted on")
    parser.add_argument(
        "--unheard", nargs="*", default=["fsdd", "esc10"], help="further sets (fsdd esc10)"
    )
    parser.add_argument("--seed", type=seed, default=0, help="of drawn interventions (0)")
    parser.add_argument("--no-untrained", action="store_true", help="leave untrained encoders out")
    add_record(parser)


def run(args: argparse.Namespace) -> int:
    import pandas as pd
    from tqdm.auto import tqdm

    from dasheng_lib.encoders import load_encoder
    from dasheng_lib.rank.interventions import AS_IS
    from dasheng_lib.sweep.interventions import (
        Untrained,
        intervene,
        load_corpora,
        majority,
        rows_of,
        untrained,
    )

    whole = Untrained()  # all interventions are done to it, as to those that are named
    seconds = 0.0
    corpora = load_corpora(once([args.corpus, *args.unheard]))
    names = once([AS_IS, *args.interventions])
    drawn = [] if args.no_untrained else [whole, *(Untrained(**size) for size in DRAWN)]
    jobs = [(name, {}, names) for name in once(args.encoder) or ("logmel", "plain:nano")]
    jobs += [(what, asdict(what), names if what == whole else [AS_IS]) for what in drawn]
    chance = majority(corpora)
    tables = [rows_of("majority class", AS_IS, chance, chance, corpora)]
    with tqdm(desc="interventions", total=sum(len(asked) for *_, asked in jobs)) as bar:
        for what, facts, asked in jobs:
            named = isinstance(what, str)
            encoder = load_encoder(what) if named else untrained(what, corpora[0])
            before = intervene(encoder, AS_IS, corpora, progress=False)
            for name in asked:
                bar.set_postfix_str(f"{encoder.name}: {name}")
                after = intervene(encoder, name, corpora, args.seed, progress=False)
                rows = rows_of(encoder.name, name, after, before, corpora)
                tables.append(rows.assign(**facts))
                seconds += after.seconds
                bar.update()
    table = pd.concat(tables, ignore_index=True)
    sets = table[table["tasks"].isin(["heard", "unheard"])]
    shown = sets.pivot_table(
        index=["encoder", "intervention", "rankme"],
        columns=["probe", "tasks"],
        values="accuracy",
        sort=False,
    )
    print((100 * shown).round(1).to_string())
    keep(
        args.record,
        table,
        corpora={corpus.name: corpus.digest for corpus in corpora},
        parameters=parameters(args),
        processor_seconds=round(seconds),
    )
    return 0
