"""From raw lines to decisions in one go, as a user would do it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vssl import Run, api, runtime
from vssl.embedding import embed
from vssl.errors import ConfigError, DataError
from vssl.modalities import events
from vssl.modalities.events import demo as controller


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return controller.write(tmp_path_factory.mktemp("made") / "made", training=160, known=80, holdout=60)


@pytest.fixture(scope="module")
def run(made: Path) -> Run:
    kind = events.Config(session=controller.SESSION, label_from="file")
    return api.train(
        made / "training.log", made.parent / "run", modality=kind, steps=12, batch=64, device="cpu", precision="float32"
    )


def test_the_templates_stand_in_the_run_for_everyone_to_read(run: Run):
    spec = json.loads((run.path / "run.json").read_text())["spec"]
    counts = {template["text"]: template["count"] for template in spec["templates"]}
    assert counts["<*> <session> INFO spindle: stop"] == 160


@pytest.mark.slow
def test_raw_lines_become_decisions_that_find_the_faults_and_a_page(run: Run, made: Path):
    api.calibrate(run, made / "known", bank="train", false_alarm=0.05, device="cpu")
    decisions = api.decide(run, made / "holdout", normal="label=ok", device="cpu")
    assert decisions.metrics is not None
    assert decisions.metrics.auroc is not None
    assert decisions.metrics.auroc > 0.9
    assert len(decisions.table) == 60
    page = api.report(run, table="holdout").read_text()
    assert "holdout" in page


def test_what_the_training_has_seen_cannot_calibrate(run: Run, made: Path, tmp_path: Path):
    copy = tmp_path / "copy.log"
    copy.write_bytes((made / "training.log").read_bytes())
    with pytest.raises(DataError, match="are in the training data too"):
        api.calibrate(run, copy, bank="train", device="cpu", overwrite=True)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_log_that_grows_or_shrinks_while_it_is_read_is_refused(
    run: Run, made: Path, monkeypatch: pytest.MonkeyPatch, change: int
):
    model = api.load(run, "cpu")
    counted = model.modality.contents(made / "known")
    monkeypatch.setattr(model.modality, "contents", lambda _: replace(counted, samples=80 + change))
    with pytest.raises(DataError, match=rf"had {80 + change} samples when it was counted and 80 when it was read"):
        embed(model, made / "known", "growing")


@pytest.mark.slow
def test_an_export_takes_sessions_of_any_length_in_batches_of_any_size(run: Run, made: Path, tmp_path: Path):
    decider = runtime.load(api.export(run, out=tmp_path / "export"))
    model = api.load(run, "cpu")
    raw = model.modality.load(made / "holdout").batch(np.arange(50))
    features, latent = model(model.modality.eval_view(raw))
    found = decider.outputs(raw.numpy())
    np.testing.assert_allclose(found["features"], features, atol=1e-4)
    np.testing.assert_allclose(found["mean"], latent.mean, atol=1e-3)


def test_each_part_of_a_fault_can_be_thought_away(run: Run, made: Path):
    model = api.load(run, "cpu")
    data = model.modality.load(made / "holdout" / "fault.log")
    rows = data.metadata.to_pylist()
    row = next(number for number, item in enumerate(rows) if item["unknown"])
    found = model.modality.ablations(data.batch(np.array([row]))[0], rows[row])
    assert "following error" in found[0].name
    before, after = (model(model.modality.eval_view(raw[None]))[0] for raw in (data.raw[row], found[0].ablated))
    assert not before.allclose(after)


def test_labels_of_files_can_be_asked_for_later_but_not_of_pictures(
    run: Run, made: Path, tiny_run: Run, pictures: Path
):
    table = api.embed(run, made / "holdout", name="by-folder", label_from="folder", device="cpu")
    assert set(table.numpy("label")) == {"holdout"}
    with pytest.raises(ConfigError, match=r"images\.label_from is 'file'"):
        api.embed(tiny_run, pictures, label_from="file", device="cpu")
