"""SupCon against equation 2 of its paper, written as loops; and the labels that the loop hands to it."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vssl.errors import ConfigError, DataError
from vssl.modalities import images
from vssl.objectives import simclr, supcon
from vssl.objectives.base import Objective
from vssl.training import loop
from vssl.training.settings import Settings
from vssl.types import Images


def equation_2(z: Tensor, labels: list[int], temperature: float) -> float:
    """The mean over i of -1/|P(i)| sum over p in P(i) of log [exp(z_i.z_p/T) / sum over a but i of exp(z_i.z_a/T)]."""
    z = z / z.norm(dim=1, keepdim=True)
    total = 0.0
    for i in range(len(z)):
        others = sum(math.exp(float(z[i] @ z[a]) / temperature) for a in range(len(z)) if a != i)
        positives = [p for p in range(len(z)) if p != i and labels[p] == labels[i]]
        inner = [math.log(math.exp(float(z[i] @ z[p]) / temperature) / others) for p in positives]
        total += -sum(inner) / len(positives)
    return total / len(z)


def test_the_loss_is_equation_2():
    z = torch.randn(12, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = [0, 1, 2, 0, 0, 1] * 2
    loss = supcon.loss_out(z, torch.tensor(labels), 0.3)
    assert float(loss) == pytest.approx(equation_2(z, labels, 0.3), rel=1e-5)


def test_without_labels_it_is_simclr(make_objective: Callable[..., Objective], two_views: Callable[..., list[Images]]):
    ours = make_objective(supcon.Config(latent=16, hidden=32, temperature=0.2))
    theirs = make_objective(simclr.Config(latent=16, hidden=32, temperature=0.2))
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(two_views()).total, theirs(two_views()).total)


def settings_with_labels(tiny_settings: Callable[..., Settings]) -> Settings:
    return tiny_settings(objective=supcon.Config(latent=16, hidden=32), modality=images.Config(label_from="folder"))


def test_the_loop_hands_it_the_labels_of_the_batch(
    pictures: Path, tmp_path: Path, tiny_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
):
    seen = []
    forward = supcon.SupCon.forward

    def watched(self: supcon.SupCon, views: list[Images], generator: torch.Generator, labels: Tensor):
        seen.append(labels)
        return forward(self, views, generator, labels)

    monkeypatch.setattr(supcon.SupCon, "forward", watched)
    loop.train(pictures, tmp_path / "run", settings_with_labels(tiny_settings))
    order = loop._batches(64, 16, seed=0, step=0)
    # The pictures lie in folders kind-0 to kind-3, 16 in each, and are read in the order of their names.
    assert all(torch.equal(labels, torch.from_numpy(next(order) // 16)) for labels in seen)
    assert len(seen) == 12


def test_data_without_the_column_are_refused(pictures: Path, tmp_path: Path, tiny_settings: Callable[..., Settings]):
    settings = replace(settings_with_labels(tiny_settings), modality=images.Config())
    with pytest.raises(DataError, match=r"reads labels, and the data have no column 'label'.*--label-from folder"):
        loop.train(pictures, tmp_path / "run", settings)


def test_a_sample_without_label_is_refused(pictures: Path, tmp_path: Path, tiny_settings: Callable[..., Settings]):
    rows = [
        f"{path},{'' if index == 3 else path.parent.name}" for index, path in enumerate(sorted(pictures.rglob("*.png")))
    ]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    settings = replace(settings_with_labels(tiny_settings), modality=images.Config())
    with pytest.raises(DataError, match=r"1 samples have no 'label', the first is .*\.png"):
        loop.train(tmp_path / "list.csv", tmp_path / "run", settings)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ConfigError, match=r"supcon\.temperature is 0\.0"):
        supcon.Config(temperature=0.0)
