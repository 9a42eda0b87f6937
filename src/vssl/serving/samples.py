"""What was sent, kept for the people who are asked about it: a file each, named by the hash of its bytes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vssl.files import atomic


class Samples:
    """A folder of samples. It may be emptied at any time: decisions stay, their pictures are gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, content: str, data: bytes) -> None:
        """Keep these bytes, on the disk when this returns.

        Args:
            content: Their SHA-256.

        Raises:
            StorageError: They cannot be written.
        """
        path = self._path(content)
        if not path.exists():
            with atomic(path) as file:
                file.write(data)

    def get(self, content: str) -> bytes | None:
        """The bytes with this hash; None if they are not there."""
        path = self._path(content)
        return path.read_bytes() if path.is_file() else None

    def _path(self, content: str) -> Path:
        return self._folder / content[:2] / content


def window_of(data: bytes, shape: tuple[int, ...]) -> Float64[np.ndarray, "C T"]:
    """A window of series from its bytes, of 64 bits a value, or of 32 where version 0.8 kept it."""
    wide = len(data) == 8 * math.prod(shape)
    return np.frombuffer(data, "<f8" if wide else "<f4").reshape(shape).astype(np.float64)


def is_drawn(content: str, share: float) -> bool:
    """Whether a sample belongs to those drawn at random: by its hash, so whatever its score, and again the same.

    Args:
        content: SHA-256 of its bytes.
        share: Of all samples, 0..1.
    """
    return int(content[:12], 16) < share * 16**12
