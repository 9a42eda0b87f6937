"""The page for people: queues, verdicts, history, figures, thresholds, and who may do what."""

from __future__ import annotations

import hashlib
import io
import string
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from serving import HERE, files_of, pictures, service_of
from vssl.decisions import bounds
from vssl.decisions.guarantee import Guarantee
from vssl.decisions.policy import Binding, Policy, ScoreSpec
from vssl.decisions.thresholds import compute_thresholds
from vssl.serving.app import build
from vssl.serving.limits import Limits
from vssl.serving.pages import operating_points as points_module
from vssl.serving.pages.operating_points import operating_points, with_false_alarm
from vssl.serving.pages.rendering import figures
from vssl.serving.pages.texts import ENGLISH, JAPANESE, location
from vssl.serving.reviews import Reviews
from vssl.serving.samples import is_drawn
from vssl.serving.service import Service

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports", "fixtures_service"]
pytestmark = pytest.mark.slow  # they need an export, which takes half a minute

SAME = {"Origin": HERE}


@pytest.fixture
def person(asked: Any) -> TestClient:
    """Somebody with a browser, who has said who she is."""
    client = asked()
    assert client.post("/who", data={"name": "山田", "then": "/map"}, headers=SAME).url.path == "/map"
    return client


def send(client: TestClient, line: Path, count: int = 40) -> list[dict[str, Any]]:
    return client.post("/v1/decide", files=files_of(pictures(line, count))).json()["decisions"]


def judge(client: TestClient, number: int, verdict: str, **more: str) -> Any:
    return client.post(f"/decisions/{number}/verdict", data={"verdict": verdict, **more}, headers=SAME)


def test_whoever_comes_says_first_who_she_is(asked: Any, line: Path):
    client = asked()
    decisions = send(client, line)
    assert "Your name" in client.get("/queue/reject").text
    odd = next(item["number"] for item in decisions if item["decision"] != "accept")
    assert judge(client, odd, "normal").status_code == 403


def test_a_queue_shows_the_oldest_and_after_a_verdict_the_next(person: TestClient, line: Path, service: Service):
    decisions = send(person, line)
    odd = [item for item in decisions if item["decision"] == "reject"]
    assert len(odd) > 3
    page = person.get("/queue/reject")
    assert f"<h1>{odd[0]['id']}</h1>" in page.text
    page = judge(person, odd[0]["number"], "normal", queue="reject", note="only dust")
    assert f"<h1>{odd[1]['id']}</h1>" in page.text
    assert f"You labelled sample {odd[0]['number']} as Normal." in page.text
    skipped = person.get(f"/queue/reject?after={odd[1]['number']}")
    assert f"<h1>{odd[2]['id']}</h1>" in skipped.text
    ended = person.get(f"/queue/reject?after={decisions[-1]['number']}")
    assert f"{len(odd) - 1} samples were skipped." in ended.text
    judge(person, odd[0]["number"], "defect")
    reviews = Reviews(service.store)
    assert [said["label"] for said in reviews.labels(odd[0]["number"])] == ["defect", "normal"]
    assert reviews.waiting()["reject"] == len(odd) - 1
    changes = person.get("/changes").text
    assert "only dust" in changes
    assert changes.count("山田") == 3  # two verdicts, and who is here


def test_what_is_reviewed_waits_in_its_own_queue(person: TestClient, line: Path):
    decisions = person.post("/v1/decide", files=[("files", ("broken <b>.png", b"no picture"))]).json()["decisions"]
    page = person.get("/queue/review").text
    assert "broken &lt;b&gt;.png" in page
    assert "<b>.png" not in page
    assert "unreadable: " in page
    assert person.get(f"/decisions/{decisions[0]['number']}/picture").status_code == 404


def test_the_history_is_searched_by_name_decision_and_verdict(person: TestClient, line: Path):
    decisions = send(person, line)
    odd, good = (next(item for item in decisions if item["decision"] == made) for made in ("reject", "accept"))
    judge(person, odd["number"], "unsure")

    def shown(**asked: str) -> set[str]:
        page = person.get("/history", params=asked).text
        return {item["id"] for item in decisions if f"<td>{item['id']}</td>" in page}

    assert shown() == {item["id"] for item in decisions}
    assert shown(search=good["id"][:-4]) == {good["id"]}
    assert shown(search="%") == set()
    assert shown(decision="reject") == {item["id"] for item in decisions if item["decision"] == "reject"}
    assert shown(verdict="unsure") == {odd["id"]}
    assert odd["id"] not in shown(verdict="none")
    assert shown(before=str(good["number"])) == {i["id"] for i in decisions if i["number"] < good["number"]}


def test_pictures_are_made_anew_with_colour_where_they_are_odd(person: TestClient, line: Path, service: Service):
    decisions = send(person, line)
    odd = next(item for item in decisions if item["decision"] == "reject")
    plain, coloured = (person.get(f"/decisions/{odd['number']}/picture?heat={on}") for on in ("false", "true"))
    assert plain.headers["content-type"] == "image/webp"
    size = Image.open(pictures(line, 1)[0]).size
    found = Image.open(io.BytesIO(plain.content))
    assert found.width % size[0] == 0
    assert plain.content != coloured.content
    known = person.get("/known", params={"name": odd["nearest"][0]})
    assert Image.open(io.BytesIO(known.content)).format == "WEBP"
    assert person.get("/known", params={"name": "../policy.json"}).status_code == 404
    accepted = next(item for item in decisions if item["decision"] == "accept")
    assert person.get(f"/decisions/{accepted['number']}/picture").status_code == 404  # it was not kept


def test_samples_are_drawn_at_random_whatever_was_decided(exported: Path, line: Path, tmp_path: Path):
    service = service_of(exported, tmp_path, audit_rate=1.0)
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        client.post("/who", data={"name": "kim"}, headers=SAME)
        decisions = send(client, line, 10)
        accepted = next(item for item in decisions if item["decision"] == "accept")
        page = client.get(f"/decisions/{accepted['number']}").text
        assert Reviews(service.store).waiting() == {"review": 10, "reject": 0}
    assert "Drawn at random" in page
    assert "Decision:" not in page  # nobody is to be led
    hashes = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(20_000)]
    assert np.mean([is_drawn(name, 0.02) for name in hashes]) == pytest.approx(0.02, abs=0.004)
    assert not any(is_drawn(name, 0.0) for name in hashes)


def test_figures_count_what_people_found():
    counts = [
        ("accept", False, "", 90, 90),
        ("accept", True, "normal", 55, 40),
        ("accept", True, "defect", 1, 1),
        ("reject", True, "normal", 2, 2),
        ("reject", True, "defect", 3, 3),
        ("reject", False, "normal", 5, 5),
        ("review", False, "defect", 2, 2),
        ("review", False, "unsure", 1, 1),
    ]
    found = figures(counts)
    assert (found["total"], found["decided"]) == (159, {"accept": 146, "review": 3, "reject": 10})
    assert (found["rejected"], found["reviewed"]) == ((7, 10), (2, 3))
    assert (found["alarms"]["count"], found["alarms"]["of"]) == (2, 42)
    assert (found["misses"]["count"], found["misses"]["of"]) == (1, 4)
    assert found["alarms"]["lower"] < 2 / 42 < found["alarms"]["upper"]
    assert figures([])["alarms"] is None


def test_another_level_is_a_new_version_and_the_old_one_stays(
    person: TestClient, line: Path, service: Service, exported: Path, tmp_path: Path
):
    before, known = service.decider.policy, service.decider.known
    old = send(person, line, 1)[0]["policy"]
    assert (
        "Needs 2590 more calibration samples" in person.get("/thresholds").text
        or "more calibration samples" in person.get("/thresholds").text
    )
    answer = person.post("/thresholds", data={"false_alarm": "0.2", "why": "too many <alarms>"}, headers=SAME)
    assert "too many &lt;alarms&gt;" in answer.text
    guarantee = Guarantee(0.2, before.guarantee.miss, before.guarantee.confidence)
    expected = compute_thresholds(np.array(known["normal"][""]), np.array(known["defect"][""]), guarantee)
    assert service.decider.policy.thresholds[""] == expected
    assert person.get("/v1/policy").json()["guarantee"]["false_alarm"] == 0.2
    new = send(person, line, 1)[0]["policy"]
    assert (old, new) == (service.base, service.policy)
    assert old != new
    (version,) = service.store.policies(service.base)
    assert (version["by"], version["why"], version["policy"]) == ("山田", "too many <alarms>", new)
    again = service_of(exported, tmp_path)
    assert (again.policy, again.decider.policy) == (new, service.decider.policy)
    again.store.close()


def test_of_two_thresholds_put_in_force_at_once_none_is_lost(person: TestClient, service: Service, monkeypatch: Any):
    slow = lambda *given: (time.sleep(0.3), with_false_alarm(*given))[1]  # noqa: E731
    monkeypatch.setattr(points_module, "with_false_alarm", slow)
    with ThreadPoolExecutor(2) as threads:
        asked = [{"false_alarm": level, "why": "both"} for level in ("0.15", "0.2")]
        list(threads.map(lambda data: person.post("/thresholds", data=data, headers=SAME), asked))
    newest, first = service.store.policies(service.base)
    assert Policy.from_dict(newest["body"]) == service.decider.policy
    assert newest["body"]["caveats"][:-1] == first["body"]["caveats"]


def test_while_a_threshold_is_stored_samples_are_decided_on(
    person: TestClient, line: Path, service: Service, monkeypatch: Any
):
    storing, go_on, add = Event(), Event(), service.store.add_policy
    monkeypatch.setattr(service.store, "add_policy", lambda *row: (storing.set(), go_on.wait(5), add(*row)))
    with ThreadPoolExecutor(1) as thread:
        data = {"false_alarm": "0.2", "why": "it hangs"}
        change = thread.submit(person.post, "/thresholds", data=data, headers=SAME)
        assert storing.wait(5)
        (decision,) = send(person, line, 1)
        assert not change.done()
        go_on.set()
    assert (decision["policy"], service.policy) == (service.base, service.store.policies(service.base)[0]["policy"])


def test_operating_points_say_what_they_would_have_done():
    rng = np.random.default_rng(0)
    known = {
        "normal": {"a": rng.normal(size=400).tolist(), "b": rng.normal(size=30).tolist()},
        "defect": {"a": [], "b": []},
    }
    policy = Policy(
        guarantee=Guarantee(0.1, None, 0.9), guaranteed=True, score=ScoreSpec("knn", {}), thresholds={}, group="camera",
        block=None, samples={}, expected={}, caveats=(), costs=None, expected_costs=(), binding=Binding("", "", ""),
        reference="", made="2026-01-01", expires="2026-04-01",
    )  # fmt: skip
    recorded = [("a", 9.0, "normal"), ("a", -9.0, "defect"), ("a", 9.0, ""), ("b", 9.0, "defect"), ("c", 9.0, "normal")]
    found = {level.guarantee.false_alarm: level for level in operating_points(policy, known, recorded)}
    assert found[0.01].needed == bounds.samples_needed(0.01, 0.9) - 30
    assert found[0.1].decided == {"accept": 1, "review": 0, "reject": 3}
    assert (found[0.1].false_alarms, found[0.1].misses) == ((1, 1), (1, 2))
    assert operating_points(policy, known, [])[-1].decided == {"accept": 0, "review": 0, "reject": 0}


def test_a_level_that_the_samples_do_not_allow_changes_nothing(person: TestClient, service: Service):
    answer = person.post("/thresholds", data={"false_alarm": "0.0001", "why": "x"}, headers=SAME)
    assert "The policy was not changed: " in answer.text
    assert (service.policy, service.store.policies(service.base)) == (service.base, [])
    assert person.post("/thresholds", data={"false_alarm": "2", "why": "x"}, headers=SAME).status_code == 422
    assert person.post("/thresholds", data={"false_alarm": "0.2", "why": ""}, headers=SAME).status_code == 422


def test_pages_say_what_the_policy_guarantees_blocks_or_nothing(person: TestClient, service: Service):
    policy = service.decider.required_policy()
    assert "of normal samples are rejected" in person.get("/thresholds").text
    service.decider.policy = replace(policy, block="lot")
    assert "of normal blocks (by lot) contain a rejected sample" in person.get("/thresholds").text
    assert "% of the blocks (by lot)" in person.get("/figures").text
    service.decider.policy = replace(policy, guaranteed=False)
    assert "There is no guarantee" in person.get("/thresholds").text
    assert "at most" not in person.get("/figures").text


def test_forms_of_other_pages_are_refused(person: TestClient, line: Path):
    number = send(person, line, 1)[0]["number"]
    for headers in ({}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        for address, data in (
            (f"/decisions/{number}/verdict", {"verdict": "normal"}),
            ("/thresholds", {"false_alarm": "0.2", "why": "x"}),
            ("/who", {"name": "x"}),
        ):
            assert person.post(address, data=data, headers=headers).status_code == 403
    for then in ("https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"):
        answer = person.get("/language/ja", params={"then": then}, follow_redirects=False)
        assert answer.headers["location"] == "/"


def test_pages_may_load_nothing_from_elsewhere(person: TestClient):
    for address in ("/history", "/map", "/figures", "/thresholds", "/changes", "/queue/review", "/who"):
        page = person.get(address)
        assert page.status_code == 200
        assert page.headers["content-security-policy"].startswith("default-src 'none'; img-src 'self'")
        assert "http" not in page.text.replace("http-equiv", "")
    assert person.get("/static/page.css").status_code == 200
    assert person.get("/static/..%2ftexts.py").status_code == 404


def test_who_signs_in_needs_no_header(asked: Any, line: Path):
    client = asked(token="geheim ü")
    html = {"Accept": "text/html"}
    assert client.get("/history", headers=html).url.path == "/sign-in"
    assert client.get("/history").status_code == 401
    assert client.post("/sign-in", data={"token": "wrong"}, headers=SAME).status_code == 401
    assert client.get("/history").status_code == 401
    client.post("/sign-in", data={"token": "geheim ü"}, headers=SAME)
    assert client.get("/history").status_code == 200
    client.cookies.clear()
    client.cookies.set("vssl-token", "wrong")
    assert client.get("/history", headers=html).url.path == "/sign-in"


def test_the_map_has_the_known_ones_and_the_recent_ones(person: TestClient, line: Path, service: Service):
    decisions = send(person, line, 5)
    found = person.get("/map.json").json()
    assert len(found["known"]) == len(service.decider.known["bank"])
    assert np.array(found["known"]).std(0) == pytest.approx([1, 1], abs=0.2)
    assert [point["number"] for point in found["recent"]] == [item["number"] for item in decisions][::-1]


def test_a_window_is_shown_as_a_plot(series_export: Path, tmp_path: Path):
    service = service_of(series_export, tmp_path, audit_rate=1.0)
    values = np.random.default_rng(0).normal(size=service.decider.shape).tolist()
    values[0][3] = None
    with TestClient(build(service, Limits()), base_url=HERE) as client:
        (item,) = client.post("/v1/decide", json={"samples": [{"id": "w", "values": values}]}).json()["decisions"]
        picture = client.get(f"/decisions/{item['number']}/picture?heat=true")
    assert Image.open(io.BytesIO(picture.content)).size == (640, 400)


def test_both_languages_say_everything(person: TestClient, line: Path):
    assert ENGLISH.keys() == JAPANESE.keys()

    def places(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert {key for key in ENGLISH if places(ENGLISH[key]) != places(JAPANESE[key])} == set()
    send(person, line)
    assert person.get("/queue/reject", headers={"Accept-Language": "ja,en;q=0.5"}).text.count("不良") > 1
    assert person.get("/language/ja", params={"then": "/history"}).url.path == "/history"
    assert '<html lang="ja">' in person.get("/history").text


def test_where_it_is_odd_is_said_in_words():
    strength = np.zeros((8, 8))
    assert location(strength, "en", in_time=False) is None
    strength[7, 7], strength[0, 0] = 1, 0.5
    assert location(strength, "en", in_time=False) == "bottom right"
    assert location(strength, "ja", in_time=False) == "下右"
    strength[4, 4] = 2
    assert location(strength, "en", in_time=False) == "centre"
    assert location(np.array([[0, 0, 0, 0, 1, 1.0]]), "en", in_time=True) == "66 – 100 %"


def test_times_are_counted_from_midnight(service: Service):
    from vssl.serving.pages.routes import _since

    now = datetime.now(UTC)
    assert 0 <= (now - _since(1)).total_seconds() < 25 * 3600
    assert (_since(1) - _since(3)).days in (1, 2)
