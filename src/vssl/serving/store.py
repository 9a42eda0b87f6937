"""The database of decisions and of versions of the policy: SQLite in a file, or PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from vssl.errors import ConfigError, StorageError
from vssl.serving.answers import StoredDecision, utc
from vssl.serving.tables import DECISIONS, POLICIES, SCHEMA


class Store:
    """A database of decisions. Once `add` has returned, the decisions are in it, even if the process is killed then.

    Attributes:
        engine: Engine of SQLAlchemy.
    """

    def __init__(self, url: str) -> None:
        """
        Args:
            url: Address as SQLAlchemy takes it: sqlite:///decisions.sqlite, postgresql+psycopg://user@host/name.

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

    def add(self, decisions: Sequence[StoredDecision]) -> list[int]:
        """Store decisions in one transaction, and return their numbers in order.

        Raises:
            StorageError: None of them is stored.
        """
        query = insert(DECISIONS).returning(DECISIONS.c.number, sort_by_parameter_order=True)
        with failures("written"), self.engine.begin() as connection:
            return list(connection.scalars(query, list(map(_row, decisions))))

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
    """A row with a time as a dictionary."""
    return {**row._mapping, "at": utc(row.at)}


def _durable(connection: Any, _record: Any) -> None:
    """Write-ahead logging, flushed at each commit: readers do not wait, and a cut of the power loses nothing."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {pragma}")


def _row(decision: StoredDecision) -> dict[str, Any]:
    columns = {name: value for name, value in decision if name in DECISIONS.columns and name != "number"}
    return columns | {"ask": decision.queue or ""}


@contextmanager
def failures(done: str) -> Iterator[None]:
    """Turn errors of the database into `StorageError`; `done` says what could not be done with it."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
        raise StorageError(f"The database of decisions cannot be {done}: {reason}") from error
