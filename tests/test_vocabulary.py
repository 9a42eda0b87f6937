"""Names and sentences are those of the field: words that were replaced do not come back; links of the docs resolve."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SUFFIXES = {".py", ".md", ".jinja"}
FILES = sorted(
    path
    for source in ("src", "docs", "benchmarks", "README.md", "CONTRIBUTING.md")
    for path in [ROOT / source, *(ROOT / source).rglob("*")]
    if path.suffix in SUFFIXES
)
PAGES = [path for path in [*FILES, ROOT / "CHANGELOG.md"] if path.suffix == ".md"]

# Names that were replaced, sought in all text: (regular expression, what to write instead).
NAMES = [
    (r"\w*with_places|--score[ =]places", "forward_with_patches, patch_features, --score patches"),
    (r"[\"'`](outline|because)[\"'`]|\bbecause\.py", "raw_descriptor, explanation"),
    (r"\bcarry_out\b|\bcarried_out\b", "run"),
    (r"\bnear_within\b|\bnear_examples\b", "knn_query, knn_reference"),
    (r"\breliance\b", "beta_nll_weight"),
    (r"\bwatched\b", "logged"),
    (r"\bmy_rows\b|\bJournal\b", "local_rows, MetricLogger"),
    (r"\bprogress\.images\b|[\"']images[\"']: state\b", "progress.samples"),
    (r"\breviewed\.py\b|\bUnread\b", "review_export.py, PendingSample"),
    (r"\bexchange\.py\b|\bpromise\.py\b|\bFacts\b", "exchangeability.py, guarantee.py, DataSummary"),
    (r"\bcutting\.py\b|\bCutter\b", "windowing.py, Windower"),
    (r"\b_strayed\b|\bALIKE\b", "_backend_drift, PARITY_TOLERANCE"),
    (r"\bspoilt\b|\bvariance_room\b|\bwhitened_lengths\b", "corruptions, oracle_variance, whitening_exponent"),
    (r"\btraining\.safetensors\b", "training_index.safetensors"),
    (r"(?<![\w-])--on\b(?!-)", "--table"),
    (r"(?<![\w-])--of\b(?!-)", "--labels-for"),
    (r"(?<![\w-])--only\b(?!-)", "--metrics"),
    (r"(?<![\w-])--pairs\b(?!-| INT)", "--view-pairs"),  # The reference lists a setting `pairs` of two scores.
    (r"(?<![\w-])--audit\b(?!-)", "--audit-rate"),
    (r"(?<![\w-])--twin\b(?!-)", "--compare-run"),
    (r"(?<![\w-])--other\b(?!-)", "--ood"),
    (r"(?<![\w-])--long\b(?!-)", "--long-format"),
    (r"(?<![\w-])--keep\b(?!-)", "--metadata-fields"),
]

# Habits of writing, sought in pages, comments, docstrings and messages.
UNITS = "second|minute|hour|day|week|month|step|sample|row|image|picture|window|line|run|call|file"
COUNTED = (
    r"rows?|files?|lines?|objects?|values?|samples|images|pictures|pairs|views|numbers|steps|windows|sessions|bytes"
)
HABITS = [
    (rf"\b(?:{COUNTED}|kB|MB|times) an? (?:{UNITS})\b", '"per second", "per sample" or "for each row"'),
    (r"\bpromis(?:e|es|ed)\b", "guarantee"),
    (r"\bstand-?ins?\b", "baseline scores"),
    (r"(?<!Barlow\x20)\btwins?\b", "a run with another seed"),
    (r"\bstrangers?\b", "negatives, other samples"),
    (r"\bjudg(?:e|es|ed|ing)\b", "evaluate, decide, label"),
    (r"\banew\b", "again"),
    (r"\blikewise\b", "also, in the same way"),
    (r"\bfore(?:tells?|told)\b", "predict"),
    (r"\bhangs? on\b|\bhung on\b", "depends on"),
    (r"\bso many of\b", "the number of"),
    (r"\bthought away\b", "left out, replaced"),
    (r"\bstands? beside\b", "is next to, is shown with"),
    (r"\bfor company\b|\bin company\b", "with other samples"),
    (r"\bspoil(?:t|s|ed)?\b", "corrupt, break"),
    (r"\btold\b", "said, recognised, distinguished"),
    (r"\bdefault of now\b", "current default"),
    (r"\bsure you may be\b", "confidence"),
]


def prose(path: Path) -> str:
    """The text of a page, or only the comments and strings of a Python file, on their lines."""
    text = path.read_text()
    if path.suffix != ".py":
        return text
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or "FSTRING_MIDDLE" in tokenize.tok_name[token.type]:
            said = (
                re.sub(r"\{[^{}]*\}", "{}", token.string) if token.string[:2].lower().startswith("f") else token.string
            )
            for number, line in enumerate(said.split("\n"), token.start[0] - 1):
                lines[number] += f" {line}"
    return "\n".join(lines)


def occurrences(path: Path) -> Iterator[str]:
    for text, rules in ((path.read_text(), NAMES), (prose(path), HABITS)):
        for pattern, instead in rules:
            for match in re.finditer(
                pattern.replace(" ", r"(?: |\n *)"), text, re.IGNORECASE if rules is HABITS else 0
            ):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{path.relative_to(ROOT)}:{line}: {match[0]!r}; write: {instead}"


def test_words_that_were_replaced_do_not_come_back() -> None:
    if found := [line for path in FILES for line in occurrences(path)]:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("page.md", "It reads 3 lines a\nsecond.", ["page.md:1: 'lines a\\nsecond'"]),
        ("page.md", "Each line is a sample, and each sample is one line of a file.", []),
        ("code.py", "told = f'It is {told}.'  # Said once.\n", []),
        ("code.py", "judge = 1\n'''Nothing.\n\nIt was told.'''\n", ["code.py:4: 'told'"]),
        (
            "code.py",
            "print('--pairs 2', '--view-pairs 2', '--on', '--on-page')\n",
            ["code.py:1: '--on'", "code.py:1: '--pairs'"],
        ),
    ],
)
def test_a_replaced_word_is_found_with_its_line(
    name: str, text: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("test_vocabulary.ROOT", tmp_path)
    (tmp_path / name).write_text(text)
    assert [line.partition(";")[0] for line in occurrences(tmp_path / name)] == found


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub forms them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", title).lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_each_link_of_a_page_leads_to_a_file_and_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^()\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    dead = []
    for link in links:
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []
