"""The notebooks of examples/ run from top to bottom, with short training; they hold outputs, and no machine's paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
SHORT = re.compile(r"^STEPS = \d+$", re.MULTILINE)
PICTURE_BYTES = 100_000
PRIVATE = re.compile(r"/tmp/|/home/|/root/|/Users/|[A-Z]:\\\\|https?://(?!arxiv\.org)")


def cells(notebook: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def outputs(notebook: Path) -> Iterator[dict]:
    for cell in cells(notebook, "code"):
        yield from cell["outputs"]


@pytest.fixture
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Notebooks change the folder to a temporary one, which is here below `tmp_path`; plots are drawn and not shown."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    backend = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


def test_there_is_a_notebook_for_each_kind_of_data() -> None:
    assert [notebook.stem for notebook in NOTEBOOKS] == ["logs", "photos", "sensors"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_the_cells_of_a_notebook_run_one_after_the_other(notebook: Path, in_a_folder_of_its_own: None) -> None:
    codes = ["".join(cell["source"]) for cell in cells(notebook, "code")]
    assert SHORT.search(codes[0])
    codes[0] = SHORT.sub("STEPS = 5", codes[0])
    names: dict[str, object] = {}
    for number, code in enumerate(codes, 1):
        exec(compile(code, f"{notebook.name}, code cell {number}", "exec"), names)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_was_executed_in_order_and_without_errors(notebook: Path) -> None:
    counts = [cell["execution_count"] for cell in cells(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1))
    assert {output["output_type"] for output in outputs(notebook)} <= {"stream", "display_data", "execute_result"}
    assert {output.get("name", "stdout") for output in outputs(notebook)} == {"stdout"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_small_and_says_nothing_about_the_machine_that_ran_it(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    assert PRIVATE.findall(text) == []
    pictures = [output["data"]["image/png"] for output in outputs(notebook) if "image/png" in output.get("data", {})]
    assert max(len(picture) * 3 // 4 for picture in pictures) < PICTURE_BYTES
    metadata = json.loads(text)["metadata"]
    assert metadata["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert all(not cell["metadata"] for cell in [*cells(notebook, "code"), *cells(notebook, "markdown")])
