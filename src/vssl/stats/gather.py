"""Batches that span all processes of a distributed run, with gradients to each of them."""

import torch
import torch.distributed as dist
from jaxtyping import Int64, Shaped
from torch import Tensor


def world_size() -> int:
    """Number of processes of the training; 1 without `torchrun`."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def gather(local: Shaped[Tensor, "B *shape"]) -> Shaped[Tensor, "N *shape"]:
    """The rows of all processes, ordered by rank; the gradient of a row returns to its process."""
    if world_size() == 1:
        return local
    return torch.cat(list(_Gather.apply(local)))


def local_indices(local: Shaped[Tensor, "B *shape"]) -> Int64[Tensor, " B"]:
    """The indices of the local rows in the gathered batch, see `gather`."""
    return torch.arange(len(local), device=local.device) + rank() * len(local)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, local: Tensor) -> tuple[Tensor, ...]:
        parts = [torch.empty_like(local) for _ in range(world_size())]
        dist.all_gather(parts, local.contiguous())
        return tuple(parts)

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        total = torch.stack(gradients)
        dist.all_reduce(total)
        return total[rank()]
