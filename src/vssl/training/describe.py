"""What a run says of itself in run.json: data, versions, machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vssl.modalities.base import Dataset
from vssl.stats.gather import world_size


def describe(dataset: Dataset, device: torch.device) -> dict[str, Any]:
    """The entries of run.json that follow from the data and the machine."""
    return {
        "status": "running",
        "fingerprint": dataset.fingerprint,
        "samples": len(dataset),
        "broken": [{"id": broken.id, "reason": broken.reason} for broken in dataset.broken],
        "versions": versions(),
        "machine": machine(device),
    }


def versions() -> dict[str, str]:
    return {
        "vssl": importlib.metadata.version("vssl"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, cores that may be used, device, processes."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "device": name,
        "processes": world_size(),
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
