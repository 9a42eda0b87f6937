import errno
import importlib
import itertools
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from vssl import api
from vssl.config import member
from vssl.embedding import default_name, embed_raw, model_hash, read_header
from vssl.errors import ConfigError, DataError, EmptyDataError, StorageError, TooManyBrokenError
from vssl.run import Run
from vssl.training import loop
from vssl.training.model import Model
from vssl.training.settings import Settings
from vssl.types import Embeddings

pytest_plugins = ["fixtures_runs"]

embed_module = importlib.import_module("vssl.embedding.table")
KINDS = ("kind-0", "kind-1", "kind-2", "kind-3")
IDS = [f"{kind}/{number:03d}.png" for first, kind in enumerate(KINDS) for number in range(first, 64, 4)]
LABELS = [name.partition("/")[0] for name in IDS]
TinySettings = Callable[..., Settings]


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_module, "PART", 16)
    monkeypatch.setattr(embed_module, "BATCH", 8)


def killed_after(batches: int, monkeypatch: pytest.MonkeyPatch, attempt: Callable[[], object]) -> None:
    """Run `attempt`, which dies when the model is asked for another batch."""
    with monkeypatch.context() as patch:
        count_batches(patch, allowed=batches)
        with pytest.raises(KeyboardInterrupt):
            attempt()


def count_batches(patch: pytest.MonkeyPatch, allowed: int = 1000) -> list[int]:
    """The sizes of the batches that are embedded from now on."""
    sizes: list[int] = []
    call = embed_module.embed_raw

    def counted(model: Model, raw: torch.Tensor, pairs: int) -> object:
        if len(sizes) == allowed:
            raise KeyboardInterrupt
        sizes.append(len(raw))
        return call(model, raw, pairs)

    patch.setattr(embed_module, "embed_raw", counted)
    return sizes


def same(one: Embeddings, other: Embeddings) -> bool:
    return one.table.drop_columns("id").equals(other.table.drop_columns("id")) and one.ids == other.ids


def write_list(photos: Path, **columns: list) -> Path:
    path = photos / "list.parquet"
    pq.write_table(pa.table({"path": IDS, **columns}), path)
    return path


def test_the_table_has_the_promised_columns_and_types(trained: Run, photos: Path) -> None:
    schema = api.embed(trained, photos).table.schema
    names = [
        "id",
        "features",
        "mean",
        "log_variance",
        "ambiguity",
        "patch_features",
        "dense_patches",
        "raw_descriptor",
        "content",
        "signature",
    ]
    assert schema.names == names
    assert schema.field("signature").type == pa.binary()
    assert schema.field("id").type == pa.string()
    assert schema.field("features").type == pa.list_(pa.float32(), 128)
    assert schema.field("mean").type == pa.list_(pa.float32(), 16)
    assert schema.field("log_variance").type == pa.list_(pa.float32(), 1)
    assert schema.field("ambiguity").type == pa.float32()


def test_ambiguity_is_the_mean_log_variance_in_nats(
    trained: Run, photos: Path, tmp_path: Path, tiny_settings: TinySettings
) -> None:
    paper = replace(member("objectives", "vssl/paper"), latent=16, hidden=32)
    diagonal = loop.train(photos, tmp_path / "paper", tiny_settings(objective=paper))
    for run, width in ((trained, 1), (diagonal, 16)):
        table = api.embed(run, photos)
        assert table.numpy("log_variance").shape == (len(IDS), width)
        np.testing.assert_allclose(table.numpy("ambiguity"), table.numpy("log_variance").mean(1), rtol=1e-5)
        assert np.ptp(table.numpy("ambiguity")) > 0


def test_a_deterministic_method_has_no_variance_at_all(
    photos: Path, tmp_path: Path, tiny_settings: TinySettings
) -> None:
    run = loop.train(photos, tmp_path / "run", tiny_settings(objective=member("objectives", "simclr")))
    table = api.embed(run, photos)
    assert table.table.column_names == [
        "id",
        "features",
        "mean",
        "patch_features",
        "dense_patches",
        "raw_descriptor",
        "content",
        "signature",
    ]


def test_views_are_compared_when_asked_and_not_again(
    trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = api.embed(trained, photos)
    assert not {"disagreement", "elbo_gap"} & set(plain.table.column_names)
    compared = api.embed(trained, photos, view_pairs=2)
    assert same(Embeddings(compared.table.select(plain.table.column_names)), plain)
    batches = count_batches(monkeypatch)
    for fewer in (0, 1, 2):
        assert same(api.embed(trained, photos, view_pairs=fewer), compared)
    assert batches == []


def test_disagreement_is_one_minus_the_mean_cosine_of_all_pairs_of_views(trained: Run, photos: Path) -> None:
    model = api.load(trained, "cpu")
    raw = model.modality.load(photos).batch(np.arange(len(IDS)))
    expected = []
    for sample in raw.split(1):  # the same views of each, whatever stands beside it
        generator = torch.Generator().manual_seed(0)
        views = [model(view)[0] for _ in range(2) for view in model.modality.views(sample, generator)]
        cosines = [torch.cosine_similarity(a, b) for a, b in itertools.combinations(views, 2)]
        expected.append(1 - torch.cat(cosines).mean())
    found = api.embed(trained, photos, view_pairs=2, device="cpu").numpy("disagreement")
    np.testing.assert_allclose(found, torch.stack(expected).numpy(), atol=1e-4)


def test_samples_whose_views_are_all_alike_do_not_disagree(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    model = api.load(trained, "cpu")
    # A denoiser so little trained does not find a view's latent from itself.
    model.objective.predictor = None
    monkeypatch.setattr(type(model.modality), "views", lambda self, raw, _: [self.eval_view(raw)] * 2)
    noise = torch.randint(0, 256, (8, *model.modality.shape), dtype=torch.uint8)
    found = embed_raw(model, noise, pairs=1)
    np.testing.assert_allclose(found["disagreement"], 0, atol=1e-5)
    # Of a view and itself the KL is 0, and what is left is the entropy of the posterior but for half a nat.
    gaussian = model(model.modality.eval_view(noise))[1]
    expected = (gaussian.log_variance.mean(1) + np.log(2 * np.pi)) / 2
    np.testing.assert_allclose(found["elbo_gap"], expected.numpy(), atol=1e-4)


def test_the_rows_stand_in_the_order_of_the_source(trained: Run, photos: Path) -> None:
    assert api.embed(trained, photos).ids == IDS
    shuffled = np.random.default_rng(0).permutation(IDS).tolist()
    pq.write_table(pa.table({"path": shuffled}), photos / "list.parquet")
    assert api.embed(trained, photos / "list.parquet").ids == shuffled


def test_each_row_is_its_own_samples_embedding(trained: Run, photos: Path) -> None:
    together = api.embed(trained, photos)
    alone = api.embed(trained, photos / "kind-1" / "009.png", name="alone")
    row = IDS.index("kind-1/009.png")
    np.testing.assert_allclose(alone.features[0], together.features[row], rtol=1e-3, atol=1e-4)


def test_metadata_of_a_list_are_kept_beside_their_samples(trained: Run, photos: Path) -> None:
    camera = [f"cam-{number % 3}" for number in range(len(IDS))]
    path = write_list(photos, camera=camera, wear=[None, *np.linspace(0, 1, len(IDS) - 1)])
    table = api.embed(trained, path)
    assert table.table["camera"].to_pylist() == camera
    assert table.table["wear"][0].as_py() is None
    assert table.table["wear"][-1].as_py() == 1


@pytest.mark.parametrize("column", ["id", "features", "mean", "log_variance", "ambiguity"])
def test_metadata_may_not_take_the_name_of_a_column_of_the_table(trained: Run, photos: Path, column: str) -> None:
    with pytest.raises(DataError, match=f"'{column}'.*rename"):
        api.embed(trained, write_list(photos, **{column: list(range(len(IDS)))}))


def test_labels_come_from_folders_only_when_asked(trained: Run, photos: Path) -> None:
    assert "label" not in api.embed(trained, photos)
    labelled = api.embed(trained, photos, label_from="folder")
    assert labelled.numpy("label").tolist() == LABELS


def test_the_stored_table_is_the_one_returned_and_says_what_it_belongs_to(trained: Run, photos: Path) -> None:
    table = api.embed(trained, photos)
    assert same(trained.embeddings("train"), table)
    identity = read_header(trained, "train").identity
    assert identity.source == str(photos)
    assert identity.fingerprint == trained.info["fingerprint"]
    assert identity.model == model_hash(api.load(trained))
    assert [item.name for item in (trained.path / "embeddings").iterdir()] == ["train.parquet"]


def test_the_training_data_are_called_train_and_others_by_their_own_name(
    trained: Run, photos: Path, draw_pictures: Callable[..., Path]
) -> None:
    draw_pictures(photos.parent / "late.shift", count=8, seed=1)
    api.embed(trained, photos)
    api.embed(trained, photos.parent / "late.shift")
    api.embed(trained, photos.parent / "late.shift", name="night")
    assert trained.embedding_names() == ["late", "night", "train"]
    assert default_name("there/parts.tar.xz") == "parts"


def test_a_table_is_made_anew_for_the_same_data_and_kept_from_others(
    trained: Run, photos: Path, draw_pictures: Callable[..., Path]
) -> None:
    other = draw_pictures(photos.parent / "other", count=8, seed=1)
    api.embed(trained, photos, name="now")
    with pytest.raises(ConfigError, match=r"holds embeddings 'now' of .*photos already: choose another --name"):
        api.embed(trained, other, name="now")
    assert len(trained.embeddings("now")) == 64
    (photos / IDS[0]).unlink()
    assert api.embed(trained, photos, name="now").ids == IDS[1:]


def test_a_relative_path_is_found_again_from_elsewhere(
    trained: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.chdir(photos.parent)
        api.embed(trained, photos.name)
    assert read_header(trained, "train").identity.source == str(photos)


@pytest.mark.parametrize("name", ["a/b", "../train", ".hidden", ".."])
def test_a_name_that_is_no_plain_file_name_is_refused(trained: Run, photos: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="--name"):
        api.embed(trained, photos, name=name)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("batches", [0, 1, 2, 5, 7])
def test_a_killed_embedding_goes_on_behind_its_last_part(
    trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    in_one_go = api.embed(trained, photos, name="reference")
    killed_after(batches, monkeypatch, lambda: api.embed(trained, photos, name="resumed"))
    assert trained.embedding_names() == ["reference"]

    sizes = count_batches(monkeypatch)
    resumed = api.embed(trained, photos, name="resumed")
    assert sum(sizes) == len(IDS) - batches // 2 * 16
    assert same(resumed, in_one_go)


@pytest.mark.usefixtures("small_parts")
def test_a_kill_before_the_parts_are_joined_loses_none(
    trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embed_module, "_join", kill)
        with pytest.raises(KeyboardInterrupt):
            api.embed(trained, photos)
    sizes = count_batches(monkeypatch)
    assert api.embed(trained, photos).ids == IDS
    assert sizes == []


@pytest.mark.usefixtures("small_parts")
def test_parts_that_were_joined_make_the_table_of_one_large_part(
    trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_list(photos, shift=[None] * 16 + ["late"] * 48, number=list(range(64)))
    in_parts = api.embed(trained, path)
    monkeypatch.setattr(embed_module, "PART", 1024)
    whole = api.embed(trained, path, name="whole")
    assert in_parts.table.schema.equals(whole.table.schema)
    assert same(in_parts, whole)


@pytest.mark.usefixtures("small_parts")
def test_parts_of_another_model_are_not_used(
    trained: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_settings: TinySettings
) -> None:
    killed_after(4, monkeypatch, lambda: api.embed(trained, photos))
    other = loop.train(photos, tmp_path / "other", tiny_settings(seed=1))
    (trained.path / "model.safetensors").write_bytes((other.path / "model.safetensors").read_bytes())
    assert same(api.embed(trained, photos), api.embed(other, photos))


@pytest.mark.usefixtures("small_parts")
def test_parts_of_data_that_changed_are_not_used(trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(4, monkeypatch, lambda: api.embed(trained, photos, name="now"))
    (photos / IDS[3]).write_bytes((photos / IDS[60]).read_bytes())
    table = api.embed(trained, photos, name="now")
    np.testing.assert_allclose(table.features[3], table.features[60], rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("small_parts")
def test_parts_without_labels_are_not_used_when_labels_are_asked_for(
    trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(4, monkeypatch, lambda: api.embed(trained, photos))
    labels = api.embed(trained, photos, label_from="folder").numpy("label").tolist()
    assert labels == LABELS


@pytest.mark.usefixtures("small_parts")
def test_parts_with_old_metadata_are_not_used(trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed_after(4, monkeypatch, lambda: api.embed(trained, write_list(photos, shift=["early"] * len(IDS))))
    table = api.embed(trained, write_list(photos, shift=["late"] * len(IDS)))
    assert table.numpy("shift").tolist() == ["late"] * len(IDS)


@pytest.mark.usefixtures("small_parts")
def test_a_full_disk_keeps_the_finished_parts(trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = iter([True, True, False])

    def full(*_: object, **__: object) -> None:
        if not next(written):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("vssl.files.os.fsync", full)
    with pytest.raises(StorageError, match=r"part-000000000032\.parquet.*No space left"):
        api.embed(trained, photos)
    monkeypatch.undo()
    monkeypatch.setattr(embed_module, "PART", 16)
    sizes = count_batches(monkeypatch)
    assert api.embed(trained, photos).ids == IDS
    assert sum(sizes) == len(IDS) - 16


def test_too_many_broken_files_are_refused_but_the_others_are_kept(trained: Run, photos: Path) -> None:
    for name in ("kind-0/012.png", "kind-2/010.png"):
        (photos / name).write_text("text")
    with pytest.raises(TooManyBrokenError, match=r"2 of 64 .*kind-0/012\.png: .*kind-2/010\.png: ") as caught:
        api.embed(trained, photos, name="broken")
    assert str(photos) in str(caught.value)
    table = trained.embeddings("broken")
    assert table.ids == [name for name in IDS if name not in ("kind-0/012.png", "kind-2/010.png")]
    header = json.loads(pq.read_schema(trained.embeddings_path("broken")).metadata[b"vssl"])
    assert [item["id"] for item in header["broken"]] == ["kind-0/012.png", "kind-2/010.png"]


@pytest.mark.usefixtures("small_parts")
def test_a_part_of_which_every_file_is_broken_stops_nothing(trained: Run, photos: Path) -> None:
    for name in IDS[:16]:
        (photos / name).write_text("text")
    with pytest.raises(TooManyBrokenError, match="16 of 64"):
        api.embed(trained, photos, name="broken")
    assert trained.embeddings("broken").ids == IDS[16:]


@pytest.fixture(params=["photos.zip", "photos.tar", "photos.tar.xz"])
def archive(request: pytest.FixtureRequest, photos: Path) -> Path:
    path = photos.parent / request.param
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as packed:
            for name in IDS:
                packed.write(photos / name, f"train/{name}")
    else:
        with tarfile.open(path, "w:xz" if path.suffix == ".xz" else "w") as packed:
            packed.add(photos, "train")
    return path


def test_an_archive_and_its_folder_give_the_embeddings_of_the_files(trained: Run, photos: Path, archive: Path) -> None:
    plain = api.embed(trained, photos)
    packed = api.embed(trained, archive, name="packed")
    assert packed.ids == [f"train/{name}" for name in IDS]
    assert packed.table.drop_columns("id").equals(plain.table.drop_columns("id"))

    below = api.embed(trained, f"{archive}/train/kind-3", name="below", label_from="folder")
    assert below.ids == [f"train/{name}" for name in IDS[48:]]
    assert set(below.numpy("label")) == {"kind-3"}
    np.testing.assert_allclose(below.features, plain.features[48:], rtol=1e-3, atol=1e-4)


def test_a_folder_that_an_archive_does_not_have_is_answered_with_those_it_has(trained: Run, archive: Path) -> None:
    with pytest.raises(EmptyDataError, match=r"below the folder 'test'\. At its top: train"):
        api.embed(trained, f"{archive}/test")


def test_progress_is_told_to_the_end(trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []

    class Counting:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Callable[[int, int], None]:
            return lambda done, total: told.append((done, total))

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(embed_module, "progress_bar", Counting)
    monkeypatch.setattr(embed_module, "BATCH", 24)
    api.embed(trained, photos)
    assert told == [(24, 64), (48, 64), (64, 64)]


def test_only_one_batch_is_in_memory_at_a_time(trained: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_module, "BATCH", 8)
    sizes = count_batches(monkeypatch)
    api.embed(trained, photos)
    assert sizes == [8] * 8
