"""What a trained model is judged on."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from vssl.benchmarking.judging import _known_and_judged, judged
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
    known, chunk = _known_and_judged(model, sources, train, seed=0)
    assert len(known) == len(chunk.ids) == 32
    assert set(known.ids) | set(chunk.ids) == set(train.ids)


def test_no_window_that_is_corrupted_shares_rows_with_those_that_distances_are_measured_to(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("x\n" + "\n".join(map(str, range(100))))
    config = sensors.Config(window="8", stride="2", channels=("x",))
    modality = sensors.build(config, sensors.measure(tmp_path, config))
    windows = modality.load(tmp_path)
    for part in (slice(0, None), slice(0, 47)):
        train = Embeddings(windows.metadata.add_column(0, "id", [windows.ids])[part])
        known, chunk = _known_and_judged(SimpleNamespace(modality=modality), Sources(str(tmp_path)), train, seed=0)
        rows = [(name.partition("@")[0], int(name.partition("@")[2])) for name in [*known.ids, *chunk.ids]]
        known_rows, judged_rows = rows[: len(known)], rows[len(known) :]
        assert len(judged_rows) >= len(known_rows) - 4
        assert not [1 for a, i in known_rows for b, j in judged_rows if a == b and abs(i - j) < 8]
        assert chunk.raw[:, 0, 0].tolist() == [row for _, row in judged_rows]


def test_no_corruption_is_told_by_a_distance_of_zero_before_it(model: Model):
    values = judged(model, Sources(train=model.run.info["source"]), 0, None)
    names = [name for name in values if name.endswith("/1/auroc/nn_distance")]
    assert min(values[name] for name in names) < 0.9


def test_labels_of_the_judged_samples_alone_are_no_labels(model: Model, pictures: Path, tmp_path: Path):
    rows = [f"{path},{path.parent.name}" for path in sorted(pictures.rglob("*.png"))]
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("\n".join(["path,label", *rows]))
    values = judged(model, Sources(train=model.run.info["source"], test=str(labelled)), 0, None)
    assert "rank/effective" in " ".join(values)
    assert not any(name.startswith("knn/") for name in values)
