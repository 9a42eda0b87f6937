import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from vssl import api
from vssl.errors import ConfigError, DataError, RunNotFoundError
from vssl.evaluation import run_folder
from vssl.evaluation.run_folder import evaluate_run as evaluate
from vssl.run import Run
from vssl.training import loop
from vssl.training.settings import Settings

pytest_plugins = ["fixtures_runs"]

TinySettings = Callable[..., Settings]
DrawPictures = Callable[..., Path]


@pytest.fixture(scope="session")
def embedded_once(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory, draw_pictures: DrawPictures) -> Path:
    """The tiny run with three tables: train and other with labels, plain without."""
    folder = tmp_path_factory.mktemp("embedded")
    run = Run(shutil.copytree(tiny_run.path, folder / "run"))
    other = draw_pictures(folder / "other", count=40, seed=1)
    api.embed(run, run.info["source"], label_from="folder")
    api.embed(run, other, label_from="folder")
    api.embed(run, other, name="plain")
    return run.path


@pytest.fixture
def embedded(embedded_once: Path, tmp_path: Path) -> Run:
    """The run with its three tables, as this test's own copy."""
    return Run(shutil.copytree(embedded_once, tmp_path / "run"))


def stored(run: Run) -> dict:
    return json.loads((run.path / "evaluation.json").read_text())


def test_the_figures_are_kept_with_what_was_asked(embedded: Run) -> None:
    metrics = evaluate(embedded, "other", reference="train", outliers="train", only=["knn", "ood", "retrieval"])
    kept = stored(embedded)
    assert kept["values"] == metrics.values
    assert kept["skipped"] == metrics.skipped
    asked = {"table": "other", "reference": "train", "outliers": "train", "label": "label", "compare_run": None}
    assert {name: kept[name] for name in asked} == asked
    assert {name.partition("/")[0] for name in metrics.values} == {"labels", "knn", "ood", "retrieval"}


def test_alignment_of_two_views_is_evaluated_too(embedded: Run) -> None:
    metrics = evaluate(embedded, "train")
    assert 0 < metrics.values["uniformity/alignment"] < 4
    assert "uniformity/alignment" not in metrics.skipped
    assert evaluate(embedded, "train").values == metrics.values


def test_views_of_one_sample_lie_nearer_than_two_samples(embedded: Run) -> None:
    first, second = run_folder._two_views(embedded, "train")
    assert first.ids == second.ids == embedded.embeddings("train").ids
    own = ((first.features - second.features) ** 2).sum(1).mean()
    other = ((first.features - second.features[::-1]) ** 2).sum(1).mean()
    assert 0 < own < other


def test_alignment_reads_nothing_when_it_is_not_asked_for(embedded: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "load", None)
    assert "uniformity/alignment" not in evaluate(embedded, "train", only=["rank"]).values


def test_samples_that_are_gone_leave_the_other_figures_and_say_so(embedded: Run, photos: Path, tmp_path: Path) -> None:
    api.embed(embedded, photos, name="gone")
    shutil.rmtree(photos)
    metrics = evaluate(embedded, "gone")
    assert "uniformity/uniformity" in metrics.values
    assert "uniformity/alignment" not in metrics.values
    assert "for two views" in metrics.skipped["uniformity/alignment"]
    assert str(photos) in metrics.skipped["uniformity/alignment"]


def test_one_sample_that_is_left_is_too_few_for_alignment_and_no_error(embedded: Run, photos: Path) -> None:
    api.embed(embedded, photos, name="fewer")
    for path in sorted(photos.rglob("*.png"))[1:]:
        path.unlink()
    assert "uniformity/alignment" in evaluate(embedded, "fewer").skipped


def test_a_column_named_label_is_used_unless_another_is_named(embedded: Run, photos: Path) -> None:
    names = [path.relative_to(photos).as_posix() for path in sorted(photos.rglob("*.png"))]
    rows = [f"{name},{'ab'[number % 2]},{'xyz'[number % 3]}" for number, name in enumerate(names)]
    (photos / "list.csv").write_text("\n".join(["path,label,camera", *rows]))
    api.embed(embedded, photos / "list.csv", name="list")
    for asked, used in ((None, "label"), ("camera", "camera")):
        metrics = evaluate(embedded, "list", label=asked, only=["knn"])
        assert stored(embedded)["label"] == used
        assert 0 <= metrics.values["knn/accuracy"] <= 1
    with pytest.raises(ConfigError, match=r"'shift'.*camera"):
        evaluate(embedded, "list", label="shift")


def test_without_labels_the_evaluators_that_need_them_say_why_not(embedded: Run) -> None:
    metrics = evaluate(embedded, "plain")
    assert stored(embedded)["label"] is None
    for evaluator in ("knn", "linear", "retrieval", "selective"):
        assert "label" in metrics.skipped[evaluator]
    assert "rank/effective_rank" in metrics.values


def test_without_labels_in_the_reference_what_needs_none_is_evaluated(embedded: Run) -> None:
    metrics = evaluate(embedded, "train", reference="plain", only=["knn", "rank"])
    assert "label" in metrics.skipped["knn"]
    assert "rank/effective_rank" in metrics.values
    with pytest.raises(ConfigError, match="The reference has no label column"):
        evaluate(embedded, "train", reference="plain", label="label")


def test_a_reference_that_holds_the_evaluated_samples_is_refused(embedded: Run) -> None:
    with pytest.raises(DataError, match="are in both query and reference"):
        evaluate(embedded, "other", reference="plain", label=None, only=["rank"])
    assert not (embedded.path / "evaluation.json").exists()


def test_a_run_of_another_seed_shows_how_stable_the_embeddings_are(
    embedded: Run, photos: Path, tmp_path: Path, tiny_settings: TinySettings
) -> None:
    other = loop.train(photos, tmp_path / "other", tiny_settings(seed=1))
    for run in (embedded, other):
        api.embed(run, photos, name="both")
    metrics = evaluate(embedded, "both", compare_run=other, only=["stability"])
    assert metrics.values
    assert stored(embedded)["compare_run"] == str(other.path)
    itself = evaluate(embedded, "both", compare_run=embedded, only=["stability"])
    assert all(itself.values[name] >= value for name, value in metrics.values.items())


def test_a_run_of_another_seed_that_did_not_embed_the_data_is_named(embedded: Run, trained: Run) -> None:
    with pytest.raises(RunNotFoundError, match="trained has no embeddings 'other'"):
        evaluate(embedded, "other", compare_run=trained)


def test_an_unknown_evaluator_is_answered_with_those_there_are(embedded: Run) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'knn'"):
        evaluate(embedded, "train", only=["kn"])


@pytest.mark.parametrize("role", ["reference", "outliers"])
def test_tables_that_are_not_there_are_named(embedded: Run, role: str) -> None:
    with pytest.raises(RunNotFoundError, match=r"no embeddings .nothing.\. There are: other, plain, train"):
        evaluate(embedded, "train", **{role: "nothing"})
