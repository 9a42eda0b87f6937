"""A new objective is one file: that of docs/how-to/add-an-objective.md is found, helped, trained and benchmarked."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from vssl import objectives
from vssl.benchmarking import trial
from vssl.benchmarking.sources import Sources
from vssl.cli import main
from vssl.config import find, member, members
from vssl.encoders.base import EncoderModule
from vssl.errors import ConfigError
from vssl.objectives.base import ObjectiveModule
from vssl.training.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-objective.md"


@pytest.fixture
def align(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The objective of the page, as if its one file lay in the folder of the objectives."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    (tmp_path / "align.py").write_text(code[1], encoding="utf-8")
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield find("objectives", "align")
    del sys.modules["vssl.objectives.align"], objectives.align


@pytest.mark.parametrize("kind", ["objectives", "encoders"])
def test_every_module_offers_what_its_protocol_says(kind: str):
    protocol = {"objectives": ObjectiveModule, "encoders": EncoderModule}[kind]
    assert [name for name in members(kind) if not isinstance(find(kind, name), protocol)] == []


@pytest.mark.usefixtures("align")
def test_it_is_found_by_its_file_name_and_its_docstring_is_its_help(capsys: pytest.CaptureFixture):
    assert "align" in members("objectives")
    with pytest.raises(ConfigError, match=r"among the objectives: align, barlow"):
        find("objectives", "alignn")
    with pytest.raises(SystemExit):
        main(["train", "--objective", "align", "--help"])
    assert "Weight of the uniformity, 0 or more." in " ".join(capsys.readouterr().out.split())
    with pytest.raises(ConfigError, match=r"align\.uniformity_weight is -1; it must be in the range \[0, inf\)"):
        find("objectives", "align").Config(uniformity_weight=-1)


@pytest.mark.usefixtures("align")
def test_it_is_trained_and_benchmarked(
    tmp_path: Path, draw_pictures: Callable[..., Path], tiny_settings: Callable[..., Settings]
):
    pictures = draw_pictures(tmp_path / "pictures", count=48)
    settings = tiny_settings(objective=replace(member("objectives", "align"), latent=16, hidden=32))
    settings = replace(settings, modality=replace(settings.modality, label_from="folder"))
    sources = Sources(train=str(pictures))
    result = trial.run(trial.Trial(sources, "align", settings), tmp_path / "run", talk=False)
    assert result is not None
    assert result["outcome"] == "done"
    assert result["settings"]["objective"]["name"] == "align"
    assert 0 <= result["values"]["knn/accuracy"] <= 1
    assert result["cost"]["samples"] == 12 * 16
