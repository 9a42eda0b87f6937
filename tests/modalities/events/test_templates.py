"""Lines of one kind get one template, and the frozen ones know their own lines again."""

from __future__ import annotations

import csv
import io
import json
import random
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssl.modalities import events
from vssl.modalities.events import Template
from vssl.modalities.events.files import find_logs, read_lines
from vssl.modalities.events.masks import MASKS, masked_words
from vssl.modalities.events.reading import make_parser
from vssl.modalities.events.templates import TemplateMiner, template_matcher
from vssl.modalities.events.tokenise import make_tokeniser

ROOT = Path(__file__).parents[3]
LOGS = ROOT.parent / "shared" / "data" / "event-logs"
RAW = LOGS / "raw"


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
        (
            "number",
            "12ms 4.5KB 100% 17 bytes, 2024-05-06T10:11:12.5Z x=3/4",
            "<number> <number> <number> <number>, <number> x=<number>",
        ),
        ("number", "took 3.5 s, attempt_14_m_7 exit=-1", "took <number>, attempt_<number>_m_<number> exit=<number>"),
    ],
)
def test_each_mask_takes_what_its_name_says(name: str, text: str, masked: str):
    assert " ".join(masked_words(text)) == masked
    assert name in MASKS


@pytest.mark.parametrize(
    "date",
    ["Mon", "Monday", "Mon May 06", "Mon, 06 May 2024", "Mon May 06 10:11:12 2024", "May 6 10:11:12", "Mon   2024",
     "06/May/2024:10:11:12 +0200", "Mon May  6 10:11:12 CEST 2024", "Mon CEST 2024", "Sun, 4 Dec 2005 04:47:44 GMT",
     "12-Dec-2024 04:47:44 PM"],
)  # fmt: skip
def test_what_is_left_of_a_date_is_masked(date: str):
    assert " ".join(masked_words(f"[{date}] [notice] x is up")) == "[<time>] [notice] x is up"


def test_words_that_look_like_days_or_months_stay():
    text = "You May enter Marketing, Sunlight and Monitor in Decimal; it may be augmented"
    assert " ".join(masked_words(text)) == text


def test_the_weekday_of_a_line_does_not_make_it_unknown():
    lines = [f"[Mon   2024] [notice] child {n} found in slot {n % 9}" for n in range(99)]
    match = template_matcher(mined(lines)[0], first=3, unknown=1)
    assert match("[Tue   2025] [notice] child 7 found in slot 3") == match(lines[0]) != 1


def test_words_are_no_values():
    text = "ssh2 level3 deadbeef and/or v1beta facade e-mail"
    assert " ".join(masked_words(text)) == text


def mined(lines: list[str], similarity: float = 0.5, most: int = 1000) -> tuple[tuple[Template, ...], int]:
    miner = TemplateMiner(similarity)
    for line in lines:
        miner.add(line)
    return miner.templates(most)


def test_what_varies_becomes_a_wild_card_and_what_does_not_stays():
    lines = [f"login of user {name} from 10.0.0.{row} worked" for row, name in enumerate(("ann", "bob", "eve"))]
    assert mined(lines)[0] == (Template("login of user <*> from <ip> worked", 3),)


@pytest.mark.parametrize(
    ("texts", "kinds"),
    [
        # Two or three words in a place are a choice, and each is an event.
        ([f"link {state} on port {port} again" for state in ("up", "down") for port in range(9)], 2),
        ([f"block {n} stored as {kind} in memory" for kind in ("bytes", "values") for n in range(9)], 2),
        # So are many, where they say what happened: the first word of a message, or a participle.
        ([f"{verb} the task {n} of pool {n}" for verb in ("get", "put", "drop", "move", "copy") for n in range(9)], 5),
        ([f"job {n} was {verb} by hand" for verb in ("started", "paused", "resumed", "killed") for n in range(9)], 4),
        # Many names are values, and where a number stands in some lines, a word in the others is one too.
        ([f"login of user {name} failed here" for name in ("ann", "bob", "cleo", "dan", "eve", "fay")], 1),
        ([f"login of user {name} failed here" for name in ("root", "17", "x9", "root")], 1),
        ([f"read {size} from the disk {n}" for n, size in enumerate(("950 B", "1.2 KB", "4.5 MB", "12kB", "0"))], 1),
        # A field that is there in some lines only makes another event; its empty value does not.
        ([f"denied; uid={n} rhost=10.0.0.{n}{user}" for n in range(9) for user in ("", "  user=root")], 2),
        ([f"denied by rule; uid={n} tty={tty} again" for n in range(9) for tty in ("", "ssh")], 1),
        # Lists are of one event, however long; and what stands in brackets is one word.
        ([f"fans at {' '.join(str(3000 + n) for n in range(size))} rpm now" for size in range(2, 9)], 1),
        ([f"[{name} {n}] disk {n} is almost full now" for n in range(9) for name in ("main", "http nio exec")], 2),
        ([f"[{name}] disk {n} is now full" for n in range(9) for name in ("a1", "a2", "the main loop")], 1),
        # Names in two places that change together.
        ([f"user u{'abcdefghijkl'[n]} from host h{'mnopqrstuvwx'[n]} was let in" for n in range(12)], 1),
    ],
)  # fmt: skip
def test_lines_of_one_event_get_one_template(texts: list[str], kinds: int):
    templates, _ = mined(texts)
    assert len(templates) == kinds, templates


MESSAGES = (
    "connection from 10.0.0.# was closed by peer", "disk sda# is almost full", "took # ms to answer the call",
    "temperature of core # is above the limit", "new session # of user root", "cannot open the file /var/log/a#.log",
    "fan # has stopped", "retry # of the request has failed after a timeout of # s",
)  # fmt: skip


def from_hosts(hosts: Sequence[str], seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    texts = (draw.choice(MESSAGES).replace("#", str(draw.randrange(1000))) for _ in range(400))
    return [f"{draw.choice(hosts)} app[{draw.randrange(1000)}]: {text}" for text in texts]


@pytest.mark.parametrize("hosts", [("alpha",), ("alpha", "beta"), ("alpha", "beta", "web1"), tuple("abcdefghij")])
def test_names_of_hosts_in_front_of_the_messages_make_no_kinds(hosts: tuple[str, ...]):
    lines = from_hosts(hosts)
    templates, _ = mined(lines)
    assert len(templates) == len(MESSAGES)
    if len(hosts) > 1:
        match = template_matcher(templates, first=3, unknown=1)
        assert match("omega app[7]: fan 3 has stopped") == match(f"{hosts[0]} app[8]: fan 4 has stopped") != 1


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


PIECES = (
    "get", "put", "10.0.0.1", "x7", "x8", "of", "17", "done", "/a/b", "", "[", "]", "[a", "b]", "[a b]", "[c d]",
    "x[1]", "k=v1", "k=w", "k=", "<*>", "<number>", "<", "[<*>", "a:b:c1", "a:b", "(1.5 KB)", "Mon", "C:\\a[b", "on",
    "off", "INFO", "p=1,q=a", "p=a,q=b",
)  # fmt: skip
LINES = st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map(" ".join), min_size=1, max_size=40)


@given(LINES, st.randoms(use_true_random=False))
def test_every_line_gets_the_template_it_was_counted_for_in_whatever_order(lines: list[str], draw: random.Random):
    templates, _ = mined(lines)
    match = template_matcher(templates, first=3, unknown=1)
    assert Counter(map(match, lines)) == {3 + row: item.count for row, item in enumerate(templates)}
    assert mined(draw.sample(lines, len(lines)))[0] == templates


@given(LINES)
def test_every_line_is_known_again_where_there_are_more_than_are_held(lines: list[str]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vssl.modalities.events.templates.MAX_CACHED", 4)
        patch.setattr("vssl.modalities.events.templates.MAX_SHAPES", 12)
        templates, left_out = mined(lines)
    assert sum(template.count for template in templates) + left_out == len(lines)
    match = template_matcher(templates, first=3, unknown=1)
    assert sum(match(line) == 1 for line in lines) <= left_out


def test_memory_does_not_grow_with_the_log(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vssl.modalities.events.templates.MAX_CACHED", 500)
    monkeypatch.setattr("vssl.modalities.events.templates.MAX_SHAPES", 500)
    lines = 6_000
    miner, draw = TemplateMiner(0.5), random.Random(0)
    names = ["".join(draw.choices("abcdefghij", k=8)) for _ in range(lines)]
    held = 0
    for name, host in zip(names, reversed(names), strict=True):
        miner.add(f"user {name} from {host} was let in")
        held = max(held, len(miner._held) + len(miner._kinds))
    (template, *others), left_out = miner.templates(1000)
    assert (template, others, left_out) == (Template("user <*> from <*> was let in", lines), [], 0)
    assert held <= 1000


def test_unseen_values_are_known_and_new_events_are_not():
    names = ("ann", "bob", "cleo", "dan")
    lines = [f"user {name} from 10.0.0.{n} failed, took {n} ms" for n, name in enumerate(names)]
    match = template_matcher(mined(lines)[0], first=3, unknown=1)
    assert match("user zoe from 192.168.7.7 failed, took 1.5 s") == 3
    assert match("user zoe from 192.168.7.7 succeeded, took 1.5 s") == 1
    assert match("group zoe from 192.168.7.7 failed, took 1.5 s") == 1


def test_a_line_that_differs_in_one_constant_word_is_unknown():
    match = template_matcher((Template("job <number> done", 5),), first=3, unknown=1)
    assert [match("job 17 done"), match("job 17 failed"), match("job 17"), match("")] == [3, 1, 1, 1]


def test_of_two_templates_that_fit_the_one_with_more_words_is_taken():
    match = template_matcher((Template("user <*> in", 9), Template("user root in", 1)), first=3, unknown=1)
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


def labelled_logs() -> Iterator[tuple[str, bytes, list[dict[str, str]]]]:
    """Name, raw log and table of lines of each system."""
    with tarfile.open(LOGS / "loghub-2k.tar.xz") as archive:
        files = {Path(own.name).name: archive.extractfile(own) for own in archive if own.isfile()}
        read = {name: file.read() for name, file in files.items() if file}
    for name in sorted(name for name in read if name.endswith("_structured.csv")):
        log = name.removesuffix("_structured.csv")
        raw = read[log] if log in read else (RAW / log).read_bytes()
        yield log.removesuffix("_2k.log"), raw, list(csv.DictReader(io.StringIO(read[name].decode("utf-8-sig"))))


def accuracy(tokens: Sequence[int], truth: Sequence[str]) -> float:
    """Grouping accuracy: the share of lines whose token stands for exactly the lines of their event."""
    groups, kinds = defaultdict(set), defaultdict(set)
    for row, (token, event) in enumerate(zip(tokens, truth, strict=True)):
        groups[token].add(row)
        kinds[event].add(row)
    return sum(groups[token] == kinds[event] for token, event in zip(tokens, truth, strict=True)) / len(truth)


def raw_tokens(path: Path) -> list[int]:
    spec = events.measure(path, CONFIG)
    token, line = make_tokeniser(spec), make_parser(spec.reading)
    return [token(line(row).message) for row in read_lines(find_logs(path)[0])]


@pytest.mark.slow
def test_templates_of_labelled_logs_are_near_the_truth_and_no_system_is_behind_drain3(tmp_path: Path):
    if not (LOGS / "loghub-2k.tar.xz").is_file():
        pytest.skip(f"needs the labelled samples of LogHub, {LOGS / 'loghub-2k.tar.xz'}")
    record = json.loads((ROOT / "benchmarks" / "results" / "log_templates.json").read_text())
    drain3 = {row["system"]: row for row in record["rows"] if row["kind"] == "grouping_accuracy"}
    figures = defaultdict(list)
    for system, raw, table in labelled_logs():
        truth, messages = [row["EventId"] for row in table], [row["Content"] for row in table]
        (path := tmp_path / f"{system}.log").write_bytes(raw)
        match = template_matcher(mined(messages)[0], first=3, unknown=1)
        for name, tokens in (("raw", raw_tokens(path)), ("messages", list(map(match, messages)))):
            figures[name].append(accuracy(tokens, truth))
            assert figures[name][-1] >= max(drain3[system][f"{name}_drain3{masks}"] for masks in ("", "_masks")), system
    assert np.mean(figures["raw"]) > 0.90
    assert np.mean(figures["messages"]) > 0.95
