"""What a trained model is judged on."""

import shutil
from pathlib import Path

import pytest

from vssl.bench.judging import _known_and_judged, judged
from vssl.bench.sources import Sources
from vssl.embed import embed
from vssl.run import Run
from vssl.train.model import Model, load


@pytest.fixture
def model(tiny_run: Run, tmp_path: Path) -> Model:
    return load(Run(shutil.copytree(tiny_run.path, tmp_path / "run")), "cpu")


def test_without_a_test_set_distances_are_measured_to_other_samples_than_the_corrupted(model: Model):
    sources = Sources(train=model.run.info["source"])
    train = embed(model, sources.train, "train")
    known, chunk = _known_and_judged(model, sources, train, seed=0)
    assert len(known) == len(chunk.ids) == 32
    assert set(known.ids) | set(chunk.ids) == set(train.ids)


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
