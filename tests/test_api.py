import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import vssl
from vssl import api
from vssl.config import member
from vssl.encoders import convnet
from vssl.errors import ConfigError, RunExistsError, RunNotFoundError
from vssl.modalities import images
from vssl.reporting import page
from vssl.run import Run
from vssl.training import loop
from vssl.training.settings import Budget, Optimiser, Settings
from vssl.types import Embeddings, Gaussian, Point

pytest_plugins = ["fixtures_runs"]

Quick = dict[str, Any]


def test_a_finished_run_says_how_it_was_made(photos: Path, tmp_path: Path, quick: Quick) -> None:
    run = api.train(str(photos), str(tmp_path / "run"), command="vssl train photos", seed=7, **quick)
    assert run.info["status"] == "done"
    assert run.info["command"] == "vssl train photos"
    assert run.info["source"] == str(photos)
    assert run.info["samples"] == 64
    assert run.info["progress"]["step"] == 12
    settings = Settings.from_dict(Run(tmp_path / "run").info["settings"])
    assert settings.seed == 7
    assert settings.budget == Budget(steps=12)


def test_training_without_a_terminal_is_quiet(
    photos: Path, tmp_path: Path, quick: Quick, capfd: pytest.CaptureFixture[str]
) -> None:
    api.embed(api.train(photos, tmp_path / "run", **quick), photos)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """The settings that `api.train` would train with."""
    kept: list[Settings] = []
    monkeypatch.setattr(loop, "train", lambda data, out, settings, **_: kept.append(settings))

    def ask(**arguments: Any) -> Settings:
        api.train("photos", "run", **arguments)
        return kept[-1]

    return ask


def test_who_states_no_budget_gets_ten_minutes(settings_of: Callable[..., Settings]) -> None:
    assert settings_of().budget == Budget(minutes=10)
    assert settings_of(epochs=3).budget == Budget(epochs=3)
    assert settings_of(steps=5).budget == Budget(steps=5)


def test_members_may_be_named_or_configured(settings_of: Callable[..., Settings]) -> None:
    assert settings_of(encoder="convnet/base") == settings_of(encoder=convnet.Config(variant="base"))
    assert settings_of(modality=images.Config(views="texture")).modality.views == "texture"
    assert settings_of(objective="vssl/paper").objective == member("objectives", "vssl/paper")
    assert settings_of(optimiser=Optimiser(learning_rate=0.5)).optimiser.learning_rate == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"objective": "simclt"}, "simclt.*Did you mean 'simclr'"),
        ({"encoder": "convnet/huge"}, "'huge'.*'tiny'"),
        ({"modality": "image"}, "Did you mean 'images'"),
        ({"steps": 5, "epochs": 1}, "exactly one.*epochs=1, steps=5"),
        ({"minutes": 0}, "--minutes is 0"),
        ({"batch": 1}, "batch is 1"),
        ({"device": "tpu"}, "no device 'tpu'"),
    ],
)
def test_a_setting_that_cannot_be_is_named_before_anything_is_written(
    photos: Path, tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        api.train(photos, tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_a_run_is_replaced_only_when_asked(trained: Run, photos: Path, quick: Quick) -> None:
    api.embed(trained, photos)
    with pytest.raises(RunExistsError):
        api.train(photos, trained.path, **quick)
    assert trained.embedding_names() == ["train"]
    again = api.train(photos, trained.path, overwrite=True, seed=3, **quick)
    assert again.info["settings"]["seed"] == 3
    assert again.embedding_names() == []


def test_resuming_a_finished_run_changes_no_weight(trained: Run, photos: Path) -> None:
    trained.update(source=str(photos))
    before = (trained.path / "model.safetensors").read_bytes()
    for run in (trained, str(trained.path)):
        assert api.resume(run).info["status"] == "done"
    assert (trained.path / "model.safetensors").read_bytes() == before


def test_a_loaded_model_gives_features_and_latents_of_any_batch(trained: Run, photos: Path) -> None:
    model = api.load(str(trained.path))
    raw = model.modality.load(photos).pixels
    features, latent = model(model.modality.eval_view(raw))
    assert features.shape == (64, 128)
    assert isinstance(latent, Gaussian)
    assert not features.requires_grad
    # Another batch around it, and a second call, change nothing: no batch statistics, no dropout.
    few, _ = model(model.modality.eval_view(raw[:3]))
    torch.testing.assert_close(few, features[:3], rtol=1e-3, atol=1e-4)


def test_a_deterministic_model_gives_points(photos: Path, tmp_path: Path, quick: Quick) -> None:
    model = api.load(api.train(photos, tmp_path / "run", objective="simclr", **quick))
    _, latent = model(model.modality.eval_view(model.modality.sample(photos, 4, seed=0).raw))
    assert isinstance(latent, Point)


def test_loading_leaves_the_callers_random_numbers_alone(trained: Run) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    api.load(trained)
    assert torch.equal(torch.rand(3), expected)


def test_training_leaves_the_callers_random_numbers_alone(photos: Path, tmp_path: Path, quick: Quick) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    api.train(photos, tmp_path / "run", **quick)
    assert torch.equal(torch.rand(3), expected)


def test_what_is_no_run_cannot_be_loaded_embedded_judged_or_shown(tmp_path: Path, photos: Path) -> None:
    for verb in (api.load, api.resume, api.evaluate, api.report):
        with pytest.raises(RunNotFoundError, match="vssl train"):
            verb(tmp_path / "nowhere")
    with pytest.raises(RunNotFoundError):
        api.embed(tmp_path / "nowhere", photos)


def test_a_run_without_a_model_says_so(trained: Run, photos: Path) -> None:
    (trained.path / "model.safetensors").unlink()
    with pytest.raises(RunNotFoundError, match="no model yet"):
        api.embed(trained, photos)


def test_from_photos_to_figures_and_a_page(trained: Run, photos: Path) -> None:
    table = api.embed(trained, photos, label_from="folder")
    assert isinstance(table, Embeddings)
    verdict = api.evaluate(trained, label="label")
    assert 0 <= verdict.values["knn/accuracy"] <= 1
    page = api.report(trained)
    assert page == trained.path / "report.html"
    text = page.read_text()
    assert "data:image" in text
    assert f"{verdict.values['rank/effective_rank']:.1f}"[:2] in text


def test_a_report_shows_the_pictures_of_the_data_that_were_embedded(
    trained: Run, draw_pictures: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def build(run: Run, pictures: Any, table: str, load_pictures: object) -> Path:
        asked.append(pictures(["kind-0/000.png"])[0])
        return run.path / "report.html"

    other = draw_pictures(tmp_path / "other", count=8, seed=1)
    api.embed(trained, other)
    monkeypatch.setattr(page, "build", build)
    api.report(trained, table="other")
    api.report(trained, table="nothing-yet")
    for shown, folder in zip(asked, (other, Path(trained.info["source"])), strict=True):
        assert np.array_equal(np.asarray(shown), np.asarray(Image.open(folder / "kind-0/000.png")))


def test_views_are_drawn_by_the_settings_of_the_modality(photos: Path, tmp_path: Path) -> None:
    drawn = {}
    for name in ("natural", "inspection"):
        path = api.views(photos, tmp_path / f"{name}.png", modality=images.Config(views=name), samples=2)
        assert path == tmp_path / f"{name}.png"
        drawn[name] = Image.open(path).copy()
    assert drawn["natural"].size == drawn["inspection"].size
    assert drawn["natural"].tobytes() != drawn["inspection"].tobytes()


def test_the_run_to_compare_with_may_be_a_run_or_its_path(
    trained: Run, photos: Path, tmp_path: Path, tiny_settings: Any
) -> None:
    twin = loop.train(photos, tmp_path / "twin", tiny_settings(seed=1))
    for run in (trained, twin):
        api.embed(run, photos, name="both")
    first = api.evaluate(trained, "both", compare_run=twin, metrics=["stability"])
    second = api.evaluate(str(trained.path), "both", compare_run=str(twin.path), metrics=["stability"])
    assert first.values == second.values != {}


def test_every_public_name_is_there_and_another_is_not() -> None:
    assert [name for name in vssl.__all__ if getattr(vssl, name, None) is None] == []
    with pytest.raises(AttributeError, match="trian"):
        _ = vssl.trian


def test_every_verb_can_be_called_also_when_the_module_of_the_same_name_was_imported() -> None:
    verbs = ("train", "resume", "load", "embed", "evaluate", "report", "views")
    assert [name for name in verbs if not callable(getattr(vssl, name))] == []


def test_no_connection_is_opened_by_the_whole_way(trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    api.embed(trained, photos, label_from="folder")
    json.dumps(api.evaluate(trained).to_dict())
    api.report(trained)


@pytest.mark.slow
def test_the_verbs_stay_functions_whatever_modules_are_imported() -> None:
    code = (
        "import vssl.embedding.table, vssl.training.loop, vssl.decisions.bounds, vssl; "
        "print(*(callable(v) for v in VERBS))"
    )
    verbs = "(vssl.embed, vssl.train, vssl.decide, vssl.evaluate, vssl.report, vssl.bench)"
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", code.replace("VERBS", verbs)], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["True"] * 6


def test_the_package_itself_is_light() -> None:
    code = "import sys, vssl.modalities.images.decode; print(*({'torch', 'pyarrow', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []
