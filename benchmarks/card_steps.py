"""What `gpu.py` finds out itself: what is there, and what small models wait for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Barrier

import numpy as np
import torch
from card_crops import CardCrops

from dasheng_lib.common.cache import atomic_file
from dasheng_lib.common.provenance import provenance, version
from dasheng_lib.corpora.corpus import Corpus
from dasheng_lib.corpora.crops import Crops
from dasheng_lib.objectives.family import FAMILIES
from dasheng_lib.train import pretrain
from dasheng_lib.train.batches import crops_of
from dasheng_lib.train.build import new_model
from dasheng_lib.train.config import RunConfig
from dasheng_lib.train.recipes import family_defaults

OPTIONAL = ("dasheng", "einops", "transformers", "bitsandbytes", "soundfile")
WARM, WINDOWS = 12, 5


def check(path: Path, device: str) -> str:
    """Write what the machine has, and how fast it multiplies and copies."""
    facts = {**provenance(), "cuda": torch.version.cuda}
    facts["packages"] = {name: version(name) if find_spec(name) else "missing" for name in OPTIONAL}
    facts["families"] = {family: _one_step(family, device) for family in FAMILIES}
    if device == "cuda":
        facts["name"] = torch.cuda.get_device_name()
        facts["memory"] = torch.cuda.get_device_properties(0).total_memory
        for name, dtype, tf32 in (
            ("float32", torch.float32, False),
            ("tf32", torch.float32, True),
            ("bfloat16", torch.bfloat16, False),
        ):
            torch.backends.cuda.matmul.allow_tf32 = tf32
            a = torch.randn(8192, 8192, device=device).to(dtype)
            facts[f"{name}_tflops"] = 2 * 8192**3 / _seconds(lambda a=a: a @ a) / 1e12
        torch.backends.cuda.matmul.allow_tf32 = False
        b = torch.empty(1 << 30, device=device)
        c = torch.empty_like(b)
        facts["copy_bytes_per_second"] = 2 * b.nbytes / _seconds(lambda: c.copy_(b))
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(facts, indent=1))
    named = {key: facts[key] for key in ("name", "packages", "families") if key in facts}
    rates = {k: round(v, 1) for k, v in facts.items() if k.endswith("_tflops")}
    return f"torch {torch.__version__}, {named} {rates}"


def _one_step(family: str, device: str) -> str:
    """ "ok", or what a step of a family fails with here."""
    config = replace(family_defaults(family), preset="24x2x2", batch=4, clip_seconds=1.0)
    rng = np.random.default_rng(0)
    wave = (0.1 * rng.standard_normal((4, 16_000))).astype(np.float32)
    try:
        model = new_model(config).to(device)
        next(pretrain(model, lambda step: wave, config.train))
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ok"


def _seconds(act: Callable[[], object], repeats: int = 10) -> float:
    """Median seconds of what a card does."""
    found = []
    for _ in range(repeats + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        act()
        end.record()
        end.synchronize()
        found.append(start.elapsed_time(end) / 1e3)
    return float(np.median(found[3:]))


def small_steps(
    corpus: Corpus, config: RunConfig, device: torch.device, seconds: float
) -> Iterator[dict[str, object]]:
    """Steps a second of one configuration: batches from numpy or the card, plain or replayed
    steps, one model or several at once, the batch and a quarter of it, the other precision.

    Yields:
        Rows ``batches, steps, models, batch, precision, per_second`` with quartiles over
        five windows, and ``crops_per_second``, the median in crops.
    """
    store = torch.tensor(np.asarray(corpus.store), device=device)
    card = partial(CardCrops, device=device, store=store)
    quarter = replace(config, batch=max(config.batch // 4, 1))
    precision = "float32" if config.train.precision == "bfloat16" else "bfloat16"
    other = replace(config, train=replace(config.train, precision=precision))
    for made, replay, models, asked, compiled in (
        (Crops, False, 1, config, False),
        (card, False, 1, config, False),
        (card, True, 1, config, False),
        (card, True, 1, quarter, False),
        (card, False, 8, config, False),
        (card, True, 4, config, False),
        (card, True, 8, config, False),
        (card, True, 8, quarter, False),
        (card, True, 8, other, False),
        (card, True, 1, config, True),  # alone: torch compiles for one thread at a time
    ):
        if compiled and device.type == "cpu":
            continue
        rate = _rate(lambda c, m=made: crops_of(corpus, c, m), asked, device, replay, models,
                     seconds, compiled)  # fmt: skip
        low, middle, high = np.percentile(rate, [25, 50, 75])
        yield {
            "batches": "numpy" if made is Crops else "card",
            "steps": ("replayed" if replay else "plain") + ", compiled" * compiled,
            "models": models,
            "batch": asked.batch,
            "precision": asked.train.precision,
            "per_second": middle,
            "per_second_low": low,
            "per_second_high": high,
            "crops_per_second": middle * asked.batch,
        }


def _rate(
    crops: Callable[[RunConfig], Crops],
    config: RunConfig,
    device: torch.device,
    replay: bool,
    models: int,
    seconds: float,
    compiled: bool,
) -> np.ndarray:
    """Steps a second of all models together in each of ``WINDOWS`` windows."""
    ready = Barrier(models)
    train = replace(config.train, steps=10**7)

    def work(seed: int) -> np.ndarray:
        own = replace(config, train=replace(config.train, seed=seed))
        on_card = device.type == "cuda"
        with torch.cuda.stream(torch.cuda.Stream()) if on_card else nullcontext():
            model = new_model(own).to(device)
            data = crops(own)
            model.calibrate(torch.as_tensor(data.batch(s)).to(device) for s in range(2))
            for block in model.blocks if compiled else ():
                block.compile()
            steps = pretrain(model, data.batch, train, replay=replay)
            for _ in range(WARM):
                next(steps)
            ready.wait()
            began, counts = time.perf_counter(), np.zeros(WINDOWS, int)
            while (spent := time.perf_counter() - began) < seconds:
                next(steps)
                counts[int(spent / seconds * WINDOWS)] += 1
            steps.close()
        return counts

    with ThreadPoolExecutor(models) as pool:
        counts = sum(pool.map(work, range(models)))
    return counts * WINDOWS / seconds
