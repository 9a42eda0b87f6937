"""A suite of trials under equal conditions: methods x settings x seeds, resumable, one JSON file of results per trial.

Each trial runs in a process of its own, so that none inherits memory, threads or random numbers of another.
"""

import itertools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from rich.console import Console

from vssl.benchmarking import trial
from vssl.benchmarking.methods import method
from vssl.benchmarking.sources import Sources
from vssl.benchmarking.trial import Trial
from vssl.errors import ConfigError, RunError, RunVersionError
from vssl.files import write_json
from vssl.training.settings import Budget, Optimiser, Settings

SECONDS_TO_SAVE = 60


@dataclass(frozen=True)
class Suite:
    """What is compared; all other settings are equal for all trials.

    Attributes:
        sources: The data.
        methods: As in `methods.method`.
        budget: Budget of each trial.
        modality, encoder: Configurations, the same for all.
        seeds: Random seeds; one trial each.
        learning_rates, batches: Each method is trained with each pair of them.
        device: As in training.
    """

    sources: Sources
    methods: tuple[str, ...]
    budget: Budget
    modality: Any
    encoder: Any
    seeds: tuple[int, ...] = (0, 1, 2)
    learning_rates: tuple[float, ...] = field(default=(Optimiser().learning_rate,))
    batches: tuple[int, ...] = (Settings.batch,)
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("methods", "seeds", "learning_rates", "batches"):
            if not getattr(self, name):
                raise ConfigError(f"A comparison needs at least one of {name}.")

    def trials(self) -> Iterator[Trial]:
        """All trials; one seed is completed for all methods before the next begins."""
        grid = itertools.product(self.seeds, self.learning_rates, self.batches, self.methods)
        for seed, learning_rate, batch, text in grid:
            settings = Settings(
                modality=self.modality,
                encoder=self.encoder,
                objective=method(text),
                budget=self.budget,
                train="all",  # methods that train nothing could not be compared
                optimiser=Optimiser(learning_rate=learning_rate),
                batch=batch,
                seed=seed,
                device=self.device,
            )
            yield Trial(self.sources, text, settings)


def run(suite: Suite, out: Path, command: str = "", terminal: Console | None = None) -> list[dict[str, Any]]:
    """Run the trials that are not recorded yet, and return all results in `out`, including those of earlier suites.

    Raises:
        ConfigError: A method does not exist; nothing has been trained.
        KeyboardInterrupt: Ctrl-C; the run in progress is saved first.
        VsslError: See `vssl.errors`.
    """
    trials = list(suite.trials())
    say: Callable[[str], None] = terminal.print if terminal else lambda _: None
    try:
        for number, item in enumerate(trials, 1):
            path = out / "results" / f"{item.name}.json"
            if path.exists():
                continue
            say(f"[bold]{number} of {len(trials)}[/bold] {item.name}")
            result = _run_in_process(item, out / "runs" / item.name, terminal is not None)
            if result is None:
                raise KeyboardInterrupt
            write_json(path, {"command": command, **result})
    except KeyboardInterrupt:
        say("[bold]stopped[/bold] The results so far are kept; run the same command again to continue.")
        raise
    return results(out)


def _run_in_process(item: Trial, folder: Path, talk: bool) -> dict[str, Any] | None:
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_end_with_parent) as pool:
            return pool.submit(_run, item, folder, talk).result()
    except BrokenProcessPool as error:
        raise RunError(
            f"The process of {item.name} was killed, perhaps because the memory was full. The results so far are "
            "kept; run the same command again to continue."
        ) from error


_ENDED = threading.Event()
"""Set in the process of a trial once it has ended or its run is saved."""


def _run(item: Trial, folder: Path, talk: bool) -> dict[str, Any] | None:
    try:
        return trial.run(item, folder, talk)
    finally:
        _ENDED.set()


def _end_with_parent() -> None:
    """End this process after its parent was killed; the run in progress is saved first, as after Ctrl-C."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        _ENDED.wait(SECONDS_TO_SAVE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def results(out: Path) -> list[dict[str, Any]]:
    """All results that are recorded in the folder of a comparison.

    Raises:
        RunVersionError: A file is not readable JSON.
    """
    recorded = []
    for path in sorted((out / "results").glob("*.json")):
        try:
            recorded.append(json.loads(path.read_text()))
        except ValueError as error:
            raise RunVersionError(
                f"{path} is not readable JSON: {error}. Delete it to have it computed again."
            ) from error
    return recorded
