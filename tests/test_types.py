from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from vssl.types import Embeddings, Gaussian, Images, Point, Series, to_arrow

FEATURES = np.arange(12, dtype=np.float32).reshape(4, 3)


def vectors(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


@pytest.fixture
def embeddings() -> Embeddings:
    columns = {
        "id": pa.array(["a", "b", "c", "d"]),
        "features": vectors(FEATURES),
        "log_variance": vectors(FEATURES[:, :1]),
        "ambiguity": pa.array(FEATURES[:, 0]),
        "shift": pa.array(["early", None, "late", "late"]),
    }
    return Embeddings(pa.table(columns))


def test_a_column_of_vectors_becomes_a_matrix(embeddings: Embeddings) -> None:
    assert embeddings.features.dtype == np.float32
    np.testing.assert_array_equal(embeddings.features, FEATURES)
    assert embeddings.numpy("log_variance").shape == (4, 1)


def test_a_column_of_tensors_keeps_its_shape_in_the_file_and_in_any_rows(tmp_path: Path) -> None:
    tensors = np.arange(4 * 2 * 3 * 5, dtype=np.int8).reshape(4, 2, 3, 5)
    pq.write_table(pa.table({"patch_features": to_arrow(tensors)}), tmp_path / "stored.parquet")
    stored = Embeddings(pq.read_table(tmp_path / "stored.parquet"))
    for rows in ([2, 0], []):
        found = stored.take(np.array(rows, int)).numpy("patch_features")
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, tensors[rows])
    assert torch.equal(stored.torch("patch_features"), torch.from_numpy(tensors))
    np.testing.assert_array_equal(np.stack(stored.pandas()["patch_features"]), tensors.reshape(4, -1))
    assert len(stored.polars()) == 4


def test_a_column_of_numbers_or_text_becomes_a_vector(embeddings: Embeddings) -> None:
    assert embeddings.numpy("ambiguity").tolist() == [0, 3, 6, 9]
    assert embeddings.numpy("shift").tolist() == ["early", None, "late", "late"]
    assert embeddings.ids == ["a", "b", "c", "d"]


def test_some_rows_of_a_table_give_those_rows_alone(embeddings: Embeddings) -> None:
    np.testing.assert_array_equal(Embeddings(embeddings.table.slice(1, 2)).features, FEATURES[1:3])
    assert Embeddings(embeddings.table.slice(0, 0)).features.shape == (0, 3)


def test_a_table_in_several_pieces_becomes_one_matrix(embeddings: Embeddings) -> None:
    twice = Embeddings(pa.concat_tables([embeddings.table, embeddings.table.slice(2)]))
    np.testing.assert_array_equal(twice.features, np.concatenate([FEATURES, FEATURES[2:]]))


@pytest.mark.filterwarnings("error")
def test_a_tensor_is_a_copy_of_its_own_that_may_be_changed(embeddings: Embeddings) -> None:
    tensor = embeddings.torch("features")
    assert tensor.dtype == torch.float32
    tensor.zero_()
    np.testing.assert_array_equal(embeddings.features, FEATURES)


def test_pandas_and_polars_hold_every_column(embeddings: Embeddings) -> None:
    for frame, kind in ((embeddings.pandas(), pandas.DataFrame), (embeddings.polars(), polars.DataFrame)):
        assert isinstance(frame, kind)
        assert list(frame.columns) == embeddings.table.column_names
        assert list(frame["id"]) == embeddings.ids
        np.testing.assert_array_equal(np.stack([np.asarray(row) for row in frame["features"]]), FEATURES)


def test_a_column_that_is_not_there_is_a_key_error_that_names_it(embeddings: Embeddings) -> None:
    assert "novelty" not in embeddings
    with pytest.raises(KeyError, match="novelty"):
        embeddings.numpy("novelty")


def test_its_representation_counts_samples_and_features(embeddings: Embeddings) -> None:
    assert "4 samples" in repr(embeddings)
    assert "features 3" in repr(embeddings)


def test_chunks_of_images_put_together_are_the_images() -> None:
    images = Images(torch.arange(5 * 3 * 2 * 2).float().view(5, 3, 2, 2))
    pieces = images.chunk(2)
    assert [len(piece) for piece in pieces] == [3, 2]
    assert torch.equal(Images.cat(pieces).pixels, images.pixels)


def test_images_go_to_the_device_that_is_named() -> None:
    images = Images(torch.ones(2, 1, 4, 4))
    assert images.to("meta").pixels.device.type == "meta"
    assert images.pixels.device.type == "cpu"


def test_chunks_of_a_gaussian_keep_each_mean_with_its_variance() -> None:
    mean = torch.arange(6.0).view(3, 2)
    first, second = Gaussian(mean, mean[:, :1]).chunk(2)
    assert len(first) == 2
    assert torch.equal(second.log_variance, second.mean[:, :1])


def test_every_operation_on_a_batch_applies_to_all_of_its_tensors() -> None:
    series = Series(torch.arange(6.0).view(3, 1, 2), torch.ones(3, 1, 2))
    both = Series.cat([series, series])
    assert len(both) == 6
    assert torch.equal(both.chunk(2)[1].values, series.values)
    assert both.to("meta").known.device.type == "meta"
    point = Point(torch.ones(2, 3, dtype=torch.float64, requires_grad=True))
    assert not point.detach().mean.requires_grad
    assert point.float().mean.dtype == torch.float32
