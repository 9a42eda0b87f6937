"""What of the samples that people judged does not count in a calibration, and that the policy says so."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vssl.decisions.core import Decision, decide_unreadable
from vssl.errors import EmptyDataError
from vssl.modalities import events, images
from vssl.modalities.base import Modality
from vssl.modalities.events import Config
from vssl.modalities.images.decode import Canvas
from vssl.serving.answers import StoredDecision
from vssl.serving.pages.rendering import figures
from vssl.serving.review_export import ReviewedData, gather
from vssl.serving.reviews import Reviews
from vssl.serving.samples import Samples
from vssl.serving.store import Store

MODALITY = images.build(images.Config(), images.Spec(Canvas(4, 4, 3), (0.5,) * 3, (0.25,) * 3))


class Desk:
    """A database to which samples are sent that are all drawn at random, and on which people judge."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, Store(f"sqlite:///{folder / 'd.sqlite'}")
        self.reviews, self.samples = Reviews(self.store), Samples(folder / "samples")

    def send(self, data: bytes, verdict: Any = None, group: str = "", reason: str = "", score: float = 1.0) -> int:
        content = hashlib.sha256(data).hexdigest()
        decision = decide_unreadable("x.png", reason) if reason else Decision("x.png", "accept", 0.5, score)
        hashes = {"content": content, "model": "m", "policy": "p"}
        (number,) = self.store.add([StoredDecision.of(decision, group=group, audit=True, **hashes)])
        self.samples.keep(content, data)
        if verdict:
            self.reviews.label(number, verdict, "kim", "")
        return number

    def gather(self, modality: Modality = MODALITY, group: str | None = None) -> ReviewedData:
        address = f"sqlite:///{self.folder / 'd.sqlite'}"
        return gather(address, self.folder / "samples", modality, group, self.folder / "out")

    def table(self) -> dict[str, list[Any]]:
        (path,) = self.folder.glob("out/*/samples.parquet")
        return pq.read_table(path).to_pydict()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def picture(seed: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)).save(data, "PNG")
    return data.getvalue()


def test_what_was_sent_many_times_counts_once_by_its_last_verdict(desk: Desk):
    desk.send(picture(0), "normal")
    numbers = [desk.send(picture(1), verdict) for verdict in ("defect", "normal", "normal")]
    desk.reviews.label(numbers[0], "defect", "lee", "")
    desk.send(picture(2), "normal")
    desk.send(picture(2), "unsure")
    caveats = desk.gather().caveats
    assert sorted(desk.table()["label"]) == ["defect", "normal"]
    assert caveats[0].startswith("Made of 2 samples")
    assert caveats[1] == "3 were copies of others: each counts once, by its last label."
    assert caveats[2].startswith("1 more were left out because people were unsure")
    assert len(caveats) == 3


def test_whether_the_promise_is_kept_counts_each_sample_once(desk: Desk):
    for seed, verdict in ((0, "normal"), (0, "normal"), (0, "normal"), (1, "normal"), (2, "defect"), (2, "defect")):
        desk.send(picture(seed), verdict)
    found = figures(desk.reviews.counts(datetime(2000, 1, 1, tzinfo=UTC)))
    assert (found["alarms"]["of"], found["misses"]["of"], found["misses"]["count"]) == (2, 1, 1)
    assert found["total"] == 6


def test_what_was_drawn_and_not_judged_is_said(desk: Desk):
    desk.send(picture(0), "normal")
    desk.send(picture(0))
    for _ in range(2):
        desk.send(picture(1))
    desk.send(picture(2))
    (_, passed_over) = desk.gather().caveats
    assert passed_over.startswith("2 more were left out because they have no label")


def test_a_verdict_on_what_cannot_be_read_stops_nothing(desk: Desk):
    desk.send(picture(0), "normal")
    desk.send(b"no picture", "normal", reason="it is no image")
    desk.send(picture(1)[:-20], "defect", reason="it is cut")
    desk.send(picture(2), "defect", score=np.nan)
    found = desk.gather()
    assert found.caveats[1].startswith("3 more were left out because they cannot be read or have no score")
    assert desk.table()["label"] == ["normal"]
    assert found.defects is None


def test_where_nothing_is_left_it_is_said_why(desk: Desk):
    desk.send(b"no picture", "normal", reason="it is no image")
    with pytest.raises(EmptyDataError, match=r"1 have a label\. 1 more were left out because they cannot be read"):
        desk.gather()


def test_a_group_stays_the_text_that_was_sent(desk: Desk):
    desk.send(picture(0), "normal", group="01")
    desk.send(picture(1), "normal", group="1")
    desk.send(picture(2), "normal")
    found = desk.gather(group="camera")
    assert sorted(desk.table()["camera"]) == ["01", "1"]
    assert found.caveats[1] == "1 more were left out because they were sent without a camera."


def test_a_copy_that_cannot_be_used_takes_no_other_away_and_its_verdict_counts(desk: Desk):
    desk.send(picture(0), "normal", group="a")
    desk.send(picture(0), "normal")
    desk.send(picture(1), "normal", group="b")
    desk.send(picture(1), "defect")
    desk.send(picture(2), "normal", group="c")
    desk.send(picture(2), "normal", group="d")
    desk.send(picture(2), "defect", reason="its format is not known there")
    found = desk.gather(group="camera")
    table = desk.table()
    assert dict(zip(table["camera"], table["label"], strict=True)) == {"a": "normal", "b": "defect", "d": "normal"}
    assert found.caveats[1] == "1 were copies of others: each counts once, by its last label."
    assert found.caveats[2].startswith("1 more were left out because they cannot be read")
    assert found.caveats[3] == "2 more were left out because they were sent without a camera."


def test_sessions_of_one_name_are_not_read_as_one(desk: Desk, tmp_path: Path):
    (tmp_path / "learn.log").write_text("".join(f"job-{row % 9} step {row} done\n" for row in range(90)))
    config = Config(session=r"job-\d+")
    spec = events.measure(tmp_path / "learn.log", config)
    desk.send(b"job-1 step 1 done\njob-1 step 2 done", "normal")
    desk.send(b"job-1 step 1 done\njob-1 step 2 done\njob-1 step 3 done", "normal")
    desk.send(b"job-2 step 1 done\na line of none", "normal")
    desk.send(b"job-3 step 1 done\njob-4 step 1 done", "normal")
    desk.send(b"step 1 done", "normal")
    found = desk.gather(events.build(config, spec))
    assert found.caveats[1].startswith("3 more were left out because their lines name no session or several")
    loaded = events.build(config, spec).load(found.normal)
    events_of = dict(zip(loaded.ids, loaded.metadata["events"].to_pylist(), strict=True))
    assert events_of == {"job-1": 3, "job-2": 1}
