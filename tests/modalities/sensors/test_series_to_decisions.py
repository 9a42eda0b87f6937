"""Windows in the whole product: training, embedding, a guarantee of blocks, episodes, and why."""

from __future__ import annotations

import importlib
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from vssl import api, runtime
from vssl.errors import TooManyBrokenError
from vssl.modalities import sensors
from vssl.run import Run

embed_module = importlib.import_module("vssl.embedding.table")


def line(folder: Path, name: str, rows: int, seed: int, fault: slice | None = None) -> Path:
    """A pump's pressure and heat; in a fault the pressure trembles."""
    rng = np.random.default_rng(seed)
    time = np.datetime64("2026-03-01T00:00:00", "s") + np.arange(rows) * np.timedelta64(1, "m")
    wave = np.sin(np.arange(rows) / 9 + seed)
    pressure, heat = wave + 0.1 * rng.normal(size=rows), 20 + wave + 0.1 * rng.normal(size=rows)
    label = np.full(rows, "ok", dtype=object)
    if fault is not None:
        pressure[fault] += 3 * rng.choice([-1, 1], pressure[fault].shape)
        label[fault] = "tremble"
    path = folder / f"{name}.parquet"
    pq.write_table(pa.table({"time": time, "pressure": pressure, "heat": heat, "label": label.tolist()}), path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("pump")
    config = sensors.Config(window="32min", stride="8min", block="32min", labels=("label",))
    data = line(folder, "learn", 1500, 1)
    run = api.train(
        data,
        folder / "run",
        modality=config,
        encoder="temporal/tiny",
        steps=20,
        batch=64,
        precision="float32",
        device="cpu",
    )
    known = line(folder, "known", 3000, 2)
    api.calibrate(run, known, block="block", bank="train", false_alarm=0.05, device="cpu")
    return run


@pytest.fixture(scope="module")
def judged(run: Run) -> Path:
    return line(run.path.parent, "later", 900, 3, slice(400, 440))


def test_rejected_windows_are_episodes_at_the_time_of_the_fault(run: Run, judged: Path):
    decisions = api.decide(run, judged, normal="label=ok", device="cpu")
    assert decisions.episodes
    worst = max(decisions.episodes, key=lambda each: each.score)
    assert worst.series == "later.parquet"
    assert worst.start <= "2026-03-01T06:40:00" < worst.end
    assert decisions.metrics is not None
    assert decisions.metrics.miss["all"].share == 0
    assert decisions.metrics.false_alarm.share < 0.3


def test_what_would_have_to_change_is_said_in_channels_and_times(run: Run, judged: Path):
    table = api.decide(run, judged, device="cpu").table
    worst = max(table.to_pylist(), key=lambda row: row["score"])
    assert "pressure" in worst["explanation"]
    assert "heat" not in worst["explanation"]


def test_a_file_without_a_window_is_not_lost_and_counts_as_one_of_the_files(run: Run, judged: Path, tmp_path: Path):
    (tmp_path / judged.name).write_bytes(judged.read_bytes())
    line(tmp_path, "stub", 20, 4)
    table = api.decide(run, tmp_path, name="two", device="cpu").table
    last = table.to_pylist()[-1]
    assert (last["id"], last["decision"]) == ("stub.parquet", "review")
    assert "its rows (20) hold no window of 32 rows" in last["reason"]
    with pytest.raises(TooManyBrokenError, match="1 of 2 files"):
        api.embed(run, tmp_path, name="two", device="cpu")


def test_where_no_file_has_a_window_each_is_reviewed(run: Run, tmp_path: Path):
    decisions = api.decide(run, line(tmp_path, "alone", 20, 4), device="cpu")
    assert decisions.table["decision"].to_pylist() == ["review"]


def test_a_label_that_only_some_files_have_is_kept_over_the_parts_of_a_table(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(embed_module, "PART", 16)
    monkeypatch.setattr(embed_module, "BATCH", 16)
    for name, labels in (("a", None), ("b", [1] * 160), ("c", [0.5] * 160), ("d", [None] * 160)):
        path = line(tmp_path, name, 160, 4)
        table = pq.read_table(path).drop_columns("label")
        pq.write_table(table if labels is None else table.append_column("label", pa.array(labels)), path)
    table = api.embed(run, tmp_path, name="parts", device="cpu").table
    assert table["label"].to_pylist() == [None] * 17 + [1] * 17 + [0.5] * 17 + [None] * 17


def test_the_promise_is_one_of_blocks(run: Run):
    text = (run.path / "policy.json").read_text()
    assert (
        "of normal blocks (by block) contain a rejected sample, with 95 % confidence. It was calibrated on 93 blocks"
        in text
    )


@pytest.mark.slow
def test_the_page_shows_windows_as_plots(run: Run, judged: Path):
    api.decide(run, judged, name="later", device="cpu")
    html = api.report(run, table="later").read_text()
    assert "Decisions on later" in html
    assert "data:image/" in html


@pytest.mark.slow
def test_an_export_takes_windows_with_missing_values(run: Run, judged: Path, tmp_path: Path):
    decider = runtime.load(api.export(run, out=tmp_path / "export"))
    model = api.load(run, "cpu")
    raw = model.modality.load(judged).batch(np.arange(60))
    raw[3, 0, 5:9] = torch.nan
    features, latent = model(model.modality.eval_view(raw))
    found = decider.outputs(raw.numpy())
    np.testing.assert_allclose(found["features"], features, atol=1e-4)
    np.testing.assert_allclose(found["mean"], latent.mean, atol=1e-3)
    assert {decision.decision for decision in decider.decide(raw.numpy())} == {"accept", "reject"}


def test_an_outlier_stays_one_and_does_not_drown_the_rest(run: Run):
    modality = api.load(run, "cpu").modality
    raw = torch.zeros(3, 2, 32)
    raw[1, 0, 7], raw[2, 0, 7] = 1e3, 1e6
    values = modality.eval_view(raw).values
    assert values[2, 0, 7] > values[1, 0, 7] > 4
    assert values[2, 0, 7] < 25


def test_a_window_is_drawn_with_a_gap_where_it_is_missing(run: Run, judged: Path):
    modality = api.load(run, "cpu").modality
    known = modality.load(judged).ids[5]
    picture, missing = modality.pictures(judged, [known, "later.parquet@never"])
    assert picture is not None
    assert len(picture.getcolors(10_000)) >= 3
    assert missing is None


def test_with_many_channels_each_is_thought_away_as_a_whole():
    spec = sensors.Spec(
        tuple(f"c{n}" for n in range(20)), (), None, None, None, None, 8, 2, 64, tuple([0.0] * 20), tuple([1.0] * 20)
    )
    modality = sensors.build(sensors.Config(), spec)
    parts = modality.ablations(torch.zeros(20, 8), {"start": 40})
    assert [part.name for part in parts] == [f"c{n}" for n in range(20)]
    assert parts[3].ablated.isnan().sum(1).tolist() == [0] * 3 + [8] + [0] * 16


def test_without_times_parts_are_named_by_rows():
    modality = sensors.build(
        sensors.Config(), sensors.Spec(("load",), (), None, None, None, None, 8, 2, 64, (0.0,), (1.0,))
    )
    names = [part.name for part in modality.ablations(torch.zeros(1, 8), {"start": 40})]
    assert names == ["load", "load, rows 40 to 42", "load, rows 42 to 44", "load, rows 44 to 46", "load, rows 46 to 48"]


def test_parts_are_named_by_times_and_the_date_stands_once_for_each_day():
    spec = sensors.Spec(("load",), (), "time", None, None, 60.0, 8, 2, 64, (0.0,), (1.0,))
    parts = sensors.build(sensors.Config(), spec).ablations(torch.zeros(1, 8), {"start": datetime(2026, 1, 12, 23, 56)})
    assert [part.name for part in parts[2:4]] == [
        "load, 2026-01-12 23:58:00 to 2026-01-13 00:00:00",
        "load, 2026-01-13 00:00:00 to 00:02:00",
    ]
