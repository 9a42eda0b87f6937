"""From the units of the data to scales: in 64 bits until the middle is taken off, as 32 hold no 1,000,000,001."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from vssl.modalities.sensors import Spec
from vssl.modalities.sensors.sentinels import ROUNDING

MAX_SCALES = 1e30
"""Scales that a value counts as at most; beyond lies what 32 bits cannot hold."""


class Standardiser:
    """Takes windows apart into scaled values and what is known; the only place where this is done, in exports too.

    Attributes:
        scale: Of each channel, in its units.
    """

    def __init__(self, spec: Spec) -> None:
        self.scale: Float[Tensor, "C 1"] = _column(spec.scale)
        self._centre = _column(spec.centre)
        counts = torch.tensor([name in spec.counters for name in spec.channels])[:, None]
        self._counts = counts if spec.counters else None
        most = max(map(len, spec.sentinels), default=0)
        padded = [[*own, *[torch.nan] * (most - len(own))] for own in spec.sentinels]
        self._sentinels = [_column([own[at] for own in padded]) for at in range(most)]

    def __call__(self, raw: Float[Tensor, "B C T"]) -> tuple[Float[Tensor, "B C T"], Bool[Tensor, "B C T"]]:
        """Distance of each value from the middle in scales, in float32, 0 where nothing is known; and what is known."""
        raw = raw.double()
        for sentinel in self._sentinels:
            own = sentinel.to(raw.device)
            raw = raw.masked_fill((raw - own).abs() <= ROUNDING * own.abs(), torch.nan)
        if self._counts is not None:
            raw = torch.where(self._counts.to(raw.device), _steps(raw), raw)
        known = raw.isfinite()
        away = (raw.nan_to_num(0.0, 0.0, 0.0) - self._centre.to(raw.device)) / self.scale.to(raw.device)
        return away.clamp(-MAX_SCALES, MAX_SCALES).masked_fill(~known, 0.0).float(), known


def _column(values: tuple[float, ...] | list[float]) -> Float[Tensor, "C 1"]:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def _steps(raw: Float[Tensor, "B C T"]) -> Float[Tensor, "B C T"]:
    """What a counter adds to its last known value in the window, per row; the first row as the second.

    Where it falls, it was reset, and nothing is known.
    """
    if raw.shape[2] == 1:
        return torch.full_like(raw, torch.nan)
    rows = torch.arange(raw.shape[2], dtype=raw.dtype, device=raw.device) + 0 * raw
    added, passed = (here[:, :, 1:] - _last_known(here)[:, :, :-1] for here in (raw, rows))
    steps = (added / passed).masked_fill(added < 0, torch.nan)
    return torch.cat([steps[:, :, :1], steps], 2)


def _last_known(values: Float[Tensor, "B C T"]) -> Float[Tensor, "B C T"]:
    """Each value, or where it is NaN the last one before it."""
    reach, length = 1, values.shape[2]
    # In steps that double, as ONNX has no running maximum.
    while reach < length:
        values = torch.where(values.isnan(), F.pad(values, (reach, 0), value=torch.nan)[:, :, :length], values)
        reach *= 2
    return values
