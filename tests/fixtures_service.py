"""The service on the export of a tiny run, with a database and a folder of its own. Loaded by `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from serving import HERE, service_of
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.service import Service


@pytest.fixture
def service(exported: Path, tmp_path: Path) -> Service:
    return service_of(exported, tmp_path)


@pytest.fixture
def asked(service: Service) -> Iterator[Callable[..., TestClient]]:
    """`asked(**limits)`: a client of the service."""
    clients: list[TestClient] = []

    def build_client(**limits: Any) -> TestClient:
        client = TestClient(build(service, Limits(**limits)), base_url=HERE)
        clients.append(client)
        return client.__enter__()

    yield build_client
    for client in clients:
        client.__exit__()
