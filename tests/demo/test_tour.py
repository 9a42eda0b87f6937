import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from vssl.demo import tour
from vssl.errors import RunExistsError
from vssl.modalities.images import demo as plan
from vssl.run import Run

PARTS, HOLD_OUT, KNOWN = 120, 160, 800


@pytest.fixture(scope="module")
def toured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], str]:
    """The folder of a small demo, what it found, and what it said on its way."""
    out = tmp_path_factory.mktemp("tour") / "demo"
    terminal = Console(file=io.StringIO(), width=400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "PARTS", PARTS)
        patch.setattr(plan, "HOLD_OUT", HOLD_OUT)
        patch.setattr(plan, "THIRD_CAMERA", HOLD_OUT)
        patch.setattr(plan, "KNOWN", KNOWN)
        patch.setattr(plan, "ENCODER", "convnet/tiny")
        found = tour.demo("images", out, steps=8, terminal=terminal)
    return out, found, terminal.file.getvalue()


@pytest.mark.slow
def test_what_was_found_is_said_in_sentences_with_figures(toured: tuple[Path, list[str], str]) -> None:
    _, found, said = toured
    assert "nan" not in " ".join(found)
    shares = [int(share) for share in re.findall(r"(\d+) ?%", found[0])]
    assert shares
    assert all(0 <= share <= 100 for share in shares)
    assert "supplier" in found[0]
    assert found[2].startswith("Guarantee: at most 1 % of normal samples")
    own, third = found.index("On the hold-out:"), found.index("With a third camera that nobody calibrated:")
    assert "BROKEN" not in " ".join(found[own:third])
    assert "BROKEN" in " ".join(found[third:])
    assert all("AUROC" in " ".join(part) for part in (found[own:third], found[third:]))
    assert all(sentence in said for sentence in found)


@pytest.mark.slow
def test_every_stage_left_its_file(toured: tuple[Path, list[str], str]) -> None:
    out, found, _ = toured
    run = Run(out / "run")
    assert run.info["status"] == "done"
    assert run.info["samples"] == PARTS
    assert run.info["command"] == f"vssl demo --modality images --out {out} --steps 8"
    assert run.embedding_names() == ["hold-out", "parts", "third-camera", "train"]
    assert len(run.embeddings("hold-out")) == HOLD_OUT
    assert json.loads((run.path / "evaluation.json").read_text())["table"] == "hold-out"
    page = run.path / "report.html"
    assert found[-1] == f"Look at it: {page}"
    assert "<html" in page.read_text()


@pytest.mark.slow
def test_training_saw_no_label(toured: tuple[Path, list[str], str]) -> None:
    out, _, _ = toured
    train, hold_out = (Run(out / "run").embeddings(name) for name in ("train", "hold-out"))
    assert "label" not in train
    assert "label" in hold_out
    assert set(train.table.column_names) & {"supplier", "camera"} == {"supplier", "camera"}


@pytest.mark.slow
def test_an_earlier_demo_is_replaced_only_when_asked(
    toured: tuple[Path, list[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _, _ = toured
    with pytest.raises(RunExistsError, match="--overwrite"):
        tour.demo("images", out)
    assert (out / "run" / "run.json").is_file()

    made = []
    monkeypatch.setattr(plan, "write", lambda line, folder, *_, **__: made.append(folder) or exit_here())
    with pytest.raises(KeyboardInterrupt):
        tour.demo("images", out, overwrite=True)
    assert made == [out / "parts"]
    assert not out.exists()


def exit_here() -> None:
    raise KeyboardInterrupt


def test_a_folder_that_is_no_demo_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years of work")
    for overwrite in (False, True):
        with pytest.raises(RunExistsError, match="is there already"):
            tour.demo("images", tmp_path, overwrite=overwrite)
    assert (tmp_path / "thesis.txt").read_text() == "ten years of work"
