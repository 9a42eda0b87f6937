"""What a user asks of decisions: rates that are kept, and what each kind of mistake costs."""

from __future__ import annotations

from dataclasses import dataclass

from vssl.errors import ConfigError


@dataclass(frozen=True)
class Guarantee:
    """What is guaranteed of the decisions on later samples.

    Attributes:
        false_alarm: At most this share of normal samples is rejected, in 0..1.
        miss: At most this share of defects is accepted, in 0..1; None guarantees nothing of them.
        confidence: How sure one may be that all of it is kept, in 0..1. Two guarantees have half of the doubt each.
    """

    false_alarm: float = 0.01
    miss: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("false_alarm", "miss", "confidence"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ConfigError(f"{name} is {value:g}; it is a share between 0 and 1, such as 0.01 for 1 %.")

    @property
    def confidence_of_each(self) -> float:
        """What each of the guarantees is kept with, so that all together are kept with `confidence`."""
        return self.confidence if self.miss is None else 1 - (1 - self.confidence) / 2


@dataclass(frozen=True)
class Costs:
    """Costs of one sample each, in any one unit, and how many defects there will be.

    Attributes:
        miss: Of an accepted defect.
        false_alarm: Of a rejected normal.
        review: Of a sample that a person looks at, who then decides rightly.
        defect_share: Share of defects among the samples to come, in 0..1.
    """

    miss: float
    false_alarm: float = 1.0
    review: float = 0.0
    defect_share: float = 0.01

    def __post_init__(self) -> None:
        for name in ("miss", "false_alarm", "review"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"The cost of a {name.replace('_', ' ')} is {getattr(self, name)}; give 0 or more.")
        if not 0 < self.defect_share < 1:
            raise ConfigError(f"The share of defects is {self.defect_share}; it must lie between 0 and 1.")
