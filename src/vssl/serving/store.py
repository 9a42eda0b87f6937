"""What was decided, by which model and policy, in a database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from vssl.decisions.core import Decision
from vssl.errors import ConfigError, StorageError
from vssl.serving.tables import DECISIONS, POLICIES, SCHEMA


@dataclass(frozen=True)
class Record:
    """A decision to be stored; see `tables.DECISIONS`.

    Attributes:
        decision: As decided.
        group: Of the sample.
        content: SHA-256 of the bytes that were sent.
        model, policy: SHA-256 of their files.
        audit: Whether it was drawn at random, to be looked at whatever was decided.
        place: On the map, or None twice.
        heat: How unlike known ones its places are, row by row; None if nobody will look.
    """

    decision: Decision
    group: str
    content: str
    model: str
    policy: str
    audit: bool = False
    place: tuple[float | None, float | None] = (None, None)
    heat: list[list[float]] | None = None

    @property
    def ask(self) -> str:
        """The queue that it waits in for a person; empty for none."""
        if self.audit or self.decision.decision == "review":
            return "review"
        return "reject" if self.decision.decision == "reject" else ""


class Store:
    """A database of decisions. What `add` has returned for is in it, also if the process is killed right after.

    Attributes:
        engine: SQLAlchemy's.
    """

    def __init__(self, url: str) -> None:
        """
        Args:
            url: As SQLAlchemy takes it: sqlite:///decisions.sqlite, postgresql+psycopg://user@host/name.

        Raises:
            ConfigError: The URL makes no sense, its driver is missing, or another version made the database.
            StorageError: The database cannot be opened.
        """
        try:
            self.engine: Engine = create_engine(url, pool_pre_ping=True)
        except (ArgumentError, ImportError, ValueError) as error:
            # The address is not repeated, nor what stands where its port should: a password may be in it.
            reason = "its port is not a number" if isinstance(error, ValueError) else error
            raise ConfigError(
                f"--database: the address names no database ({reason}). "
                "Write sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME."
            ) from error
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _durable)
        with failures("opened"):
            SCHEMA.create_all(self.engine)
            there = {column["name"] for column in inspect(self.engine).get_columns("decisions")}
        if missing := set(DECISIONS.columns.keys()) - there:
            raise ConfigError(
                f"The database was made by another version of vssl: its decisions have no column {min(missing)!r}. "
                "Keep it, and give another --database."
            )

    def add(self, records: Sequence[Record]) -> list[int]:
        """Store decisions in one transaction; their numbers, in order.

        Raises:
            StorageError: None of them is stored.
        """
        now = datetime.now(UTC)
        rows = [{"at": now, **_row(record)} for record in records]
        query = insert(DECISIONS).returning(DECISIONS.c.number, sort_by_parameter_order=True)
        with failures("written"), self.engine.begin() as connection:
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
        with failures("read"), self.engine.connect() as connection:
            return [plain(row) for row in connection.execute(query)]

    def add_policy(self, base: str, policy: str, body: dict[str, Any], by: str, why: str) -> None:
        """Put a version of the policy on record; it is in force from now on.

        Args:
            base: SHA-256 of the export's own policy.
            policy: SHA-256 of this one.

        Raises:
            StorageError: It is not stored.
        """
        row = {"at": datetime.now(UTC), "by": by, "why": why, "base": base, "policy": policy, "body": body}
        with failures("written"), self.engine.begin() as connection:
            connection.execute(insert(POLICIES), row)

    def policies(self, base: str) -> list[dict[str, Any]]:
        """Versions of the export's policy that people made, the newest first.

        Raises:
            StorageError: The database cannot be read.
        """
        query = select(POLICIES).where(POLICIES.c.base == base).order_by(POLICIES.c.number.desc())
        with failures("read"), self.engine.connect() as connection:
            return [plain(row) for row in connection.execute(query)]

    def check(self) -> None:
        """See whether the database answers.

        Raises:
            StorageError: It does not.
        """
        with failures("reached"), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def storable(text: str) -> str:
    """Text as every database takes it: without NUL and without halves of a pair of surrogates."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def plain(row: Any) -> dict[str, Any]:
    """A row as a dictionary; SQLite keeps no time zone, and what was stored is UTC."""
    return {**row._mapping, "at": utc(row.at)}


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
        "model": record.model,
        "policy": record.policy,
        "audit": record.audit,
        "ask": record.ask,
        "x": record.place[0],
        "y": record.place[1],
        "heat": record.heat,
    }


def utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@contextmanager
def failures(done: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StorageError(f"The database of decisions cannot be {done}: {reason}") from error
