"""Decisions as they are stored and answered, and the other answers of the service, as OpenAPI describes them."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field

from vssl.decisions.core import Decision
from vssl.serving.tables import LARGEST_NUMBER

Outcome = Literal["accept", "review", "reject"]
Label = Literal["normal", "defect", "unsure"]
Queue = Literal["review", "reject"]
Number = Annotated[int, Query(ge=0, le=LARGEST_NUMBER)]
"""The number of a decision, in the query of an address."""


def utc(time: datetime) -> datetime:
    """SQLite keeps no time zone, and what was stored is UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


Utc = Annotated[datetime, AfterValidator(utc)]


class DecisionAnswer(BaseModel):
    """The part of a stored decision that answers a request to decide."""

    number: int = Field(0, description="Number of the decision in the database; 0 before it is stored.")
    id: str
    decision: Outcome
    score: float | None = Field(description="Higher is worse; null for a sample that cannot be read.")
    p_value: float | None = Field(description="Among the normal samples of the group; null where there is none.")
    nearest: list[str] = Field(description="Ids of the nearest reference samples.")
    reason: str = Field(description="Why the sample is reviewed without a score or a threshold.")
    policy: str = Field(description="SHA-256 of the policy that made the decision.")


class StoredDecision(DecisionAnswer):
    """A decision in the database."""

    at: Utc = Field(default_factory=lambda: datetime.now(UTC), description="When it was stored, UTC.")
    group: str
    content: str = Field(description="SHA-256 of what was sent.")
    model: str
    # For the pages alone, and not answered: drawn at random for people to look at, the position on the map, how unlike
    # the reference each patch is, and the last label by a person, where it was asked for.
    audit: bool = Field(False, exclude=True)
    x: float | None = Field(None, exclude=True)
    y: float | None = Field(None, exclude=True)
    heat: list[list[float]] | None = Field(None, exclude=True)
    label: Label | None = Field(None, exclude=True)
    by: str | None = Field(None, exclude=True)

    @property
    def queue(self) -> Queue | None:
        """The queue in which it waits for a person; None if nobody is asked."""
        if self.audit or self.decision == "review":
            return "review"
        return "reject" if self.decision == "reject" else None

    @classmethod
    def of(cls, decision: Decision, **values: Any) -> Self:
        """A decision that is about to be stored.

        Args:
            values: `group`, `content`, `model` and `policy`; and where there are any `audit`, `x`, `y` and `heat`.
        """
        numbers = {"score": _finite(decision.score), "p_value": _finite(decision.p_value)}
        return cls(**asdict(decision) | numbers | values)


class Decisions(BaseModel):
    """The decisions on the samples of a request, in their order; they are stored."""

    decisions: Sequence[DecisionAnswer]
    model: str = Field(description="SHA-256 of the model's file.")


class Health(BaseModel):
    """Whether decisions can be made and stored."""

    status: Literal["ok"]
