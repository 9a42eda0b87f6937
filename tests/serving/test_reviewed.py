"""From verdicts of people to a calibration: only what was drawn at random counts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from serving import HERE, service_of
from vssl import api
from vssl.cli import main
from vssl.decisions import policy as policies
from vssl.errors import ConfigError, EmptyDataError, NotEnoughDataError
from vssl.run import Run
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.reviewed import gather
from vssl.serving.reviews import Reviews
from vssl.serving.service import Service

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports", "fixtures_service"]
pytestmark = pytest.mark.slow


@pytest.fixture
def audited(decided_run: Run, exported: Path, tmp_path: Path) -> tuple[Run, Service, dict[str, str]]:
    """A run, and a service to which new pictures were sent, of which half were drawn; by content what each is."""
    service = service_of(exported, tmp_path, audit=0.5)
    rng = np.random.default_rng(5)
    truth = {}
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        for start in range(0, 240, 60):
            files = []
            for number in range(start, start + 60):
                files.append(("files", (f"part {number}.png", picture(rng, odd=number % 8 == 0))))
                truth[f"part {number}.png"] = "defect" if number % 8 == 0 else "normal"
            assert client.post("/v1/decide", files=files).status_code == 200
    run = Run(shutil.copytree(decided_run.path, tmp_path / "run"))
    return run, service, truth


def picture(rng: np.random.Generator, odd: bool) -> bytes:
    import io

    from PIL import Image

    pixels = rng.normal(128, 20, size=(16, 16, 3))
    pixels[4:9, 4:9] += 100 if odd else 0
    data = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(data, "PNG")
    return data.getvalue()


def judge_all(service: Service, truth: dict[str, str]) -> int:
    """People judge everything that waits; how many were drawn."""
    reviews, drawn = Reviews(service.store), 0
    for queue in ("review", "reject"):
        while decision := reviews.next(queue):  # type: ignore[arg-type]
            reviews.judge(decision["number"], truth[decision["id"]], "kim", "")  # type: ignore[arg-type]
            drawn += decision["audit"]
    return drawn


def test_a_policy_is_made_of_what_was_drawn_at_random(audited: tuple[Run, Service, dict[str, str]], tmp_path: Path):
    run, service, truth = audited
    drawn = judge_all(service, truth)
    before = policies.read(run)
    with pytest.raises(NotEnoughDataError, match="Label more of the samples that vssl serve draws at random"):
        api.calibrate(run, from_reviews=tmp_path / "d.sqlite", overwrite=True, device="cpu")
    guarantee: dict[str, Any] = {"false_alarm": 0.1, "confidence": 0.9, "overwrite": True, "device": "cpu"}
    policy = api.calibrate(run, from_reviews=tmp_path / "d.sqlite", **guarantee)
    assert policy.samples["normal"] + policy.samples["defect"] == drawn
    assert 80 < drawn < 160
    assert policy.caveats[0] == f"Made of {drawn} samples that were drawn at random in use and judged by people."
    after = policies.read(run)[1]
    assert after.bank.ids == before[1].bank.ids
    by_name = dict(zip(after.normal.ids, after.normal.table["source"].to_pylist(), strict=True))
    assert all(Path(source).exists() for source in by_name.values())
    export = api.export(run, out=tmp_path / "again")  # it finds all of them again
    assert (export / "manifest.json").exists()


def test_who_was_unsure_and_what_is_gone_is_said(audited: tuple[Run, Service, dict[str, str]], tmp_path: Path):
    run, service, truth = audited
    judge_all(service, truth)
    reviews = Reviews(service.store)
    first, second = reviews.labelled()[:2]
    reviews.judge(first["number"], "unsure", "kim", "")
    (tmp_path / "samples" / second["content"][:2] / second["content"]).unlink()
    model = api.load(run, "cpu")
    found = gather(
        f"sqlite:///{tmp_path / 'd.sqlite'}",
        tmp_path / "samples",
        "images",
        model.modality.spec,
        None,
        tmp_path / "out",
    )
    assert found.caveats[1].startswith("1 more were left out because people were unsure")
    assert found.caveats[2].startswith("1 more were left out because they are not in")
    (listed,) = (pq.read_table(path) for path in tmp_path.glob("out/*/samples.parquet"))
    assert listed.column_names == ["path", "label", "at"]
    assert not any(name.startswith(f"{second['number']}-") for name in listed["path"].to_pylist())


def test_windows_of_series_come_back_as_series(series_export: Path, tmp_path: Path):
    service = service_of(series_export, tmp_path, audit=1.0)
    run = Run(series_export.parent)
    values = np.random.default_rng(7).normal(size=(60, *service.decider.shape)).round(3)
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        windows = [{"id": f"w{number}", "values": window.tolist()} for number, window in enumerate(values)]
        windows[1]["values"][0][3] = None
        assert client.post("/v1/decide", json={"samples": windows}).status_code == 200
    judge_all(service, {f"w{number}": "normal" for number in range(60)})
    model = api.load(run, "cpu")
    place = (f"sqlite:///{tmp_path / 'd.sqlite'}", tmp_path / "samples", "sensors", model.modality.spec, None)
    found = gather(*place, tmp_path / "out")
    assert found.defects is None
    loaded = model.modality.load(found.normal)
    assert len(loaded) == 60
    sent = {f"{row['number']}": values[int(row["id"][1:])] for row in Reviews(service.store).labelled()}
    for row, name in enumerate(loaded.ids):
        raw, own = loaded.batch(np.array([row]))[0].numpy(), sent[name.split("-")[0]]
        known = np.isfinite(raw)
        np.testing.assert_allclose(raw[known], own[known], rtol=1e-6)
    assert sum(np.isnan(loaded.batch(np.array([row])).numpy()).sum() for row in range(60)) == 1


def test_without_verdicts_there_is_nothing_to_calibrate_with(
    audited: tuple[Run, Service, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run = audited[0]
    with pytest.raises(EmptyDataError, match="none has been called normal"):
        api.calibrate(run, from_reviews=tmp_path / "d.sqlite", overwrite=True, device="cpu")
    with pytest.raises(ConfigError, match="there is no such file"):
        api.calibrate(run, from_reviews=tmp_path / "none.sqlite", overwrite=True, device="cpu")
    with pytest.raises(ConfigError, match="Give known normal samples"):
        api.calibrate(run, overwrite=True, device="cpu")
    with pytest.raises(SystemExit, match="2"):
        main(["calibrate", str(run.path), "--from-reviews", str(tmp_path / "d.sqlite"), "--overwrite"])
    assert "EmptyDataError: " in capsys.readouterr().err
