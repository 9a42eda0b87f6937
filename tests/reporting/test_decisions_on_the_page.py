"""The section of the page about a policy and its decisions."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from vssl import api
from vssl.decisions.guarantee import Costs
from vssl.reporting.tradeoff import rate_curve
from vssl.run import Run

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]


def decisions(run: Run, on: str = "train") -> str:
    text = api.report(run, table=on).read_text()
    match = re.search(r'<section id="decisions">.*?</section>', text, re.DOTALL)
    return match.group() if match else ""


def test_without_a_policy_there_is_no_section_and_no_script(trained: Run):
    assert decisions(trained) == ""
    assert "<script" not in (trained.path / "report.html").read_text()


def test_a_policy_is_shown_in_words_and_what_to_do_next(calibrated: Run):
    text = decisions(calibrated)
    assert "at most 10 % of normal samples are rejected, with 90 % confidence" in text
    assert text.count("<svg") == 2
    assert f"vssl decide {calibrated.path}" in text


@pytest.mark.slow
def test_decisions_are_shown_beside_the_nearest_known_samples(trained: Run, line: Path, ask: dict[str, float]):
    api.calibrate(trained, f"{line}:label=ok", defects=f"{line}:label=defect", miss=0.2, device="cpu", **ask)
    api.decide(trained, line, normal="label=ok", device="cpu")
    text = decisions(trained, on="line")
    assert "False alarms: " in text
    assert "Accepted (" in text
    assert "original not found" not in text
    first = re.search(r"<h3>Accepted.*?<ul class=\"tiles\">(.*?)</li>", text, re.DOTALL)
    assert first is not None
    assert first.group(1).count("<img") == 4


def test_groups_have_a_row_each(trained: Run, line: Path, ask: dict[str, float]):
    api.calibrate(trained, f"{line}:label=ok", group="camera", device="cpu", **ask)
    text = decisions(trained)
    assert [f'<th scope="row">cam-{number}' in text for number in (1, 2, 3)] == [True, True, False]


def test_the_page_runs_its_one_script_and_no_other(calibrated: Run):
    page = api.report(calibrated).read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    expected = b64encode(sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{expected}'\"" in page


def test_the_slider_shows_what_thresholds_would_have_done():
    normal, defects = np.arange(10.0), np.arange(5.0, 15.0)
    curve = rate_curve(normal, defects, Costs(100, 1, 5, 0.1), None)
    for limit, alarms, misses, cost in zip(curve.limits, curve.false_alarms, curve.misses, curve.costs, strict=True):
        assert alarms == (normal > limit).sum()
        assert misses == (defects <= limit).sum()
        assert cost == pytest.approx(900 * alarms / 10 + 100 * 100 * misses / 10)
    numbers = json.loads(json.dumps(curve.to_dict()))
    assert numbers["false_alarms_upper"][-1] == pytest.approx(1 - 0.05 ** (1 / 10), abs=1e-4)
