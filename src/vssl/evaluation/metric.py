"""What an evaluator declares about a metric that it yields, and what it yields where there is no value."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A metric as reports and documentation show it.

    Attributes:
        meaning: What it measures, in one sentence for a reader who has never met it.
        direction: Which values are better; "" where neither are.
        range: The smallest and the largest value possible.
        title: Title of its column in a comparison of methods; "" leaves it out there.
        priority: Its place among the metrics that a report shows first, from 1; others follow in their own order.
    """

    meaning: str
    direction: Literal["higher", "lower", ""] = "higher"
    range: tuple[float, float] = (0, 1)
    title: str = ""
    priority: int = 99


@dataclass(frozen=True)
class Skip:
    """Yielded instead of a value that cannot be computed, with the reason as a sentence without a full stop."""

    reason: str
