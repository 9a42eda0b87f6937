"""Whether lines of one event get one template: grouping accuracy on LogHub's labelled samples, beside drain3.

    python -m venv DRAIN && DRAIN/bin/pip install drain3==0.9.11
    python -m benchmarks.quality.log_templates event-logs --drain3 DRAIN/bin/python

`event-logs` holds loghub-2k.tar.xz (2,000 lines of each system with their events; LogHub, Zhu et al. 2023) and, in
`raw`, the logs of systems that the archive has without their lines. Grouping accuracy (Zhu et al. 2019, ICSE-SEIP,
"Tools and Benchmarks for Automated Log Parsing") is the share of lines whose group holds exactly the lines of their
event. Raw lines are read as `vssl train` reads them: the time stamp is recognised and taken out, then templates are
found. Messages are the column Content of the samples alone. drain3 gets the same texts, with its defaults and with the
masks of its own example.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import subprocess
import tarfile
import time
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tyro

from benchmarks import tables
from benchmarks.common.record import RESULTS, Record
from vssl.modalities import events
from vssl.modalities.events.files import find_logs, read_lines
from vssl.modalities.events.reading import make_parser
from vssl.modalities.events.templates import TemplateMiner, template_matcher

LINES = 200_000
DRAIN3_VERSION = "0.9.11"

# Runs in the interpreter that has drain3; the masks are those of its examples/drain3.ini.
DRAIN3 = r"""
import json, logging, sys
logging.disable(logging.CRITICAL)
from drain3 import TemplateMiner
from drain3.masking import MaskingInstruction
from drain3.template_miner_config import TemplateMinerConfig
MASKS = [(r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
         (r"((?<=[^A-Za-z0-9])|^)(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
         (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
         (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
         (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
         (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM")]
for line in sys.stdin:
    config = TemplateMinerConfig()
    request = json.loads(line)
    if request["masks"]:
        config.masking_instructions = [MaskingInstruction(*mask) for mask in MASKS]
    miner = TemplateMiner(config=config)
    print(json.dumps([miner.add_log_message(text)["cluster_id"] for text in request["lines"]]))
"""


@dataclass(frozen=True)
class Options:
    """Grouping accuracy of templates.

    Attributes:
        data: Folder with loghub-2k.tar.xz and raw/.
        drain3: A Python interpreter that has drain3; it is not measured by default.
        out: File of the record.
    """

    data: tyro.conf.Positional[Path]
    drain3: Path | None = None
    out: Path = RESULTS / "log_templates.json"


@dataclass(frozen=True)
class Labelled:
    """Lines of one system: raw, their messages, and the events that people gave them."""

    system: str
    raw: list[str]
    messages: list[str]
    events: list[str]


def main(options: Options) -> None:
    versions = {"drain3": DRAIN3_VERSION} if options.drain3 else {}
    record = Record.create(options.out, seeds=(0,), other_versions=versions)
    samples = list(labelled(options.data))
    for sample in samples:
        lines, clock = read(sample.raw)
        row: dict[str, Any] = {
            "kind": "grouping_accuracy",
            "system": sample.system,
            "events": len(set(sample.events)),
            "clock": clock,
        }
        for name, texts in (("raw", lines), ("messages", sample.messages)):
            tokens, kinds = grouped(texts)
            row |= {name: accuracy(tokens, sample.events), f"{name}_templates": kinds}
            if options.drain3:
                for masks in (False, True):
                    own = _drain3(options.drain3, texts, masks)
                    row[f"{name}_drain3{'_masks' * masks}"] = accuracy(own, sample.events)
        record.add(row)
    names = [name for name, value in record.rows[0].items() if isinstance(value, float)]
    means = {name: round(sum(row[name] for row in record.rows) / len(record.rows), 4) for name in names}
    record.add({"kind": "grouping_accuracy", "system": "mean", **means})
    record.add(*_speeds(samples))
    tables.show("log_templates", record)


def labelled(folder: Path) -> Iterator[Labelled]:
    """The systems of the archive; where it has no raw lines, those of `raw` beside it."""
    with tarfile.open(folder / "loghub-2k.tar.xz") as archive:
        files = {Path(own.name).name: archive.extractfile(own).read() for own in archive if own.isfile()}  # type: ignore[union-attr]
    for name in sorted(name for name in files if name.endswith("_structured.csv")):
        log = name.removesuffix("_structured.csv")
        raw = files[log] if log in files else (folder / "raw" / log).read_bytes()
        table = list(csv.DictReader(io.StringIO(files[name].decode("utf-8-sig"), newline="")))
        lines = raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").removesuffix("\n").split("\n")
        assert len(lines) == len(table), name
        columns = ([own[column] for own in table] for column in ("Content", "EventId"))
        yield Labelled(log.removesuffix("_2k.log"), lines, *columns)


def read(raw: Sequence[str]) -> tuple[list[str], str]:
    """The messages of raw lines as the product reads them, and the format of their time stamps."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.log"
        path.write_text("\n".join(raw) + "\n", encoding="utf-8")
        reading = events.measure(path, events.Config()).reading
        line = make_parser(reading)
        return [line(row).message for row in read_lines(find_logs(path)[0])], reading.timestamp_format


def grouped(lines: Sequence[str]) -> tuple[list[int], int]:
    """The token of each line, by templates found in all of them, and how many templates these are."""
    miner = TemplateMiner(events.Config().similarity)
    for line in lines:
        miner.add(line)
    templates, _ = miner.templates(len(lines))
    return list(map(template_matcher(templates, 0, -1), lines)), len(templates)


def accuracy(found: Sequence[Hashable], true: Sequence[Hashable]) -> float:
    """Share of the lines whose group has exactly the lines of their event."""
    groups: dict[Hashable, set[int]] = defaultdict(set)
    kinds: dict[Hashable, set[int]] = defaultdict(set)
    for row, (own, event) in enumerate(zip(found, true, strict=True)):
        groups[own].add(row)
        kinds[event].add(row)
    return sum(groups[own] == kinds[event] for own, event in zip(found, true, strict=True)) / len(true)


def _drain3(python: Path, lines: Sequence[str], masks: bool) -> list[int]:
    request = json.dumps({"masks": masks, "lines": lines})
    done = subprocess.run([python, "-c", DRAIN3], input=request, check=True, capture_output=True, text=True)
    groups: list[int] = json.loads(done.stdout)
    return groups


def _speeds(samples: Sequence[Labelled]) -> Iterator[dict[str, Any]]:
    """Lines per second of the processor's time, for messages of all systems mixed."""
    draw = random.Random(0)
    texts = [text for sample in samples for text in sample.messages]
    mixed = [re.sub(r"\d", lambda _: draw.choice("0123456789"), draw.choice(texts)) for _ in range(LINES)]
    again = [draw.choice(texts) for _ in range(LINES)]
    names = ["".join(draw.choices("abcdefghij", k=8)) for _ in range(2 * LINES)]
    unseen = [f"user {one} from {other} was let in" for one, other in zip(names[::2], names[1::2], strict=True)]
    for name, lines in (("messages with fresh digits", mixed), ("messages", again), ("two names never seen", unseen)):
        miner, start = TemplateMiner(events.Config().similarity), time.process_time()
        for line in lines:
            miner.add(line)
        templates, _ = miner.templates(1000)
        mined_s, start = time.process_time() - start, time.process_time()
        list(map(template_matcher(templates, 3, 1), lines))
        matched_s = time.process_time() - start
        rates = {"mined_lines_per_s": round(LINES / mined_s), "matched_lines_per_s": round(LINES / matched_s)}
        yield {"kind": "speed", "lines": LINES, "of": name, **rates, "templates": len(templates)}


if __name__ == "__main__":
    main(tyro.cli(Options))
