"""The pages in a real browser: fifty samples by the keyboard alone, no error on the console, nothing from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from serving import files_of, pictures, running, service_of
from vssl.serving.reviews import Reviews
from vssl.serving.service import Service

pytest_plugins = ["fixtures_runs", "fixtures_decisions", "fixtures_exports"]
pytestmark = pytest.mark.slow

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def served(exported: Path, line: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Service]]:
    """A service in a thread, with fifty samples and more that wait."""
    service = service_of(exported, tmp_path_factory.mktemp("served"), audit_rate=1.0)
    with running(service) as url:
        httpx.post(f"{url}/v1/decide", files=files_of(pictures(line, 60))).raise_for_status()
        yield url, service


@pytest.fixture
def page(served: tuple[str, Service]) -> Iterator[playwright.Page]:
    """A page that has seen no error at the end."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    said: list[str] = []
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(locale="en")
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(served[0]) else said.append(request.url))
        yield page
        browser.close()
    assert said == []


def test_fifty_samples_by_the_keyboard_alone(page: playwright.Page, served: tuple[str, Service]):
    url, service = served
    page.goto(url)
    page.wait_for_selector("input[name=name]:focus")  # it gets the focus by itself, a moment after the page is there
    page.keyboard.type("Kim")
    page.keyboard.press("Enter")
    keys = np.random.default_rng(0).choice(list("ndu"), 50)
    judged = []
    for key in keys:
        page.wait_for_selector("button[data-key=n]")
        with page.expect_navigation():
            page.keyboard.press(key)
        judged.append({"n": "normal", "d": "defect", "u": "unsure"}[key])
    reviews = Reviews(service.store)
    found = [reviews.labels(row.number)[0] for row in reversed(reviews.history(count=100)) if row.label]
    assert [said["label"] for said in found] == judged
    assert {said["by"] for said in found} == {"Kim"}
    with page.expect_navigation():
        page.keyboard.press("z")
    assert page.url.startswith(f"{url}/decisions/")
    with page.expect_navigation():
        page.keyboard.press("n")
    page.click("input[name=note]")
    page.keyboard.type("nd")
    assert page.input_value("input[name=note]") == "nd"
    assert len(reviews.labels(found[-1]["decision"])) == 2


def test_all_pages_in_both_languages_without_an_error(page: playwright.Page, served: tuple[str, Service]):
    for language in ("en", "ja"):
        page.goto(f"{served[0]}/language/{language}?then=/history")
        for name in ("history", "figures", "thresholds", "map", "changes", "queue/reject", "queue/review", "who"):
            page.goto(f"{served[0]}/{name}")
            page.wait_for_load_state("networkidle")
            assert page.locator("h1").count() == 1
            assert page.get_attribute("html", "lang") == language
            # Everything that takes an answer has a name for a screen reader.
            for place in page.locator("input:not([type=hidden]), select").all():
                assert place.evaluate("it => it.labels.length") == 1
            assert page.locator("img:not([alt])").count() == 0


def test_the_map_is_zoomed_and_selected(page: playwright.Page, served: tuple[str, Service]):
    page.goto(f"{served[0]}/map")
    page.wait_for_load_state("networkidle")
    before = page.evaluate("view.scale")
    page.focus("#map")
    page.keyboard.press("+")
    assert page.evaluate("view.scale") == pytest.approx(1.2 * before)
    page.keyboard.press("-")
    box = page.locator("#map").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2)
    page.mouse.up()
    page.keyboard.up("Shift")
    count = int(page.inner_text("#count"))
    assert 0 < count <= 60
    assert page.locator("#selected a").count() == count
