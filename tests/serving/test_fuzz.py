"""The service asked by a machine that makes up requests from its description: whatever comes, no answer is a 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from serving import files_of, pictures, running, service_of

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]
pytestmark = pytest.mark.slow

AS_ANSWERED = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


@pytest.fixture(scope="module")
def of_pictures(exported: Path, line: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(service_of(exported, tmp_path_factory.mktemp("pictures"), audit_rate=0.5)) as url:
        httpx.post(f"{url}/v1/decide", files=files_of(pictures(line, 5))).raise_for_status()
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.fixture(scope="module")
def of_windows(series_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with running(service_of(series_export, tmp_path_factory.mktemp("windows"), audit_rate=0.5)) as url:
        yield schemathesis.openapi.from_url(f"{url}/openapi.json")


@pytest.mark.parametrize("schema", ["of_pictures", "of_windows"])
def test_no_request_that_can_be_made_up_breaks_it(schema: str, request: pytest.FixtureRequest):
    asked = 0
    for operation in request.getfixturevalue(schema).get_all_operations():

        @given(case=operation.ok().as_strategy())
        @AS_ANSWERED
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            case.call_and_validate(checks=[not_a_server_error, response_schema_conformance])
            asked += 1

        ask()
    assert asked > 50


@pytest.mark.parametrize("number", [0, -1, 10**30, "x", "1%00"])
@pytest.mark.parametrize(
    "address", ["/decisions/{}", "/decisions/{}/picture", "/queue/review?after={}", "/figures?days={}"]
)
def test_pages_of_what_is_not_there(of_pictures: Any, address: str, number: object):
    base = of_pictures.config.base_url or of_pictures.location.rsplit("/", 1)[0]
    assert httpx.get(base + address.format(number)).status_code < 500
