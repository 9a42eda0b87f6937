"""What a person sees while it trains, and the lines that stay: metrics.jsonl and the bar."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakKeyDictionary

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from vssl.errors import StorageError
from vssl.files import atomic
from vssl.training.health import Health


def console(quiet: bool = False) -> Console:
    """The terminal for people: standard error, so that standard output stays free for results."""
    return Console(stderr=True, highlight=False, quiet=quiet)


class _Status(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.fields.get("status", ""))


class Journal:
    """Appends to metrics.jsonl and moves the bar; quiet in all processes but the first.

    Args:
        folder: The run folder; None writes nothing.
        terminal: Where the bar is drawn; None draws none.
        after: When resuming, lines of later steps than this are dropped: they will be made again.
    """

    def __init__(self, folder: Path | None, terminal: Console | None, after: int = 0) -> None:
        self.path = None if folder is None else folder / "metrics.jsonl"
        self.verdict = "healthy"
        self._next_line = 0.0
        if self.path is not None and (last := _keep_until(self.path, after)):
            self.verdict = last["health"]
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            _Status(),
            console=terminal,
            disable=terminal is None,
        )
        self.task = self.bar.add_task("training", total=1.0)

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bar.stop()

    def log(
        self,
        step: int,
        seconds: float,
        share: float,
        loss: float,
        health: Health,
        rates: Mapping[str, float],
        parts: Mapping[str, float],
    ) -> None:
        """Keep one line and show its gist; a change of health is said aloud."""
        line: dict[str, Any] = {"step": step, "seconds": seconds, "share": share, "loss": loss, **rates}
        line |= {"effective_rank": health.effective_rank, "spread": health.spread, "health": health.verdict}
        if health.log_variance is not None:
            line["log_variance"] = health.log_variance
        if self.path is not None:
            _append(self.path, json.dumps(line | {"parts": dict(parts)}))
        self.bar.update(self.task, completed=min(1.0, share), status=_gist(line))
        self._say_now_and_then(step, share, _gist(line))
        if health.verdict != self.verdict:
            self.verdict = health.verdict
            self.bar.console.print(f"[bold]step {step}: {health.verdict}[/bold]")

    def _say_now_and_then(self, step: int, share: float, gist: str) -> None:
        """Where no bar can be drawn, as in a log file, a line a minute takes its place."""
        if self.bar.console.is_terminal or self.bar.disable or time.monotonic() < self._next_line:
            return
        self._next_line = time.monotonic() + 60
        self.bar.console.print(f"{share:4.0%}  step {step}  {gist}")


def _gist(line: dict[str, Any]) -> str:
    words = [
        f"{line['images_per_s']:.0f} samples/s",
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


def _keep_until(path: Path, step: int) -> dict[str, Any] | None:
    """Keep the whole lines up to `step`, and return what the last of them says."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    with atomic(path) as file:
        file.write("".join(kept).encode())
    return json.loads(kept[-1]) if kept else None


_SAID: WeakKeyDictionary[Console, set[tuple[str, str]]] = WeakKeyDictionary()


def print_notes(
    source: str | Path, notes: Sequence[str], broken: Sequence[Mapping[str, str]], terminal: Console | None
) -> None:
    """Tell a person how data were read, see `Modality.notes`, and what of them could not be: once for each source.

    Args:
        broken: `id` and `reason` of each sample or file that is missing.
    """
    if terminal is None:
        return
    said = _SAID.setdefault(terminal, set())
    name = Path(source).name or source
    for note in (*notes, *_unreadable(broken)):
        if (str(source), note) not in said:
            # Names of files are the user's: square brackets in them are no markup.
            terminal.print(f"Note on {name}: {note}", markup=False, soft_wrap=True)
            said.add((str(source), note))


def _unreadable(broken: Sequence[Mapping[str, str]]) -> list[str]:
    if not broken:
        return []
    number, verb = ("1 sample or file", "has") if len(broken) == 1 else (f"{len(broken):,} samples or files", "have")
    first = "; ".join(f"{item['id']}: {item['reason']}" for item in broken[:3])
    return [f"{number} cannot be read and {verb} no embedding{', first' if len(broken) > 3 else ''}: {first}."]


@contextmanager
def counting(what: str, terminal: Console | None) -> Iterator[Callable[[int, int], None]]:
    """A bar for work with a known number of items; yields the function to call with (done, total)."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, disable=terminal is None, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
