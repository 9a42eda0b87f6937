"""Event logs over HTTP: decided as from a file, shown line by line, and back into a calibration."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from serving import HERE, log_lines, service_of
from vssl import api
from vssl.errors import BrokenFileError
from vssl.modalities import events
from vssl.modalities.events.tokenise import SessionTokeniser
from vssl.run import Run
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.review_export import gather
from vssl.serving.reviews import Reviews

pytest_plugins = ["fixtures_exports"]
pytestmark = pytest.mark.slow

LINES = log_lines(60, seed=1)
WINDOWS = [LINES[start : start + 10] for start in range(0, 60, 10)]


def test_sessions_are_decided_on_as_from_a_file(log_export: Path, tmp_path: Path):
    service = service_of(log_export, tmp_path, audit_rate=1.0)
    (tmp_path / "new.log").write_text("\n".join(LINES) + "\n")
    model = api.load(Run(log_export.parent), "cpu")
    expected = service.decider.decide(model.modality.load(tmp_path / "new.log").batch(np.arange(6)).numpy())
    samples = [{"id": f"window {number}", "lines": lines} for number, lines in enumerate(WINDOWS)]
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        found = client.post("/v1/decide", json={"samples": samples}).json()["decisions"]
        empty = client.post("/v1/decide", json={"samples": [{"id": "e", "lines": ["", "  "]}]}).json()["decisions"][0]
        assert client.post("/v1/decide", json={"samples": [{"id": "none", "lines": []}]}).status_code == 422
    assert [item["score"] for item in found] == pytest.approx([item.score for item in expected], rel=1e-5)
    assert (empty["decision"], empty["reason"]) == ("review", "unreadable: it has no line that is not empty")


def test_while_a_long_log_is_read_others_are_answered(log_export: Path, tmp_path: Path, monkeypatch):
    service, reading, done = service_of(log_export, tmp_path), threading.Event(), threading.Event()
    read = service.decider.wire.decode
    monkeypatch.setattr(service.decider.wire, "decode", lambda *sent: (reading.set(), done.wait(5), read(*sent))[2])
    with TestClient(build(service, Limits()), base_url=HERE) as client, ThreadPoolExecutor(1) as thread:
        samples = [{"id": "w", "lines": WINDOWS[0]}]
        answer = thread.submit(client.post, "/v1/decide", json={"samples": samples})
        assert reading.wait(5)
        assert client.get("/v1/health").status_code == 200
        assert not answer.done()
        done.set()
        assert answer.result().status_code == 200


def test_the_page_shows_the_lines_and_which_of_them_are_of_no_known_kind(log_export: Path, tmp_path: Path):
    service = service_of(log_export, tmp_path, audit_rate=1.0)
    lines = [*WINDOWS[0][:9], "2026-03-01T09:00:00 ERROR <b>fire</b> in hall\nfour"]
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        client.post("/who", data={"name": "kim"}, headers={"Origin": HERE})
        (item,) = client.post("/v1/decide", json={"samples": [{"id": "w", "lines": lines}]}).json()["decisions"]
        page = client.get(f"/decisions/{item['number']}").text
    assert page.count("a kind of line that the training data did not have") == 1
    assert "ERROR &lt;b&gt;fire&lt;/b&gt; in hall four ←" in page
    assert page.count("<li>2026-03-01") == 9


def test_logs_come_back_as_logs(log_export: Path, tmp_path: Path):
    service = service_of(log_export, tmp_path, audit_rate=1.0)
    samples = [{"id": f"w/{number}", "lines": lines} for number, lines in enumerate(WINDOWS)]
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        client.post("/v1/decide", json={"samples": samples})
    reviews = Reviews(service.store)
    for row in reviews.history():
        reviews.label(row.number, "defect" if row.id == "w/5" else "normal", "kim", "")
    model = api.load(Run(log_export.parent), "cpu")
    place = (f"sqlite:///{tmp_path / 'd.sqlite'}", tmp_path / "samples", model.modality, None)
    found = gather(*place, tmp_path / "out")
    normal, defects = (model.modality.load(data) for data in (found.normal, found.defects))
    assert (len(normal), len(defects)) == (5, 1)
    encoder = SessionTokeniser(model.modality.spec)
    np.testing.assert_array_equal(defects.batch(np.array([0]))[0], encoder(WINDOWS[5], "w/5"))


def test_ready_sessions_are_sent_as_their_events(tmp_path: Path):
    (tmp_path / "sessions.csv").write_text("\n".join(f"s{row},1 2 {row % 3} 7" for row in range(30)) + "\n")
    config = events.Config()
    spec = events.measure(tmp_path / "sessions.csv", config)
    raw = events.build(config, spec).load(tmp_path / "sessions.csv").batch(np.array([4]))[0].numpy()
    # The stamp is of the line's text, which a list of events has not.
    np.testing.assert_array_equal(SessionTokeniser(spec)(["1", "2", "1", "7"], "s4")[:, 2:], raw[:, 2:])
    assert SessionTokeniser(spec).known(["1", "x", ""]) == [True, False, True]


def test_a_line_that_is_no_json_is_named(tmp_path: Path):
    (tmp_path / "log.jsonl").write_text("\n".join(f'{{"msg": "door {row} opened"}}' for row in range(40)) + "\n")
    spec = events.measure(tmp_path / "log.jsonl", events.Config())
    with pytest.raises(BrokenFileError, match="line 2: no JSON"):
        SessionTokeniser(spec)(['{"msg": "door 3 opened"}', "door 4 opened"], "w")
