"""Which device computes, and in which precision."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar

import torch
from torch import nn

from vssl.errors import ConfigError

Precision = Literal["auto", "bf16", "float32"]
Module = TypeVar("Module", bound=nn.Module)


def choose(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" is a GPU where there is one, otherwise the CPU.

    Raises:
        ConfigError: This machine has no such device.
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
        reason = str(error).splitlines()[0]
        raise ConfigError(f"This machine has no device {name!r}: {reason}. Give auto, cpu or cuda.") from error
    return device


def to_device(module: Module, device: torch.device) -> Module:
    """Move the module to the device, its convolution weights in channels-last layout, the fastest for convolutions."""
    moved: Module = module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """The context in which forward passes run."""
    return torch.autocast(device.type, torch.bfloat16) if in_bf16(device, precision) else nullcontext()


def in_bf16(device: torch.device, precision: Precision) -> bool:
    """Whether forward passes run in bfloat16."""
    return precision == "bf16" or (precision == "auto" and has_fast_bf16(device))


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the hardware computes in bfloat16: GPUs that support it, and CPUs with AVX-512 BF16 or AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
