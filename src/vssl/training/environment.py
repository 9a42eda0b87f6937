"""The software versions and the machine, as run.json and the benchmark records store them."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vssl.stats.gather import world_size


def versions() -> dict[str, str]:
    return {
        "vssl": importlib.metadata.version("vssl"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def machine(device: torch.device) -> dict[str, Any]:
    """Processor, number of usable cores, device, number of processes."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "processes": world_size(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
