"""What *At scale* reckons with: printed facts with their sources, and what was recorded here.

The facts stand in ``data_manifests/scale.yml``, the rates of shards in
``book/results/bench_shards``; the sums are :mod:`dasheng_lib.train.budget`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from dasheng_lib.common.places import CHECKOUT, MANIFESTS
from dasheng_lib.common.yaml_files import read_yaml
from dasheng_lib.mae import DECODERS, MaskedAutoencoder
from dasheng_lib.model import PRESETS
from dasheng_lib.results import read_results
from dasheng_lib.shards import ShardCrops
from dasheng_lib.train.budget import (
    CLIP_SECONDS,
    DAY,
    HOUR,
    TRAINING_BYTES,
    Budget,
    Plan,
    budget,
)
from dasheng_lib.train.flops import training_flops
from dasheng_lib.train.recipes import RECIPES
from dasheng_lib.train.run import Execution

SIZES = ("base", "0.6B", "1.2B")
RECORDINGS = "esc10"  # of the corpora whose shards were timed, the one of sounds from the web
PER_MACHINE = 8  # accelerators
EXECUTION = Execution()
STOPS = ("the first index", "a start a day", "checkpoints")  # while which no step runs
THREADS = inspect.signature(ShardCrops).parameters["workers"].default  # that decode, a process


@cache
def facts() -> dict[str, Any]:
    """``data_manifests/scale.yml``."""
    return read_yaml(MANIFESTS / "scale.yml", CHECKOUT)


@cache
def rates() -> dict[str, float]:
    """What was recorded of shards, by name: medians, in units of the record."""
    table = read_results("bench_shards")
    table = table[table["corpus"].isin([RECORDINGS]) | table["corpus"].isna()]
    return dict(zip(table["what"], table["value"], strict=True))


def shape(size: str) -> dict[str, float]:
    """Operations of a clip in a step, and parameters of encoder and decoder."""
    with torch.device("meta"):
        model = MaskedAutoencoder.preset(size)
    flops = training_flops(PRESETS[size], DECODERS[size], CLIP_SECONDS * 16_000)
    return {"flops": flops, "parameters": sum(p.numel() for p in model.parameters())}


def machine(accelerator: str) -> dict[str, float]:
    """What of an accelerator a plan asks for."""
    return {name: facts()["accelerators"][accelerator][name] for name in ("peak", "watts", "price")}


def plan(size: str, accelerator: str, count: int, share: float) -> Plan:
    """The published run of a size on so many accelerators."""
    recipe, power = RECIPES[f"paper:{size}"], facts()["power"]
    return Plan(
        **shape(size),
        **machine(accelerator),
        hours=facts()["corpus"]["hours"],
        steps=recipe.train.steps,
        batch=recipe.batch,
        count=count,
        share=share,
        pue=power["pue"],
        carbon=power["carbon"],
        stored=rates()["stored"],
        storage_price=facts()["storage"]["price"],
        decoded=rates()["decoded"],
    )


def costs(size: str, accelerator: str, count: int, share: float) -> Budget:
    """What the published run of a size comes to on so many accelerators."""
    return budget(plan(size, accelerator, count, share))


def published_share() -> float:
    """The share of their peak that the authors' accelerators reached, by the days they print."""
    run = facts()["run"]
    whole = plan("1.2B", run["accelerator"], run["count"], 1.0)
    return budget(whole).days / run["days"]


def published_bytes() -> float:
    """Bytes that an author gives for a second of most of their audio."""
    corpus = facts()["corpus"]
    return corpus["bytes"] / corpus["bytes_hours"] / HOUR


def measured_share() -> float:
    """The share of an H200's peak that a training step of the Base model was recorded to reach."""
    steps = read_results("bench_train_step_card")
    ours = (steps["who"] == "this library") & (steps["precision"] == "bfloat16")
    return steps.loc[ours, "gflops"].item() * 1e9 / machine("H200")["peak"]


def sources() -> str:
    """What each number of a plan is and where it is from, as a Markdown list."""
    told = facts()
    kinds = told["accelerators"]
    each = {
        name: ", ".join(f"{kinds[kind][name] / unit:,g} ({kind})" for kind in kinds)
        for name, unit in (("peak", 1e12), ("watts", 1), ("price", 1))
    }
    of = told["accelerators_sources"]
    power, storage = told["power"], told["storage"]
    lines = [
        f"peak, in TFLOP/s of bfloat16 without sparsity: {each['peak']}; "
        f"{of['peak, link, memory']}",
        f"watts, an eighth of what the whole machine draws at most: {each['watts']}; "
        f"{of['watts, network']}",
        f"US$ an hour: {each['price']}; {of['price']}",
        f"{power['carbon']} g CO2e for a kWh: {power['sources']['carbon']}",
        f"{power['pue']} times as much drawn by the data centre: {power['sources']['pue']}",
        f"US$ {storage['price']} for a TB and month: {storage['source']}",
        f"{HOUR * rates()['stored'] / 1e6:.0f} MB for an hour of FLAC, and "
        f"{rates()['decoded']:.0f} clips of 10 s that a processor core decodes in a second: "
        "*recorded* with ESC-10 by `dasheng bench shards`",
    ]
    return "\n".join(f"- {line}." for line in lines)


def strains(
    plan: Plan, accelerator: Mapping[str, float], rates: Mapping[str, float]
) -> dict[str, float]:
    """What a run asks of each part of this library, over what that part gives.

    Of what runs beside the steps, they wait above 1; what stops them (:data:`STOPS`) adds its
    share to the time.

    Args:
        accelerator: ``link``, ``network`` and ``memory``, as in the manifest.
        rates: as :func:`rates` gives them.
    """
    asked = budget(plan)
    seconds = asked.days * DAY
    clips = HOUR * plan.hours / CLIP_SECONDS
    checkpoints = plan.steps / EXECUTION.checkpoint_every
    two = budget(replace(plan, count=2 * plan.count)).gradients_a_second
    return {
        "reading: threads that decode": asked.clips_a_second
        / plan.count
        / (THREADS * plan.decoded),
        "reading: the network": asked.bytes_a_second / accelerator["network"],
        "order of the clips": asked.clips_a_second / plan.count / rates["placed"],
        "the first index": clips / rates["indexed"] / seconds,
        "a start a day": asked.shards / rates["opened"] / DAY,
        "checkpoints": checkpoints * asked.checkpoint / rates["checkpoint"] / seconds,
        "gradients, in a machine": asked.gradients_a_second / accelerator["link"],
        "gradients, machines doubled": two / (PER_MACHINE * accelerator["network"]),
        "weights and moments": TRAINING_BYTES * plan.parameters / accelerator["memory"],
    }


def slowed(strains: Mapping[str, float]) -> float:
    """Times that a run takes what its computing alone would take."""
    beside = [strain for part, strain in strains.items() if part not in STOPS]
    return max(1.0, *beside) + sum(strains[part] for part in STOPS)
