"""What every modality keeps after training, to the end: decisions, the export, HTTP, review export and the demo.

A made-up modality of `tests/fixture_modality` goes the same way: one folder and an encoder are all it takes.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

import vssl.encoders
import vssl.modalities
from serving import HERE, service_of
from vssl import api, runtime
from vssl.config import members
from vssl.decisions.result import Decisions
from vssl.modalities.base import Modality
from vssl.modalities.demo import Demo
from vssl.modalities.wire import part_of
from vssl.run import Run
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.review_export import gather
from vssl.serving.reviews import Reviews

FIXTURE = Path(__file__).parents[1] / "fixture_modality"
KINDS = members("modalities")
SCALE = 0.05
QUICK = {"steps": 4, "batch": 16, "precision": "float32", "device": "cpu"}
ENCODERS = {"images": "convnet/tiny", "sensors": "temporal/tiny"}
LOOSE = {"false_alarm": 0.3, "confidence": 0.6, "device": "cpu"}


def jobs_of(log: Path) -> list[list[str]]:
    """The lines of each job of a controller's log."""
    jobs: dict[str, list[str]] = {}
    for line in log.read_text().splitlines():
        jobs.setdefault(line.split()[3], []).append(line)
    return list(jobs.values())


def values_of(raw: np.ndarray) -> dict[str, Any]:
    values = np.where(np.isfinite(raw), raw, None)
    return {"json": {"samples": [{"id": f"w{row}", "values": one.tolist()} for row, one in enumerate(values)]}}


def lines_of(log: Path) -> dict[str, Any]:
    return {"json": {"samples": [{"id": f"w{row}", "lines": job} for row, job in enumerate(jobs_of(log)[:4])]}}


def files_of(folder: Path) -> dict[str, Any]:
    return {"files": [("files", (path.name, path.read_bytes())) for path in sorted(folder.glob("*.png"))[:4]]}


# What a client sends for the first samples of a hold-out, beside their raw samples: the one place with a line per kind.
REQUESTS: dict[str, Callable[[Path, np.ndarray], dict[str, Any]]] = {
    "images": lambda source, _: files_of(source.parent / "images"),
    "sensors": lambda _, raw: values_of(raw),
    "events": lambda source, _: lines_of(source / "ok.log"),
    "rows": lambda _, raw: values_of(raw),
}


def selected(modality: Modality, source: str) -> np.ndarray:
    """The raw samples of a source, or those with a label, as in "samples.parquet:label=normal"."""
    path, _, label = source.partition(":label=")
    data = modality.load(path)
    rows = [row for row in range(len(data)) if not label or data.metadata["label"][row].as_py() == label]
    return data.batch(np.array(rows)).numpy()


@dataclass(frozen=True)
class Finished:
    """A tiny run of one modality on the data of its demo, decided and exported."""

    name: str
    plan: Demo
    folder: Path
    run: Run
    decisions: Decisions
    export: Path

    @property
    def source(self) -> Path:
        return self.folder / self.plan.hold_outs[0].source


@pytest.fixture(scope="module")
def _with_made_up_modality() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for package in (vssl.modalities, vssl.encoders):
            patch.setattr(package, "__path__", [*package.__path__, str(FIXTURE / package.__name__.split(".")[-1])])
        yield


@pytest.fixture(scope="module", params=[*KINDS, "rows"])
def finished(
    request: pytest.FixtureRequest, _with_made_up_modality: None, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    name, folder = request.param, tmp_path_factory.mktemp(request.param)
    plan: Demo = part_of(name, "demo").demo(SCALE)
    plan.write(folder)
    encoder = ENCODERS.get(name, "auto")
    run = api.train(folder / plan.training, folder / "run", modality=plan.config, encoder=encoder, **QUICK)
    api.calibrate(run, f"{folder / plan.normal}", bank=plan.bank, **LOOSE)
    hold_out = plan.hold_outs[0]
    decisions = api.decide(run, folder / hold_out.source, name=hold_out.name, normal="label=ok", device="cpu")
    return Finished(name, plan, folder, run, decisions, api.export(run))


@pytest.fixture(scope="module")
def modality(finished: Finished) -> Modality:
    return api.load(finished.run, "cpu").modality


@pytest.mark.slow
def test_the_data_of_its_demo_have_normals_and_defects_and_are_decided_on(finished: Finished):
    table, measured = finished.decisions.table, finished.decisions.metrics
    assert set(table["decision"].to_pylist()) <= {"accept", "review", "reject"}
    assert measured is not None
    assert measured.auroc is not None
    explained = [text is not None for text in table["explanation"].to_pylist()]
    accepted = [decision == "accept" for decision in table["decision"].to_pylist()]
    assert not any(both for both in zip(explained, accepted, strict=True) if all(both))


@pytest.mark.slow
def test_ablations_change_the_sample_and_keep_its_shape_where_they_explain(finished: Finished, modality: Modality):
    chunk = modality.sample(finished.source, 2, seed=0)
    metadata = {name: chunk.metadata[name][0].as_py() for name in chunk.metadata.column_names}
    ablations = modality.ablations(chunk.raw[0], metadata)
    assert bool(ablations) == modality.explained_by_ablations
    for ablation in ablations:
        assert ablation.name
        assert ablation.ablated.shape == chunk.raw[0].shape
        assert not np.array_equal(ablation.ablated.numpy(), chunk.raw[0].numpy(), equal_nan=True)


@pytest.mark.slow
def test_the_runtime_decides_on_raw_samples_by_the_score_of_the_run(finished: Finished, modality: Modality):
    raw = modality.load(finished.source).batch(np.arange(4)).numpy()
    scores = [decision.score for decision in runtime.load(finished.export).decide(raw)]
    assert scores == pytest.approx(finished.decisions.table["score"].to_pylist()[:4], rel=1e-3, abs=1e-4)


@pytest.mark.slow
def test_what_is_sent_over_http_is_decided_shown_labelled_and_comes_back_as_data(
    finished: Finished, modality: Modality, tmp_path: Path
):
    service = service_of(finished.export, tmp_path, audit_rate=1.0)
    raw = modality.load(finished.source).batch(np.arange(4)).numpy()
    request = REQUESTS[finished.name](finished.source, raw)
    wire = service.decider.wire
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        client.post("/who", data={"name": "kim"}, headers={"Origin": HERE})
        answers = client.post("/v1/decide", **request).json()["decisions"]
        schema = client.get("/openapi.json").json()
        pages = [client.get(f"/decisions/{answer['number']}").text for answer in answers]
        pictures = [client.get(f"/decisions/{answer['number']}/picture").status_code for answer in answers]
    assert wire.request_help == schema["paths"]["/v1/decide"]["post"]["description"]
    rows = Reviews(service.store).history(count=4)[::-1]
    contents = [service.samples.get(row.content) or b"" for row in rows]
    decoded = np.stack([wire.decode(content, "x") for content in contents])
    expected = [decision.score for decision in service.decider.decide(decoded)]
    assert [answer["score"] for answer in answers] == pytest.approx(expected, rel=1e-6)
    for content, page, picture in zip(contents, pages, pictures, strict=True):
        lines = wire.lines(content)
        assert (picture == 200) == (lines is None)
        assert all(text.split()[-1] in page for text, _ in lines or [])

    reviews = Reviews(service.store)
    for row in rows:
        reviews.label(row.number, "defect" if row is rows[0] else "normal", "kim", "")
    found = gather(f"sqlite:///{tmp_path / 'd.sqlite'}", tmp_path / "samples", modality, None, tmp_path / "out")
    written = [selected(modality, source) for source in (found.normal, found.defects or "")]
    assert [len(raw) for raw in written] == [3, 1]
    again = np.concatenate(written)
    scores = [decision.score for decision in service.decider.decide(again)]
    assert sorted(scores) == pytest.approx(sorted(expected), rel=1e-6)


def test_a_wire_needs_no_torch_and_none_of_the_libraries_of_training_and_serving():
    imports = "; ".join(f"import vssl.modalities.{name}.wire" for name in KINDS)
    blocked = ("torch", "pyarrow", "scipy", "sklearn", "fastapi", "pydantic", "sqlalchemy", "jinja2", "matplotlib")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); {imports}"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
