"""Rows computed in blocks of one size, by one thread each: a row's numbers do not depend on the rows beside it.

Libraries for matrices choose their algorithm by the number of rows and of threads, and another algorithm rounds sums
otherwise. That is little, but enough to move a sample over a threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

ROWS = 16
"""Of a block: enough that larger ones are hardly faster, and few where one row is asked for."""


def by_blocks(work: Callable[..., dict[str, Tensor]], columns: Sequence[Tensor], rows: int = ROWS) -> dict[str, Tensor]:
    """What `work` makes of columns of N rows: called with `rows` rows at a time, the last ones filled up with zeros.

    Args:
        work: From blocks of the columns to tensors of as many rows; each row must depend on the same row alone. It runs
            without gradients, in as many threads as torch had, which have one core each.
    """
    total = len(columns[0])

    @torch.inference_mode()
    def one(start: int) -> dict[str, Tensor]:
        found = work(*(_filled_up(column[start : start + rows], rows) for column in columns))
        return {name: values[: total - start] for name, values in found.items()}

    starts = range(0, max(1, total), rows)
    with _one_thread_of_torch() as threads:
        if min(threads, len(starts)) == 1 or columns[0].is_cuda:
            parts = [one(start) for start in starts]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(one, starts))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@contextmanager
def one_thread() -> Iterator[None]:
    """Numbers of NumPy, SciPy and torch that do not depend on how many cores there are."""
    with _one_thread_of_torch(), threadpool_limits(1):
        yield


@contextmanager
def _one_thread_of_torch() -> Iterator[int]:
    """Yields how many threads torch had; threads that are started meanwhile have one too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _filled_up(block: Tensor, rows: int) -> Tensor:
    """Always a copy: where it lies in memory may change the algorithm too."""
    return torch.cat([block, block.new_zeros(rows - len(block), *block.shape[1:])])
