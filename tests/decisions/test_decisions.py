"""Calibrating a run and deciding with it, through the API, on real files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl import api
from vssl.decisions import policy_file as policies
from vssl.decisions.core import ACCEPT, REJECT, REVIEW
from vssl.decisions.describe import describe
from vssl.decisions.guarantee import Costs
from vssl.decisions.thresholds import compute_thresholds
from vssl.errors import ConfigError, DataError, EmptyDataError, NotEnoughDataError, PolicyError
from vssl.run import Run

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]

Ask = dict[str, float]


def decide(run: Run, data: str | Path, **options: Any):
    return api.decide(run, data, device="cpu", **options)


def calibrate(run: Run, normal: str | Path, ask: Ask, **options: Any):
    return api.calibrate(run, normal, device="cpu", **(ask | options))


@pytest.fixture
def rows(line: Path) -> pa.Table:
    return pq.read_table(line)


def test_a_list_of_discoveries_is_benjamini_hochbergs(calibrated: Run, line: Path):
    table = decide(calibrated, line, false_discoveries=0.4).table
    p_values = np.sort(table["p_value"].to_numpy())
    lengths = np.flatnonzero(p_values <= 0.4 * np.arange(1, len(p_values) + 1) / len(p_values)) + 1
    reported = np.array(table["reported"].to_pylist())
    assert reported.sum() == lengths.max() > 0
    assert table["p_value"].to_numpy()[reported].max() < table["p_value"].to_numpy()[~reported].min()
    assert "reported" not in decide(calibrated, line).table.column_names


def test_without_a_p_value_of_each_sample_there_are_no_discoveries(trained: Run, line: Path, ask: Ask):
    calibrate(trained, f"{line}:label=ok", ask | {"false_alarm": 0.4}, block="block")
    with pytest.raises(ConfigError, match="not with blocks"):
        decide(trained, line, false_discoveries=0.1)


@pytest.mark.parametrize("score", ["disagreement", "elbo_gap"])
def test_a_score_that_compares_views_gets_them_compared(trained: Run, line: Path, ask: Ask, score: str):
    calibrate(trained, f"{line}:label=ok", ask, score=score)
    decided = decide(trained, line)
    found = dict(zip(decided.table["id"].to_pylist(), decided.table["score"].to_pylist(), strict=True))
    stored = trained.embeddings("line")
    assert [found[name] for name in stored.ids] == pytest.approx(stored.numpy(score).tolist())


def test_a_policy_says_what_it_promises_and_decides_as_it_says(calibrated: Run, line: Path):
    written = json.loads((calibrated.path / "policy.json").read_text())
    text = " ".join(written["description"])
    assert (
        "at most 10 % of normal samples are rejected, with 90 % confidence. It was calibrated on 80 normal samples"
        in text
    )
    assert written["samples"] == {"bank": 80, "normal": 80}

    found = decide(calibrated, line, normal="label=ok")
    table = pq.read_table(found.path)
    assert table.column_names == [
        "id", "decision", "p_value", "score", "group", "explanation", "nearest", "nearest_defect", "reason",
    ]  # fmt: skip
    scores = table["score"].to_numpy()
    limit = written["thresholds"][""]["reject_above"]
    assert table["decision"].to_pylist() == [REJECT if score > limit else ACCEPT for score in scores]
    assert found.metrics is not None
    assert found.metrics.miss["all"].of == 40
    assert found.in_reference == 160


def test_p_values_are_ranks_among_the_normals_of_the_calibration(calibrated: Run, line: Path):
    _, reference = policies.read(calibrated)
    normal = reference.scores("normal", "")
    table = decide(calibrated, line).table
    for score, p_value in zip(table["score"].to_pylist(), table["p_value"].to_pylist(), strict=True):
        assert p_value == pytest.approx((1 + (normal >= score).sum()) / 81)


def test_the_nearest_of_the_bank_are_named_nearest_first(calibrated: Run, line: Path):
    _, reference = policies.read(calibrated)
    table = decide(calibrated, line).table
    own = dict(zip(table["id"].to_pylist(), table["nearest"].to_pylist(), strict=True))
    for name in reference.bank.ids[:20]:
        assert own[name][0] == name
        assert len(own[name]) == 3


def test_defects_give_a_zone_that_is_reviewed_and_named_neighbours(trained: Run, line: Path, ask: Ask):
    policy = calibrate(trained, f"{line}:label=ok", ask, defects=f"{line}:label=defect", miss=0.2)
    limits = policy.thresholds[""]
    assert limits.accept_up_to <= limits.reject_above
    assert "and at most 20 % of defects are accepted, jointly with 90 % confidence" in describe(policy)[0]
    assert "calibrated on 80 normal samples and 40 defects" in describe(policy)[0]
    table = decide(trained, line).table
    assert set(table["nearest_defect"].to_pylist()) <= set(policies.read(trained)[1].defects.ids)


def test_costs_are_stated(trained: Run, line: Path, ask: Ask):
    costs = Costs(miss=100, false_alarm=1, review=5, defect_share=0.05)
    policy = calibrate(trained, f"{line}:label=ok", ask, defects=f"{line}:label=defect", costs=costs)
    assert policy.expected_costs[0].per_1000 >= policy.expected_costs[1].per_1000
    assert any("Expected cost per 1,000 samples with 5 % of defects" in sentence for sentence in describe(policy))
    assert policies.read(trained)[0] == policy


def test_groups_have_thresholds_of_their_own_and_an_unknown_one_is_reviewed(
    trained: Run, rows: pa.Table, changed: Callable[[pa.Table], Path], ask: Ask, line: Path
):
    policy = calibrate(trained, f"{line}:label=ok", ask, group="camera")
    assert set(policy.thresholds) == {"cam-1", "cam-2"}
    third = changed(rows.set_column(2, "camera", pa.array(["cam-3"] * 100 + ["cam-1"] * 100)))
    table = decide(trained, third).table
    of_third = table.filter(pa.array(np.arange(200) < 100))
    assert set(of_third["decision"].to_pylist()) == {REVIEW}
    assert set(of_third["reason"].to_pylist()) == {"no threshold for camera = cam-3"}
    assert np.isnan(of_third["p_value"].to_numpy()).all()
    assert table.slice(100)["decision"].to_pylist().count(ACCEPT) > 50


def test_a_promise_of_blocks_counts_blocks(trained: Run, line: Path, ask: Ask):
    policy = calibrate(
        trained, f"{line}:label=ok", {"false_alarm": 0.2, "confidence": 0.9}, block="block", bank="train"
    )
    assert policy.samples["normal"] == 160
    assert "of normal blocks (by block) contain a rejected sample" in describe(policy)[0]
    assert "calibrated on 20 blocks of normal samples" in describe(policy)[0]
    metrics = decide(trained, f"{line}:label=ok", normal="label=ok").metrics
    assert metrics is not None
    assert metrics.false_alarm.of == 20
    # Each lot holds two defects, so none is normal as a whole.
    with pytest.raises(DataError, match="is normal"):
        decide(trained, line, normal="label=ok")
    with pytest.raises(NotEnoughDataError, match=r"20 samples.*counted in blocks by block"):
        calibrate(trained, f"{line}:label=ok", ask, block="block", bank="train", overwrite=True)


def test_a_promise_of_misses_counts_blocks_of_which_every_defect_is_accepted(trained: Run, line: Path, rows: pa.Table):
    ask = {"false_alarm": 0.2, "miss": 0.2, "confidence": 0.9}
    policy = calibrate(trained, f"{line}:label=ok", ask, defects=f"{line}:label=defect", block="block", bank="train")
    guaranteed = (
        "in at most 20 % of blocks (by block) with defects all defects are accepted, jointly with 90 % confidence. "
        "It was calibrated on 20 blocks of normal samples and 20 blocks of defects"
    )
    assert guaranteed in describe(policy)[0]
    found = decide(trained, line).table
    scores, blocks, labels = (
        table[name].to_numpy() for table, name in ((found, "score"), (rows, "block"), (rows, "label"))
    )
    worst = {
        label: np.array([scores[(blocks == name) & (labels == label)].max() for name in np.unique(blocks)])
        for label in ("ok", "defect")
    }
    assert policy.thresholds[""] == compute_thresholds(worst["ok"], worst["defect"], policy.guarantee)


def test_with_blocks_the_bank_is_the_earlier_half_of_them(trained: Run, line: Path, rows: pa.Table):
    calibrate(trained, f"{line}:label=ok", {"false_alarm": 0.3, "confidence": 0.9}, block="block")
    reference = policies.read(trained)[1]
    lot = dict(zip(rows["path"].to_pylist(), rows["block"].to_pylist(), strict=True))
    assert {lot[name] for name in reference.bank.ids} == {f"lot-{number}" for number in range(10)}
    assert {lot[name] for name in reference.normal.ids} == {f"lot-{number}" for number in range(10, 20)}


def test_samples_in_the_order_of_time_that_drift_get_no_guarantee(
    trained: Run, rows: pa.Table, changed: Callable[[pa.Table], Path], ask: Ask, line: Path
):
    assert calibrate(trained, f"{line}:label=ok", ask, time="time").guaranteed
    scores = dict(zip(*(decide(trained, line).table[name].to_pylist() for name in ("id", "score")), strict=True))
    # As if the process had become worse and worse.
    times = pa.array(np.argsort(np.argsort([scores[path] for path in rows["path"].to_pylist()])).astype(float))
    drifting = changed(rows.set_column(4, "time", times))
    policy = calibrate(trained, f"{drifting}:label=ok", ask, time="time", overwrite=True)
    assert not policy.guaranteed
    assert describe(policy)[0].startswith("NO GUARANTEE")
    assert any("not exchangeable" in sentence for sentence in describe(policy))


def test_the_order_of_the_samples_does_not_count(
    trained: Run, rows: pa.Table, changed: Callable[[pa.Table], Path], ask: Ask, line: Path
):
    policy = calibrate(trained, f"{line}:label=ok", ask)
    mixed = changed(rows.take(pa.array(np.random.default_rng(0).permutation(200))))
    again = calibrate(trained, f"{mixed}:label=ok", ask, overwrite=True)
    assert again.thresholds[""].reject_above == pytest.approx(policy.thresholds[""].reject_above, rel=1e-4)


def test_an_unreadable_sample_is_not_lost_but_reviewed(calibrated: Run, line: Path, tmp_path: Path):
    folder = Path(shutil.copytree(line.parent, tmp_path / "line"))
    (folder / pq.read_table(line)["path"][0].as_py()).write_bytes(b"no picture")
    table = decide(calibrated, folder / "line.parquet").table
    assert table.num_rows == 200
    last = table.slice(199).to_pylist()[0]
    assert last["decision"] == REVIEW
    assert last["reason"].startswith("unreadable")
    some = decide(calibrated, f"{folder / 'line.parquet'}:camera=cam-2").table
    assert some.num_rows == 101
    assert some["id"].to_pylist()[-1] == last["id"]
    assert some["reason"].to_pylist()[-1] == last["reason"] + "; not known whether camera=cam-2"


def test_however_many_cannot_be_read_the_others_are_decided(calibrated: Run, draw_pictures, tmp_path: Path):
    folder = draw_pictures(tmp_path / "few", count=4, seed=3)
    for path in sorted(folder.rglob("*.png"))[:3]:
        path.write_bytes(b"")
    table = decide(calibrated, folder).table
    assert [reason.startswith("unreadable") for reason in table["reason"].to_pylist()] == [False, True, True, True]
    sorted(folder.rglob("*.png"))[3].write_bytes(b"")
    table = decide(calibrated, folder).table
    assert table["decision"].to_pylist() == [REVIEW] * 4


def test_noise_and_blackout_are_not_accepted(calibrated: Run, line: Path, tmp_path: Path):
    (tmp_path / "noise").mkdir()
    for row in range(20):
        noise = np.random.default_rng(row).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "noise" / f"{row}.png")
    assert decide(calibrated, tmp_path / "noise").count(ACCEPT) == 0


# What is refused.


def test_samples_of_the_training_are_no_calibration(trained: Run, photos: Path, ask: Ask):
    with pytest.raises(DataError, match="in the training data too"):
        calibrate(trained, photos, ask)
    assert not (trained.path / "policy.json").exists()


def test_samples_of_the_training_are_known_when_its_data_are_gone(trained: Run, photos: Path, ask: Ask):
    trained.update(source=str(trained.path / "gone"))
    with pytest.raises(DataError, match="in the training data too"):
        calibrate(trained, photos, ask)


def test_without_the_file_of_training_samples_the_policy_says_what_could_not_be_checked(
    trained: Run, line: Path, ask: Ask
):
    (trained.path / "training_index.safetensors").write_bytes(b"damaged")
    (said,) = (text for text in calibrate(trained, f"{line}:label=ok", ask).caveats if "could not be checked" in text)
    assert "not what the training wrote" in said
    (trained.path / "training_index.safetensors").unlink()
    policy = calibrate(trained, f"{line}:label=ok", ask, overwrite=True)
    assert any("could not be checked: the run has no training_index.safetensors." in text for text in policy.caveats)


def test_samples_of_the_bank_are_no_calibration(trained: Run, line: Path, ask: Ask):
    with pytest.raises(DataError, match="in the bank too"):
        calibrate(trained, f"{line}:label=ok", ask, bank=line)


def test_copies_among_the_normals_count_once_and_the_policy_says_so(
    trained: Run, changed: Callable[[pa.Table], Path], rows: pa.Table, ask: Ask
):
    data = changed(rows)
    names = rows["path"].to_pylist()
    for name in (names[1], names[2], names[2], names[3]):
        shutil.copy(data.parent / name, data.parent / f"{len(list(data.parent.iterdir()))}.png")
    copies = [path.name for path in data.parent.glob("*.png")]
    more = pa.table({"path": copies, "label": ["ok"] * 4})
    pq.write_table(pa.concat_tables([rows, more], promote_options="default"), data)
    policy = calibrate(trained, f"{data}:label=ok", ask, bank="train")
    (said,) = (caveat for caveat in policy.caveats if "copies" in caveat)
    assert said.startswith("4 of the 164 normal samples are copies of others")
    assert said.endswith("160 differ.")
    assert (policy.samples["normal"], policy.samples["normal different"]) == (164, 160)
    assert "calibrated on 160 different normal samples (164 with copies)" in describe(policy)[0]
    reference = policies.read(trained)[1]
    assert len(reference.scores("normal", "")) == 160


def test_a_bank_that_holds_the_defects_is_refused(trained: Run, line: Path, ask: Ask):
    with pytest.raises(DataError, match="40 of 40 defects are in the bank too"):
        calibrate(trained, f"{line}:label=ok", ask, defects=f"{line}:label=defect", bank=f"{line}:label=defect")


def test_a_sample_cannot_be_normal_and_a_defect(trained: Run, line: Path, ask: Ask):
    with pytest.raises(DataError, match="normal and as a defect"):
        calibrate(trained, line, ask, defects=f"{line}:label=defect", bank="train")


def test_too_few_samples_are_refused_with_the_number_that_is_needed(trained: Run, line: Path):
    with pytest.raises(
        NotEnoughDataError, match=r"80 samples .* at least 299\. Half of the normals are the bank"
    ) as found:
        calibrate(trained, f"{line}:label=ok", {"false_alarm": 0.01, "confidence": 0.95})
    assert found.value.needed == 299


def test_a_group_without_known_defects_is_named(
    trained: Run, rows: pa.Table, changed: Callable[[pa.Table], Path], ask: Ask
):
    cameras = ["cam-3" if row["label"] == "defect" else row["camera"] for row in rows.to_pylist()]
    data = changed(rows.set_column(2, "camera", pa.array(cameras)))
    options = {"defects": f"{data}:label=defect", "group": "camera"}
    with pytest.raises(NotEnoughDataError, match=r"^0 samples are not enough for misses .* camera = cam-1"):
        calibrate(trained, f"{data}:label=ok", {"false_alarm": 0.2, "miss": 0.2, "confidence": 0.9}, **options)


def test_too_few_samples_of_a_group_are_named(trained: Run, line: Path):
    with pytest.raises(NotEnoughDataError, match="in the group camera = cam-"):
        calibrate(trained, f"{line}:label=ok", {"false_alarm": 0.05, "confidence": 0.95}, group="camera")


@pytest.mark.parametrize(
    ("normal", "options", "error", "message"),
    [
        ("{line}:label=good", {}, EmptyDataError, "it has: .'defect', 'ok'"),
        ("{line}:lable=ok", {}, DataError, "no column 'lable'; it has: label, camera, block, time"),
        ("{line}:label=ok", {"group": "camra"}, DataError, "no column 'camra'"),
        ("{line}:label=ok", {"group": "camera", "block": "block"}, ConfigError, "cannot be combined"),
        ("{line}:label=ok", {"miss": 0.1}, ConfigError, "needs known defects"),
        ("{line}:label=ok", {"costs": Costs(miss=10)}, ConfigError, "Costs need known defects"),
        ("{line}:label=ok", {"valid_days": 0}, ConfigError, "valid_days"),
        ("{line}:label=ok", {"score": "knnn"}, ConfigError, "Did you mean 'knn'"),
        ("{line}:label=ok", {"false_alarm": 1.0}, ConfigError, "false_alarm"),
        ("{folder}/nothing", {}, DataError, "nothing"),
    ],
)
def test_requests_that_make_no_sense(trained: Run, line: Path, ask: Ask, normal, options, error, message):
    with pytest.raises(error, match=message):
        calibrate(trained, normal.format(line=line, folder=line.parent), ask, **options)
    assert not (trained.path / "policy.json").exists()


def test_a_second_policy_is_refused_unless_asked_for(calibrated: Run, line: Path, ask: Ask):
    before = (calibrated.path / "policy.json").read_bytes()
    with pytest.raises(PolicyError, match="already has a policy"):
        calibrate(calibrated, f"{line}:label=ok", ask)
    assert (calibrated.path / "policy.json").read_bytes() == before
    calibrate(calibrated, f"{line}:label=ok", ask, bank="train", overwrite=True)
    assert len(list((calibrated.path / "calibration").iterdir())) == 1
    assert decide(calibrated, line).policy.samples["bank"] == 64


def test_without_a_policy_the_command_that_makes_one_is_named(trained: Run, line: Path):
    with pytest.raises(PolicyError, match="vssl calibrate"):
        decide(trained, line)


def test_another_model_is_refused(calibrated: Run, line: Path):
    with (calibrated.path / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(PolicyError, match="another model file"):
        decide(calibrated, line)


def test_another_preprocessing_is_refused(calibrated: Run, line: Path):
    mean = calibrated.info["spec"]["mean"]
    calibrated.update(spec=calibrated.info["spec"] | {"mean": [mean[0] + 0.01, *mean[1:]]})
    with pytest.raises(PolicyError, match="another preprocessing"):
        decide(calibrated, line)


def test_another_back_end_is_refused(calibrated: Run, line: Path):
    calibrated.update(settings=calibrated.info["settings"] | {"precision": "bf16"})
    with pytest.raises(PolicyError, match=r"another numeric back end: .*float32.*bfloat16"):
        decide(calibrated, line)


def test_an_expired_policy_is_refused(calibrated: Run):
    policy, _ = policies.read(calibrated)
    day = date.fromisoformat(policy.expires)
    policy.check(policy.binding, day - timedelta(days=1))
    with pytest.raises(PolicyError, match=r"expired.*vssl calibrate RUN --normal DATA --overwrite"):
        policy.check(policy.binding, day)


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_reference_that_is_not_what_it_was_is_refused(calibrated: Run, line: Path, damage: str):
    (file,) = (calibrated.path / "calibration").iterdir()
    data = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if damage == "cut" else data[:100] + b"x" + data[101:])
    with pytest.raises(PolicyError, match="is missing" if damage == "gone" else "was changed"):
        decide(calibrated, line)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1}'])
def test_a_policy_that_cannot_be_read_is_refused(calibrated: Run, line: Path, text: str):
    (calibrated.path / "policy.json").write_text(text)
    with pytest.raises(PolicyError, match="cannot be read by this version"):
        decide(calibrated, line)


def test_a_threshold_moved_by_hand_is_refused(calibrated: Run, line: Path):
    path = calibrated.path / "policy.json"
    written = json.loads(path.read_text())
    written["thresholds"][""]["reject_above"] += 1
    path.write_text(json.dumps(written))
    with pytest.raises(PolicyError, match=r"was changed after the calibration.*--normal DATA --overwrite"):
        decide(calibrated, line)


def test_a_new_training_removes_the_policy(calibrated: Run, photos: Path, quick: dict[str, Any]):
    api.train(photos, calibrated.path, overwrite=True, **quick)
    assert not (calibrated.path / "policy.json").exists()
    assert not (calibrated.path / "calibration").exists()
