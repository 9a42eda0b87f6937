"""Logging of a training: metrics.jsonl, progress bars, and the notes printed on the terminal."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vssl.errors import StorageError
from vssl.files import atomic
from vssl.training.health import HEALTHY, LatentStatistics


class MetricLogger:
    """Appends lines to metrics.jsonl and advances the progress bar.

    Args:
        folder: The run folder; None writes no file, as in all processes but rank 0.
        terminal: Where the progress bar is drawn; None draws none.
        after: Step of the checkpoint from which the run resumes; lines of later steps are dropped.

    Attributes:
        health: Of the last line that was logged.
    """

    def __init__(self, folder: Path | None, terminal: Console | None, after: int = 0) -> None:
        self.path = None if folder is None else folder / "metrics.jsonl"
        self.health = HEALTHY
        self._next_line_s = 0.0
        if self.path is not None and (last := _drop_lines_after(self.path, after)):
            self.health = last["health"]
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[status]}"),
            console=terminal,
            disable=terminal is None,
        )
        self.task = self.bar.add_task("training", total=1.0, status="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def log(
        self,
        step: int,
        seconds: float,
        progress: float,
        loss: float,
        latents: LatentStatistics,
        rates: Mapping[str, float],
        parts: Mapping[str, float],
    ) -> None:
        """Append one line and show a summary of it; a change of health is printed.

        Args:
            seconds: Time spent in training so far.
            progress: Fraction of the run that is done, 0..1.
            loss: The loss to log, see `vssl.types.Loss`.
            rates, parts: Further values by name; `parts` are the terms of the loss.
        """
        line: dict[str, Any] = {"step": step, "seconds": seconds, "progress": progress, "loss": loss, **rates}
        line |= {name: value for name, value in asdict(latents).items() if value is not None}
        if self.path is not None:
            _append(self.path, json.dumps(line | {"parts": dict(parts)}))
        self.bar.update(self.task, completed=min(1.0, progress), status=_summary(line))
        self._print_each_minute(f"{progress:4.0%}  step {step}  {_summary(line)}")
        if latents.health != self.health:
            self.health = latents.health
            self.bar.console.print(f"[bold]step {step}: {latents.health}[/bold]")

    def _print_each_minute(self, line: str) -> None:
        """In a log file, where no bar can be drawn, one line per minute replaces it."""
        if self.bar.console.is_terminal or self.bar.disable or time.monotonic() < self._next_line_s:
            return
        self._next_line_s = time.monotonic() + 60
        self.bar.console.print(line)


def _summary(line: dict[str, Any]) -> str:
    words = [
        f"{line['samples_per_s']:.0f} samples/s",
        f"waiting for data {line['data_wait']:.0%}",
        f"loss {line['loss']:.3f}",
        f"effective rank {line['effective_rank']:.0f}",
    ]
    if line.get("log_variance") is not None:
        words.append(f"ln variance {line['log_variance']:+.2f}")
    return "  ".join(words)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a") as file:
            file.write(text + "\n")
    except OSError as error:
        raise StorageError(
            f"{path} cannot be written: {error.strerror}. Free some space, then: vssl resume {path.parent}"
        ) from error


def _drop_lines_after(path: Path, step: int) -> dict[str, Any] | None:
    """Keep the complete lines of steps up to `step`; returns the last of them."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    complete = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    with atomic(path) as file:
        file.write("".join(complete).encode())
    return json.loads(complete[-1]) if complete else None


_PRINTED: WeakKeyDictionary[Console, set[tuple[str, str]]] = WeakKeyDictionary()


def print_notes(
    source: str | Path, notes: Sequence[str], broken: Sequence[Mapping[str, str]], terminal: Console | None
) -> None:
    """Print how the data were read and what could not be read, once per source and terminal.

    Args:
        notes: See `Modality.notes`.
        broken: `id` and `reason` of each sample or file that could not be read.
    """
    if terminal is None:
        return
    printed = _PRINTED.setdefault(terminal, set())
    name = Path(source).name or source
    for note in (*notes, *_unreadable(broken)):
        if (str(source), note) not in printed:
            # File names may contain square brackets, which are no markup here.
            terminal.print(f"Note on {name}: {note}", markup=False, soft_wrap=True)
            printed.add((str(source), note))


def _unreadable(broken: Sequence[Mapping[str, str]]) -> list[str]:
    if not broken:
        return []
    number, verb = ("1 sample or file", "has") if len(broken) == 1 else (f"{len(broken):,} samples or files", "have")
    first = "; ".join(f"{item['id']}: {item['reason']}" for item in broken[:3])
    return [f"{number} cannot be read and {verb} no embedding{', first' if len(broken) > 3 else ''}: {first}."]


@contextmanager
def progress_bar(description: str, terminal: Console | None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar for a number of items; yields the function to call with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, disable=terminal is None, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
