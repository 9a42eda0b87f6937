"""The strongest guarantee on false alarms that a number of good samples allows, and what more of them would allow."""

from vssl.decisions.bounds import samples_needed
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.describe import percent

RATES = (0.01, 0.02, 0.05, 0.1)
"""False-alarm rates that are guaranteed, the lowest first. A rate below 1 % lets more defects pass, so it is given only
where it is asked for."""


def smallest_set() -> int:
    """How many good samples, or blocks, are needed at least for training and calibration together."""
    return 2 * samples_needed(RATES[-1], CalibrationConfig.confidence)


def explain(count: int, rate: float, confidence: float, what: str) -> str:
    """A sentence on what the calibration samples allow, and how many more the next stronger guarantee needs.

    Args:
        count: Number of calibration samples, or blocks, each counted once with its copies.
        rate: The guaranteed rate.
        what: What they are, in the plural.
    """
    sentence = f"{count:,} {what} for calibration allow a false-alarm rate of {percent(rate)}"
    stronger = [each for each in RATES if samples_needed(each, confidence) > count]
    if not stronger:
        return f"{sentence}."
    missing = samples_needed(stronger[-1], confidence) - count
    return (
        f"{sentence}; for {percent(stronger[-1])} you need {missing:,} more, so {2 * missing:,} more in GOOD, half of "
        "which is for training."
    )
