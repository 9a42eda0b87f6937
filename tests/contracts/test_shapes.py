"""Shapes in annotations are checked while the tests run, see `shape_checks`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

import vssl
from shape_checks import PACKAGES
from vssl.encoders import event_transformer
from vssl.objectives import barlow, simclr
from vssl.stats import gaussian
from vssl.types import Gaussian, Images

SOURCE = Path(vssl.__file__).parent


def test_an_argument_of_another_shape_fails():
    with pytest.raises(TypeCheckError, match="nt_xent"):
        simclr.nt_xent(torch.randn(4), 0.1)
    with pytest.raises(TypeCheckError, match="cross_correlation"):
        barlow.cross_correlation(torch.randn(4, 3), torch.randn(5, 3))
    with pytest.raises(TypeCheckError, match="to_sphere"):
        gaussian.to_sphere(torch.randn(4))


def test_a_value_of_another_shape_or_kind_fails():
    with pytest.raises(TypeCheckError, match="log_variance"):
        Gaussian(torch.randn(4, 3), torch.randn(4, 2))
    with pytest.raises(TypeCheckError, match="pixels"):
        Images(torch.randn(3, 8, 8))
    with pytest.raises(TypeCheckError, match="padded_length"):
        event_transformer.padded_length(torch.ones(3))


def test_a_result_of_another_shape_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(simclr.F, "cross_entropy", lambda logits, _: logits.sum(1))
    with pytest.raises(TypeCheckError, match="nt_xent"):
        simclr.nt_xent(torch.randn(4, 3), 0.1)


def test_axes_have_names_and_no_arithmetic():
    files = [path for name in PACKAGES for path in (SOURCE / name).glob("*.py")]
    annotation = re.compile(r'(?:Float|Int|UInt|Bool|Shaped)\d*\[[\w.]+, "([^"]*)"\]')
    shapes = {shape for path in files for shape in annotation.findall(path.read_text())}
    assert {"VB D", "B #D", " N"} <= shapes
    assert [shape for shape in shapes if re.search(r"\w[*+/-]\w", shape)] == []
