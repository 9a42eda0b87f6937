from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from html.parser import HTMLParser

import pytest

from made_up_runs import VALUES, no_pictures, noise_pictures, table
from vssl.errors import RunVersionError
from vssl.modalities.events import LineCounts, ParserSpec, Spec, Template
from vssl.reporting.page import build
from vssl.run import Run

MakeRun = Callable[..., Run]
SMALL = table(60, variance=True)


def page(run: Run, pictures=no_pictures, **options) -> str:
    return build(run, pictures, **options).read_text()


def section(text: str, name: str) -> str:
    match = re.search(rf'<section id="{name}">.*?</section>', text, re.DOTALL)
    assert match is not None, f"no section {name}"
    return match.group()


class Document(HTMLParser):
    """Addresses, elements and images without a text in their place, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.elements: list[str] = []
        self.without_alt = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [
            value or "" for key, value in attrs if key in ("src", "href", "xlink:href", "srcset", "data")
        ]
        self.without_alt += tag == "img" and not dict(attrs).get("alt")


def test_a_full_run_fills_every_section(make_run: MakeRun) -> None:
    broken = [{"id": "a.png", "reason": "truncated JPEG"}]
    text = page(make_run(embeddings=SMALL, values=VALUES, steps=20, broken=broken), noise_pictures(32))
    assert "then build this report again" not in text
    assert re.findall(r'<section id="(\w+)">', text) == [
        "summary", "training", "health", "map", "ambiguity", "neighbours", "evaluation", "broken", "configuration",
    ]  # fmt: skip
    assert "truncated JPEG" in section(text, "broken")


def test_what_was_measured_on_the_data_can_be_read(make_run: MakeRun) -> None:
    spec = Spec(
        reading=ParserSpec("lines", "iso"),
        templates=(Template("door <*> opened", 1200), Template("<script>alert(1)</script>", 3)),
        unlisted=7,
        length=64,
        lines=LineCounts(1210, 0, 0, 0),
    )
    text = section(page(make_run(settings={"seed": 0, "modality": {"name": "events"}}, spec=asdict(spec))), "data")
    assert "2 kinds in 1,210 lines. 7 lines of rarer kinds count as unknown." in text
    assert "<td>1,200</td><td>door &lt;*&gt; opened</td>" in text
    assert "<script>" not in text


def test_sections_without_data_name_the_command_that_fills_them(make_run: MakeRun) -> None:
    run = make_run("my run")
    text = page(run)
    folder = f"&#39;{run.path}&#39;"
    assert f"vssl embed {folder} parts.zip" in section(text, "map")
    assert f"vssl embed {folder} parts.zip" in section(text, "neighbours")
    assert f"vssl evaluate {folder}" in section(text, "evaluation")
    assert "vssl train parts.zip --minutes 10 --out line" in section(text, "training")


def test_a_run_without_broken_files_has_no_section_about_them(make_run: MakeRun) -> None:
    assert 'id="broken"' not in page(make_run())


def test_thousands_of_broken_files_do_not_flood_the_page(make_run: MakeRun) -> None:
    broken = [{"id": f"{at}.png", "reason": "empty file"} for at in range(3000)]
    text = page(make_run(broken=broken))
    assert "3,000 files could not be read" in text
    assert text.count("empty file") == 100


def test_the_page_loads_nothing(make_run: MakeRun) -> None:
    document = Document(page(make_run(embeddings=SMALL, values=VALUES, steps=20), noise_pictures(32)))
    assert document.addresses
    assert [address for address in document.addresses if not address.startswith(("#", "data:"))] == []
    assert not {"script", "link", "iframe", "object"} & set(document.elements)


def test_every_picture_has_a_text(make_run: MakeRun) -> None:
    document = Document(page(make_run(embeddings=SMALL), noise_pictures(32)))
    assert "img" in document.elements
    assert document.without_alt == 0


def test_names_given_by_users_cannot_bring_code_in(make_run: MakeRun) -> None:
    evil = '"><script>alert(1)</script>$x_{'
    embeddings = table(20, variance=True, ids=[f"{evil}{at}" for at in range(20)])
    labels = [evil if at % 2 else "$\\frac{" for at in range(20)]
    embeddings = embeddings.set_column(embeddings.column_names.index("label"), "label", [labels])
    embeddings = embeddings.rename_columns([evil if name == "camera" else name for name in embeddings.column_names])
    broken = [{"id": evil, "reason": evil}]
    run = make_run(
        embeddings=embeddings, values={evil: 1.0}, steps=3, command=evil, source=evil, health=evil, broken=broken
    )
    text = page(run, noise_pictures(16))
    assert "script" not in Document(text).elements
    assert "&lt;script&gt;alert(1)" in text


@pytest.mark.slow
def test_equal_data_give_an_equal_page(make_run: MakeRun) -> None:
    run = make_run(embeddings=SMALL, values=VALUES, steps=2)
    assert page(run, noise_pictures(32)) == page(run, noise_pictures(32))


@pytest.mark.slow
@pytest.mark.parametrize("side", [48, 400])
def test_the_page_stays_under_five_megabytes_with_pictures_that_do_not_compress(make_run: MakeRun, side: int) -> None:
    run = make_run(embeddings=table(600, variance=True), values=VALUES, steps=50)
    assert build(run, noise_pictures(side)).stat().st_size < 5_000_000


def test_missing_originals_are_counted_and_marked(make_run: MakeRun) -> None:
    text = page(make_run(embeddings=SMALL), no_pictures)
    assert "original not found" in section(text, "ambiguity")
    assert "None of the original files" in section(text, "map")
    assert re.search(r"The original files of (\d+) of the \1 samples shown are no longer there", text)


def test_a_method_without_variance_gets_a_page_that_says_so(make_run: MakeRun) -> None:
    run = make_run(embeddings=table(60, variance=False), steps=20, variance=False)
    text = page(run, noise_pictures(32))
    assert "deterministic" in section(text, "summary")
    assert "deterministic" in section(text, "ambiguity")
    assert "By label" in text
    assert "By ambiguity" not in text
    assert "Mean log-variance" not in text


def test_collapsed_embeddings_are_named_instead_of_drawn(make_run: MakeRun) -> None:
    one = table(1, variance=True)
    collapsed = table(60, variance=True).set_column(1, "features", one["features"].take([0] * 60))
    text = page(make_run(embeddings=collapsed, health="complete collapse"), noise_pictures(32))
    assert "the encoder has collapsed" in section(text, "map")
    assert "Not healthy: complete collapse" in section(text, "summary")


def test_three_samples_are_too_few_for_a_map_but_not_for_a_page(make_run: MakeRun) -> None:
    assert "the map needs at least 10" in page(make_run(embeddings=table(3, variance=True)))


def test_embeddings_of_another_name_are_mentioned(make_run: MakeRun) -> None:
    run = make_run(embeddings=SMALL)
    text = page(run, embeddings="test")
    assert f"vssl embed {run.path} DATA --name test" in text
    assert "There are no embeddings named <code>test</code> (there are: train)" in text


def test_skipped_evaluators_are_listed_with_their_reasons(make_run: MakeRun) -> None:
    assert "no embeddings of a second data set" in section(page(make_run(values=VALUES)), "evaluation")


def test_the_evaluation_says_what_was_evaluated(make_run: MakeRun) -> None:
    text = section(page(make_run(values=VALUES)), "evaluation")
    assert "table <code>test</code>, reference <code>train</code>, label <code>label</code>." in text


def test_unreadable_evaluation_is_an_error_that_says_what_to_do(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / "evaluation.json").write_text('{"values": ')
    with pytest.raises(RunVersionError, match="vssl evaluate"):
        build(run, no_pictures)


def test_a_diverged_run_with_numbers_that_are_none_still_gets_its_page(make_run: MakeRun) -> None:
    run = make_run(steps=5, status="diverged")
    with (run.path / "metrics.jsonl").open("a") as file:
        last = {"loss": float("nan"), "effective_rank": float("nan"), "log_variance": float("inf")}
        file.write(json.dumps(run.metrics()[-1] | last | {"step": 60}) + "\n")
    assert "Diverged: do not use" in section(page(run), "summary")
