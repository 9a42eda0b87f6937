"""The training loop: the only one, readable from top to bottom.

Data are decoded once, views are made in batches on the training device, the objective gives the loss, and everything a
step depends on (order of the samples, views, noise) follows from the seed and the step alone. That is why a resumed run
equals an uninterrupted one: bit for bit on the CPU, where the budget is in steps or epochs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from vssl.config import find, from_dict, name_of
from vssl.errors import ConfigError, DataError, DivergedError, EmptyDataError, RunError, RunNotFoundError
from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.stats.gather import rank, world_size
from vssl.training import devices, model, optim
from vssl.training.checkpoint import Position, load_checkpoint, save_checkpoint
from vssl.training.describe import describe
from vssl.training.evidence import FINISHED, HEALTHY, evidence
from vssl.training.health import examine
from vssl.training.interrupt import requests
from vssl.training.memory import remember
from vssl.training.progress import Journal, counting, print_notes
from vssl.training.schedule import Clock, Schedule, learning_rate_factor
from vssl.training.settings import Settings
from vssl.training.threads import Threads
from vssl.types import Embeddings

FEWEST_SAMPLES = 16
LOG_STEPS = 10


def train(
    source: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    command: str = "",
    terminal: Console | None = None,
) -> Run:
    """Train on unlabelled data and leave a run folder behind.

    Args:
        source: Where the data are.
        out: The run folder to make.
        overwrite: Start again if `out` is a run folder already.
        command: What the user typed, to be kept with the run.
        terminal: Where to show progress; None is quiet.

    Raises:
        DataError, ConfigError, RunExistsError, StorageError: Nothing is lost that was there before.
        DivergedError: The loss is no longer a finite number; the last good checkpoint stays.
    """
    device = devices.choose(settings.device)
    with devices.processes(device), torch.random.fork_rng():
        Run.check_free(out, overwrite)
        spec = model.measure_spec(source, settings.modality)
        modality = model.build_modality(settings.modality, spec)
        objective = _objective(settings, modality, device)
        with model.suggest_modality(source, settings.modality):
            dataset = _load(modality, source, terminal)
        info = {
            "source": str(Path(source).absolute()),
            "command": command,
            "spec": asdict(spec),
            "settings": settings.to_dict(),
            "notes": modality.notes(source),
        }
        with devices.first_process_first():
            run = Run.create(out, info | describe(dataset, device), overwrite) if rank() == 0 else Run(out)
            if rank() == 0:
                remember(run, modality, dataset)
        return _fit(run, settings, modality, objective, dataset, device, terminal)


def resume(out: str | Path, *, terminal: Console | None = None) -> Run:
    """Go on with an interrupted run from its last checkpoint, with its own settings and data.

    Raises:
        RunError: There is no run, its data have changed since, or another version began it, which had other settings.
        DivergedError: As in `train`.
    """
    run = Run(out)
    settings = Settings.from_dict(run.info["settings"])
    if settings.to_dict() != run.info["settings"]:
        begun = run.info.get("versions", {}).get("vssl", "?")
        raise RunError(f"{out} was begun by vssl {begun}, which had other settings. Go on with that, or train anew.")
    device = devices.choose(settings.device)
    with devices.processes(device), torch.random.fork_rng():
        module = find("modalities", name_of(settings.modality))
        spec = from_dict(module.Spec, run.info["spec"], "spec")
        modality = model.build_modality(settings.modality, spec)
        objective = _objective(settings, modality, device)
        dataset = _load(modality, run.info["source"], terminal)
        if dataset.fingerprint != run.info["fingerprint"]:
            raise RunError(f"The data in {run.info['source']} have changed since {out} began. Train anew: vssl train.")
        if rank() == 0:
            remember(run, modality, dataset)
        return _fit(run, settings, modality, objective, dataset, device, terminal)


def complete(
    source: str | Path, out: str | Path, settings: Settings, *, command: str = "", terminal: Console | None = None
) -> Run:
    """The run of `settings` on `source` in `out`: as it is if it is done, resumed if begun, else trained anew.

    Raises:
        VsslError: As in `train` and `resume`.
    """
    try:
        earlier = Run(out)
    except RunNotFoundError:
        earlier = None
    asked = {"source": str(Path(source).absolute()), "settings": settings.to_dict()}
    if earlier is not None and asked.items() <= earlier.info.items():
        return earlier if earlier.info["status"] == "done" else resume(out, terminal=terminal)
    return train(source, out, settings, overwrite=True, command=command, terminal=terminal)


def _objective(settings: Settings, modality: Modality, device: torch.device) -> Objective:
    objective = model.build_objective(settings, modality)
    _samples_a_step(settings, objective)
    return objective.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def _samples_a_step(settings: Settings, objective: Objective) -> int:
    """As many as give `settings.batch` pairs of views: a step is as long, however many views of a sample there are."""
    samples = settings.batch * 2 // objective.views
    if samples < 2 or samples % world_size():
        raise ConfigError(
            f"batch {settings.batch} makes {samples} samples of {objective.views} views a step; they must be 2 or "
            f"more, and divisible among {world_size()} processes."
        )
    return samples


def _load(modality: Modality, source: str | Path, terminal: Console | None) -> Dataset:
    with devices.first_process_first(), counting("reading", terminal if rank() == 0 else None) as on_progress:
        dataset = modality.load(source, on_progress)
    clash = sorted(set(dataset.metadata.column_names) & set(Embeddings.COLUMNS))
    if clash:
        raise DataError(f"{source}: the metadata column {clash[0]!r} has a name that embeddings need: rename it.")
    if len(dataset) < FEWEST_SAMPLES:
        raise EmptyDataError(f"{source} holds {len(dataset)} usable samples; training needs {FEWEST_SAMPLES} or more.")
    return dataset


def _fit(
    run: Run,
    settings: Settings,
    modality: Modality,
    objective: Objective,
    dataset: Dataset,
    device: torch.device,
    terminal: Console | None,
) -> Run:
    dataset = dataset.to(device)
    batch = min(_samples_a_step(settings, objective), len(dataset)) // world_size() * world_size()
    mine = devices.my_rows(batch)
    labels = None if objective.label is None else _labels(dataset, objective.label).to(device)
    optimizer = optim.build(settings.optimiser, objective)
    position = load_checkpoint(run, objective, optimizer)
    module = devices.distribute(objective, device).train()
    generator = torch.Generator(device)
    schedule = Schedule.of(settings.budget, len(dataset) // batch)
    clock = Clock(position.seconds, position.images)
    # Their number changes the order of sums: a run of so many steps must not depend on the clock.
    threads = Threads(torch.get_num_threads()) if schedule.seconds and device.type == "cpu" else None
    step, images, previous = position.step, position.images, schedule.share(max(0, position.step - 1), position.seconds)
    status, is_first = "interrupted", rank() == 0

    with Journal(run.path if is_first else None, terminal if is_first else None, after=step) as journal:
        with requests() as stop_requested:
            for rows in _order(len(dataset), batch, settings.seed, step):
                share = devices.agree(schedule.share(step, clock.seconds))
                if share >= 1:
                    status = "done"
                    break
                if devices.agree(bool(stop_requested)):
                    break
                factor = learning_rate_factor(share, settings.optimiser.warmup)
                optim.set_learning_rate(optimizer, settings.optimiser.learning_rate * factor)
                # Everything random in a step follows from the seed and the step.
                generator.manual_seed(settings.seed * 1_000_003 + step)
                torch.manual_seed(settings.seed * 1_000_003 + step)

                with clock.waiting():
                    raw = dataset.batch(rows).to(device, non_blocking=True)
                views = modality.many_views(objective.views, raw, generator, mine)
                known = () if labels is None else (labels[rows[mine]],)
                objective.progress.fill_(share)
                with devices.autocast(device, settings.precision):
                    loss = module(views, generator, *known)
                optimizer.zero_grad(set_to_none=True)
                loss.total.backward()
                optimizer.step()
                objective.update(share - previous, share)
                step, images, previous = step + 1, images + batch, share
                if threads is not None:
                    threads.step_took(clock.lap())

                if step != 1 and step % LOG_STEPS:
                    continue
                watched = loss.total.detach() if loss.logged is None else loss.logged
                total = devices.mean_over_processes(watched)
                _require_finite(run, total, step)
                rates = {"learning_rate": optimizer.param_groups[0]["lr"], **clock.rates(images)}
                parts = {name: float(value) for name, value in loss.parts.items()}
                journal.log(step, clock.seconds, share, total, examine(loss.latent, share), rates, parts)
                if is_first and clock.since_checkpoint > 60 * settings.checkpoint_minutes:
                    _require_finite_weights(run, objective, step)
                    save_checkpoint(run, objective, optimizer, Position(step, clock.seconds, images))
                    clock.mark_checkpoint()

        if threads is not None:
            threads.restore()
        if step > position.step:
            _require_finite(run, devices.mean_over_processes(loss.total.detach()), step)
        with devices.first_process_first():
            if is_first:
                _require_finite_weights(run, objective, step)
                save_checkpoint(run, objective, optimizer, Position(step, clock.seconds, images))
                progress = {"step": step, "steps": schedule.steps, "seconds": clock.seconds, "images": images}
                health, found = journal.verdict, None
                if status == "done" and health == HEALTHY:
                    found = evidence(objective, settings, modality, dataset, images)
                    health = HEALTHY if found.helped else FINISHED
                run.update(status=status, progress=progress, health=health, evidence=found and asdict(found))
    print_notes(run.info["source"], run.notes, run.info["broken"], terminal if is_first else None)
    return Run(run.path)


def _labels(dataset: Dataset, column: str) -> Tensor:
    """The classes of all samples, numbered, for the objectives that are upper bounds and read them."""
    if column not in dataset.metadata.column_names:
        known = ", ".join(dataset.metadata.column_names) or "none"
        raise DataError(
            f"This objective reads labels, and the data have no column {column!r}; their columns: {known}. "
            "The names of folders are labels only when asked for: --label-from folder."
        )
    names = dataset.metadata[column].to_pylist()
    missing = [name for name, label in zip(dataset.ids, names, strict=True) if label in (None, "") or label != label]
    if missing:
        raise DataError(
            f"{len(missing)} samples have no {column!r} ({missing[0]} is the first); this objective needs all labels."
        )
    return torch.from_numpy(np.unique(names, return_inverse=True)[1])


def _order(samples: int, batch: int, seed: int, step: int) -> Iterator[np.ndarray]:
    """The rows of each step from `step` on: every epoch a new permutation, the last incomplete batch left out."""
    per_epoch = samples // batch
    epoch, first = divmod(step, per_epoch)
    while True:
        permutation = np.random.default_rng([seed, epoch]).permutation(samples)
        for start in range(first, per_epoch):
            yield permutation[start * batch : (start + 1) * batch]
        epoch, first = epoch + 1, 0


def _require_finite_weights(run: Run, objective: Objective, step: int) -> None:
    """A finite loss may still be followed by a step that spoils the weights."""
    if not all(bool(torch.isfinite(parameter).all()) for parameter in objective.parameters()):
        _require_finite(run, float("nan"), step)


def _require_finite(run: Run, loss: float, step: int) -> None:
    if np.isfinite(loss):
        return
    if rank() == 0:
        run.update(status="diverged", health=f"diverged: the loss is {loss} at step {step}")
    raise DivergedError(
        f"The loss is {loss} at step {step}. The last good checkpoint is kept in {run.path}. "
        "Train again with a tenth of the learning rate (--learning-rate)."
    )
