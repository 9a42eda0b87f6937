"""`vssl weights add`: files as they are downloaded are converted, recognised, or refused with what to do."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vssl import api
from vssl.cli import main
from vssl.encoders import timm as encoder
from vssl.encoders import weights as kept
from vssl.encoders import weights_import
from vssl.errors import ConfigError

timm = pytest.importorskip("timm")

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights are kept in a folder of the test, and few networks are tried."""
    monkeypatch.setenv("VSSL_WEIGHTS", str(tmp_path / "weights"))
    few = ("resnet18", "mobilenetv3_small_100", "efficientnet_lite0", "tf_efficientnet_lite0")
    monkeypatch.setattr(weights_import, "COMMON", few)
    return tmp_path / "weights"


@pytest.fixture(scope="module")
def resnet() -> State:
    torch.manual_seed(1)
    return dict(timm.create_model("resnet18", num_classes=7).state_dict())


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def renamed(state: State) -> State:
    """The same tensors in their order, in modules of other names."""
    modules = {name.rpartition(".")[0]: None for name in state}
    numbers = {module: f"layer_{number}" for number, module in enumerate(modules)}
    return {f"{numbers[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": value for name, value in state.items()}


def wrapped(state: State, form: str) -> Any:
    prefixed = OrderedDict((f"module.{name}", value) for name, value in state.items())
    return {
        "plain": state,
        "state_dict": {"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}},
        "model": {"model": prefixed, "args": {"depth": 18}},
        "teacher": {"teacher": {f"backbone.{name}": value for name, value in prefixed.items()}, "student": {}},
        "without classifier": {name: value for name, value in state.items() if not name.startswith("fc.")},
    }[form]


@pytest.mark.parametrize("form", ["plain", "state_dict", "model", "teacher", "without classifier"])
def test_weights_are_found_in_what_training_wrapped_around_them(form: str, resnet: State, tmp_path: Path) -> None:
    (added,) = api.weights("add", saved(wrapped(resnet, form), tmp_path / "download.pth"))
    assert (added.name, added.architecture) == ("download", "resnet18")
    made = encoder.build(encoder.Config("resnet18", "download"), (1, 32, 32))
    made.load_pretrained()
    loaded = made.backbone.state_dict()
    assert all(torch.equal(value, resnet[name]) for name, value in loaded.items())


def test_tensors_of_other_names_are_taken_in_their_order(resnet: State, tmp_path: Path, folder: Path) -> None:
    body = {name: value for name, value in resnet.items() if not name.startswith("fc.")}
    (added,) = api.weights("add", saved(renamed(body), tmp_path / "other.pth"))
    assert added.architecture == "resnet18"
    loaded = load_file(folder / "other.safetensors")
    assert all(torch.equal(loaded[name], value) for name, value in body.items())


def test_an_order_that_does_not_agree_is_refused(resnet: State, tmp_path: Path) -> None:
    body = {name: value for name, value in resnet.items() if not name.startswith("fc.")}
    names = list(body)
    names[1], names[2] = names[2], names[1]  # weight and bias of a normalisation, which have the same shape
    with pytest.raises(ConfigError, match="--architecture"):
        api.weights("add", saved(renamed({name: body[name] for name in names}), tmp_path / "other.pth"))


def test_networks_that_cannot_be_told_apart_are_named(tmp_path: Path) -> None:
    state = timm.create_model("efficientnet_lite0", num_classes=0).state_dict()
    file = saved(dict(state), tmp_path / "efficientnet_lite0.pth")
    with pytest.raises(ConfigError, match="efficientnet_lite0, tf_efficientnet_lite0"):
        api.weights("add", file)
    (added,) = api.weights("add", file, architecture="tf_efficientnet_lite0")
    assert added.architecture == "tf_efficientnet_lite0"


def test_a_file_that_timm_would_download_is_known_by_its_name() -> None:
    assert weights_import.recognise({}, "dinov2_vits14_pretrain.pth") == "vit_small_patch14_dinov2"


def test_weights_of_no_known_network_ask_for_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--architecture.*resnet"):
        api.weights("add", saved(nn.Conv2d(3, 8, 3).state_dict(), tmp_path / "resnet99.pth"))
    with pytest.raises(ConfigError, match="is not of resnet18"):
        api.weights("add", tmp_path / "resnet99.pth", architecture="resnet18")
    with pytest.raises(ConfigError, match="no model 'resnet99'"):
        api.weights("add", tmp_path / "resnet99.pth", architecture="resnet99")


class Code:
    """An object whose reading would run code."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("run",)


@pytest.mark.parametrize("content", [Code(), {"state_dict": Code()}, nn.Conv2d(3, 8, 3)])
def test_a_file_that_holds_objects_is_refused_and_runs_no_code(
    content: Any, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=r"whole\.pth cannot be read as weights"):
        api.weights("add", saved(content, tmp_path / "whole.pth"))
    assert capsys.readouterr().out == ""
    assert not folder.exists()


def test_files_without_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "damaged.pth").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="damaged"):
        api.weights("add", tmp_path / "damaged.pth")
    with pytest.raises(ConfigError, match="no such file"):
        api.weights("add", tmp_path / "missing.pth")
    with pytest.raises(ConfigError, match="holds no weights"):
        api.weights("add", saved({"epoch": 3}, tmp_path / "empty.pth"))
    with pytest.raises(ConfigError, match="--name"):
        api.weights("add", tmp_path / "empty.pth", name="../outside")


def test_the_record_holds_hash_licence_and_source(resnet: State, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "LICENSE").write_text("A licence\nof two lines")
    file = saved(resnet, tmp_path / "resnet18.pth")
    (added,) = api.weights("add", file, name="mine", licence=str(tmp_path / "LICENSE"), source="https://example.org")
    assert added == kept.Weights("mine", "resnet18", kept.sha256_of(file), "A licence\nof two lines", added.source)
    assert api.weights("list") == api.weights() == [added]
    _, located = kept.locate("mine", "resnet18")
    assert located == added
    # A kept file that is added on another computer keeps its record.
    (again,) = api.weights("add", folder / "mine.safetensors", name="copy")
    assert (again.sha256, again.licence, again.source) == (added.sha256, added.licence, added.source)


def test_a_safetensors_file_is_added_too(resnet: State, tmp_path: Path) -> None:
    save_file(resnet, tmp_path / "plain.safetensors")
    assert api.weights("add", tmp_path / "plain.safetensors")[0].architecture == "resnet18"


def test_the_command_says_what_was_found_and_what_comes_next(
    resnet: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    main(["weights", "list"])
    assert "holds no weights" in capsys.readouterr().err
    main(["weights", "add", str(saved(resnet, tmp_path / "r.pth")), "--licence", "BSD-3-Clause"])
    output = capsys.readouterr()
    assert output.out.startswith("r: resnet18; licence: BSD-3-Clause; source: not known; ")
    assert "--encoder timm/resnet18 --pretrained r" in output.err
    with pytest.raises(SystemExit) as end:
        main(["weights", "add"])
    assert end.value.code == 2
    assert "vssl weights add FILE" in capsys.readouterr().err


def test_a_hub_that_cannot_be_reached_is_an_error_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def offline(name: str, *arguments: Any, pretrained: bool = False, **options: Any) -> Any:
        if pretrained:
            raise OSError("cannot connect")
        return create(name, *arguments, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    made = encoder.build(encoder.Config("resnet18", "hub"), (1, 32, 32))
    with pytest.raises(ConfigError, match=r"cannot connect.*vssl weights add"):
        made.load_pretrained()


def test_weights_of_the_hub_are_loaded_with_their_record(resnet: State, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def downloaded(name: str, *arguments: Any, pretrained: bool = False, **options: Any) -> Any:
        network = create(name, *arguments, **options)
        if pretrained:
            network.load_state_dict(resnet, strict=False)
        return network

    monkeypatch.setattr(timm, "create_model", downloaded)
    made = encoder.build(encoder.Config("resnet18", "hub"), (1, 32, 32))
    made.load_pretrained()
    assert torch.equal(made.backbone.state_dict()["conv1.weight"], resnet["conv1.weight"])
    assert made.weights is not None
    assert made.weights.architecture == "resnet18"
    assert len(made.weights.sha256) == 64
