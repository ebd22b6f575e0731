"""What the benchmarks share: interleaved timing, the machine's own product, the peer, a table.

Every round times every case once, in random order, beside a large matrix product of each
precision. Ratios are taken within rounds, so that a machine whose speed drifts, or which others
use too, shifts both sides alike. The first round warms up and is dropped.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dasheng_lib.checkpoint.published import from_upstream
from dasheng_lib.common.errors import UserError
from dasheng_lib.common.provenance import version
from dasheng_lib.model import PRESETS, Encoder
from dasheng_lib.model.frozen import PRECISIONS
from dasheng_lib.results import recordable, write_results

OURS = "this library"
PEER = "dasheng"  # the package on PyPI, by the model's authors
PRODUCT = "matrix product"
PRODUCT_SIZE = {"cpu": 2048, "cuda": 8192}
SHORTEST_PRODUCT = {"cpu": 0.2, "cuda": 0.02}  # seconds that one timing of the product takes


@dataclass(frozen=True)
class Case:
    """Something to time.

    Attributes:
        who, precision: name it in the table.
        act: does the work once.
        flops: of the work that was asked for; the same for all cases that do it.
    """

    who: str
    precision: str
    act: Callable[[], object]
    flops: int


def add_common_arguments(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Options of the benchmarks of an encoder."""
    add_timing_arguments(parser, repeats)
    parser.add_argument("--size", default="base", choices=PRESETS, help="of the model (base)")
    parser.add_argument(
        "--precision",
        nargs="+",
        default=None,
        choices=PRECISIONS,
        help="of ours (float32, and bfloat16 where the processor has its products)",
    )
    parser.add_argument("--no-peer", action="store_true", help="time this library alone")


def add_timing_arguments(parser: argparse.ArgumentParser, repeats: int) -> None:
    """Options that all benchmarks have."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.set_defaults(precision=["float32"])
    parser.add_argument("--repeats", type=int, default=repeats, help=f"rounds ({repeats})")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"], help="(cpu)")
    parser.add_argument(
        "--tf32", action="store_true", help="let float32 products on the card round to TF32"
    )
    parser.add_argument("--threads", type=int, help="of the processor (all)")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count processor time in one thread: for a machine that others use too",
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights, audio and order (0)")
    parser.add_argument(
        "--record", type=recordable, help="keep the table as FILE.csv and FILE.json"
    )


def prepare(args: argparse.Namespace) -> None:
    """Take the options at their word, and fill in what depends on the machine.

    Raises:
        UserError: there is no such device here.
    """
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UserError("There is no CUDA device that this torch can use: leave out --device cuda.")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.tf32
    if args.repeats < 1:
        raise UserError(f"--repeats is at least 1, not {args.repeats}.")
    if args.processor_time and (args.device != "cpu" or args.threads not in (None, 1)):
        raise UserError("--processor-time counts one thread of the processor: leave out the other.")
    if args.processor_time:
        args.threads = 1
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.precision is None:
        args.precision = [*PRECISIONS] if has_bfloat16(args.device) else ["float32"]
    torch.manual_seed(args.seed)


def has_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 faster than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def peer(args: argparse.Namespace, module: str) -> ModuleType | None:
    """A module of the peer, or None, with a line that says why, where it is not wanted or here."""
    if args.no_peer:
        return None
    try:
        return importlib.import_module(f"dasheng.{module}")
    except ImportError as error:
        print(
            f"No comparison: {error}. In an environment of its own beside this library's "
            "requirements, `pip install --no-deps dasheng==0.0.9 einops` brings the peer.\n"
        )
        return None


def encoders(args: argparse.Namespace, module: ModuleType | None) -> tuple[Encoder, nn.Module]:
    """Our encoder and the peer's (None without one), of the same random weights."""
    config = PRESETS[args.size]
    if module is None:
        ours, theirs = Encoder(config), None
        state = ours.norm_in
    else:
        theirs = module.Dasheng(embed_dim=config.dim, depth=config.depth, num_heads=config.heads)
        theirs = theirs.eval().to(args.device)
        state = theirs.init_bn[1]
    # As after training on real sound, whose bins lie around -30 dB and vary by 20.
    nn.init.constant_(state.running_mean, -30.0)
    nn.init.constant_(state.running_var, 400.0)
    if theirs is not None:
        weights = {k: v for k, v in theirs.state_dict().items() if "front_end" not in k}
        ours = Encoder(config)
        ours.load_state_dict(from_upstream(weights))
    return ours.eval().to(args.device), theirs


def noise(seconds: Sequence[float], seed: int) -> list[Tensor]:
    """A clip of noise with a changing level for each length, float32 at 16 kHz."""
    generator = torch.Generator().manual_seed(seed)
    clips = []
    for length in seconds:
        n = round(16_000 * length)
        level = torch.rand(1, 1, 12, generator=generator) ** 2
        level = F.interpolate(level, size=n, mode="linear")[0, 0]
        clips.append(0.3 * level * torch.randn(n, generator=generator))
    return clips


def agreement(name: str, got_ND: Tensor, expected_ND: Tensor) -> None:
    """Print how far two sets of embeddings agree.

    Raises:
        UserError: they do not, so that their times must not be compared.
    """
    got_ND, expected_ND = got_ND.float().cpu(), expected_ND.float().cpu()
    cosine = F.cosine_similarity(got_ND, expected_ND, dim=-1).min().item()
    difference = (got_ND - expected_ND).abs().max().item()
    print(f"{name}: lowest cosine {cosine:.6f}, largest difference {difference:.1e}")
    if not cosine > 0.99:
        raise UserError(f"{name} do not agree: their times are not comparable.")


def timed_rounds(
    cases: Sequence[Case], args: argparse.Namespace
) -> dict[tuple[str, str], np.ndarray]:
    """Seconds of each case, float64 [repeats], and of one large product in each precision."""
    size = PRODUCT_SIZE[args.device]
    clock = time.process_time if args.processor_time else time.perf_counter

    def seconds_of(act: Callable[[], object]) -> float:
        wait = torch.cuda.synchronize if args.device == "cuda" else (lambda: None)
        wait()
        began = clock()
        act()
        wait()
        return clock() - began

    acts = {(case.who, case.precision): case.act for case in cases}
    counts = {}
    for precision in dict.fromkeys(case.precision for case in cases):
        a = torch.randn(size, size, device=args.device).to(PRECISIONS[precision])
        seconds = min(seconds_of(lambda a=a: a @ a) for _ in range(3))
        counts[precision] = max(round(SHORTEST_PRODUCT[args.device] / seconds), 1)

        def products(a=a, count=counts[precision]):
            for _ in range(count):
                a @ a

        acts[PRODUCT, precision] = products
    rng = np.random.default_rng(args.seed)
    seconds = {key: [] for key in acts}
    for _ in range(args.repeats + 1):
        for index in rng.permutation(len(acts)):
            key = list(acts)[index]
            seconds[key].append(seconds_of(acts[key]))
    return {
        key: np.array(values[1:]) / (counts[key[1]] if key[0] == PRODUCT else 1)
        for key, values in seconds.items()
    }


def table(
    cases: Sequence[Case],
    seconds: dict[tuple[str, str], np.ndarray],
    device: str,
    audio_seconds: float,
) -> pd.DataFrame:
    """A row for each case and product: medians, and quartiles over the rounds as low and high.

    Columns: ``seconds``; ``audio_per_second`` (seconds of sound); ``gflops`` a second;
    ``of_product``, the share of what the product of the same precision does in the same round;
    ``times_peer``, how much faster than the best of the peer's float32 cases in that round.
    """
    flops = {(case.who, case.precision): case.flops for case in cases}
    flops |= {key: 2 * PRODUCT_SIZE[device] ** 3 for key in seconds if key[0] == PRODUCT}
    theirs = [seconds[key] for key in flops if key[0].startswith(PEER) and key[1] == "float32"]
    rows = []
    for (who, precision), spent in seconds.items():
        rate = flops[who, precision] / spent
        product = flops[PRODUCT, precision] / seconds[PRODUCT, precision]
        row = {"who": who, "precision": precision, **_quartiles("seconds", spent)}
        row["gflops"] = np.median(rate) / 1e9
        if who != PRODUCT:
            row["audio_per_second"] = audio_seconds / np.median(spent)
            row |= _quartiles("of_product", rate / product)
            if theirs:
                row |= _quartiles("times_peer", np.min(theirs, 0) / spent)
        rows.append(row)
    return pd.DataFrame(rows)


def beside(
    cases: Sequence[Case], seconds: dict[tuple[str, str], np.ndarray], rival: str
) -> pd.DataFrame:
    """A row for each case: ``seconds`` and ``times_rival``, how much faster than the rival of the
    same round; medians, and quartiles over the rounds as low and high.
    """
    theirs = seconds[rival, "float32"]
    rows = []
    for case in cases:
        spent = seconds[case.who, case.precision]
        row = {"who": case.who, **_quartiles("seconds", spent)}
        rows.append(row | _quartiles("times_rival", theirs / spent))
    return pd.DataFrame(rows)


def _quartiles(name: str, values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {name: middle, f"{name}_low": low, f"{name}_high": high}


def show(result: pd.DataFrame) -> None:
    """Print a table of :func:`table`, with quartiles behind medians."""
    shown = pd.DataFrame({"who": result["who"], "precision": result["precision"]})
    for name, form in (
        ("seconds", "{:.4g} ({:.4g}-{:.4g})"),
        ("of_product", "{:.2f} ({:.2f}-{:.2f})"),
        ("times_peer", "{:.2f} ({:.2f}-{:.2f})"),
    ):
        if name in result:
            three = result[[name, f"{name}_low", f"{name}_high"]].to_numpy()
            shown[name] = ["" if np.isnan(row).any() else form.format(*row) for row in three]
    shown.insert(3, "GFLOP/s", result["gflops"].map("{:.0f}".format))
    audio = result["audio_per_second"].map(lambda x: "" if np.isnan(x) else f"{x:.1f}")
    shown.insert(3, "audio s/s", audio)
    print(shown.to_string(index=False))


def keep(result: pd.DataFrame, args: argparse.Namespace, **facts: object) -> None:
    """Write a table where ``--record`` says, with the circumstances of its timing."""
    if args.record is None:
        return
    given = vars(args).items()
    write_results(
        args.record,
        result,
        command=script_command(),
        parameters={key: value for key, value in given if key != "record"},
        device=torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        threads=torch.get_num_threads(),
        load=os.getloadavg() if hasattr(os, "getloadavg") else None,
        peer=version(PEER),
        **facts,
    )
    print(f"kept as {args.record}.csv")


def script_command() -> str:
    """The command that this process was started with, from the root of the checkout."""
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])


def run_script(main: Callable[[], None]) -> None:
    """Run a benchmark; what a user can mend is one sentence."""
    try:
        main()
    except UserError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
