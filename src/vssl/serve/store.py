"""What was decided, by which model and policy, in a database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from vssl.errors import ConfigError, StorageError
from vssl.runtime.decider import Decision

SCHEMA = MetaData()
DECISIONS = Table(
    "decisions",
    SCHEMA,
    Column("number", Integer, primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, index=True),
    Column("id", String, nullable=False, index=True),
    Column("group", String, nullable=False),
    Column("decision", String(6), nullable=False, index=True),
    Column("score", Float),
    Column("p_value", Float),
    Column("nearest", JSON, nullable=False),
    Column("reason", String, nullable=False),
    Column("content", String(64)),
    Column("model", String(64), nullable=False),
    Column("policy", String(64), nullable=False),
)
"""One row a decision; `content` is the SHA-256 of what was sent, `model` and `policy` are those of their files."""


@dataclass(frozen=True)
class Record:
    """A decision to be stored.

    Attributes:
        decision: As decided.
        group: Of the sample.
        content: SHA-256 of the bytes that were sent.
    """

    decision: Decision
    group: str
    content: str


class Store:
    """A database of decisions. What `add` has returned for is in it, also if the process is killed right after."""

    def __init__(self, url: str, model: str, policy: str) -> None:
        """
        Args:
            url: As SQLAlchemy takes it: sqlite:///decisions.sqlite, postgresql+psycopg://user@host/name.
            model, policy: SHA-256 of their files; they stand beside each decision.

        Raises:
            ConfigError: The URL makes no sense, or its driver is missing.
            StorageError: The database cannot be opened.
        """
        self._same = {"model": model, "policy": policy}
        try:
            self._engine: Engine = create_engine(url, pool_pre_ping=True)
        except (ArgumentError, ImportError, ValueError) as error:
            raise ConfigError(f"--database {url!r}: {error}") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", _durable)
        with _failures("opened"):
            SCHEMA.create_all(self._engine)

    def add(self, records: Sequence[Record]) -> list[int]:
        """Store decisions in one transaction; their numbers, in order.

        Raises:
            StorageError: None of them is stored.
        """
        now = datetime.now(UTC)
        rows = [self._same | {"at": now, **_row(record)} for record in records]
        query = insert(DECISIONS).returning(DECISIONS.c.number, sort_by_parameter_order=True)
        with _failures("written"), self._engine.begin() as connection:
            return list(connection.scalars(query, rows))

    def latest(self, count: int, before: int | None = None, decision: str | None = None) -> list[dict[str, Any]]:
        """Decisions, the newest first.

        Args:
            before: Only those with a smaller number.
            decision: Only accept, review or reject.

        Raises:
            StorageError: The database cannot be read.
        """
        query = select(DECISIONS).order_by(DECISIONS.c.number.desc()).limit(count)
        if before is not None:
            query = query.where(DECISIONS.c.number < before)
        if decision is not None:
            query = query.where(DECISIONS.c.decision == decision)
        with _failures("read"), self._engine.connect() as connection:
            # SQLite keeps no time zone; what was stored is UTC.
            return [{**row._mapping, "at": _utc(row.at)} for row in connection.execute(query)]

    def check(self) -> None:
        """See whether the database answers.

        Raises:
            StorageError: It does not.
        """
        with _failures("reached"), self._engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._engine.dispose()


def _durable(connection: Any, _record: Any) -> None:
    """Write-ahead logging, flushed at each commit: readers do not wait, and a cut of the power loses nothing."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _row(record: Record) -> dict[str, Any]:
    found = record.decision
    return {
        "id": found.id,
        "group": record.group,
        "decision": found.decision,
        "score": _number(found.score),
        "p_value": _number(found.p_value),
        "nearest": list(found.nearest),
        "reason": found.reason,
        "content": record.content,
    }


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@contextmanager
def _failures(done: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StorageError(f"The database of decisions cannot be {done}: {reason}") from error
