"""``dasheng whiten``: an encoder whose output no single direction dominates."""

from __future__ import annotations

import argparse

from dasheng_lib.commands.options import path, writable

POWER = 0.75  # as in dasheng_lib.encoders.whitening, which would load torch

EPILOG = """\
k-NN and penalised linear probes hear the loudest directions of an encoder. This writes the file
with a linear map behind the encoder, fitted on clips without labels, which divides each principal
component of their vectors by a power of its deviation. The pretext task and its decoder stay as
they are; plain:FILE names the encoder without the map.

example:
  dasheng whiten runs/first/final.safetensors --corpus pocket --out runs/first/white.safetensors
  dasheng evaluate pocket --encoder dasheng:runs/first/white.safetensors \\
      --encoder plain:runs/first/white.safetensors
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=path, help="a Dasheng encoder that `dasheng pretrain` wrote")
    parser.add_argument("--corpus", default="pocket", help="whose clips it is fitted on (pocket)")
    parser.add_argument(
        "--power",
        type=float,
        default=POWER,
        help=f"0 only centres, 1 makes all directions alike ({POWER})",
    )
    parser.add_argument("--out", type=writable, required=True, help="FILE.safetensors")


def run(args: argparse.Namespace) -> int:
    from dasheng_lib.checkpoint.weights import facts_in, load_autoencoder, save_weights
    from dasheng_lib.common.errors import UserError
    from dasheng_lib.corpora import load_corpus
    from dasheng_lib.corpora.trim import prepare
    from dasheng_lib.encoders.dasheng import DashengEncoder
    from dasheng_lib.encoders.whitening import whiten
    from dasheng_lib.evaluation.pocket import embed_corpus
    from dasheng_lib.rank.effective import rankme

    model = load_autoencoder(args.file)
    if not 0 <= args.power <= 1:
        raise UserError(f"--power is from 0 to 1, not {args.power:g}.")
    if model.encoder.config.whitened:
        raise UserError(f"{args.file} is whitened already: name the file that was trained.")
    corpus = prepare(load_corpus(args.corpus))
    Z_ND = embed_corpus(DashengEncoder(model.encoder, str(args.file)), corpus, progress=True)
    whiten(model.encoder, Z_ND, args.power)
    facts = {"whitened_on": corpus.digest, "whitened_by": f"{args.power:g}"}
    save_weights(model, args.out, **facts_in(args.file), **facts)
    after = embed_corpus(DashengEncoder(model.encoder, str(args.out)), corpus, progress=True)
    print(f"RankMe of {len(corpus)} clips: {rankme(Z_ND):.1f} -> {rankme(after):.1f}")
    print(args.out)
    return 0
