"""The settings of `vssl calibrate`: one dataclass holds their defaults and what each of them means."""

from dataclasses import dataclass
from typing import Any

from vssl.decisions.guarantee import Costs, Guarantee
from vssl.errors import ConfigError


@dataclass(frozen=True)
class CalibrationConfig:
    """What a policy guarantees, by which score, for which groups, and for how long.

    Attributes:
        false_alarm: Largest share of normal samples that is rejected, in 0..1.
        miss: Largest share of defects that is accepted, in 0..1; needs known defects. Without it no miss rate is
            guaranteed.
        confidence: Confidence level 1 - delta of the guarantee, in 0..1. With a miss rate as well, delta is split
            equally.
        score: Name of a score, such as novelty, or a score's Config.
        group: Metadata column, such as camera: each of its values gets thresholds and a guarantee of its own.
        block: Metadata column that names what belongs together (a shift, an episode, a lot). The samples of a block
            depend on each other, so the guarantee counts blocks instead of samples.
        time: Metadata column that sorts like time, to test whether scores depend on time.
        costs: Cost of each kind of error; with it the policy states the expected costs.
        valid_days: Validity period of the policy in days, 1 or more.
    """

    false_alarm: float = Guarantee.false_alarm
    miss: float | None = Guarantee.miss
    confidence: float = Guarantee.confidence
    score: Any = "novelty"
    group: str | None = None
    block: str | None = None
    time: str | None = None
    costs: Costs | None = None
    valid_days: int = 90

    def __post_init__(self) -> None:
        _ = self.guarantee  # checks the rates
        if self.valid_days < 1:
            raise ConfigError(f"valid_days is {self.valid_days}; the validity period is at least 1 day.")
        if self.group is not None and self.block is not None:
            raise ConfigError("Groups and blocks cannot be combined: a guarantee is per group, or counts blocks.")

    @property
    def guarantee(self) -> Guarantee:
        """The guaranteed rates."""
        return Guarantee(self.false_alarm, self.miss, self.confidence)
