"""Samples that cannot be read, and how many of them are too many.

Without torch: the processes that decode images import this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vssl.errors import TooManyBrokenError


@dataclass(frozen=True)
class Unreadable:
    """A sample that could not be read, and why.

    Attributes:
        transient: Whether its bytes did not come, as without permission or on a failing disk: another time they may.
    """

    id: str
    reason: str
    transient: bool = False


def check_share(broken: Sequence[Unreadable], total: int, allowed: float, what: str = "files") -> None:
    """Refuse data of which too much is broken, or all.

    Args:
        total: How many there are, broken ones included.
        allowed: Their largest share, 0..1.
        what: What is counted, for the message.

    Raises:
        TooManyBrokenError: Counts them and names the first five.
    """
    if len(broken) < total and len(broken) <= allowed * total:
        return
    share = len(broken) / total if total else 1.0
    first = "; ".join(f"{item.id}: {item.reason}" for item in broken[:5])
    advice = f"Repair or remove them, or allow a larger share with --max-broken {share:.3g}."
    raise TooManyBrokenError(
        f"{len(broken)} of {total} {what} are broken, a share of {share:.3g} (allowed: {allowed:.3g}). "
        f"The first: {first}. {advice if len(broken) < total else 'Not one can be used.'}"
    )
