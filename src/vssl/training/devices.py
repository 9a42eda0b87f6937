"""Where and how the tensors live: device, precision, memory layout, and the processes that train together."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from vssl.errors import ConfigError
from vssl.stats.gather import rank, world_size


def choose(name: str = "auto") -> torch.device:
    """The device called `name`; auto takes a GPU where there is one.

    Raises:
        ConfigError: There is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type == "cuda":
            index = int(os.environ.get("LOCAL_RANK", "0")) if device.index is None else device.index
            device = torch.device("cuda", index)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"There is no device {name!r} here: {str(error).splitlines()[0]}") from error
    return device


def autocast(device: torch.device, precision: Literal["auto", "bf16", "float32"]) -> Any:
    """The context in which forward passes run."""
    return torch.autocast(device.type, torch.bfloat16) if in_bf16(device, precision) else nullcontext()


def in_bf16(device: torch.device, precision: Literal["auto", "bf16", "float32"]) -> bool:
    """Whether forward passes run in bfloat16."""
    return precision == "bf16" or (precision == "auto" and has_fast_bf16(device))


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 pays: on GPUs that have it, and on processors with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


@contextmanager
def processes(device: torch.device) -> Iterator[None]:
    """The group of processes that `torchrun` started, if it did.

    A group that is there already is used and stays: whoever trains several times in one process makes and ends it, as
    torch cannot make a second one from the same `torchrun`.
    """
    if dist.is_initialized() or int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        # A DistributedDataParallel that is no longer used still holds the group, and Gloo's threads with it: they would
        # end only with the interpreter, and abort it.
        gc.collect()
        dist.destroy_process_group()


def distribute(module: nn.Module, device: torch.device) -> nn.Module:
    """The module as all processes train it together: gradients averaged, batch statistics over the global batch."""
    if world_size() == 1:
        return module
    synchronise_batch_norms(module)
    return nn.parallel.DistributedDataParallel(
        module, device_ids=[device.index] if device.type == "cuda" else None, broadcast_buffers=False
    )


def my_rows(batch: int) -> slice:
    """The rows of the global batch that are this process's own."""
    each = batch // world_size()
    return slice(rank() * each, (rank() + 1) * each)


def agree(value: float) -> float:
    """The first process's value, in all processes: clocks differ, and decisions must not."""
    if world_size() == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64)
    if dist.get_backend() == "nccl":
        shared = shared.cuda()
    dist.broadcast(shared, 0)
    return float(shared)


def mean_over_processes(value: Tensor) -> float:
    """The mean of a scalar over all processes."""
    if world_size() == 1:
        return float(value)
    shared = value.clone()
    dist.all_reduce(shared)
    return float(shared) / world_size()


@contextmanager
def first_process_first() -> Iterator[None]:
    """The first process does the work inside alone; the others follow and find it done."""
    if world_size() > 1 and rank() > 0:
        dist.barrier()
    yield
    if world_size() > 1 and rank() == 0:
        dist.barrier()


def synchronise_batch_norms(module: nn.Module) -> None:
    """Let every batch normalisation take its statistics over all processes, on the CPU as on GPUs.

    torch's SyncBatchNorm refuses CPU tensors, and a run that is divided must equal one that is not.
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
        wide = x.float()
        count = x.numel() // x.shape[1]
        sums = _all_reduce(torch.cat([wide.sum(axes), wide.square().sum(axes)]))
        total = count * world_size()
        mean, squares = (sums / total).chunk(2)
        variance = (squares - mean.square()).clamp(min=0)
        self._remember(mean.detach(), variance.detach() * total / (total - 1))
        shape = [1, -1] + [1] * (x.ndim - 2)
        normal = (wide - mean.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
        if norm.affine:
            normal = normal * norm.weight.view(shape) + norm.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
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


def _all_reduce(local: Tensor) -> Tensor:
    return _AllReduce.apply(local)
