"""Embedding of clips of 1 to 30 s, beside both ways of the authors' package.

The peer takes one clip at a time, or a padded batch with ``x_length``. Work is counted as asked
for: every clip as if alone, padding not at all. ``times_peer`` is against the faster of its two
ways in each round. The padded batch sees the end of a clip differently (padding takes part in
its front end), so it agrees only roughly.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
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
from torch.nn.utils.rnn import pad_sequence

from dasheng_lib.encoders import DashengEncoder
from dasheng_lib.evaluation.embed_batches import BATCH_SECONDS, embed_batches
from dasheng_lib.model import TOKEN_SAMPLES
from dasheng_lib.tasks.clip import Clip
from dasheng_lib.train.flops import mixed_flops


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser, repeats=5)
    parser.add_argument("--clips", type=int, default=12, help="in a round (12)")
    parser.add_argument("--shortest", type=float, default=1.0, help="clip in seconds (1)")
    parser.add_argument("--longest", type=float, default=30.0, help="clip in seconds (30)")
    parser.add_argument("--batch", type=int, default=4, help="clips in a batch of the peer (4)")
    parser.add_argument(
        "--batch-seconds",
        type=float,
        default=BATCH_SECONDS,
        help=f"audio in a batch of ours; a GPU wants more ({BATCH_SECONDS:g})",
    )
    args = parser.parse_args(argv)
    prepare(args)

    rng = np.random.default_rng(args.seed)
    waves = noise(rng.uniform(args.shortest, args.longest, args.clips), args.seed)
    samples = np.array([len(wave) for wave in waves])
    ours, theirs = encoders(args, peer(args, "pretrained.pretrained"))
    clips = [Clip("noise", len(wave), 16_000, "", wave.numpy) for wave in waves]
    flops = mixed_flops(ours.config, samples.tolist())
    on_device = [wave.to(args.device) for wave in waves]

    @torch.inference_mode()
    def one_at_a_time():
        return torch.cat([theirs(wave[None]).mean(1) for wave in on_device])

    @torch.inference_mode()
    def padded():
        vectors = []
        for first in range(0, args.clips, args.batch):
            some = on_device[first : first + args.batch]
            length_B = torch.tensor([len(wave) for wave in some], device=args.device)
            tokens_BTD = theirs(pad_sequence(some, batch_first=True), x_length=length_B)
            count_B1 = (length_B // TOKEN_SAMPLES)[:, None]
            valid_BT = torch.arange(tokens_BTD.shape[1], device=args.device) < count_B1
            vectors.append((tokens_BTD * valid_BT[..., None]).sum(1) / count_B1)
        return torch.cat(vectors)

    cases = []
    for precision in args.precision:
        features = DashengEncoder(ours, "benchmark", precision)

        def embed_ours(features=features):
            out = torch.empty(args.clips, features.dim)
            for rows, vectors in embed_batches(features, clips, "clips", args.batch_seconds):
                out[rows] = vectors
            return out

        if theirs is not None:
            agreement(f"{OURS} in {precision} and {PEER}", embed_ours(), one_at_a_time())
        cases.append(Case(OURS, precision, embed_ours, flops))
    if theirs is not None:
        agreement(f"the two ways of {PEER}", padded(), one_at_a_time())
        cases.append(Case(f"{PEER}, one at a time", "float32", one_at_a_time, flops))
        cases.append(Case(f"{PEER}, padded batch", "float32", padded, flops))
    seconds = timed_rounds(cases, args)
    result = table(cases, seconds, args.device, samples.sum() / 16_000)
    show(result)
    keep(result, args, clip_seconds=(samples / 16_000).round(2).tolist())


if __name__ == "__main__":
    run_script(main)
