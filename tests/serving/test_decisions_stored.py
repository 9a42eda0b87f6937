"""The database of decisions, in SQLite and in a PostgreSQL that the test starts."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vssl.decisions.core import Decision
from vssl.errors import ConfigError, StorageError
from vssl.serving.answers import StoredDecision
from vssl.serving.reviews import Reviews
from vssl.serving.store import Store


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL of our own."""
    found = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))]
    programs = Path(shutil.which("initdb") or "").parent if shutil.which("initdb") else found[-1] if found else None
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    folder, port = tmp_path_factory.mktemp("postgres"), free_port()
    as_user: list[str] = []
    if (
        Path("/root").exists()
        and shutil.which("runuser")
        and subprocess.run(["id", "-u"], capture_output=True).stdout.strip() == b"0"
    ):
        # PostgreSQL refuses to run as root.
        as_user = ["runuser", "-u", "postgres", "--"]
        for path in (folder, *folder.parents):
            if "pytest" in str(path):
                path.chmod(0o755)
        shutil.chown(folder, "postgres")
    data = folder / "data"
    subprocess.run(
        [*as_user, programs / "initdb", "-D", data, "-U", "vssl", "-A", "trust"], check=True, capture_output=True
    )
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    control = [*as_user, programs / "pg_ctl", "-D", data]
    subprocess.run([*control, "-w", "-o", options, "-l", folder / "log", "start"], check=True, capture_output=True)
    yield f"postgresql+psycopg://vssl@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'd.sqlite'}" if request.param == "sqlite" else request.getfixturevalue("postgres")


def records(*names: str) -> list[StoredDecision]:
    return [record(Decision(name, "accept", 0.5, 1.25, ("k1", "k2")), "north") for name in names]


def record(decision: Decision, group: str = "", **more: Any) -> StoredDecision:
    hashes = {"content": f"hash of {decision.id}", "model": "model hash", "policy": "policy hash"}
    return StoredDecision.of(decision, group=group, **hashes, **more)


def test_decisions_come_back_as_they_were_the_newest_first(url: str):
    store = Store(url)
    first = store.add(records("a", "b"))
    odd = Decision("c", "review", np.nan, np.nan, reason="unreadable: it is empty")
    (last,) = store.add([record(odd)])
    assert [*first, last] == sorted({*first, last})
    newest, older = Reviews(store).history(count=2)
    assert (newest.id, newest.score, newest.p_value, newest.nearest) == ("c", None, None, [])
    assert newest.reason == "unreadable: it is empty"
    assert abs(datetime.now(UTC) - newest.at) < timedelta(minutes=1)
    assert (older.number, older.id, older.group, older.content) == (first[1], "b", "north", "hash of b")
    assert (older.decision, older.score, older.p_value) == ("accept", 1.25, 0.5)
    assert (older.nearest, older.model, older.policy) == (["k1", "k2"], "model hash", "policy hash")
    assert [row.id for row in Reviews(store).history(before=last, decision="accept")][:2] == ["b", "a"]
    assert "a" not in [row.id for row in Reviews(store).history(decision="review")]
    store.check()
    store.close()


def test_numbers_are_those_of_the_rows_in_order(url: str):
    store = Store(url)
    names = [f"n{number}" for number in range(300)]
    numbers = store.add(records(*names))
    found = {row.number: row.id for row in Reviews(store).history(count=300)}
    assert [found[number] for number in numbers] == names
    store.close()


def test_another_process_goes_on_where_one_stopped(url: str):
    first = Store(url)
    (before,) = first.add(records("a"))
    first.close()
    second = Store(url)
    (after,) = second.add(records("b"))
    assert after > before
    second.close()


@pytest.mark.parametrize("url", ["nonsense", "sqlite3:///x", "mysql+nodriver://x/y"])
def test_an_address_that_makes_no_sense_is_refused(url: str):
    with pytest.raises(ConfigError, match="--database"):
        Store(url)


@pytest.mark.parametrize("url", ["secret", "mysql+nodriver://u:secret@x/y", "postgresql+psycopg://u:secret"])
def test_an_address_that_is_refused_is_not_repeated_for_its_password(url: str):
    with pytest.raises(ConfigError, match="names no database") as refused:
        Store(url)
    assert "secret" not in str(refused.value)


def test_a_database_that_cannot_be_opened_says_so(tmp_path: Path):
    with pytest.raises(StorageError, match="cannot be opened"):
        Store(f"sqlite:///{tmp_path / 'no' / 'folder' / 'd.sqlite'}")
    with pytest.raises(StorageError, match="cannot be opened"):
        Store(f"postgresql+psycopg://vssl@127.0.0.1:{free_port()}/postgres")


def test_a_full_disk_stores_nothing_and_says_so(tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path / 'd.sqlite'}")
    store.add(records("a"))
    with store.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    from sqlalchemy import event

    event.listen(store.engine, "begin", lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StorageError, match="cannot be written: database or disk is full"):
        store.add(records(*(f"n{number}" for number in range(2000))))
    assert [row.id for row in Reviews(store).history()] == ["a"]
