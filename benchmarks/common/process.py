"""Measurements in a process of their own: nothing inherits another measurement's memory, threads or caches."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def in_own_process(
    function: Callable[Parameters, Result], /, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Result:
    """What `function`, which a module defines, returns in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def peak_mib(pid: int | str = "self") -> float:
    """The largest resident memory of a process so far, in MiB, from Linux's /proc."""
    return peak_mib_of(Path(f"/proc/{pid}/status").read_text())


def peak_mib_of(status: str) -> float:
    """The same from the text of /proc/PID/status."""
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
