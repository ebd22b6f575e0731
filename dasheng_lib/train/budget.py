"""What a pretraining run takes: arithmetic on shapes, audio and machines, and nothing else.

``book/_static/cost_calculator.js`` does the sums of :func:`budget` for a reader who turns the
numbers; a test holds the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

PER_SHARD = 1000  # clips, as `dasheng shards pack` makes them
CLIP_SECONDS = 10
CHECKPOINT_BYTES = 12  # a parameter and two moments in 32 bits
TRAINING_BYTES = 16  # and its gradient
DAY, HOUR = 86_400, 3_600


@dataclass(frozen=True)
class Plan:
    """A run, its audio and its machines.

    Attributes:
        flops: operations that a clip of ten seconds takes in a step.
        parameters: of encoder and decoder.
        hours: of audio that is stored.
        steps, batch: of training; a batch is of all accelerators together.
        count: accelerators.
        peak: operations a second of one, by its data sheet.
        share: of ``peak`` that a step reaches, in 0…1.
        watts: of one, with its part of the machine around it.
        price: of one, for an hour.
        pue: what the building draws over what its machines draw.
        carbon: grams of CO2 equivalent for a kWh.
        stored: bytes for a second of audio.
        storage_price: for 10^12 bytes and a month.
        decoded: clips a second that one processor core reads.
    """

    flops: float
    parameters: float
    hours: float
    steps: float
    batch: float
    count: float
    peak: float
    share: float
    watts: float
    price: float
    pue: float
    carbon: float
    stored: float
    storage_price: float
    decoded: float


@dataclass(frozen=True)
class Budget:
    """What a :class:`Plan` comes to.

    Attributes:
        flops: operations of the run.
        passes: over the audio.
        accelerator_hours, days: of computing.
        cost: of the accelerators.
        energy: kWh; carbon: kg of CO2 equivalent.
        shards, bytes: of the audio; storage_cost: for a month.
        clips_a_second, bytes_a_second: that the loaders must bring, to all accelerators.
        cores: processor cores that decode them.
        gradients_a_second: bytes that leave each accelerator, where all sum their gradients in a
            ring and keep pace with the steps.
        checkpoint: bytes of one.
    """

    flops: float
    passes: float
    accelerator_hours: float
    days: float
    cost: float
    energy: float
    carbon: float
    shards: float
    bytes: float
    storage_cost: float
    clips_a_second: float
    bytes_a_second: float
    cores: float
    gradients_a_second: float
    checkpoint: float


def budget(plan: Plan) -> Budget:
    """The sums. All that a plan holds is above 0; what is free or clean may be 0."""
    flops = plan.flops * plan.batch * plan.steps
    hours = flops / (plan.peak * plan.share) / HOUR
    seconds = hours * HOUR / plan.count
    energy = hours * plan.watts * plan.pue / 1000
    size = plan.hours * HOUR * plan.stored
    clips = plan.steps * plan.batch / seconds
    return Budget(
        flops=flops,
        passes=plan.steps * plan.batch * CLIP_SECONDS / (plan.hours * HOUR),
        accelerator_hours=hours,
        days=seconds / DAY,
        cost=hours * plan.price,
        energy=energy,
        carbon=energy * plan.carbon / 1000,
        shards=math.ceil(plan.hours * HOUR / CLIP_SECONDS / PER_SHARD),
        bytes=size,
        storage_cost=size / 1e12 * plan.storage_price,
        clips_a_second=clips,
        bytes_a_second=clips * CLIP_SECONDS * plan.stored,
        cores=clips / plan.decoded,
        gradients_a_second=ring(plan.count) * 4 * plan.parameters * plan.steps / seconds,
        checkpoint=CHECKPOINT_BYTES * plan.parameters,
    )


def ring(count: float) -> float:
    """How often each of ``count`` processes sends what it sums: nearly twice."""
    return 2 * (count - 1) / count
