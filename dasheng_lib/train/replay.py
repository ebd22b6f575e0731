"""A step's kernels recorded once and then replayed: small models wait for Python, not the card.

The gradients of a model of 2 M parameters are about 300 operations in float32 and 470 in bfloat16,
whose casts are operations too, of a few microseconds each on a large card; launched one by one
they wait for Python. A CUDA graph launches them all at once, and computes what they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor

WARM = 3  # calls that set up what libraries set up once, which cannot be recorded
_recording = Lock()  # one recording at a time in a process; threads may train side by side


class Replayed:
    """``compute(*inputs)`` on a card: the first calls as they are, later ones by replay.

    Nothing else may differ between calls: all inputs keep shape and type, and whatever the
    function reads besides lies where it lay. The tensors that it returns are overwritten by the
    next call. Elsewhere than on a card every call is as it is.

    Args:
        compute: takes tensors on one device and returns tensors; never waits for the device.
    """

    def __init__(self, compute: Callable[..., tuple[Tensor, ...]]) -> None:
        self.compute = compute
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if inputs[0].device.type != "cuda":
            return self.compute(*inputs)
        self.calls += 1
        if self.calls <= WARM:
            return self._beside(*inputs)
        if self.graph is None:
            self._record(*inputs)
        for kept, given in zip(self.inputs, inputs, strict=True):
            kept.copy_(given, non_blocking=True)
        self.graph.replay()
        return self.outputs

    def _beside(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """As it is, but in the stream that will be recorded: its workspaces are made here."""
        now = torch.cuda.current_stream()
        if self.calls == 1:
            self.stream = torch.cuda.Stream()
        self.stream.wait_stream(now)
        with torch.cuda.stream(self.stream):
            outputs = self.compute(*inputs)
        now.wait_stream(self.stream)
        return outputs

    def _record(self, *inputs: Tensor) -> None:
        self.inputs = [tensor.clone() for tensor in inputs]
        graph = torch.cuda.CUDAGraph()
        with (
            _recording,
            torch.cuda.graph(graph, stream=self.stream, capture_error_mode="thread_local"),
        ):
            self.outputs = self.compute(*self.inputs)
        self.graph = graph
