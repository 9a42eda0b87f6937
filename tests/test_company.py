"""A decision does not depend on its company: alone, among others, in any order, by any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from fastapi.testclient import TestClient

from serving import HERE, service_of
from vssl import api, runtime
from vssl.decisions import policy_file as policies
from vssl.decisions.policy import Policy
from vssl.decisions.policy_file import Reference
from vssl.embedding import embed_raw
from vssl.run import Run
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.training.model import Model
from vssl.types import Embeddings, to_arrow

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]

SIZES = (1, 2, 3, 7, 64, 100)


@dataclass
class Decided:
    """A policy, the raw samples that it was calibrated with, and their scores then."""

    model: Model
    export: Path
    policy: Policy
    reference: Reference
    raw: torch.Tensor
    scores: np.ndarray

    @property
    def limit(self) -> float:
        return next(iter(self.policy.thresholds.values())).accept_up_to


@pytest.fixture(scope="module", params=["images", "series", "logs"])
def decided(request: pytest.FixtureRequest) -> Decided:
    if request.param == "images":
        run, export = request.getfixturevalue("decided_run"), request.getfixturevalue("exported")
    else:
        export = request.getfixturevalue({"series": "series_export", "logs": "log_export"}[request.param])
        run = Run(export.parent)
    model = api.load(run, "cpu")
    policy, reference = policies.read(run)
    normal = reference.normal
    found = dict(zip(normal.ids, normal.numpy("score"), strict=True))
    samples = list(model.modality.find(normal.table["source"][0].as_py(), found))
    raw, scores = torch.stack([raw for _, raw, _ in samples]), np.array([found[name] for name, _, _ in samples])
    return Decided(model, export, policy, reference, raw, scores)


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def companies(count: int, size: int) -> list[np.ndarray]:
    """Some samples in a random order, `size` at a time; at most 40 companies of one size."""
    order = np.random.default_rng(size).permutation(count)
    return [order[at : at + size] for at in range(0, count, size)][:40]


def table(model: Model, raw: torch.Tensor, pairs: int = 0) -> Embeddings:
    columns = {name: to_arrow(values) for name, values in embed_raw(model, raw, pairs).items()}
    return Embeddings(pa.table({"id": pa.array([str(row) for row in range(len(raw))])} | columns))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_sample_has_the_same_embedding_in_any_company(decided: Decided, precision: str, threads: int) -> None:
    model = replace(decided.model, settings=replace(decided.model.settings, precision=precision))
    with torch.random.fork_rng():
        torch.set_num_threads(1)
        together = embed_raw(model, decided.raw)
        torch.set_num_threads(threads)
    for size in SIZES:
        for rows in companies(len(decided.raw), size):
            for name, values in embed_raw(model, decided.raw[rows]).items():
                assert np.array_equal(values, together[name][rows]), (name, size)


def test_a_comparison_of_views_is_the_same_in_any_company(decided: Decided) -> None:
    together = embed_raw(decided.model, decided.raw[:20], pairs=1)
    for size in (1, 3, 7):
        rows = companies(20, size)[0]
        alone = embed_raw(decided.model, decided.raw[rows], pairs=1)
        assert {"disagreement", "elbo_gap"} <= alone.keys()
        assert all(np.array_equal(alone[name], together[name][rows]) for name in alone)


def test_the_sample_that_is_the_threshold_is_accepted_in_any_company(decided: Decided, threads: int) -> None:
    policy = decided.policy
    score = policy.score.fit(decided.reference.bank)
    assert decided.limit in decided.scores
    at = np.flatnonzero(decided.scores == decided.limit)
    for size in SIZES:
        for rows in [at, *companies(len(decided.raw), size)]:
            found = score(table(decided.model, decided.raw[rows]))
            assert np.array_equal(found, decided.scores[rows]), size


@pytest.mark.parametrize("threads", [1, 2])
def test_an_export_decides_alike_in_any_company(decided: Decided, threads: int) -> None:
    decider = runtime.load(decided.export, threads)
    raw = decided.raw.numpy()
    limit = next(iter(decider.policy.thresholds.values())).accept_up_to
    together = decider.decide(raw)
    scores = np.array([decision.score for decision in together])
    assert sorted(scores) == sorted(next(iter(decider.known["normal"].values())))
    assert limit in scores
    for size in SIZES:
        for rows in [np.flatnonzero(scores == limit), *companies(len(raw), size)]:
            assert decider.decide(raw[rows], [str(row) for row in rows]) == [together[row] for row in rows]


def test_an_export_of_8_bits_decides_alike_in_any_company(decided_run: Run, tmp_path: Path, line: Path) -> None:
    decider = runtime.load(api.export(decided_run, out=tmp_path / "int8", precision="int8"))
    files = sorted(line.parent.rglob("*.png"))[:50]
    raw = np.stack([decider.wire.decode(file.read_bytes(), file.name) for file in files])
    together = decider.decide(raw)
    for size in (1, 7, 50):
        for rows in companies(len(raw), size):
            assert decider.decide(raw[rows], [str(row) for row in rows]) == [together[row] for row in rows]


def test_the_service_decides_alike_in_any_company(exported: Path, tmp_path: Path, line: Path) -> None:
    files = [("files", (path.name, path.read_bytes())) for path in sorted(line.parent.rglob("*.png"))[:30]]
    with TestClient(build(service_of(exported, tmp_path), Limits()), base_url=HERE) as client:
        together = client.post("/v1/decide", files=files).json()["decisions"]
        alone = [client.post("/v1/decide", files=[file]).json()["decisions"][0] for file in files]
    assert [(item["score"], item["p_value"], item["decision"]) for item in alone] == [
        (item["score"], item["p_value"], item["decision"]) for item in together
    ]


def test_vssl_decide_says_the_same_of_a_folder_and_of_each_file_in_it(
    decided_run: Run, line: Path, tmp_path: Path
) -> None:
    together = api.decide(decided_run, line.parent, name="together", device="cpu").table.to_pylist()
    for row in sorted(together, key=lambda row: -row["score"])[:60:12]:
        alone = api.decide(decided_run, line.parent / row["id"], name=row["id"].replace("/", "-"), device="cpu").table
        assert alone["decision"][0].as_py() == row["decision"]
        assert alone["score"][0].as_py() == row["score"]
        assert alone["p_value"][0].as_py() == row["p_value"]
        assert alone["nearest"][0].as_py() == row["nearest"]
