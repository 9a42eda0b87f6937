"""What the service is asked and answers, as OpenAPI describes it."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field

from vssl.serving.service import Stored
from vssl.serving.tables import LARGEST_NUMBER

Outcome = Literal["accept", "review", "reject"]
Number = Annotated[int, Query(ge=0, le=LARGEST_NUMBER)]
"""The number of a decision, in the query of an address."""


class Window(BaseModel):
    """A window of series."""

    id: str = Field("", description="Its name.", max_length=1000)
    values: list[list[float | None]] = Field(description="Channels of rows, in the units of the data; null is missing.")
    group: str = Field("", description="Where the policy has thresholds by group.", max_length=1000)


class Windows(BaseModel):
    """Windows to be decided on."""

    samples: list[Window] = Field(min_length=1)


class Log(BaseModel):
    """A session or a window of an event log."""

    id: str = Field("", description="Its name.", max_length=1000)
    lines: list[str] = Field(description="Its lines as in the log; of ready sessions the events.", min_length=1)
    group: str = Field("", description="Where the policy has thresholds by group.", max_length=1000)


class Logs(BaseModel):
    """Sessions or windows to be decided on."""

    samples: list[Log] = Field(min_length=1)


class Decided(BaseModel):
    """What becomes of one sample."""

    number: int = Field(description="Of the decision in the database.")
    id: str
    decision: Outcome
    score: float | None = Field(description="Higher is worse; null for what cannot be read.")
    p_value: float | None = Field(description="Among the normals of the group; null where there is none.")
    nearest: list[str] = Field(description="Ids of the nearest known samples.")
    reason: str = Field(description="Why it is reviewed without a score or a threshold.")
    policy: str = Field(description="SHA-256 of the policy that it was made by.")

    @classmethod
    def of(cls, stored: Stored) -> Decided:
        found = stored.decision
        score, p_value = (value if math.isfinite(value) else None for value in (found.score, found.p_value))
        return cls(
            number=stored.number,
            id=found.id,
            decision=found.decision,  # type: ignore[arg-type]
            score=score,
            p_value=p_value,
            nearest=list(found.nearest),
            reason=found.reason,
            policy=stored.policy,
        )


class Decisions(BaseModel):
    """The decisions on the samples of a request, in their order; they are stored."""

    decisions: list[Decided]
    model: str = Field(description="SHA-256 of the model's file.")


class Past(Decided):
    """A decision in the database."""

    at: datetime = Field(description="When it was stored, UTC.")
    group: str
    content: str = Field(description="SHA-256 of what was sent.")
    model: str


class Health(BaseModel):
    """Whether decisions can be made and stored."""

    status: Literal["ok"]
