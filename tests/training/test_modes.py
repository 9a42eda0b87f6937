"""What a training changes: all weights, the head and the last stages, or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import roc_auc_score

from vssl import api
from vssl.config import find, member
from vssl.errors import ConfigError
from vssl.modalities.images.modality import ImageModality
from vssl.run import Run
from vssl.scores import mahalanobis, posterior_distance
from vssl.training import early_stopping, loop, model, modes
from vssl.training.health import NOT_TRAINED
from vssl.training.settings import Budget, Settings
from vssl.training.training_gain import describe_gain

Tiny = Callable[..., Settings]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def initial(run: Run) -> dict[str, torch.Tensor]:
    """The weights at step 0 of a run."""
    loaded = api.load(run, "cpu")
    return model.build_objective(loaded.settings, loaded.modality).state_dict()


def moved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], prefix: str = "encoder.") -> set[str]:
    """The weights that training changed; what is fitted at its end to the data is no weight."""
    names = {name for name in after if name.startswith(prefix) and "patch_" not in name}
    return {name for name in names if not torch.equal(before[name], after[name])}


def build_encoder(name: str) -> Any:
    return find("encoders", name.split("/")[0]).build(member("encoders", name), (3, 32, 32))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, draw_pictures: Callable[..., Path]) -> Path:
    return draw_pictures(tmp_path_factory.mktemp("modes") / "pictures", count=64)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory, data: Path, tiny_settings: Tiny) -> Run:
    return loop.train(data, tmp_path_factory.mktemp("frozen") / "run", tiny_settings(train="none"))


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory, data: Path, tiny_settings: Tiny) -> Run:
    """Forty steps with a teacher, whose copy of the encoder has running statistics too; the last weights are kept."""
    objective = replace(member("objectives", "vssl"), latent=16, hidden=32, ema_half_life=0.1)
    settings = tiny_settings(train="adapt", objective=objective, budget=Budget(steps=40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(early_stopping, "_is_better", lambda accuracies, best: True)
        return loop.train(data, tmp_path_factory.mktemp("adapted") / "run", settings)


def test_auto_trains_everything_but_pretrained_weights():
    encoder = build_encoder("convnet/tiny")
    assert modes.mode_of("auto", encoder) == "all"
    encoder.pretrained = True
    assert modes.mode_of("auto", encoder) == "none"
    assert modes.mode_of("adapt", encoder) == "adapt"


def test_none_makes_no_step_and_leaves_a_finished_run(frozen: Run):
    assert frozen.info["status"] == "done"
    assert frozen.info["health"] == NOT_TRAINED
    assert frozen.info["progress"]["step"] == 0
    assert frozen.info["weights"]["trained"] == 0 < frozen.info["weights"]["held"]
    assert frozen.metrics() == []
    assert (frozen.path / "training_index.safetensors").is_file()
    assert not moved(initial(frozen), load_file(frozen.path / "model.safetensors"))


def test_without_training_the_latent_is_the_features_and_has_no_variance(frozen: Run, data: Path):
    table = api.embed(frozen, data)
    assert "log_variance" not in table
    assert "ambiguity" not in table
    assert np.array_equal(table.numpy("mean"), table.features)
    with pytest.raises(ConfigError, match="nothing was trained"):
        posterior_distance.fit(posterior_distance.Config(), table)


def test_a_killed_run_without_training_resumes_to_the_same_model(frozen: Run, tmp_path: Path):
    out = shutil.copytree(frozen.path, tmp_path / "run")
    expected = (out / "model.safetensors").read_bytes()
    (out / "model.safetensors").unlink()
    Run(out).update(status="running", health=None)
    run = loop.resume(out)
    assert run.info["status"] == "done"
    assert (out / "model.safetensors").read_bytes() == expected


def test_a_run_without_training_goes_through_every_verb(
    frozen: Run, data: Path, draw_pictures: Callable[..., Path], tmp_path: Path
):
    run = Run(shutil.copytree(frozen.path, tmp_path / "run"))
    api.embed(run, data)
    api.evaluate(run)
    normal, new = draw_pictures(tmp_path / "normal", 128, seed=5), draw_pictures(tmp_path / "new", 16, seed=6)
    api.calibrate(run, normal, bank="train", false_alarm=0.1, confidence=0.9)
    assert run.embedding_names() == ["normal", "train"], "the training data are embedded once"
    assert len(api.decide(run, new).table) == 16
    page = api.report(run).read_text()
    assert "--train none" in page
    assert "There is no log of the training" not in page
    assert "nothing shows that the training helped" not in page


def test_adapting_holds_all_running_statistics_of_student_and_teacher(adapted: Run):
    before, after = initial(adapted), load_file(adapted.path / "model.safetensors")
    statistics = {
        name
        for name in after
        if name.startswith(("encoder.", "teacher.networks.0.")) and name.rsplit(".", 1)[-1] in STATISTICS
    }
    assert len(statistics) > 20
    assert all(torch.equal(before[name], after[name]) for name in statistics)


def test_adapting_moves_the_last_stages_and_the_head_only(adapted: Run):
    before, after = initial(adapted), load_file(adapted.path / "model.safetensors")
    stages = {name.removeprefix("encoder.").rsplit(".", 2)[0].split(".conv")[0] for name in moved(before, after)}
    assert all(name.startswith("stages.") for name in stages), stages
    assert not any(name.startswith("stages.0") for name in stages)
    assert moved(before, after, "head.")
    assert adapted.info["weights"]["held"] > 0 < adapted.info["weights"]["trained"]


def test_adapted_features_still_tell_other_pictures_from_the_trained_kind(
    adapted: Run, data: Path, draw_pictures: Callable[..., Path], tmp_path: Path
):
    """The features before are those of the initial weights; one kind is known, the three others are outliers."""
    new = draw_pictures(tmp_path / "new", 64, seed=9)

    def auroc(run: Run) -> float:
        known, asked = api.embed(run, data), api.embed(run, new)
        is_known = [np.array([name.startswith("kind-0") for name in table.ids]) for table in (known, asked)]
        scores = mahalanobis.fit(mahalanobis.Config("features"), known.where(is_known[0]))(asked)
        return float(roc_auc_score(~is_known[1], scores))

    before = Run(shutil.copytree(adapted.path, tmp_path / "before", ignore=shutil.ignore_patterns("embeddings")))
    weights = {name: value.contiguous() for name, value in initial(adapted).items()}
    save_file(weights, before.path / "model.safetensors")
    after = Run(shutil.copytree(adapted.path, tmp_path / "after", ignore=shutil.ignore_patterns("embeddings")))
    assert auroc(after) > auroc(before) - 0.05


def test_training_all_moves_the_running_statistics(tiny_run: Run):
    before, after = initial(tiny_run), load_file(tiny_run.path / "model.safetensors")
    assert any(name.endswith("running_mean") for name in moved(before, after))
    assert tiny_run.info["weights"]["held"] == 0


def test_the_rate_falls_from_stage_to_stage_towards_the_input():
    encoder = build_encoder("convnet/tiny")
    objective = modes.FrozenEncoder(encoder)
    rates = modes.hold(objective, "adapt")
    blocks = encoder.stages
    last, previous = (next(iter(blocks[index].parameters())) for index in (-1, -2))
    assert rates[last] == modes.LAST_STAGE_RATE
    assert rates[previous] == modes.LAST_STAGE_RATE * modes.STAGE_DECAY
    assert not encoder.stem.weight.requires_grad


@pytest.mark.parametrize("variant", ["tf_efficientnet_lite0", "resnet18", "vit_tiny_patch16_224"])
def test_every_parameter_of_a_timm_network_is_in_one_stage(variant: str):
    pytest.importorskip("timm")
    encoder = build_encoder(f"timm/{variant}")
    listed = [parameter for stage in encoder.stage_parameters() for parameter in stage]
    assert len(listed) == len({id(parameter) for parameter in listed}) == len(list(encoder.parameters()))
    assert len(encoder.stage_parameters()) >= 5


def test_adapted_weights_are_kept_only_if_better_than_the_initial_ones_on_samples_held_out(
    data: Path, tmp_path: Path, tiny_settings: Tiny, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(early_stopping, "_is_better", lambda accuracies, best: False)
    run = loop.train(data, tmp_path / "run", tiny_settings(train="adapt", budget=Budget(steps=40)))
    assert not moved(initial(run), load_file(run.path / "model.safetensors"))
    assert run.info["early_stopping"]["best"] == 8
    assert run.info["progress"]["step"] < 40, "it stops when nothing becomes better"
    assert len(run.info["early_stopping"]["steps"]) == 1 + early_stopping.PATIENCE
    assert not run.info["training_gain"]["helped"]


def test_synthetic_anomalies_decide_where_the_data_have_them(
    data: Path, tmp_path: Path, tiny_settings: Tiny, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ImageModality, "synthetic_anomalies", lambda self, raw, generator: torch.zeros_like(raw))
    run = loop.train(data, tmp_path / "run", tiny_settings(train="adapt", budget=Budget(steps=10)))
    assert run.info["early_stopping"]["criterion"] == "synthetic anomalies"
    assert run.info["early_stopping"]["accuracies"][0] == 1, "black pictures are far from all others"
    assert "synthetic anomaly" in describe_gain(run.info)


def test_held_out_samples_are_never_trained_on():
    trained, held_out = early_stopping.split_held_out(100, seed=3)
    assert sorted([*trained, *held_out]) == list(range(100))
    assert len(held_out) == 20


def test_better_means_by_more_than_a_standard_error():
    best = torch.full((16,), 0.5)
    noise = torch.tensor([0.4, -0.4] * 8)
    assert not early_stopping._is_better(best, best)
    assert not early_stopping._is_better(best + noise + 0.05, best)
    assert early_stopping._is_better(best + noise + 0.2, best)
