"""What a user specifies about decisions: guaranteed rates, and the cost of each kind of error."""

from dataclasses import dataclass

from vssl.errors import ConfigError


@dataclass(frozen=True)
class Guarantee:
    """Rates that are guaranteed for decisions on future samples.

    Attributes:
        false_alarm: Largest share of normal samples that is rejected, in 0..1.
        miss: Largest share of defects that is accepted, in 0..1; None guarantees no miss rate.
        confidence: Confidence level 1 - delta that all rates are kept, in 0..1; with a miss rate, delta is split
            equally between the two.
    """

    false_alarm: float = 0.01
    miss: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("false_alarm", "miss", "confidence"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1:
                raise ConfigError(f"{name} is {value:g}; it must be a share between 0 and 1, such as 0.01 for 1 %.")

    @property
    def confidence_of_each(self) -> float:
        """Confidence level of each single rate, so that all rates together are kept with `confidence`."""
        return self.confidence if self.miss is None else 1 - (1 - self.confidence) / 2


@dataclass(frozen=True)
class Costs:
    """Cost per sample of each outcome, in any one unit, and the expected share of defects.

    Attributes:
        miss: Cost of an accepted defect.
        false_alarm: Cost of a rejected normal sample.
        review: Cost of a sample that a person reviews; the person is assumed to decide correctly.
        defect_share: Expected share of defects among future samples, in 0..1.
    """

    miss: float
    false_alarm: float = 1.0
    review: float = 0.0
    defect_share: float = 0.01

    def __post_init__(self) -> None:
        for name in ("miss", "false_alarm", "review"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"The cost of a {name.replace('_', ' ')} is {getattr(self, name)}; it must be >= 0.")
        if not 0 < self.defect_share < 1:
            raise ConfigError(f"The share of defects is {self.defect_share}; it must lie between 0 and 1.")
