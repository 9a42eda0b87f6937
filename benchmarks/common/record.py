"""The record of a benchmark: one JSON format for how it was run and what it measured.

    record = Record.create(Path("benchmarks/results/speed_gpu.json"), seeds=(0,), device="cuda", precision="bf16")
    record.add({"stage": "views", "images_per_s": 1234.5})   # on disk when the call returns

A record is a list of runs and a list of rows. A run says how it was started: command, date, versions, machine, seeds
and settings. A row holds measured figures, and in `run` the number of the run that measured it. `Record.resume` keeps
the rows of earlier runs, so that a benchmark which was stopped continues with the same command. A field that was not
recorded is null.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from vssl.files import atomic

RESULTS = Path(__file__).parents[1] / "results"
Row = dict[str, Any]


@dataclass
class Record:
    """Runs and rows of one benchmark.

    Attributes:
        path: The JSON file.
        runs: How each run was started, the oldest first.
        rows: Measured figures; `row["run"]` is the position of its run in `runs`.
        current: The run in progress; it becomes part of `runs` with its first row. None when the record is only read.
    """

    path: Path
    runs: list[Row] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    current: Row | None = None

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        seeds: Sequence[int] | None = None,
        device: str = "cpu",
        other_versions: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Record:
        """A new record, which replaces the file at `path` with its first row.

        Args:
            seeds: Random seeds of this run; None where nothing is random.
            device: Where the work is done, as torch names devices.
            other_versions: Versions of comparison libraries, by package.
            settings: What else holds for all rows of this run.
        """
        return cls(path, current=_provenance(seeds, device, other_versions or {}, settings))

    @classmethod
    def resume(cls, path: Path, **about: Any) -> Record:
        """As `create`, with the runs and rows that the file at `path` holds already."""
        record = cls.create(path, **about)
        if path.exists():
            earlier = cls.read(path)
            record.runs, record.rows = earlier.runs, earlier.rows
        return record

    @classmethod
    def read(cls, path: Path) -> Record:
        """The record in a file."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        return cls(path, stored["runs"], stored["rows"])

    def holds(self, **values: Any) -> bool:
        """Whether a row with these values is recorded."""
        return any(values.items() <= row.items() for row in self.rows)

    def add(self, *rows: Mapping[str, Any]) -> None:
        """Append rows of this run, print them, and write the file, all or nothing."""
        assert self.current is not None, "a record that was read has no run in progress"
        if self.current not in self.runs:
            self.runs.append(self.current)
        for row in rows:
            self.rows.append({"run": self.runs.index(self.current), **row})
            print(" ".join(f"{name}={_short(value)}" for name, value in row.items()), flush=True)
        self.write()

    def write(self) -> None:
        """Write the file, all or nothing; a run and a row take one line each."""
        parts = (f'  "{name}": [\n{_lines(items)}\n  ]' for name, items in (("runs", self.runs), ("rows", self.rows)))
        with atomic(self.path) as file:
            file.write(("{\n" + ",\n".join(parts) + "\n}\n").encode())


def command() -> str:
    """The command that started this process, as it can be typed in the repository root."""
    spec = sys.modules["__main__"].__spec__
    program = f"python -m {spec.name.removesuffix('.__main__')}" if spec else f"python {sys.argv[0]}"
    return shlex.join([*program.split(), *sys.argv[1:]])


def _provenance(
    seeds: Sequence[int] | None, device: str, other_versions: Mapping[str, str], settings: Mapping[str, Any]
) -> Row:
    # Imported late: reading a record needs no torch.
    import torch

    from vssl.training.environment import machine, versions

    return {
        "command": command(),
        "date": date.today().isoformat(),
        "versions": versions() | dict(other_versions),
        "machine": machine(torch.device(device)) | {"threads": torch.get_num_threads()},
        "seeds": None if seeds is None else list(seeds),
        "settings": json.loads(json.dumps(settings, default=str)),
    }


def _lines(items: Sequence[Row]) -> str:
    return ",\n".join("    " + json.dumps(item, ensure_ascii=False) for item in items)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
