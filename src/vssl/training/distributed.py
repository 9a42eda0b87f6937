"""Training in several processes: their group, the rows of each, and statistics over the global batch.

A run that is divided among processes equals one that is not.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from vssl.stats.gather import rank, world_size


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """The process group of `torchrun`; nothing where a single process trains.

    An existing group is used and left as it is: torch cannot make a second one from the same `torchrun`, so a program
    that trains several times makes and destroys the group itself.
    """
    if dist.is_initialized() or int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        # An unreferenced DistributedDataParallel still holds the group and with it Gloo's threads, which would abort
        # the interpreter when it exits.
        gc.collect()
        dist.destroy_process_group()


def distribute(module: nn.Module, device: torch.device) -> nn.Module:
    """Wrap the module for training in several processes: averaged gradients, batch statistics of the global batch."""
    if world_size() == 1:
        return module
    synchronise_batch_norms(module)
    return nn.parallel.DistributedDataParallel(
        module, device_ids=[device.index] if device.type == "cuda" else None, broadcast_buffers=False
    )


def local_rows(batch: int) -> slice:
    """The rows of the global batch that belong to this process."""
    rows = batch // world_size()
    return slice(rank() * rows, (rank() + 1) * rows)


def broadcast_scalar(value: float) -> float:
    """The value of rank 0, in all processes: their clocks differ, and their decisions must not."""
    if world_size() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        shared = shared.cuda()
    dist.broadcast(shared, 0)
    return float(shared)


def mean_over_processes(value: Float[Tensor, ""]) -> float:
    """The mean of a scalar over all processes."""
    if world_size() == 1:
        return float(value)
    shared = value.clone()
    dist.all_reduce(shared)
    return float(shared) / world_size()


@contextmanager
def main_process_first() -> Iterator[None]:
    """Rank 0 runs the block alone; the other processes run it afterwards and find the work done."""
    if world_size() > 1 and rank() > 0:
        dist.barrier()
    yield
    if world_size() > 1 and rank() == 0:
        dist.barrier()


def synchronise_batch_norms(module: nn.Module) -> None:
    """Make every batch normalisation use the statistics of the global batch, on CPUs and GPUs.

    torch's SyncBatchNorm refuses CPU tensors.
    """
    for child in module.modules():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            child.forward = _GlobalBatchNorm(child).__call__  # type: ignore[method-assign, assignment]


class _GlobalBatchNorm:
    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        self.norm = norm

    def __call__(self, x: Tensor) -> Tensor:
        norm = self.norm
        if not norm.training:
            return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
        axes = [0, *range(2, x.ndim)]
        x32 = x.float()
        count = x.numel() // x.shape[1]
        sums: Tensor = _AllReduce.apply(torch.cat([x32.sum(axes), x32.square().sum(axes)]))
        total = count * world_size()
        mean, squares = (sums / total).chunk(2)
        variance = (squares - mean.square()).clamp(min=0)
        self._update_running_statistics(mean.detach(), variance.detach() * total / (total - 1))
        shape = [1, -1] + [1] * (x.ndim - 2)
        normalised = (x32 - mean.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
        if norm.affine:
            normalised = normalised * norm.weight.view(shape) + norm.bias.view(shape)
        return normalised.to(x.dtype)

    @torch.no_grad()
    def _update_running_statistics(self, mean: Float[Tensor, " C"], variance: Float[Tensor, " C"]) -> None:
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert norm.num_batches_tracked is not None
        assert norm.momentum is not None
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance, norm.momentum)


class _AllReduce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, local: Tensor) -> Tensor:
        total = local.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total
