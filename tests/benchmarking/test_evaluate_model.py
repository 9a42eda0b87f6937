"""What a trained model is evaluated on."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from vssl.benchmarking.evaluate_model import _bank_and_clean, evaluate_model
from vssl.benchmarking.sources import Sources
from vssl.embedding import embed
from vssl.modalities import sensors
from vssl.run import Run
from vssl.training.model import Model, load
from vssl.types import Embeddings


@pytest.fixture
def model(tiny_run: Run, tmp_path: Path) -> Model:
    return load(Run(shutil.copytree(tiny_run.path, tmp_path / "run")), "cpu")


def test_without_a_test_set_distances_are_measured_to_other_samples_than_the_corrupted(model: Model):
    sources = Sources(train=model.run.info["source"])
    train = embed(model, sources.train, "train")
    bank, chunk = _bank_and_clean(model, sources, train, seed=0)
    assert len(bank) == len(chunk.ids) == 32
    assert set(bank.ids) | set(chunk.ids) == set(train.ids)


def test_no_window_that_is_corrupted_shares_rows_with_those_that_distances_are_measured_to(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("x\n" + "\n".join(map(str, range(100))))
    config = sensors.Config(window="8", stride="2", channels=("x",))
    modality = sensors.build(config, sensors.measure(tmp_path, config))
    windows = modality.load(tmp_path)
    for part in (slice(0, None), slice(0, 47)):
        train = Embeddings(windows.metadata.add_column(0, "id", [windows.ids])[part])
        bank, chunk = _bank_and_clean(SimpleNamespace(modality=modality), Sources(str(tmp_path)), train, seed=0)
        rows = [(name.partition("@")[0], int(name.partition("@")[2])) for name in [*bank.ids, *chunk.ids]]
        bank_rows, corrupted_rows = rows[: len(bank)], rows[len(bank) :]
        assert len(corrupted_rows) >= len(bank_rows) - 4
        assert not [1 for a, i in bank_rows for b, j in corrupted_rows if a == b and abs(i - j) < 8]
        assert chunk.raw[:, 0, 0].tolist() == [row for _, row in corrupted_rows]


def test_no_corruption_is_told_by_a_distance_of_zero_before_it(model: Model):
    values = evaluate_model(model, Sources(train=model.run.info["source"]), 0, None)
    names = [name for name in values if name.endswith("/1/auroc/nn_distance")]
    assert min(values[name] for name in names) < 0.9


def test_labels_of_the_test_samples_alone_are_no_labels(model: Model, pictures: Path, tmp_path: Path):
    rows = [f"{path},{path.parent.name}" for path in sorted(pictures.rglob("*.png"))]
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("\n".join(["path,label", *rows]))
    values = evaluate_model(model, Sources(train=model.run.info["source"], test=str(labelled)), 0, None)
    assert "rank/effective" in " ".join(values)
    assert not any(name.startswith("knn/") for name in values)
