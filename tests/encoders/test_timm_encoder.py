"""Backbones of timm: names, and weights from a local file. No test needs a network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from vssl.encoders import timm as encoder
from vssl.errors import ConfigError

timm = pytest.importorskip("timm")

SHAPE = (3, 32, 32)


def test_an_unknown_model_is_refused_with_names_near_it():
    with pytest.raises(ConfigError, match=r"no model 'efficientformer_l'.*efficientformer_l1"):
        encoder.build(encoder.Config("efficientformer_l"), SHAPE)


@pytest.mark.parametrize(("wrong", "right"), [("resent50", "resnet50"), ("resnet10", "resnet10t")])
def test_a_mistyped_model_is_refused_with_the_nearest_names(wrong: str, right: str):
    with pytest.raises(ConfigError, match=rf"no model '{wrong}'.*\b{right}\b"):
        encoder.build(encoder.Config(wrong), SHAPE)


def test_weights_of_a_local_file_are_really_loaded(tmp_path: Path):
    torch.manual_seed(1)
    weights = timm.create_model("resnet10t").state_dict()
    save_file(weights, tmp_path / "weights.safetensors")
    torch.manual_seed(2)
    built = encoder.build(encoder.Config("resnet10t", str(tmp_path / "weights.safetensors")), SHAPE)
    loaded = built.backbone.state_dict()
    assert loaded
    assert all(torch.equal(value, weights[name]) for name, value in loaded.items())


@pytest.mark.parametrize("name", ["missing.safetensors", "weights.pth"])
def test_a_file_that_is_missing_or_of_another_kind_is_refused(tmp_path: Path, name: str):
    (tmp_path / "weights.pth").write_bytes(b"anything")
    with pytest.raises(ConfigError, match=f"{name}: not a .safetensors file"):
        encoder.build(encoder.Config("resnet10t", str(tmp_path / name)), SHAPE)


def test_a_damaged_file_is_refused(tmp_path: Path):
    (tmp_path / "weights.safetensors").write_bytes(b"not a header")
    with pytest.raises(ConfigError, match=r"weights\.safetensors"):
        encoder.build(encoder.Config("resnet10t", str(tmp_path / "weights.safetensors")), SHAPE)


def test_weights_of_another_model_are_refused(tmp_path: Path):
    save_file({"another.weight": torch.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(ConfigError, match=r"weights\.safetensors"):
        encoder.build(encoder.Config("resnet10t", str(tmp_path / "weights.safetensors")), SHAPE)
