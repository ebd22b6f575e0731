"""Training in several processes: this one's rank, its rows, the model in all of them.

Everything here is torch's own (torchrun, DDP, FSDP2); in a single process they do nothing. What
shards and what reads the state of shards is imported where it is used: it takes a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.nn.functional import all_gather
from torch.nn.parallel import DistributedDataParallel

from dasheng_lib.common.errors import UserError

Strategy = Literal["ddp", "fsdp"]
STRATEGIES = ("ddp", "fsdp")


@dataclass(frozen=True)
class World:
    """This process among all: its rank, their number, and the device that it computes on."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and talks."""
        return self.rank == 0

    def rows(self, batch: int) -> slice:
        """The rows of a batch that are this process's.

        Raises:
            UserError: the batch does not divide.
        """
        if batch % self.size:
            raise UserError(
                f"A batch of {batch} does not divide among {self.size} processes: "
                f"choose a multiple of {self.size}."
            )
        share = batch // self.size
        return slice(self.rank * share, (self.rank + 1) * share)


def start_processes() -> World:
    """The world that ``torchrun`` (or SLURM through it) set up; alone without it.

    One process per GPU, or on the CPU through gloo where there is none.
    """
    cuda = torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", 0))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return World(device=device)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    return World(dist.get_rank(), dist.get_world_size(), device)


def stop_processes() -> None:
    """Close what :func:`start_processes` opened."""
    if dist.is_initialized():
        dist.destroy_process_group()


def parallelise(
    model: nn.Module, blocks: list[nn.Module], world: World, strategy: Strategy
) -> nn.Module:
    """The module to call in training: ``model`` itself, or ``model`` in every process.

    Args:
        model: on ``world.device``, the same in every process.
        blocks: its parts that are gathered one at a time under ``"fsdp"``.
        strategy: ``"ddp"`` keeps a whole copy in each process; ``"fsdp"`` a part of each
            parameter, of its gradient and of the optimizer's state. Blocks are gathered in
            float32 and cast by autocast, as under DDP: layer norms refuse bfloat16 weights
            beside float32 inputs on CPUs.
    """
    if world.size == 1:
        return model
    if strategy == "ddp":
        ids = [world.device.index] if world.device.type == "cuda" else None
        return DistributedDataParallel(model, ids, broadcast_buffers=False)
    from torch.distributed.fsdp import fully_shard

    for block in blocks:
        fully_shard(block)
    return fully_shard(model)


@contextmanager
def gathered(model: nn.Module) -> Iterator[None]:
    """Within, parts of a sharded model can be called by themselves; its blocks gather themselves.

    ``model`` has been called before. Every process does the same.
    """
    sharded = hasattr(model, "unshard")  # an FSDPModule
    if sharded:
        model.unshard()
    yield
    if sharded:
        model.reshard()


def full_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict, dict]:
    """Weights and optimizer state, whole and on the CPU, by name, in whichever strategy.

    Every process calls it; only the first gets the tensors.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    return get_state_dict(
        model, optimizer, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )


def restore_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, weights: dict, state: dict, world: World
) -> None:
    """Put back what :func:`full_state` gave, in however many processes there are now.

    Every process calls it; the first brings the tensors, the others empty dictionaries.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

    set_state_dict(
        model,
        optimizer,
        model_state_dict=weights,
        optim_state_dict=state,
        options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=world.size > 1),
    )


def mean_over(value: torch.Tensor) -> torch.Tensor:
    """The mean of a tensor over all processes."""
    return sum_over(value) / dist.get_world_size() if dist.is_initialized() else value


def sum_over(value: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes."""
    if dist.is_initialized():
        value = value.detach().clone()
        dist.all_reduce(value)
    return value


def gather_rows(rows_BD: torch.Tensor) -> torch.Tensor:
    """The rows of all processes, in their order; each process brings as many."""
    if not dist.is_initialized():
        return rows_BD
    parts = [torch.empty_like(rows_BD) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, rows_BD.contiguous())
    return torch.cat(parts)


def gather_with_gradient(rows_BD: torch.Tensor) -> torch.Tensor:
    """As :func:`gather_rows`; gradients go back to the process that each row comes from.

    A loss that every process computes from all rows then has, in the mean over processes that DDP
    and FSDP take, the gradient of one process with all rows.
    """
    return torch.cat(all_gather(rows_BD.contiguous())) if dist.is_initialized() else rows_BD


def gather_objects(value: Any) -> list[Any]:
    """Every process's value, in the order of their ranks."""
    if not dist.is_initialized():
        return [value]
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def on_first_rank(world: World, work: Callable[[], Any]) -> Any:
    """The result of ``work``, done by the first process only; its UserError is raised in all."""
    result = said = None
    if world.first:
        try:
            result = work()
        except UserError as error:
            said = str(error)
    result, said = broadcast((result, said))
    if said is not None:
        raise UserError(said)
    return result


def broadcast(value: Any) -> Any:
    """The first process's value, in every process."""
    if not dist.is_initialized():
        return value
    box = [value]
    dist.broadcast_object_list(box)
    return box[0]
