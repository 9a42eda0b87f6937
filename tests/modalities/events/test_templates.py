"""Lines of one kind get one template, and the frozen ones know their own lines again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssl.modalities import events
from vssl.modalities.events import Template
from vssl.modalities.events.masks import MASKS, mask
from vssl.modalities.events.templates import Matcher, Miner

RAW = Path(__file__).parents[4] / "shared" / "data" / "event-logs" / "raw"


@pytest.mark.parametrize(
    ("name", "text", "masked"),
    [
        ("time", "at Sat Jul  9 12:16:49 2005, [Mon  2024] [x]", "at <time>, [<time>] [x]"),
        ("uuid", "task 123e4567-e89b-12d3-a456-426614174000 done", "task <uuid> done"),
        ("block", "Served block blk_-1608999687919862906 to", "Served block <block> to"),
        ("mac", "link 00:1b:44:11:3a:b7 up", "link <mac> up"),
        ("ip", "from /10.251.43.210:55700 to 10.0.0.1", "from <ip> to <ip>"),
        ("path", "open /var/log/messages failed, C:\\temp\\a.txt", "open <path> failed, <path>"),
        ("hex", "at 0x0b85eee0, mask deadbeef01", "at <hex>, mask <hex>"),
        ("node", "R30-M0-N9-C:J16-U01 is down", "<node> is down"),
        ("number", "took 3.5 s, attempt_14_m_7 exit=-1", "took <number>, attempt_<number>_m_<number> exit=<number>"),
    ],
    ids=list(MASKS),
)
def test_each_mask_takes_what_its_name_says(name: str, text: str, masked: str):
    assert mask(text) == masked
    assert name in MASKS


def test_words_are_no_values():
    text = "ssh2 level3 deadbeef and/or v1beta facade e-mail"
    assert mask(text) == text


def mined(lines: list[str], similarity: float = 0.5, most: int = 1000) -> tuple[tuple[Template, ...], int]:
    miner = Miner(similarity)
    for line in lines:
        miner.add(line)
    return miner.templates(most)


def test_what_varies_becomes_a_wild_card_and_what_does_not_stays():
    lines = [f"login of user {name} from 10.0.0.{row} worked" for row, name in enumerate(("ann", "bob", "eve"))]
    assert mined(lines)[0] == (Template("login of user <*> from <ip> worked", 3),)


def test_lines_with_another_number_of_words_or_other_first_words_are_of_another_kind():
    templates, _ = mined(["disk is full", "disk is full now", "fan is broken"])
    assert sorted(template.text for template in templates) == ["disk is full", "disk is full now", "fan is broken"]


def test_a_header_of_numbers_does_not_make_strangers_alike():
    header = "2024 17 R30-M0-N9-C:J16-U01"
    lines = [f"{header} KERNEL INFO cache parity error corrected", f"{header} KERNEL INFO fan speed now low"]
    assert len(mined(lines)[0]) == 2


def test_a_full_vocabulary_keeps_the_most_frequent_and_counts_the_rest():
    lines = ["start job", "start job", "stop all jobs", "stop all jobs", "rare", "rarer still it is"]
    templates, left_out = mined(lines, most=2)
    assert [template.text for template in templates] == ["start job", "stop all jobs"]
    assert left_out == 2


def test_templates_do_not_depend_on_the_clock_or_the_order_of_a_set():
    lines = [f"{word} number {row}" for row in range(50) for word in ("get", "put", "delete")]
    assert mined(lines) == mined(lines)


WORDS = st.lists(st.sampled_from(["get", "put", "10.0.0.1", "x7", "of", "17", "done", "/a/b", ""]), max_size=7)


@given(st.lists(WORDS.map(" ".join), min_size=1, max_size=40))
def test_every_line_that_was_mined_is_known_again(lines: list[str]):
    templates, _ = mined(lines)
    match = Matcher(templates, first=3, unknown=1)
    assert all(match(line) >= 3 for line in lines)
    assert sum(template.count for template in templates) == len(lines)


def test_a_line_that_differs_in_one_constant_word_is_unknown():
    match = Matcher((Template("job <number> done", 5),), first=3, unknown=1)
    assert [match("job 17 done"), match("job 17 failed"), match("job 17"), match("")] == [3, 1, 1, 1]


def test_of_two_templates_that_fit_the_one_with_more_words_is_taken():
    match = Matcher((Template("user <*> in", 9), Template("user root in", 1)), first=3, unknown=1)
    assert [match("user root in"), match("user ann in")] == [4, 3]


@pytest.fixture
def raw_logs() -> Path:
    if not RAW.is_dir():
        pytest.skip(f"needs the raw logs of LogHub in {RAW}")
    return RAW


def test_known_lines_of_real_logs_fall_together(raw_logs: Path):
    ssh = {t.text.partition(": ")[2]: t.count for t in events.measure(raw_logs / "OpenSSH_2k.log", CONFIG).templates}
    # Counted with grep -c in the file.
    assert ssh["Received disconnect from <ip>: <number>: Bye Bye [preauth]"] == 413
    assert ssh["Failed password for invalid user <*> from <ip> port <number> ssh2"] == 135
    assert ssh["pam_unix(sshd:auth): check pass; user unknown"] == 135
    assert ssh["Invalid user <*> from <ip>"] == 113


def test_known_lines_of_a_supercomputer_fall_together(raw_logs: Path):
    config = events.Config(line_label=r"^(\S+) ")
    found = {t.text.partition("RAS ")[2]: t.count for t in events.measure(raw_logs / "BGL_2k.log", config).templates}
    assert found["KERNEL INFO generating core.<number>"] == 721
    assert found["KERNEL INFO instruction cache parity error corrected"] == 42
    assert found["KERNEL FATAL data TLB error interrupt"] == 60


CONFIG = events.Config()
