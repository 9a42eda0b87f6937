"""The head of the page: one sentence and the figures that a person looks for first."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from vssl import api
from vssl.decisions import policy_file
from vssl.decisions.bounds import observed_rate
from vssl.decisions.metrics import DecisionMetrics
from vssl.decisions.policy import Policy, Rate
from vssl.reporting.headline import headline
from vssl.run import Run

pytest_plugins = ["fixtures_runs", "fixtures_decisions"]


@pytest.fixture
def policy(calibrated: Run) -> Policy:
    """At most 10 % false alarms, at 90 % confidence."""
    return policy_file.read(calibrated)[0]


def rate(count: int, of: int) -> Rate:
    return observed_rate(np.arange(of) < count)


def record(policy: Policy, metrics: DecisionMetrics | None) -> dict:
    counts = {"policy": policy.reference, "samples": 1000, "accept": 900, "review": 0, "reject": 100}
    return counts if metrics is None else counts | {"metrics": asdict(metrics)}


def test_the_sentence_says_found_defects_and_false_alarms_beside_the_guarantee(policy: Policy):
    metrics = DecisionMetrics(rate(9, 900), rate(0, 900), {"all": rate(10, 100)}, rate(0, 100))
    head = headline(record(policy, metrics), policy)
    assert head is not None
    assert head.sentence == (
        "90 % of the defects are found, and 1 % of the normal ones raise a false alarm (guaranteed: at most 10 %)."
    )
    assert head.tone == "good"
    values = {figure.name: figure.value for figure in head.figures}
    # Bayes: 0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.01), and the same for one in a thousand.
    assert values["Of 100 alarms, if 1 in 100 is defective"] == "48 are real"
    assert values["Of 100 alarms, if 1 in 1,000 is defective"] == "8 are real"


def test_a_broken_guarantee_is_said_in_the_first_line(policy: Policy):
    metrics = DecisionMetrics(rate(300, 900), rate(0, 900), {"all": rate(10, 100)}, rate(0, 100))
    head = headline(record(policy, metrics), policy)
    assert head is not None
    assert head.tone == "bad"
    assert "does not hold" in head.sentence


def test_samples_for_review_count_as_found_and_as_alarms(policy: Policy):
    metrics = DecisionMetrics(rate(9, 900), rate(90, 900), {"all": rate(10, 100)}, rate(40, 100))
    head = headline(record(policy, metrics), policy)
    assert head is not None
    assert "40 of them by a person's review" in head.figures[0].meaning
    assert head.figures[2].value == "8 are real"  # 0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.11)


def test_without_labels_the_guarantee_stands_in_for_the_observed_rate(policy: Policy):
    head = headline(record(policy, None), policy)
    assert head is not None
    assert head.sentence == "100 of 1,000 samples (10 %) are rejected; of normal samples it is at most 10 %."
    unsure = headline(record(policy, None), replace(policy, guaranteed=False))
    assert unsure is not None
    assert (unsure.tone, "No false-alarm rate is guaranteed" in unsure.sentence) == ("warning", True)


def test_decisions_of_another_policy_have_no_head(policy: Policy):
    assert headline(record(policy, None) | {"policy": "another"}, policy) is None


def test_the_page_begins_with_the_result(calibrated: Run, line: Path):
    api.decide(calibrated, line, name="judged", normal="label=ok", device="cpu")
    page = api.report(calibrated, table="judged").read_text()
    assert 0 < page.index('<section id="result">') < page.index('<section id="summary">')
    assert "of the defects are found" in page
