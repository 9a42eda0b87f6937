"""What every modality keeps; modalities are found by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from vssl.config import encoder_of, find, from_dict, member, members, name_of
from vssl.errors import ConfigError
from vssl.modalities.base import Modality
from vssl.training import loop
from vssl.training.settings import Budget, Settings
from vssl.types import View

Sources = dict[str, Callable[..., Path]]


@pytest.fixture(scope="module")
def sources(draw_pictures: Callable[..., Path]) -> Sources:
    """For each modality a function that writes `count` samples of its kind of data into a folder."""
    return {"images": draw_pictures, "events": write_sessions, "sensors": write_series}


def write_sessions(folder: Path, count: int, seed: int = 0) -> Path:
    """Ready sessions of 5 to 30 events in two folders."""
    rng = np.random.default_rng(seed)
    kinds = ("open", "read", "write", "close")
    for number in range(2):
        rows = range(number, count, 2)
        lines = [f"job-{row},{' '.join(rng.choice(kinds, rng.integers(5, 30)))}\n" for row in rows]
        path = folder / f"kind-{number}" / "sessions.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines))
    return folder


def write_series(folder: Path, count: int, seed: int = 0) -> Path:
    """Two files of three channels, with labels that change half-way, for windows of 64 rows that begin every 16."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(2):
        rows = 64 + 16 * (count // 2 - 1)
        values = rng.normal(size=(rows, 3)).cumsum(0)
        label = ["kind-0" if row < rows // 2 else "kind-1" for row in range(rows)]
        lines = [f"{a:.4f},{b:.4f},{c:.4f},{kind}\n" for (a, b, c), kind in zip(values, label, strict=True)]
        (folder / f"line-{number}.csv").write_text("speed,load,heat,label\n" + "".join(lines))
    return folder


@pytest.fixture(scope="module", params=members("modalities"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def source(name: str, sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources[name](tmp_path_factory.mktemp(name) / "data", count=24)


@pytest.fixture(scope="module")
def modality(name: str, source: Path) -> Modality:
    module, config = find("modalities", name), member("modalities", name)
    return module.build(config, module.measure(source, config))


@pytest.fixture(scope="module")
def raw(modality: Modality, source: Path) -> Tensor:
    return modality.load(source).batch(np.arange(8))


def tensors(view: Any) -> list[Tensor]:
    return [getattr(view, item.name) for item in fields(view)]


def assert_equal(first: Sequence[View], second: Sequence[View]) -> None:
    for one, other in zip(first, second, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def test_the_known_modalities_are_found():
    assert {"images", "events", "sensors"} <= set(members("modalities"))


def test_what_was_measured_survives_json(modality: Modality):
    assert from_dict(type(modality.spec), json.loads(json.dumps(asdict(modality.spec)))) == modality.spec


def test_what_was_measured_is_told_to_a_person(name: str, modality: Modality):
    facts = find("modalities", name).describe(modality.spec)
    assert facts.rows
    assert {len(row) for row in facts.rows} == {len(facts.columns)}
    assert facts.note.endswith(".")


def test_loaded_samples_have_one_name_and_one_row_of_metadata_each(modality: Modality, source: Path):
    dataset = modality.load(source)
    assert len(dataset) == len(set(dataset.ids)) == dataset.metadata.num_rows == 24
    assert list(dataset.broken) == []


def test_a_batch_has_the_rows_asked_for_in_their_order(modality: Modality, source: Path):
    dataset = modality.load(source)
    assert torch.equal(dataset.batch(np.array([5, 2])), dataset.batch(np.arange(24))[[5, 2]])


def test_the_stream_gives_the_loaded_samples_in_order_and_from_any_start(modality: Modality, source: Path):
    dataset = modality.load(source)
    chunks = list(modality.stream(source, start=7, size=10))
    assert [name for chunk in chunks for name in chunk.ids] == list(dataset.ids)[7:]
    assert torch.equal(torch.cat([chunk.raw for chunk in chunks]), dataset.batch(np.arange(7, 24)))
    assert [len(chunk.ids) for chunk in chunks] == [10, 7]


def test_a_sample_is_drawn_from_all_the_data_by_its_seed(modality: Modality, source: Path):
    ids = list(modality.load(source).ids)
    first, again, other = (list(modality.sample(source, 6, seed).ids) for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(first, key=ids.index)
    assert len(modality.sample(source, 100, 0).ids) == 24


def test_the_fingerprint_changes_with_the_data(
    modality: Modality, source: Path, sources: Sources, name: str, tmp_path: Path
):
    contents = modality.contents(source)
    count, fingerprint = contents.samples, contents.fingerprint
    assert count == 24
    assert modality.load(source).fingerprint == fingerprint == modality.contents(source).fingerprint
    before = modality.contents(sources[name](tmp_path / "data", count=24)).fingerprint
    after = modality.contents(sources[name](tmp_path / "data", count=24, seed=1)).fingerprint
    assert before != after


def test_two_views_disturb_each_sample_in_different_ways(modality: Modality, raw: Tensor):
    first, second = modality.views(raw, torch.Generator().manual_seed(0))
    assert len(first) == len(second) == len(raw)
    assert not torch.allclose(tensors(first)[0], tensors(second)[0])
    assert not torch.allclose(tensors(first)[0], tensors(modality.eval_view(raw))[0])


def test_views_follow_from_the_generator_alone(modality: Modality, raw: Tensor):
    first = modality.views(raw, torch.Generator().manual_seed(3))
    torch.rand(5)
    assert_equal(first, modality.views(raw, torch.Generator().manual_seed(3)))


def test_a_part_of_the_batch_gets_the_views_it_would_get_in_the_whole(modality: Modality, raw: Tensor):
    whole = modality.views(raw, torch.Generator().manual_seed(0))
    parts = [modality.views(raw, torch.Generator().manual_seed(0), part) for part in (slice(0, 3), slice(3, 8))]
    for view, low, high in zip(whole, *parts, strict=True):
        joined = type(view).cat([low, high])
        for expected, value in zip(tensors(view), tensors(joined), strict=True):
            torch.testing.assert_close(value, expected)


def test_views_are_put_together_and_taken_apart(modality: Modality, raw: Tensor):
    view = modality.eval_view(raw)
    assert_equal([type(view).cat(view.chunk(2))], [view])
    assert len(view.to("cpu")) == 8


def test_the_default_encoder_takes_plain_samples(modality: Modality, raw: Tensor):
    config = encoder_of("auto", modality.config)
    encoder = find("encoders", name_of(config)).build(config, modality.shape)
    assert encoder(modality.eval_view(raw)).shape == (8, encoder.features)


def test_an_outline_is_as_long_for_each_sample_and_tells_them_apart_or_there_is_none(modality: Modality, raw: Tensor):
    raw_descriptor = modality.raw_descriptor(modality.eval_view(raw))
    if raw_descriptor is not None:
        assert raw_descriptor.shape[0] == len(raw)
        assert raw_descriptor.dtype == torch.float32
        assert len(raw_descriptor.unique(dim=0)) == len(raw)
        torch.testing.assert_close(modality.raw_descriptor(modality.eval_view(raw[1:2])), raw_descriptor[1:2])


def test_a_decoder_gives_each_sample_a_likelihood_or_there_is_none(name: str, modality: Modality, raw: Tensor):
    if type(modality).decoder is Modality.decoder:
        with pytest.raises(ConfigError, match=f"The modality '{name}' has no decoder"):
            modality.decoder(latent=4)
        return
    decoder = modality.decoder(latent=4)
    log_likelihood = decoder.log_likelihood(torch.randn(8, 4), modality.eval_view(raw))
    assert log_likelihood.shape == (8,)
    assert log_likelihood.isfinite().all()
    assert decoder.dimensions > 0


def test_samples_that_are_gone_have_no_picture(modality: Modality, source: Path):
    known = modality.load(source).ids[3]
    picture, missing = modality.pictures(source, [known, "not there"])
    assert picture is not None
    assert missing is None


def test_views_are_drawn_as_a_picture(modality: Modality, source: Path, tmp_path: Path):
    path = modality.draw(source, tmp_path / "views.png", samples=3, seed=0)
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("objective", members("objectives"))
def test_every_objective_trains_on_it(
    name: str, objective: str, source: Path, tmp_path: Path, tiny_settings: Callable[..., Settings]
):
    config = member("objectives", objective)
    config = replace(config, **{key: 16 for key in ("latent", "hidden") if hasattr(config, key)})
    kind = member("modalities", name)
    if hasattr(kind, "label_from"):
        kind = replace(kind, label_from="folder")  # for the upper bound, which reads labels
    if hasattr(kind, "labels"):
        kind = replace(kind, labels=("label",))
    encoder = encoder_of("convnet/tiny" if name == "images" else "auto", kind)
    settings = tiny_settings(modality=kind, encoder=encoder, objective=config, budget=Budget(steps=2), batch=8)
    run = loop.train(source, tmp_path / "run", settings)
    assert run.info["status"] == "done"
    assert run.info["progress"]["step"] == 2
