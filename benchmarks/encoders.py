"""Embedding of ten-second clips by every encoder that a reader can name, beside dasheng:nano.

Each gets the same noise at its own sample rate; --batch clips at a time. The published sizes of
Dasheng stand here as random ones, which cost the same. On a card are those that can go there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from common import (
    Case,
    add_timing_arguments,
    beside,
    keep,
    noise,
    prepare,
    run_script,
    timed_rounds,
)
from torch import nn
from torchaudio.functional import resample

from dasheng_lib.common.errors import UserError
from dasheng_lib.encoders import DashengEncoder, load_encoder
from dasheng_lib.model import Encoder

NANO = "dasheng:nano"
OTHERS = (
    *("logmel", "wheel:aisfx", "wheel:resemblyzer", "wheel:openwakeword", "efficientat:mn04"),
    *("musicnn:mtat", "musicnn:jamendo", "random:base", "random:0.6B", "random:1.2B"),
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_timing_arguments(parser, repeats=5)
    parser.add_argument("--encoders", nargs="+", default=OTHERS, help="beside dasheng:nano")
    parser.add_argument("--clips", type=int, default=4, help="in a round (4)")
    parser.add_argument("--batch", type=int, default=4, help="clips at a time (4)")
    args = parser.parse_args(argv)
    prepare(args)
    wave_BN = torch.stack(noise([10.0] * args.clips, args.seed))
    encoders = {}
    for name in (NANO, *args.encoders):
        try:
            encoders[name] = load_encoder(name, device=args.device)
        except UserError as error:
            if args.device == "cpu":
                raise
            print(f"left out: {error}")
    cases = [case(encoder, wave_BN, args) for encoder in encoders.values()]
    result = beside(cases, timed_rounds(cases, args), cases[0].who)
    result.insert(1, "encoder", [*encoders])
    result.insert(2, "parameters", [parameters(encoder) for encoder in encoders.values()])
    result.insert(3, "numbers", [encoder.dim for encoder in encoders.values()])
    result["audio_per_second"] = 10 * args.clips / result["seconds"]
    print(result.to_string(index=False, float_format="{:.4g}".format))
    keep(result, args)


def case(encoder, wave_BN: torch.Tensor, args: argparse.Namespace) -> Case:
    """One encoder at work on all clips."""
    heard_BN = resample(wave_BN, 16_000, encoder.sample_rate)

    @torch.inference_mode()
    def embed() -> torch.Tensor:
        return torch.cat([encoder.clips(batch_BN) for batch_BN in heard_BN.split(args.batch)])

    return Case(encoder.name, "float32", embed, 0)


def parameters(encoder) -> int | None:
    """Numbers in the network of an encoder; None where it runs through something else."""
    if isinstance(encoder, DashengEncoder):  # what is frozen is packed: count it as it was built
        with torch.device("meta"):
            held = [Encoder(encoder.encoder.config)]
    else:
        held = [part for part in vars(encoder).values() if isinstance(part, nn.Module)]
    return sum(p.numel() for network in held for p in network.parameters()) or None


if __name__ == "__main__":
    run_script(main)
