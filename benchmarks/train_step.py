"""A pretraining step, beside the authors' package: forward, backward and AdamW.

The peer is its ``AudioTransformerMAE`` with group masking and torch's AdamW (its recipe takes
bitsandbytes' 8-bit AdamW, which wants a GPU), in float32 and, as its recipe says, in autocast to
bfloat16. Ours is ``MaskedAutoencoder`` with the optimizer of ``dasheng pretrain`` and its
gradient clipping. Both lose the same on the same weights, audio and masks before they are timed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from common import (
    OURS,
    PEER,
    Case,
    add_common_arguments,
    keep,
    noise,
    peer,
    prepare,
    run_script,
    show,
    table,
    timed_rounds,
)
from torch import Tensor, nn

from dasheng_lib.checkpoint.published import from_upstream
from dasheng_lib.common.errors import UserError
from dasheng_lib.mae import DECODERS, MaskedAutoencoder
from dasheng_lib.model import PRESETS, Encoder, token_count
from dasheng_lib.train import TrainConfig, make_optimizer
from dasheng_lib.train.flops import training_flops


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_common_arguments(parser, repeats=7)
    parser.add_argument("--clips", type=int, default=8, help="in a step (8)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of a clip (10)")
    args = parser.parse_args(argv)
    prepare(args)

    wave_BN = torch.stack(noise([args.seconds] * args.clips, args.seed)).to(args.device)
    module = peer(args, "train.models") if args.size == "base" else None
    models = {precision: our_model(args) for precision in args.precision}
    ours = models[args.precision[0]]
    flops = args.clips * training_flops(ours.encoder.config, ours.config, wave_BN.shape[1])
    cases = [
        Case(OURS, precision, our_step(model, wave_BN, precision), flops)
        for precision, model in models.items()
    ]
    if module is not None:
        theirs = module.dasheng_base(group_masking=True).to(args.device)
        check_losses(theirs, ours, wave_BN)
        cases.append(Case(PEER, "float32", their_step(theirs, wave_BN, False), flops))
        if "bfloat16" in args.precision:
            step = their_step(theirs, wave_BN, True)
            cases.append(Case(f"{PEER} in autocast", "bfloat16", step, flops))
    result = table(cases, timed_rounds(cases, args), args.device, args.clips * args.seconds)
    show(result)
    keep(result, args)


def our_model(args: argparse.Namespace) -> MaskedAutoencoder:
    encoder = Encoder(replace(PRESETS[args.size], floor="batch"))
    return MaskedAutoencoder(encoder, DECODERS[args.size]).to(args.device)


def our_step(model: MaskedAutoencoder, wave_BN: Tensor, precision: str) -> Callable[[], float]:
    config = TrainConfig(precision=precision)
    optimizer = make_optimizer(model, config)
    generator = torch.Generator().manual_seed(0)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(wave_BN.device.type, torch.bfloat16, precision == "bfloat16"):
            loss = model.train()(wave_BN, generator).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        optimizer.step()
        return loss.item()

    return step


def their_step(model: nn.Module, wave_BN: Tensor, autocast: bool) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(model.parameters(), 3e-4, weight_decay=0.01)

    def step() -> float:
        model.train()
        optimizer.zero_grad()
        with torch.autocast(wave_BN.device.type, torch.bfloat16, autocast):
            loss = model(wave_BN, mask_ratio=0.75, return_loss=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


@torch.no_grad()
def check_losses(theirs: nn.Module, ours: MaskedAutoencoder, wave_BN: Tensor) -> None:
    """Give our model their weights, and print both losses under one mask.

    Raises:
        UserError: they differ, so that their times must not be compared.
    """
    for part in ("encoder", "decoder"):
        weights = getattr(theirs, part).state_dict()
        weights = {name: value for name, value in weights.items() if "front_end" not in name}
        getattr(ours, part).load_state_dict(from_upstream(weights))
    torch.manual_seed(0)  # the peer draws its mask from torch's own numbers
    expected = theirs.eval()(wave_BN, mask_ratio=0.75, return_loss=True).item()
    torch.manual_seed(0)
    groups = token_count(wave_BN.shape[1]) // 2
    mask = torch.rand(len(wave_BN), groups, device=wave_BN.device)
    got = ours.eval()(wave_BN, noise=mask).loss.item()
    print(f"loss on the same weights, audio and mask: {got:.6f} ({OURS}), {expected:.6f} ({PEER})")
    if not abs(got - expected) < 1e-3:
        raise UserError("The losses do not agree: the times are not comparable.")


if __name__ == "__main__":
    run_script(main)
