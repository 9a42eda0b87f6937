"""Computation in row blocks of a fixed size and with one thread each, so that a result depends on its own row alone.

Matrix libraries choose the algorithm by the number of rows and of threads, and algorithms round sums differently. The
difference is small, but it may move a score across a threshold.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from jaxtyping import Shaped
from threadpoolctl import threadpool_limits
from torch import Tensor

ROWS = 16
"""Rows per block: larger blocks are hardly faster, and smaller ones waste less on a single row."""
BLOCK_BYTES = 8 * 2**20
"""Bytes of the columns of a block at most, but for a block of one row; so it depends on the shape of a row alone."""


def by_blocks(work: Callable[..., dict[str, Tensor]], columns: Sequence[Tensor], rows: int = ROWS) -> dict[str, Tensor]:
    """Apply `work` to columns of N rows in blocks of `rows` rows; the last block is padded with zeros.

    Args:
        work: Maps blocks of the columns to tensors with as many rows, each of which must depend on the same row alone.
            It runs without gradients, in a pool of as many threads as torch had, with one core each.
        columns: Tensors of N rows each.
        rows: Rows per block; fewer where they have more than `BLOCK_BYTES`.

    Returns:
        The tensors of `work` by name, with N rows each.
    """
    total = len(columns[0])
    rows = at_most(rows, sum(column[:1].nbytes for column in columns), BLOCK_BYTES)

    @torch.inference_mode()
    def block(start: int) -> dict[str, Tensor]:
        results = work(*(_padded(column[start : start + rows], rows) for column in columns))
        return {name: values[: total - start] for name, values in results.items()}

    starts = range(0, max(1, total), rows)
    with _one_thread_of_torch() as threads:
        if min(threads, len(starts)) == 1 or columns[0].is_cuda:
            parts = [block(start) for start in starts]
        else:
            with ThreadPoolExecutor(threads) as pool:
                parts = list(pool.map(block, starts))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def at_most(count: int, bytes_each: int, limit: int) -> int:
    """The number of rows, at most `count`, that have `limit` bytes together, and one at least."""
    return max(1, min(count, limit // max(1, bytes_each)))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run NumPy, SciPy and torch with one thread, so that results do not depend on the number of cores."""
    with _one_thread_of_torch(), threadpool_limits(1):
        yield


@contextmanager
def _one_thread_of_torch() -> Iterator[int]:
    """Yields the number of threads that torch had; threads started inside use one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _padded(block: Shaped[Tensor, "B *shape"], rows: int) -> Shaped[Tensor, "R *shape"]:
    """The block with zeros appended; always a copy, because the memory alignment may change the algorithm too."""
    return torch.cat([block, block.new_zeros(rows - len(block), *block.shape[1:])])
