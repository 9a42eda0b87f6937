"""Exports of a tiny run: parity with torch, a policy of their own, and what cannot be exported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import onnx
import onnxruntime
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file

from vssl import api, runtime
from vssl.api import deployment
from vssl.decisions import policy_file as policies
from vssl.decisions.guarantee import Guarantee
from vssl.errors import ExportError
from vssl.exporting import folder as module
from vssl.exporting.graphs import to_onnx
from vssl.run import Run
from vssl.serving import start
from vssl.types import Embeddings, to_arrow

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]
pytestmark = pytest.mark.slow  # an export takes seconds; one is made and looked at in tests/runtime


@pytest.fixture(scope="module", params=["float32", "int8"])
def precision(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(decided_run: Run) -> Run:
    return decided_run


@pytest.fixture(scope="module")
def folder(run: Run, precision: str, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if precision == "float32":
        return exported
    return api.export(run, out=tmp_path_factory.mktemp(precision) / "export", precision=precision)


@pytest.fixture(scope="module")
def raw(run: Run, line: Path) -> np.ndarray:
    return api.load(run, "cpu").modality.load(line).batch(np.arange(70)).numpy()


def test_the_numbers_are_those_of_the_model(run: Run, folder: Path, raw: np.ndarray, precision: str):
    decider, model = runtime.load(folder), api.load(run, "cpu")
    with torch.inference_mode():
        features = model.objective.encoder(model.modality.eval_view(torch.from_numpy(raw)))
        latent = model.objective.latent(features)
    found = decider.outputs(raw)
    if precision == "int8":
        cosine = torch.cosine_similarity(torch.from_numpy(found["features"]), features)
        assert cosine.mean() > 0.98
        return
    for name, value in (("features", features), ("mean", latent.mean), ("log_variance", latent.log_variance)):
        expected = value.numpy()
        assert np.abs(found[name] - expected).max() < 1e-5 * np.abs(expected).max(), name


def test_the_score_is_that_of_the_library_on_the_exports_own_embeddings(run: Run, folder: Path, raw: np.ndarray):
    policy, reference = policies.read(run)
    decider = runtime.load(folder)
    columns = decider.outputs(raw)
    bank = decider.outputs(_raw_of(run, reference.bank))
    score = policy.score.fit(_table(bank, reference.bank.ids))
    np.testing.assert_allclose(columns["score"], score(_table(columns, list(map(str, range(70))))), atol=1e-3)


def _raw_of(run: Run, samples: Embeddings) -> np.ndarray:
    found = api.load(run, "cpu").modality.find(samples.table["source"][0].as_py(), samples.ids)
    raw = {name: sample for name, sample, _ in found}
    return np.stack([raw[name].numpy() for name in samples.ids])


def _table(columns: dict[str, np.ndarray], ids: list[str]) -> Embeddings:
    kept = ("features", "mean", "log_variance", "ambiguity", "patch_features", "dense_patches", "raw_descriptor")
    return Embeddings(pa.table({"id": ids} | {name: to_arrow(columns[name]) for name in kept}))


def test_the_export_has_a_policy_of_its_own_for_the_same_promise(run: Run, folder: Path, precision: str):
    mine, _ = policies.read(run)
    its = runtime.load(folder).policy
    assert its is not None
    assert its.guarantee == Guarantee(false_alarm=0.1, miss=0.3, confidence=0.8)
    assert its.expires == mine.expires
    assert precision in its.binding.backend
    assert its.samples == dict(mine.samples)
    # The thresholds stand at the same ranks of the same samples, found with its own numbers.
    normal = np.array(json.loads(_file(folder, "known").read_text())["normal"][""])
    _, reference = policies.read(run)
    limits = mine.thresholds[""], its.thresholds[""]
    assert (normal > limits[1].reject_above).sum() == (reference.normal.numpy("score") > limits[0].reject_above).sum()


def test_decisions_p_values_and_neighbours_are_those_of_the_policy(run: Run, folder: Path, raw: np.ndarray):
    decider = runtime.load(folder)
    decisions = decider.decide(raw)
    assert decider.policy is not None
    limits = decider.policy.thresholds[""]
    normal = np.array(json.loads(_file(folder, "known").read_text())["normal"][""])
    bank = set(policies.read(run)[1].bank.ids)
    for decision in decisions:
        expected = "accept" if decision.score <= limits.accept_up_to else "review"
        assert decision.decision == ("reject" if decision.score > limits.reject_above else expected)
        assert decision.p_value == pytest.approx((1 + (normal >= decision.score).sum()) / (len(normal) + 1))
        assert set(decision.nearest) <= bank
        assert len(decision.nearest) == 3
    assert len({decision.decision for decision in decisions}) > 1


def test_the_size_of_the_batch_does_not_count(folder: Path, raw: np.ndarray):
    decider = runtime.load(folder)
    alone = decider.decide(raw[5:6])[0]
    assert alone.score == pytest.approx(decider.decide(raw)[5].score, abs=1e-4)


def test_the_manifest_says_how_far_it_is_from_the_run(folder: Path, precision: str):
    parity = json.loads((folder / "manifest.json").read_text())["parity"]
    assert parity["relative_difference"]["mean"] < (1e-4 if precision == "float32" else 0.15)
    assert parity["decided"]["samples"] == 120
    assert 0 <= parity["decided"]["flips"] <= (5 if precision == "float32" else 40)
    assert set(parity["milliseconds"]) == {
        f"{name}, batch {size}" for name in ("torch float32", "export") for size in (1, 64)
    }


def test_it_is_one_file_without_foreign_operators(folder: Path):
    model = onnx.load(_file(folder, "model"), load_external_data=False)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_a_second_export_replaces_the_first_and_a_kill_leaves_it(run: Run, tmp_path: Path, monkeypatch):
    out = api.export(run, out=tmp_path / "export")
    files = sorted(path.name for path in out.iterdir())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            api.export(run, out=out)
    assert runtime.load(out).policy is not None
    api.export(run, out=out)
    assert len(list(out.iterdir())) == len(files)


def test_files_that_are_not_of_an_export_stay(run: Run, tmp_path: Path):
    api.export(run, out=tmp_path)
    others = ("model-v1.onnx", "golden-set.csv", "policy-0123456789ab.pdf")
    for name in others:
        (tmp_path / name).write_text("mine")
    (tmp_path / "known-good").mkdir()
    (tmp_path / "model-0123456789ab.onnx").write_text("of an export before")
    api.export(run, out=tmp_path)
    assert all((tmp_path / name).exists() for name in (*others, "known-good"))
    assert not (tmp_path / "model-0123456789ab.onnx").exists()


def test_the_bank_needs_no_column_of_the_groups(trained: Run, line: Path, photos: Path, tmp_path: Path):
    guarantee = {"false_alarm": 0.1, "confidence": 0.8}
    api.calibrate(trained, f"{line}:label=ok", bank="train", group="camera", device="cpu", **guarantee)
    assert runtime.load(api.export(trained, out=tmp_path / "export")).policy.group == "camera"


def test_without_a_policy_there_are_numbers_and_no_decisions(tiny_run: Run, tmp_path: Path, raw: np.ndarray):
    decider = runtime.load(api.export(tiny_run, out=tmp_path / "export"))
    assert "score" not in decider.outputs(raw)
    with pytest.raises(ExportError, match="has no policy: calibrate"):
        decider.decide(raw)


def test_serving_a_run_exports_it_where_its_export_is_of_something_else(
    run: Run, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = Run(shutil.copytree(run.path, tmp_path / "run"))
    manifest = Path(shutil.copytree(exported, run.path / "export")) / "manifest.json"
    made = []
    monkeypatch.setattr(deployment, "export", lambda *_, out: made.append(out))
    monkeypatch.setattr(start, "serve", lambda *_: None)
    api.serve(run)
    assert made == []
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 1}))
    api.serve(run)
    shutil.rmtree(run.path / "export")
    api.serve(run)
    assert made == [run.path / "export"] * 2


def test_a_score_that_draws_views_cannot_be_exported(trained: Run, line: Path, tmp_path: Path):
    api.calibrate(trained, f"{line}:label=ok", device="cpu", false_alarm=0.1, confidence=0.9, score="disagreement")
    with pytest.raises(ExportError, match=r"random views.*another score"):
        api.export(trained, out=tmp_path / "export")
    assert not (tmp_path / "export").exists()


def test_samples_of_the_policy_that_have_changed_are_named(
    trained: Run, line: Path, changed: Callable[..., Path], tmp_path: Path
):
    data = changed(pq.read_table(line))
    api.calibrate(trained, f"{data}:label=ok", device="cpu", false_alarm=0.1, confidence=0.9)
    for path in sorted(data.parent.rglob("*.png"))[::3]:
        path.write_bytes(next(data.parent.rglob("*.png")).read_bytes())
    with pytest.raises(ExportError, match="gone or have changed, such as kind-"):
        api.export(trained, out=tmp_path / "export")


def test_what_onnx_cannot_express_is_an_error_of_ours():
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigh(x @ x.mT).eigenvalues

    with pytest.raises(ExportError, match="cannot be exported to ONNX"):
        to_onnx(Odd(), [torch.eye(3)[None]], ["x"], ["y"])


def test_a_graph_that_would_take_one_size_of_batch_only_is_refused():
    class Fixed(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.zeros(len(x), 1)

    with pytest.raises(ExportError, match="for batches of any size"):
        to_onnx(Fixed(), [torch.ones(2, 3)], ["x"], ["y"])


def test_the_backbone_alone_is_the_encoders_weights(tiny_run: Run, tmp_path: Path):
    out = api.export(tiny_run, out=tmp_path / "backbone", backbone_only=True)
    encoder = api.load(tiny_run, "cpu").objective.encoder
    weights = load_file(out / "backbone.safetensors")
    assert all(torch.equal(weights[name], value) for name, value in encoder.state_dict().items())
    about = json.loads((out / "backbone.json").read_text())
    assert about["encoder"] == {"name": "convnet", "variant": "tiny"}
    assert about["features"] == encoder.features
    raw = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *_shape(tiny_run)), np.uint8))
    program = torch.export.load(out / "backbone.pt2").module()
    found = dict(zip(about["columns"], program(raw), strict=True))
    model = api.load(tiny_run, "cpu")
    with torch.inference_mode():
        expected = model.objective.encoder(model.modality.eval_view(raw))
    torch.testing.assert_close(found["features"], expected, rtol=1e-4, atol=1e-5)
    with ZipFile(out / "backbone.pt2") as archive:
        pickled = [name for name in archive.namelist() if archive.read(name)[:2] in (b"\x80\x02", b"\x80\x04", b"PK")]
    assert pickled == []


def test_the_graph_runs_in_plain_onnxruntime(folder: Path, raw: np.ndarray):
    session = onnxruntime.InferenceSession(_file(folder, "model").read_bytes())
    names = [output.name for output in session.get_outputs()]
    assert {
        "features",
        "mean",
        "log_variance",
        "ambiguity",
        "patch_features",
        "dense_patches",
        "raw_descriptor",
        "score",
        "nearest",
        "map",
        "heat",
    } == set(names)
    assert session.run(["score"], {"raw": raw[:3]})[0].shape == (3,)


def _shape(run: Run) -> tuple[int, ...]:
    return tuple(api.load(run, "cpu").modality.shape)


def _file(folder: Path, role: str) -> Path:
    return next(folder.glob(f"{role}-*"))
