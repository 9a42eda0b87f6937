"""What views and latents have in common: frozen dataclasses of tensors whose first axis is the batch."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor


class TensorBatch:
    """Base of frozen dataclasses of tensors [B, ...]; each operation is applied to all of their fields."""

    def __len__(self) -> int:
        return int(self._tensors()[0].shape[0])

    def to(self, device: torch.device | str) -> Self:
        return type(self)(*(tensor.to(device, non_blocking=True) for tensor in self._tensors()))

    def chunk(self, pieces: int) -> list[Self]:
        parts = zip(*(tensor.chunk(pieces) for tensor in self._tensors()), strict=True)
        return [type(self)(*part) for part in parts]

    def detach(self) -> Self:
        return type(self)(*(tensor.detach() for tensor in self._tensors()))

    def float(self) -> Self:
        return type(self)(*(tensor.float() for tensor in self._tensors()))

    @classmethod
    def cat(cls, batches: Sequence[Self]) -> Self:
        return cls(*(torch.cat(parts) for parts in zip(*(batch._tensors() for batch in batches), strict=True)))

    def _tensors(self) -> list[Tensor]:
        return list(vars(self).values())
