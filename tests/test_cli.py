import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl.cli import main
from vssl.cli.commands import commands
from vssl.run import Run

pytest_plugins = ["fixtures_runs"]

VERBS = tuple(commands())
QUICK = ("--encoder", "convnet/tiny", "--batch", "16", "--steps", "2", "--device", "cpu")


def vssl(*arguments: object) -> int:
    """The exit status of a command line."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def settings_of(run: Path) -> dict:
    return Run(run).info["settings"]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert vssl("--version") == 0
    assert capsys.readouterr().out == f"vssl {importlib.metadata.version('vssl')}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_teaches_its_use_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert vssl(verb, "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: vssl {verb} ")
    assert f"Examples: vssl {verb} " in " ".join(text.split())


def test_help_names_every_verb_and_the_way_to_a_first_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert vssl("--help") == 0
    text = capsys.readouterr().out
    assert all(f"• {verb}" in text for verb in VERBS)
    for command in ("vssl demo", "vssl train IMAGES --out RUN", "vssl embed RUN IMAGES", "vssl report RUN"):
        assert command in text


def test_help_of_training_shows_the_settings_of_the_members_that_were_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert vssl("train", "--help") == 0
    default = capsys.readouterr().out
    assert all(option in default for option in ("--views", "--vssl.prior", "--learning-rate", "--label-from"))
    assert "--simclr.temperature FLOAT" not in default
    # A variant stands behind the member's name, and nowhere else.
    assert "variant {" not in default
    assert vssl("train", "--objective", "simclr", "--help") == 0
    other = capsys.readouterr().out
    assert "--simclr.temperature FLOAT" in other
    assert "--vssl.prior" not in other


def test_from_photos_to_figures_and_a_page(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    command = ("train", photos, "--out", run, *QUICK, "--steps", "12", "--label-from", "folder")
    assert vssl(*command) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert f"vssl embed {run} DATA" in output.err
    assert Run(run).info["command"] == " ".join(["vssl", *map(str, command)])

    assert vssl("embed", run, photos) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert "64 samples embedded" in output.err

    assert vssl("evaluate", run) == 0
    figures = json.loads(capsys.readouterr().out)
    assert set(figures) == {"values", "skipped"}
    assert 0 <= figures["values"]["knn/accuracy"] <= 1
    assert json.loads((run / "evaluation.json").read_text())["values"] == figures["values"]

    assert vssl("report", run) == 0
    assert str(run / "report.html") in capsys.readouterr().err.replace("\n", "")
    assert "<html" in (run / "report.html").read_text()

    assert vssl("resume", run) == 0


def test_from_known_normals_to_decisions(
    trained: Run, tmp_path: Path, draw_pictures: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    known, new = draw_pictures(tmp_path / "known", seed=1), draw_pictures(tmp_path / "new", count=12, seed=2)
    policy = trained.path / "policy.json"
    guarantee = (
        "--false-alarm",
        "0.1",
        "--confidence",
        "0.9",
        "--score",
        "knn",
        "--neighbours",
        "3",
        "--device",
        "cpu",
    )
    assert vssl("calibrate", trained.path, "--normal", known, *guarantee) == 0
    output = capsys.readouterr()
    assert output.out.startswith("Guarantee: at most 10 % of normal samples are rejected, with ")
    assert f"vssl decide {trained.path} DATA" in output.err
    assert json.loads(policy.read_text())["score"] == {"name": "knn", "neighbours": 3, "space": "whitened"}

    assert vssl("decide", trained.path, new, "--device", "cpu") == 0
    output = capsys.readouterr()
    counts = json.loads(output.out)
    assert counts["accept"] + counts["review"] + counts["reject"] == counts["samples"] == 12
    assert Path(counts["file"]).is_file()
    assert "12 samples:" in output.err

    Image.new("RGB", (16, 16), (255, 0, 255)).save(new / "odd.png")
    assert vssl("decide", trained.path, new, "--device", "cpu", "--fail-if-reject") == 1
    assert json.loads(capsys.readouterr().out)["reject"] >= 1
    assert "already has a policy" in error_of(capsys, "calibrate", trained.path, "--normal", known, *guarantee)


def test_from_few_labels_to_prediction_sets(
    trained: Run, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vssl("embed", trained.path, photos, "--name", "train") == 0
    capsys.readouterr()
    ids = trained.embeddings("train").ids
    lines = [f"{name},{name.split('/')[0]}" for name in ids[:60]]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label", *lines]))
    assert vssl("probe", trained.path, "--labels", tmp_path / "labels.csv", "--coverage", "0.8") == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["samples"] == len(ids) - 60
    assert "by 60 labels" in output.err
    table = pq.read_table(trained.path / "predictions" / "train.parquet")
    assert set(table["id"].to_pylist()) == set(ids[60:])
    assert {name for names in table["labels"].to_pylist() for name in names} <= {f"kind-{n}" for n in range(4)}
    (tmp_path / "labels.csv").write_text("id,label\nnobody.png,a\n")
    assert "nobody.png" in error_of(capsys, "probe", trained.path, "--labels", tmp_path / "labels.csv")


@pytest.mark.parametrize(
    ("arguments", "place", "expected"),
    [
        (("--vssl.prior", "paired"), ("objective", "prior"), "paired"),
        (("--vssl.log-variance-range", "-5", "1"), ("objective", "log_variance_range"), [-5.0, 1.0]),
        (("--views", "inspection"), ("modality", "views"), "inspection"),
        (("--size", "12"), ("modality", "size"), 12),
        (("--max-broken", "0.5"), ("modality", "max_broken"), 0.5),
        (("--learning-rate", "0.125"), ("optimiser", "learning_rate"), 0.125),
        (("--algorithm", "sgd"), ("optimiser", "algorithm"), "sgd"),
        (("--weight-decay", "0"), ("optimiser", "weight_decay"), 0.0),
        (("--seed", "5"), ("seed",), 5),
        (("--precision", "float32"), ("precision",), "float32"),
        (("--objective", "simclr", "--simclr.temperature", "0.25"), ("objective", "temperature"), 0.25),
        (("--objective", "simclr"), ("objective", "name"), "simclr"),
        (("--objective=vssl/paper",), ("objective", "prior"), "paired"),
        (("--objective", "vssl/paper", "--vssl.latent", "32"), ("objective", "latent"), 32),
        (("--objective", "vssl/paper", "--vssl.latent", "32"), ("objective", "variance"), "diagonal"),
        ((), ("encoder", "variant"), "tiny"),
    ],
)
def test_what_was_asked_for_arrives_in_the_run(
    photos: Path, tmp_path: Path, arguments: tuple[str, ...], place: tuple[str, ...], expected: object
) -> None:
    assert vssl("train", photos, "--out", tmp_path / "run", *QUICK, *arguments) == 0
    value = settings_of(tmp_path / "run")
    for key in place:
        value = value[key]
    assert value == expected


def test_options_may_stand_before_the_data(photos: Path, tmp_path: Path) -> None:
    assert vssl("train", "--out", tmp_path / "run", *QUICK, "--views", "texture", photos) == 0
    assert settings_of(tmp_path / "run")["modality"]["views"] == "texture"


def test_labels_and_names_of_embeddings_come_from_the_command_line(trained: Run, photos: Path) -> None:
    assert vssl("embed", trained.path, photos, "--name", "late", "--label-from", "folder") == 0
    assert set(trained.embeddings("late").numpy("label")) == {"kind-0", "kind-1", "kind-2", "kind-3"}


def test_only_the_metrics_that_are_named_are_computed(
    trained: Run, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vssl("embed", trained.path, photos) == 0
    capsys.readouterr()
    assert vssl("evaluate", trained.path, "--metrics", "rank") == 0
    assert {name.partition("/")[0] for name in json.loads(capsys.readouterr().out)["values"]} == {"rank"}


def test_views_are_drawn_as_a_picture_with_a_row_for_each_sample(photos: Path, tmp_path: Path) -> None:
    assert vssl("views", photos, "--out", tmp_path / "views.png", "--samples", "3", "--views", "inspection") == 0
    picture = Image.open(tmp_path / "views.png")
    assert picture.format == "PNG"
    # Originals of 16 pixels are shown at 96, beside four draws of each of the two views.
    assert 9 * 96 < picture.width < 9 * 96 + 100
    assert 3 * 96 < picture.height < 3 * 96 + 60


def error_of(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one message of a command line that must fail."""
    assert vssl(*arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "Traceback" not in output.err
    assert output.err.count("Error:") == 1
    return output.err


def test_missing_data_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = error_of(capsys, "train", tmp_path / "nowhere", "--out", tmp_path / "run", *QUICK)
    assert f"DataError: {tmp_path / 'nowhere'} does not exist" in message


def test_an_existing_run_is_kept_and_the_ways_on_are_said(
    trained: Run, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = error_of(capsys, "train", photos, "--out", trained.path, *QUICK)
    assert message.startswith("RunExistsError:")
    assert f"vssl resume {trained.path}" in message
    assert "--overwrite" in message


def test_an_unknown_method_is_answered_with_the_one_that_was_meant(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = error_of(capsys, "train", photos, "--out", tmp_path / "run", "--objective", "simcrl")
    assert "There is no 'simcrl' among the objectives" in message
    assert "Did you mean 'simclr'?" in message


def test_two_budgets_are_one_too_many(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = error_of(capsys, "train", photos, "--out", tmp_path / "run", "--steps", "3", "--minutes", "1")
    assert "exactly one of --epochs, --steps and --minutes" in message


def test_embeddings_that_are_not_there_are_answered_with_the_command(
    trained: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "vssl embed RUN DATA" in error_of(capsys, "evaluate", trained.path)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--learning-rate", "0", "learning_rate is 0.0; it must be above 0"),
        ("--vssl.temperature", "-1", "vssl.temperature is -1.0; it must be in the range (0, inf)"),
        ("--size", "4", "images.size is 4; it must be at least 8"),
        ("--batch", "1", "batch is 1; it must be at least 2"),
    ],
)
def test_a_value_out_of_range_is_named_without_a_traceback(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, message: str
) -> None:
    assert vssl("train", photos, "--out", tmp_path / "run", *QUICK, option, value) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert message in text
    assert "Traceback" not in text
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["[old] photos", "[/old] photos"])
def test_a_name_with_brackets_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert name in error_of(capsys, "train", tmp_path / name, "--out", tmp_path / "run")


def test_an_option_that_does_not_exist_ends_with_status_2(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vssl("train", photos, "--out", tmp_path / "run", "--vssl.temprature", "1") == 2
    output = capsys.readouterr()
    assert "temprature" in output.err
    assert "Traceback" not in output.err
    assert not (tmp_path / "run").exists()


def test_ctrl_c_while_reading_ends_without_a_traceback(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vssl.modalities.images.measure", interrupt)
    assert vssl("train", photos, "--out", tmp_path / "run", *QUICK) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_the_module_is_the_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "vssl", "--help"], capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"}
    )
    assert ended.returncode == 0
    assert "usage: vssl" in ended.stdout
    assert ended.stderr == ""


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "--help",
        "",
        "trian",
        *(f"{verb} --help" for verb in VERBS if verb not in ("train", "bench", "calibrate", "inspect")),
        "train",
        "train photos",
        "train photos --out run --objective simcrl",
        "embed RUN",
        "embed RUN DATA --pairs 2",
        "embed RUN DATA --view-pairs two",
    ],
)
def test_help_and_usage_errors_are_answered_without_torch(line: str) -> None:
    code = """
import sys
from vssl.cli import main
try:
    main(sys.argv[1:])
finally:
    print("torch" in sys.modules, file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code, *line.split()], capture_output=True, text=True)
    assert ended.stderr.endswith("False\n")
    assert ended.returncode == (0 if line.endswith(("--version", "--help")) else 2)
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_start_loads_nothing_that_talks_to_a_network_or_takes_long_and_is_not_needed() -> None:
    code = """
import sys
from vssl.cli import main
try:
    main(["--help"])
finally:
    talks = {"requests", "httpx", "urllib3", "aiohttp", "huggingface_hub", "timm", "wandb"}
    slow = {"sklearn", "scipy.stats", "pandas", "matplotlib", "onnx", "onnxruntime", "fastapi", "sqlalchemy"}
    print(sorted((talks | slow) & set(sys.modules)), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.stderr.strip() == "[]"


@pytest.mark.slow
def test_bench_prints_its_tables_and_leaves_a_page(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = (*QUICK[:2], "--batches", "16", "--steps", "2", "--device", "cpu")
    asked = ("bench", pictures, "--out", tmp_path / "bench", "--label-from", "folder", "--seeds", "0", *quick)
    assert vssl(*asked, "--methods", "vssl", "byol:ema_half_life=0.1") == 0
    printed = capsys.readouterr().out
    assert "pictures, 2 steps" in printed
    assert "| byol:ema_half_life=0.1 | 1 | " in printed
    assert (tmp_path / "bench" / "report.html").is_file()


def test_bench_refuses_an_unknown_method_before_it_trains(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vssl("bench", pictures, "--out", tmp_path / "bench", "--methods", "simclt") == 2
    assert "Did you mean 'simclr'?" in capsys.readouterr().err
    assert not (tmp_path / "bench").exists()
