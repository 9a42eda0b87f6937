"""A column is declared once: the table, the reserved names, exports and the documentation follow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from vssl import api
from vssl.errors import DataError
from vssl.run import Run
from vssl.types import Embeddings, columns
from vssl.types.columns import COLUMNS, Column

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def with_feature_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    column = Column("feature_norm", "float32", "length of `features`", lambda view: view.features.norm(dim=1))
    monkeypatch.setattr(columns, "COLUMNS", (*COLUMNS, column))
    monkeypatch.setattr(Embeddings, "COLUMNS", (*Embeddings.COLUMNS, column.name))


@pytest.mark.usefixtures("with_feature_norm")
def test_a_new_column_is_embedded_reserved_and_part_of_the_backbone(
    trained: Run, photos: Path, tmp_path: Path, changed: Callable[[pa.Table], Path], line: Path
) -> None:
    table = api.embed(trained, photos, device="cpu")
    np.testing.assert_allclose(table.numpy("feature_norm"), np.linalg.norm(table.features, axis=1), rtol=1e-5)

    paths = [str(path.relative_to(line.parent)) for path in sorted(line.parent.rglob("*.png"))]
    data = changed(pa.table({"path": paths, "feature_norm": [1.0] * len(paths)}))
    with pytest.raises(DataError, match=r"'feature_norm'.*rename"):
        api.embed(trained, data)

    model = api.load(trained, "cpu")
    raw = model.modality.load(photos).batch(np.arange(3))
    api.export(trained, out=tmp_path / "backbone", backbone_only=True)
    outputs = torch.export.load(tmp_path / "backbone" / "backbone.pt2").module()(raw)
    torch.testing.assert_close(outputs[-1], table.torch("feature_norm")[:3], rtol=1e-4, atol=1e-5)


def test_every_column_is_documented_as_it_is_declared() -> None:
    page = (DOCS / "how-to" / "embed-and-use.md").read_text()
    rows = [f"| `{column.name}` | {column.type} | {column.meaning} |" for column in COLUMNS]
    assert "\n".join(rows) in page


def test_the_reserved_names_are_documented() -> None:
    page = (DOCS / "how-to" / "data.md").read_text()
    assert [name for name in Embeddings.COLUMNS if f"`{name}`" not in page] == []


def test_the_shape_of_a_patch_grid_is_read_from_the_table(trained: Run, photos: Path) -> None:
    api.embed(trained, photos, name="stored")
    patches = trained.embeddings("stored").numpy("patch_features")
    assert patches.shape == (64, *api.load(trained, "cpu").modality.patch_grid, 32)
