"""Deciding from an export folder alone: what it needs, what it refuses, and that nothing is lost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

from vssl import runtime
from vssl.errors import ExportError
from vssl.runtime.__main__ import main

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]

NEEDED = {"numpy", "onnxruntime", "PIL"}


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """A copy of the export, to be changed."""
    return Path(shutil.copytree(exported, tmp_path / "export"))


@pytest.fixture
def rewrite(copy: Path) -> Callable[[str, Callable[[Any], Any]], None]:
    """`rewrite(role, change)`: the file of a role with other JSON, and a manifest that agrees with it."""

    def write(role: str, change: Callable[[Any], Any]) -> None:
        manifest = json.loads((copy / "manifest.json").read_text())
        entry = manifest["files"][role]
        path = copy / entry["name"]
        path.write_text(json.dumps(change(json.loads(path.read_text()))))
        entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (copy / "manifest.json").write_text(json.dumps(manifest))

    return write


def pictures(line: Path) -> list[Path]:
    return sorted(line.parent.rglob("*.png"))


def test_it_needs_numpy_onnxruntime_and_pillow_and_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import vssl.runtime.__main__, vssl.modalities.images.wire\n"
        "import vssl.decisions.core, vssl.decisions.policy\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    packages = {name for name in found if not name.startswith("_") and name != "vssl"}
    assert packages - {"numpy", "onnxruntime", "PIL", "defusedxml"} == set()
    assert packages >= NEEDED


def test_it_decides_where_torch_and_the_libraries_for_tables_and_statistics_are_missing(exported: Path, line: Path):
    blocked = ("torch", "pyarrow", "sklearn", "scipy", "jaxtyping")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from pathlib import Path; from vssl import runtime; from vssl.decisions.policy import Policy\n"
        f"decider = runtime.load({str(exported)!r})\n"
        "assert Policy.from_dict(decider.policy.to_dict()) == decider.policy\n"
        f"files = map(Path, {[str(file) for file in pictures(line)[:5]]!r})\n"
        "print(*(each.decision for each in decider.decide_files(files)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == [each.decision for each in runtime.load(exported).decide_files(pictures(line)[:5])]


def test_onnxruntime_reports_to_nobody(exported: Path, tmp_path: Path) -> None:
    """Left to itself, it leaves a name for this computer and a queue of reports in the home folder, once imported."""
    # What would silence it without us.
    silent = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in silent} | {"HOME": str(tmp_path)}
    code = f"from vssl import runtime; print(runtime.load({str(exported)!r}).check())"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []


def test_image_files_are_decided_as_their_raw_samples_are(exported: Path, line: Path):
    decider = runtime.load(exported)
    files = pictures(line)[:20]
    decisions = list(decider.decide_files(files))
    assert [decision.id for decision in decisions] == [str(file) for file in files]
    assert {decision.decision for decision in decisions} <= {"accept", "review", "reject"}
    assert all(0 < decision.p_value <= 1 for decision in decisions)


def test_what_cannot_be_read_is_reviewed_and_nothing_is_lost(exported: Path, line: Path, tmp_path: Path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    files = [pictures(line)[0], tmp_path / "broken.png", tmp_path / "missing.png", pictures(line)[1]]
    decisions = list(runtime.load(exported).decide_files(files))
    assert [decision.id for decision in decisions] == [str(file) for file in files]
    assert decisions[1].decision == decisions[2].decision == "review"
    assert decisions[1].reason.startswith("unreadable: it is not an image")
    assert decisions[2].reason == "unreadable: No such file or directory"


def test_the_command_prints_a_line_of_json_each_and_its_status_says_whether_something_was_rejected(
    exported: Path, line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    decider = runtime.load(exported)
    by_decision = {decision.decision: decision.id for decision in decider.decide_files(pictures(line))}
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert main([str(exported), by_decision["accept"], str(tmp_path)]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [row["decision"] for row in rows] == ["accept", "review"]
    assert rows[1]["score"] is None
    assert main([str(exported), by_decision["reject"]]) == 1


def test_a_folder_is_read_by_the_rule_of_the_library_and_the_rest_is_said(
    exported: Path, line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for number, file in enumerate(pictures(line)[:3]):
        shutil.copy(file, tmp_path / f"part{number + 9}.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_bytes(b"x")
    (tmp_path / "latest.png").symlink_to("part9.png")
    (tmp_path / "ground_truth").mkdir()
    Image.new("1", (8, 8)).save(tmp_path / "ground_truth/part9_mask.png")
    main([str(exported), str(tmp_path)])
    out, err = capsys.readouterr()
    assert [json.loads(row)["id"] for row in out.splitlines()] == [
        str(tmp_path / name) for name in ("part9.png", "part10.png", "part11.png")
    ]
    for words in ("1 .txt", ".hidden.png", "latest.png", "ground_truth/part9_mask.png"):
        assert words in err


def test_each_page_of_a_stack_is_decided(exported: Path, line: Path, tmp_path: Path):
    pages = [Image.open(file) for file in pictures(line)[:3]]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    decider = runtime.load(exported)
    decisions = list(decider.decide_files([tmp_path / "a.tif"]))
    assert [decision.id for decision in decisions] == [f"{tmp_path / 'a.tif'}#page={number}" for number in (1, 2, 3)]
    alone = decider.decide_files(pictures(line)[:3])
    assert [decision.score for decision in decisions] == pytest.approx([decision.score for decision in alone])


def test_a_folder_without_pictures_is_an_error(exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "a.txt").write_text("x")
    assert main([str(exported), str(tmp_path)]) == 2
    assert "1 .txt" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough_is_no_error(exported: Path, line: Path):
    command = [sys.executable, "-m", "vssl.runtime", str(exported), *map(str, pictures(line))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["decision"]
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_the_command_says_what_is_wrong_with_an_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(tmp_path), "x.png"]) == 2
    assert "ExportError: " in capsys.readouterr().err


def test_this_computers_numbers_are_checked_against_the_exporters(exported: Path, capsys):
    assert main([str(exported), "--check"]) == 0
    differences = json.loads(capsys.readouterr().out)
    assert {"mean", "log_variance", "score"} <= set(differences)
    assert max(differences.values()) < 1e-4


@pytest.mark.parametrize("role", ["model", "policy", "known", "golden"])
def test_a_changed_or_missing_file_is_refused_before_it_is_parsed(copy: Path, role: str):
    path = next(copy.glob(f"{role}-*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ExportError, match=f"{path.name} was changed since the export"):
        runtime.load(copy)
    path.unlink()
    with pytest.raises(ExportError, match=f"{path.name} cannot be read"):
        runtime.load(copy)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("no json", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 99, "files": {}}', "has the format 99.*Export the run again"),
        ('{"format": 3, "files": {}}', "names no golden"),
        (
            '{"format": 3, "files": {"model": {"name": "../m.onnx", "sha256": ""}, '
            '"golden": {"name": "g", "sha256": ""}}}',
            "outside the folder",
        ),
    ],
)
def test_a_manifest_that_is_none_is_refused(copy: Path, manifest: str, message: str):
    (copy / "manifest.json").write_text(manifest)
    with pytest.raises(ExportError, match=message):
        runtime.load(copy)


def test_no_folder_is_no_export(tmp_path: Path):
    with pytest.raises(ExportError, match="not an export folder"):
        runtime.load(tmp_path / "nowhere")


def test_an_expired_policy_decides_nothing(copy: Path, rewrite, line: Path):
    rewrite("policy", lambda policy: policy | {"expires": "2020-01-01"})
    with pytest.raises(ExportError, match=r"expired on 2020-01-01.*export it again"):
        list(runtime.load(copy).decide_files(pictures(line)[:1]))


def test_another_onnxruntime_is_taken_if_its_numbers_are_alike_and_refused_otherwise(
    copy: Path, line: Path, monkeypatch: pytest.MonkeyPatch
):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["versions"]["onnxruntime"] = "0.9.1"
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert len(list(runtime.load(copy).decide_files(pictures(line)[:1]))) == 1
    for far in (0.02, np.nan):
        decider = runtime.load(copy)
        monkeypatch.setattr(decider, "check", lambda far=far: {"mean": 0.0, "score": far})
        with pytest.raises(ExportError, match=r"from those of 0\.9\.1.*Install that version"):
            decider.check_policy()


def test_a_group_needs_thresholds_and_an_unknown_one_is_reviewed(copy: Path, rewrite, line: Path):
    rewrite("policy", lambda policy: policy | {"group": "camera", "thresholds": {"cam-1": policy["thresholds"][""]}})
    rewrite("known", lambda known: known | {"normal": {"cam-1": known["normal"][""]}})
    decider = runtime.load(copy)
    with pytest.raises(ExportError, match="name the group of each sample"):
        decider.decide(np.zeros((1, 3, 16, 16), np.uint8))
    (known,) = decider.decide_files(pictures(line)[:1], "cam-1")
    (unknown,) = decider.decide_files(pictures(line)[:1], "cam-9")
    assert np.isfinite(known.p_value)
    assert (unknown.decision, unknown.reason) == ("review", "no threshold for camera = cam-9")


@pytest.mark.parametrize(
    "raw", [np.zeros((2, 3, 8, 8), np.uint8), np.zeros((2, 3, 16, 16), np.float32)], ids=["shape", "type"]
)
def test_samples_of_another_shape_or_type_are_refused(exported: Path, raw: np.ndarray):
    with pytest.raises(ExportError, match="The model takes samples uint8"):
        runtime.load(exported).decide(raw)


@pytest.mark.parametrize("fault", ["external", "custom", "nonsense"])
def test_a_model_with_data_elsewhere_or_foreign_operators_is_refused(copy: Path, fault: str):
    manifest = json.loads((copy / "manifest.json").read_text())
    entry = manifest["files"]["model"]
    model = onnx.load(copy / entry["name"])
    if fault == "external":
        tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
        (copy / "weights.bin").write_bytes(tensor.raw_data)
        onnx.external_data_helper.set_external_data(tensor, "weights.bin")
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
    elif fault == "custom":
        model.graph.node[0].domain = "com.example"
    data = b"nonsense" if fault == "nonsense" else model.SerializeToString()
    (copy / entry["name"]).write_bytes(data)
    entry["sha256"] = hashlib.sha256(data).hexdigest()
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match="the model cannot be loaded"):
        runtime.load(copy)
