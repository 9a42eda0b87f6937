"""The service over HTTP: what it decides, what it refuses, and what it tells."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from serving import HERE, files_of, pictures, service_of
from vssl import api, runtime
from vssl.cli import main as vssl_main
from vssl.errors import ConfigError, ExportError, StorageError
from vssl.run import Run
from vssl.serving import start
from vssl.serving.__main__ import main
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.reviews import Reviews
from vssl.serving.service import Service
from vssl.serving.start import Settings, serve
from vssl.serving.tables import DECISIONS

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports", "fixtures_service"]
pytestmark = pytest.mark.slow  # they need an export, which takes half a minute


def test_pictures_are_decided_as_the_runtime_decides_them_and_are_stored(
    exported: Path, line: Path, asked, service: Service
):
    paths = pictures(line, 12)
    answer = asked().post("/v1/decide", files=files_of(paths))
    assert answer.status_code == 200
    expected = list(runtime.load(exported).decide_files(paths))
    found = answer.json()["decisions"]
    assert [item["decision"] for item in found] == [item.decision for item in expected]
    assert [item["id"] for item in found] == [path.name for path in paths]
    assert [item["score"] for item in found] == pytest.approx([item.score for item in expected], rel=1e-5)
    assert [item["p_value"] for item in found] == pytest.approx([item.p_value for item in expected], abs=0.02)
    rows = Reviews(service.store).history(count=12)[::-1]
    assert [row.number for row in rows] == [item["number"] for item in found]
    assert {row.model for row in rows} == {answer.json()["model"]}
    assert {row.policy for row in rows} == {item["policy"] for item in found} == {service.base}
    assert len({row.content for row in rows}) == 12


def test_a_file_of_several_pages_is_reviewed_with_what_to_do(line: Path, asked, tmp_path: Path):
    pages = [Image.open(path) for path in pictures(line, 2)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    (found,) = asked().post("/v1/decide", files=files_of([tmp_path / "a.tif"])).json()["decisions"]
    assert found["decision"] == "review"
    assert "2 pages where one picture is expected; save each as a file of its own" in found["reason"]


def test_what_cannot_be_read_is_reviewed_beside_the_others(line: Path, asked):
    good = files_of(pictures(line, 2))
    answer = asked().post("/v1/decide", files=[good[0], ("files", ("broken.png", b"no picture")), good[1]])
    found = answer.json()["decisions"]
    assert (found[1]["decision"], found[1]["score"], found[1]["p_value"]) == ("review", None, None)
    assert found[1]["reason"].startswith("unreadable: ")
    assert found[0]["score"] is not None
    assert found[2]["score"] is not None


def test_the_service_tells_what_it_is_and_what_it_has_done(line: Path, asked, exported: Path):
    client = asked()
    answers = [client.post("/v1/decide", files=files_of([path])).json() for path in pictures(line, 3)]
    assert client.get("/v1/health").json() == {"status": "ok"}
    assert client.get("/v1/model").json()["precision"] == "float32"
    assert client.get("/v1/policy").json()["description"] == runtime.load(exported).policy.to_dict()["description"]
    newest = client.get("/v1/decisions", params={"limit": 2}).json()
    assert [row["number"] for row in newest] == [
        answers[2]["decisions"][0]["number"],
        answers[1]["decisions"][0]["number"],
    ]
    older = client.get("/v1/decisions", params={"before": newest[-1]["number"]}).json()
    assert [row["number"] for row in older] == [answers[0]["decisions"][0]["number"]]
    metrics = client.get("/metrics").text
    assert sum(float(row.split()[1]) for row in metrics.splitlines() if row.startswith("vssl_decisions_total")) == 3
    assert "vssl_batch_samples_count 3.0" in metrics
    assert "/v1/decide" in client.get("/openapi.json").json()["paths"]
    assert client.get("/docs").status_code == 404  # it would load scripts from elsewhere


def test_many_clients_share_batches_and_each_gets_its_own_answer(line: Path, asked, service: Service):
    client, paths = asked(), pictures(line, 24)
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda path: client.post("/v1/decide", files=files_of([path])).json(), paths))
    assert [answer["decisions"][0]["id"] for answer in answers] == [path.name for path in paths]
    alone = list(service.decider.decide_files(paths))
    assert [a["decisions"][0]["score"] for a in answers] == pytest.approx([d.score for d in alone], rel=1e-5)
    assert len({answer["decisions"][0]["number"] for answer in answers}) == 24


def test_too_much_at_once_is_refused_with_the_time_to_come_back(line: Path, asked, service: Service, monkeypatch):
    monkeypatch.setattr(service.batcher, "_max_waiting", 1)
    held = threading.Event()
    decide = service._decide
    monkeypatch.setattr(service.batcher, "_work", lambda samples: (held.wait(10), decide(samples))[1])
    client, files = asked(), files_of(pictures(line, 1))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(client.post, "/v1/decide", files=files)
        time.sleep(0.3)
        second = threads.submit(client.post, "/v1/decide", files=files)
        time.sleep(0.3)
        refused = client.post("/v1/decide", files=files)
        held.set()
        assert (first.result().status_code, second.result().status_code) == (200, 200)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "vssl_refused_total 1.0" in client.get("/metrics").text


def test_what_takes_too_long_is_given_up(line: Path, asked, service: Service, monkeypatch):
    decide = service._decide
    monkeypatch.setattr(service.batcher, "_work", lambda samples: (time.sleep(0.5), decide(samples))[1])
    answer = asked(seconds=0.1).post("/v1/decide", files=files_of(pictures(line, 1)))
    assert answer.status_code == 503
    assert "within 0.1 s" in answer.json()["detail"]


def test_reading_counts_into_the_time_that_a_request_may_take(line: Path, asked, service: Service, monkeypatch):
    read, go_on = service.decider.wire.decode, threading.Event()
    monkeypatch.setattr(service.decider.wire, "decode", lambda *sent: (go_on.wait(10), read(*sent))[1])
    answer = asked(seconds=0.1).post("/v1/decide", files=files_of(pictures(line, 1)))
    waiting = service.batcher.waiting
    go_on.set()
    assert (answer.status_code, waiting) == (503, 1)


def test_requests_have_limits(line: Path, asked):
    client = asked(samples=2, megabytes=1)
    assert client.post("/v1/decide", files=files_of(pictures(line, 3))).status_code == 413
    large = [("files", ("a.png", bytes(2**21)))]
    assert client.post("/v1/decide", files=large).json() == {"detail": "A request may have 1 MB."}
    streamed = client.post(
        "/v1/decide",
        content=(bytes(2**16) for _ in range(40)),
        headers={"content-type": "multipart/form-data; boundary=x"},
    )
    assert streamed.status_code == 413
    assert client.post("/v1/decide").status_code == 422


def test_a_token_is_asked_for_everywhere_but_for_the_health(line: Path, asked):
    client = asked(token="secret")
    assert client.get("/v1/health").status_code == 200
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "secret"},
        {"Authorization": "Bearer sécret"},
    ):
        encoded = {name: value.encode() for name, value in headers.items()}
        assert client.post("/v1/decide", files=files_of(pictures(line, 1)), headers=encoded).status_code == 401
        assert client.get("/metrics", headers=encoded).status_code == 401
    good = {"Authorization": "Bearer secret"}
    assert client.post("/v1/decide", files=files_of(pictures(line, 1)), headers=good).status_code == 200


def test_pages_of_others_may_not_ask(line: Path, asked):
    client, files = asked(), files_of(pictures(line, 1))
    assert client.post("/v1/decide", files=files, headers={"Origin": "https://elsewhere.example"}).status_code == 403
    assert client.post("/v1/decide", files=files, headers={"Origin": HERE}).status_code == 200
    assert client.get("/v1/decisions", headers={"Host": "rebound.example"}).status_code == 421
    assert client.get("/v1/decisions", headers={"Host": "["}).status_code == 421
    assert client.post("/v1/decide", files=files, headers={"Origin": "http://["}).status_code == 403


def test_a_database_that_is_gone_stores_nothing_and_is_answered_with_503(line: Path, asked, service: Service):
    client = asked()
    with service.store.engine.begin() as connection:
        DECISIONS.drop(connection)
    answer = client.post("/v1/decide", files=files_of(pictures(line, 1)))
    assert answer.status_code == 503
    assert "database of decisions cannot be written" in answer.json()["detail"]
    assert client.get("/v1/decisions").status_code == 503


def test_a_policy_that_expires_while_it_serves_decides_no_more(line: Path, asked, service: Service, monkeypatch):
    client = asked()
    monkeypatch.setattr(service.decider, "policy", replace(service.decider.policy, expires="2001-01-01"))
    answer = client.post("/v1/decide", files=files_of(pictures(line, 1)))
    assert answer.status_code == 503
    assert "expired" in answer.json()["detail"]
    assert client.get("/v1/health").status_code == 503
    assert Reviews(service.store).history() == []


def test_without_a_policy_there_is_no_service(exported: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(runtime.Decider, "check_policy", lambda _self: (_ for _ in ()).throw(ExportError("no policy")))
    with pytest.raises(ExportError):
        service_of(exported, tmp_path)


def test_other_computers_need_a_token(exported: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="give a --token-file"):
        serve(exported, Settings("0.0.0.0"), print)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        serve(exported, Settings("0.0.0.0", token_file=tmp_path / "empty"), print)
    with pytest.raises(ConfigError, match="cannot be read"):
        serve(exported, Settings(token_file=tmp_path / "none"), print)
    with pytest.raises(StorageError):
        serve(exported, Settings("localhost", database=f"sqlite:///{tmp_path}/no/d"), print)
    with pytest.raises(ConfigError, match="--audit-rate is 2"):
        serve(exported, Settings(database=f"sqlite:///{tmp_path}/d", audit_rate=2.0), print)


def test_with_a_token_it_answers_behind_a_proxy_under_the_name_of_that(exported: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "token").write_text("secret\n")
    apps: list[Any] = []
    monkeypatch.setattr(start.uvicorn, "run", lambda app, **_: apps.append(app))
    serve(exported, Settings(database=f"sqlite:///{tmp_path}/d", token_file=tmp_path / "token"), print)
    with TestClient(apps[0], base_url="https://quality.example:8443") as person:
        page = {"Origin": "https://quality.example:8443"}
        assert person.get("/queue/review").status_code == 401
        signed_in = person.post("/sign-in", data={"token": "secret"}, headers=page)
        assert "; Secure" in signed_in.history[0].headers["set-cookie"]
        assert signed_in.url.path == "/queue/review"
        assert person.post("/who", data={"name": "kim"}, headers=page).status_code == 200
        assert person.post("/who", data={"name": "kim"}, headers={"Origin": "https://other.example"}).status_code == 403


def test_a_window_of_series_is_decided_on_in_the_units_of_the_data(series_export: Path, tmp_path: Path):
    service = service_of(series_export, tmp_path)
    channels, rows = service.decider.shape
    values = np.random.default_rng(0).normal(size=(2, channels, rows)).round(3)
    windows = [{"id": f"w{number}", "values": window.tolist()} for number, window in enumerate(values)]
    windows[1]["values"][0][3] = None
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        found = client.post("/v1/decide", json={"samples": windows}).json()["decisions"]
        bad = client.post("/v1/decide", json={"samples": [{"id": "short", "values": [[1.0, 2.0], [3.0]]}]})
    expected = values.copy()
    expected[1, 0, 3] = np.nan
    assert [item["score"] for item in found] == pytest.approx([d.score for d in service.decider.decide(expected)])
    assert bad.status_code == 422
    assert bad.json()["detail"][0]["msg"] == f"short is not {channels} channels of {rows} rows."


def test_the_service_needs_no_torch():
    code = "import sys, vssl.serving.__main__; print(*{'torch', 'scipy', 'sklearn', 'pyarrow'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


def test_what_is_no_export_is_refused_by_either_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path)]) == 2
    assert "ExportError: " in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        vssl_main(["serve", str(tmp_path / "none")])
    assert "RunNotFoundError: " in capsys.readouterr().err


def test_a_run_is_exported_for_the_service_and_again_when_its_policy_is_another(
    decided_run: Run, line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run, served = Run(shutil.copytree(decided_run.path, tmp_path / "run")), []
    monkeypatch.setattr(start, "serve", lambda folder, *_: served.append((folder, made(folder))))

    def made(folder: Path) -> str:
        return json.loads((folder / "manifest.json").read_text())["files"]["policy"]["sha256"]

    api.serve(run)
    api.serve(run)
    guarantee = {"false_alarm": 0.2, "confidence": 0.8, "overwrite": True}
    api.calibrate(run, f"{line}:label=ok", device="cpu", **guarantee)
    api.serve(run)
    assert {folder for folder, _ in served} == {run.path / "export"}
    assert served[0] == served[1] != served[2]
