"""The released SlowFast NFNet's vectors, and the made-up weights that they were computed with."""

import json
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden"


def vectors():
    with np.load(GOLDEN / "sfnfnet.npz") as file:
        return {key: file[key] for key in file.files}


def shapes():
    """Shape of each parameter by its name in the release."""
    return json.loads((GOLDEN / "sfnfnet.json").read_text())["params"]


def weights():
    """An array for each of them, which follows from its name."""
    return {name: _weight(name, tuple(shape)) for name, shape in shapes().items()}


def _weight(name, shape):
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    z = generator.standard_normal(shape).astype(np.float32)
    match name.rsplit("/", 1)[1]:
        case "w":
            return z if z.ndim == 4 else z * np.float32(shape[0] ** -0.5)
        case "gain":
            return 1 + np.float32(0.1) * z
        case "skip_gain":
            return np.float32(0.5) + np.float32(0.1) * z
    return np.float32(0.1) * z


def taps(network):
    """A dictionary that fills with every stage's output when the network runs, channels last."""
    seen = {}

    def keep(name):
        return lambda _, __, out: seen.__setitem__(name, out.detach().permute(0, 2, 3, 1))

    for path in ("slow", "fast"):
        blocks = getattr(network, path).blocks
        getattr(network, path).stem.register_forward_hook(keep(f"stem_{path}"))
        for stage, last in enumerate((0, 2, 8, 11), 1):
            blocks[last].register_forward_hook(keep(f"stage{stage}_{path}"))
    for stage, first in enumerate((0, 1, 3, 9), 1):
        network.slow.blocks[first].register_forward_pre_hook(
            lambda _, args, name=f"fused{stage}": keep(name)(None, None, args[0])
        )
    return seen
