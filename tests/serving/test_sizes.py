"""How many bytes a request counts as while it waits, and that windows of another shape are not taken at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from serving import HERE
from vssl.modalities.events.wire import LogWire
from vssl.modalities.sensors.wire import WindowWire
from vssl.serving import app
from vssl.serving.batching import BusyError, PendingSample
from vssl.serving.limits import Limits
from vssl.serving.service import Metrics

WIRES: Any = {
    "sensors": WindowWire(SimpleNamespace(channels=("a", "b"), window=3)),  # type: ignore[arg-type]
    "events": LogWire(SimpleNamespace(reading=SimpleNamespace(format="sessions"), templates=())),  # type: ignore[arg-type]
}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[int]]]:
    """`sizes(modality, samples)`: the status of the answer, and the bytes of each sample that was to wait."""
    monkeypatch.setattr(app.pages, "build", lambda *_: APIRouter())

    def ask(modality: str, samples: list[dict[str, Any]]) -> tuple[int, list[int]]:
        found: list[int] = []

        async def batcher(asked: Sequence[PendingSample[Any]]) -> None:
            found.extend(item.size for item in asked)
            raise BusyError

        decider = SimpleNamespace(wire=WIRES[modality])
        service: Any = SimpleNamespace(decider=decider, batcher=batcher, metrics=Metrics(), sample=print)
        client = TestClient(app.build(service, Limits()), base_url=HERE)
        body = json.dumps({"samples": samples})  # httpx sends no half of a pair of surrogates
        return client.post("/v1/decide", content=body, headers=JSON).status_code, found

    return ask


def test_lines_count_as_their_bytes_with_their_ends(sizes: Any):
    logs = [{"lines": ["", "", ""]}, {"lines": ["door", "größe"]}, {"lines": ["\ud800"]}]
    assert sizes("events", logs) == (429, [3, 13, 4])


@pytest.mark.parametrize("values", [[[0.0] * 1000] * 2, [[]] * 1000, [[0.0] * 3, [0.0] * 4], [[0.0] * 3]])
def test_a_window_of_another_shape_is_refused_before_it_waits(values: list[list[float]], sizes: Any):
    good = {"id": "good", "values": [[0.0, None, 1.0]] * 2}
    assert sizes("sensors", [good]) == (429, [48])
    assert sizes("sensors", [good, {"id": "bad", "values": values}]) == (422, [])
