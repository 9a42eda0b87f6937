"""What would have to change for accept: by patches, and by ablations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from vssl import api
from vssl.decisions import explanation as module
from vssl.decisions.explanation import ScoringContext, explain
from vssl.modalities.base import Ablation, Chunk, Modality
from vssl.run import Run
from vssl.scores import patches
from vssl.types import Embeddings, to_arrow

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]

GRID, PLACES, DIMENSIONS = (8, 8), 64, 32


def directions(rng: np.random.Generator, count: int) -> np.ndarray:
    noise = rng.normal(size=(count, PLACES, DIMENSIONS))
    return np.round(127 * noise / np.linalg.norm(noise, axis=2, keepdims=True)).astype(np.int8)


@pytest.fixture
def bank(embeddings_from) -> Embeddings:
    rng = np.random.default_rng(0)
    known = directions(rng, 1).repeat(20, axis=0)
    return embeddings_from("b", rng.normal(size=(20, 4)), patch_features=to_arrow(known.reshape(20, *GRID, -1)))


@pytest.fixture
def odd_at(bank: Embeddings, embeddings_from):
    """`odd_at(cells, ...)`: for each argument a sample like the bank's but for these places."""

    def build(*cells: Sequence[int]) -> Embeddings:
        rng = np.random.default_rng(1)
        own = bank.numpy("patch_features").reshape(20, PLACES, -1)[: len(cells)].copy()
        for row, some in enumerate(cells):
            own[row, list(some)] = directions(rng, 1)[0, : len(some)]
        patch_features = to_arrow(own.reshape(len(cells), *GRID, -1))
        return embeddings_from("s", bank.features[: len(cells)], patch_features=patch_features)

    return build


class Pictures:
    """A modality that patches explain; only what `explanation` needs of one."""

    explained_by_ablations = False
    patch_grid = GRID


def explained(bank: Embeddings, samples: Embeddings, score: Any, limit: float) -> list[str | None]:
    context = ScoringContext(SimpleNamespace(modality=Pictures()), 0, score, bank)
    return explain(context, samples, score(samples), np.full(len(samples), limit), "nowhere")


def test_as_many_of_the_oddest_places_are_named_as_have_to_change(bank: Embeddings, odd_at):
    samples = odd_at([0], [9, 10, 17], range(40, 64), [])
    one, three, many, none = explained(bank, samples, patches.fit(patches.Config(), bank), 1e-3)
    where = "1 of its 64 patches, at the top left,"
    assert one == f"It would be accepted if {where} looked like that of the nearest reference sample."
    assert "if 4 of its 64 patches, mostly at the top left, looked like those" in three
    assert "if 32 of its 64 patches, mostly at the bottom" in many
    assert none is None


def test_what_a_place_plainly_shows_changes_with_it(bank: Embeddings, odd_at):
    def plain(samples: Embeddings, raw_descriptor: np.ndarray) -> Embeddings:
        values = np.concatenate([raw_descriptor.reshape(len(samples), -1), np.zeros((len(samples), 3))], axis=1)
        values = to_arrow(values.astype(np.float32))
        return Embeddings(samples.table.append_column("raw_descriptor", values))

    raw_descriptor = np.random.default_rng(2).normal(size=(1, 3, PLACES)) * np.ones((20, 1, 1))
    dark = raw_descriptor[:1].copy()
    dark[0, :, 9] -= 5
    known, samples = plain(bank, raw_descriptor), plain(odd_at([9]), dark)

    def darkness(samples: Embeddings) -> np.ndarray:
        return np.abs(samples.numpy("raw_descriptor")[:, :-3] - raw_descriptor[:1].reshape(1, -1)).max(1)

    (sentence,) = explained(known, samples, darkness, 1e-3)
    assert sentence.startswith("It would be accepted if 1 of its 64 patches, at the top left")


def test_the_middle_of_a_picture_has_a_name_too(bank: Embeddings, odd_at):
    (sentence,) = explained(bank, odd_at([4 * 8 + 4]), patches.fit(patches.Config(), bank), 1e-3)
    assert "in the centre" in sentence


def test_where_no_place_helps_the_whole_is_unlike(bank: Embeddings, odd_at):
    (sentence,) = explained(bank, odd_at([3]), lambda samples: np.full(len(samples), 5.0), 1.0)
    assert sentence.startswith("Unlike the reference samples as a whole")


def test_what_is_accepted_or_has_no_score_is_not_explained(bank: Embeddings, odd_at):
    assert explained(bank, odd_at([3], [4]), lambda samples: np.array([1.0, np.nan])[: len(samples)], 2.0) == [
        None,
        None,
    ]


def test_only_the_highest_scores_are_explained(bank: Embeddings, odd_at, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_EXPLAINED", 1)
    found = explained(bank, odd_at([3], [4, 5, 6]), patches.fit(patches.Config(), bank), 1e-3)
    assert found[0] is None
    assert found[1] is not None


class Readings:
    """A modality of three numbers per sample, each of which can be left out; only what `explanation` needs of one."""

    raw = torch.tensor([[0.0, 9.0, 0.0], [5.0, 0.0, 5.0], [0.0, 0.0, 0.0]])

    explained_by_ablations = True

    def ablations(self, raw: Tensor, metadata: Mapping[str, Any]) -> list[Ablation]:
        kept = 1 - torch.eye(3)
        return [Ablation(f"{metadata['machine']} {name}", raw * kept[row]) for row, name in enumerate("xyz")]

    def stream(self, _source: str) -> list[Chunk]:
        metadata = pa.table({"machine": ["press", "lathe", "saw"]})
        return [Chunk(["a", "b", "c"], metadata, self.raw, [])]

    find = Modality.find


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch, embeddings_from) -> tuple[ScoringContext, Embeddings]:
    monkeypatch.setattr(module, "embed_raw", lambda _model, raw, _pairs: {"features": raw.numpy()})
    model = SimpleNamespace(modality=Readings(), device="cpu")
    samples = embeddings_from("abc", Readings.raw.numpy())
    samples = Embeddings(samples.table.set_column(0, "id", pa.array(["a", "b", "c"])))
    return ScoringContext(model, 0, lambda some: some.features.sum(1).astype(np.float64), samples), samples


def test_a_part_without_which_it_would_be_accepted_is_named(readings: tuple[ScoringContext, Embeddings]):
    context, samples = readings
    found = explain(context, samples, context.score(samples), np.full(3, 5.5), "machines.csv")
    assert found == ["It would be accepted without press y.", "It would be accepted without lathe x; or lathe z.", None]


def test_where_no_single_part_is_enough_those_that_weigh_most_are_named(readings: tuple[ScoringContext, Embeddings]):
    context, samples = readings
    found = explain(context, samples, context.score(samples), np.full(3, -1.0), "machines.csv")
    assert found[1] == "Most of the score comes from lathe x; lathe z; none of them is enough alone."
    assert found[2] == "Unlike the reference samples as a whole: no single part of it carries the score."


@pytest.mark.slow
def test_the_explanation_stands_beside_the_decision_and_on_the_page(calibrated: Run, line):
    table = api.decide(calibrated, line, name="line", device="cpu").table
    explained = [text is not None for text in table["explanation"].to_pylist()]
    assert explained == [decision != "accept" for decision in table["decision"].to_pylist()]
    assert any(explained)
    html = api.report(calibrated, table="line").read_text()
    assert next(text for text in table["explanation"].to_pylist() if text) in html
