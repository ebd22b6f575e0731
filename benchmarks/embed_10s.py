"""Embedding of ten-second clips, beside the authors' package: throughput of the encoder.

The same random weights and the same noise go through both; their embeddings must agree before
anything is timed; what is left of a difference in float32 is that the peer floors a whole batch
by its loudest clip. The peer gets --batch clips at a time, and so do we.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from common import (
    OURS,
    PEER,
    Case,
    add_common_arguments,
    agreement,
    encoders,
    keep,
    noise,
    peer,
    prepare,
    run_script,
    show,
    table,
    timed_rounds,
)

from dasheng_lib.encoders import DashengEncoder
from dasheng_lib.train.flops import encoder_flops


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser, repeats=15)
    parser.add_argument("--clips", type=int, default=4, help="in a round (4)")
    parser.add_argument("--batch", type=int, default=4, help="clips at a time (4)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a clip (10)")
    args = parser.parse_args(argv)
    prepare(args)

    wave_BN = torch.stack(noise([args.seconds] * args.clips, args.seed)).to(args.device)
    batches = wave_BN.split(args.batch)
    ours, theirs = encoders(args, peer(args, "pretrained.pretrained"))
    flops = args.clips * encoder_flops(ours.config, wave_BN.shape[1])

    @torch.inference_mode()
    def embed_theirs(autocast: bool = False):
        with torch.autocast(args.device, torch.bfloat16, autocast):
            return torch.cat([theirs(batch_BN).mean(1) for batch_BN in batches])

    cases = []
    for precision in args.precision:
        features = DashengEncoder(ours, "benchmark", precision)

        def embed_ours(features=features):
            return torch.cat([features.clips(batch_BN) for batch_BN in batches])

        if theirs is not None:
            agreement(f"{OURS} in {precision} and {PEER}", embed_ours(), embed_theirs())
        cases.append(Case(OURS, precision, embed_ours, flops))
    if theirs is not None:
        cases.append(Case(PEER, "float32", embed_theirs, flops))
        if "bfloat16" in args.precision:
            cases.append(Case(f"{PEER} in autocast", "bfloat16", lambda: embed_theirs(True), flops))
    result = table(cases, timed_rounds(cases, args), args.device, args.clips * args.seconds)
    show(result)
    keep(result, args)


if __name__ == "__main__":
    run_script(main)
