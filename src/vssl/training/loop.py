"""The training loop, in `_fit`: batches, views, loss, optimiser step, metrics, checkpoints.

The data are decoded once, and views are made in batches on the training device. The order of the samples, their views
and all noise of a step follow from the seed and the number of the step. A resumed run therefore equals an uninterrupted
one, bit for bit on the CPU where the budget is in steps or epochs.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor
from torch.optim import Optimizer

from vssl.config import find, from_dict, name_of
from vssl.errors import ConfigError, DataError, DivergedError, EmptyDataError, RunError, RunNotFoundError
from vssl.modalities.base import Dataset, Modality
from vssl.objectives.base import Objective
from vssl.run import Run
from vssl.stats.gather import rank, world_size
from vssl.training import devices, distributed, model, modes, optim
from vssl.training.checkpoint import (
    RunProgress,
    load_checkpoint,
    load_stopping,
    save_checkpoint,
    save_initial,
    save_model,
)
from vssl.training.early_stopping import EarlyStopping, split_held_out
from vssl.training.environment import machine, versions
from vssl.training.health import HEALTHY, NO_GAIN, NOT_TRAINED, latent_statistics
from vssl.training.patch_discriminator import DiscriminatorFit, fit_patch_discriminator
from vssl.training.patch_statistics import fit_patch_statistics
from vssl.training.progress import MetricLogger, print_notes, progress_bar
from vssl.training.schedule import Clock, Schedule, learning_rate_factor
from vssl.training.settings import Settings
from vssl.training.signals import stop_on_signal
from vssl.training.threads import ThreadTuner
from vssl.training.training_gain import training_gain
from vssl.training.training_index import write_training_index
from vssl.types import Embeddings

MIN_SAMPLES = 16
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
    """Train on unlabelled data and write a run folder.

    Args:
        source: File, folder or archive of the training data.
        out: The run folder to write.
        overwrite: Replace the run in `out`, if there is one.
        command: The command line of the user, stored in run.json.
        terminal: Where progress is shown; None shows none.

    Raises:
        DataError, ConfigError, RunExistsError, StorageError: Training could not start; existing files are unchanged.
        DivergedError: The loss is no longer a finite number; the last good checkpoint is kept.
    """
    device = devices.choose(settings.device)
    with distributed.processes(device), torch.random.fork_rng():
        Run.check_free(out, overwrite)
        spec = model.measure_spec(source, settings.modality)
        modality = model.build_modality(settings.modality, spec)
        objective = _objective(settings, modality, device)
        weights = objective.encoder.weights
        with model.suggest_modality(source, settings.modality):
            dataset = _load(modality, source, terminal)
        info = {
            "status": "running",
            "source": str(Path(source).absolute()),
            "command": command,
            "spec": asdict(spec),
            "settings": settings.to_dict(),
            "notes": modality.notes(source) + ([] if weights is None else [weights.note]),
            "pretrained": weights and asdict(weights),
            "fingerprint": dataset.fingerprint,
            "samples": len(dataset),
            "tiles": 1 if modality.tiling is None else len(modality.tiling),
            "broken": [{"id": broken.id, "reason": broken.reason} for broken in dataset.broken],
            "versions": versions(),
            "machine": machine(device),
        }
        with distributed.main_process_first():
            run = Run.create(out, info, overwrite) if rank() == 0 else Run(out)
            if rank() == 0:
                write_training_index(run, modality, dataset)
                if weights is not None:
                    save_initial(run, objective.encoder)
        return _fit(run, settings, modality, objective, dataset, device, terminal)


def resume(out: str | Path, *, terminal: Console | None = None) -> Run:
    """Continue an interrupted run from its last checkpoint, with its settings and data.

    Raises:
        RunError: There is no run, its data have changed, or it was started by a version of vssl with other settings.
        DivergedError: As in `train`.
    """
    run = Run(out)
    settings = Settings.from_dict(run.info["settings"])
    if settings.to_dict() != run.info["settings"]:
        version = run.info.get("versions", {}).get("vssl", "?")
        raise RunError(
            f"{out} was started by vssl {version}, which had other settings. Resume with that version or train again."
        )
    device = devices.choose(settings.device)
    with distributed.processes(device), torch.random.fork_rng():
        module = find("modalities", name_of(settings.modality))
        spec = from_dict(module.Spec, run.info["spec"], "spec")
        modality = model.build_modality(settings.modality, spec)
        objective = _objective(settings, modality, device, run)
        dataset = _load(modality, run.info["source"], terminal)
        if dataset.fingerprint != run.info["fingerprint"]:
            raise RunError(
                f"The data in {run.info['source']} have changed since {out} was started. Train again: vssl train."
            )
        if rank() == 0:
            write_training_index(run, modality, dataset)
        return _fit(run, settings, modality, objective, dataset, device, terminal)


def train_or_resume(
    source: str | Path, out: str | Path, settings: Settings, *, command: str = "", terminal: Console | None = None
) -> Run:
    """The run of `settings` on `source` in `out`: returned if it is done, resumed if it was started, else trained.

    Raises:
        VsslError: As in `train` and `resume`.
    """
    try:
        existing = Run(out)
    except RunNotFoundError:
        existing = None
    wanted = {"source": str(Path(source).absolute()), "settings": settings.to_dict()}
    if existing is not None and wanted.items() <= existing.info.items():
        return existing if existing.info["status"] == "done" else resume(out, terminal=terminal)
    return train(source, out, settings, overwrite=True, command=command, terminal=terminal)


def _objective(settings: Settings, modality: Modality, device: torch.device, run: Run | None = None) -> Objective:
    objective = model.build_objective(settings, modality, run)
    _samples_per_step(settings, objective)
    return devices.to_device(objective, device)


def _samples_per_step(settings: Settings, objective: Objective) -> int:
    """The number of samples with `settings.batch` pairs of views: the cost of a step hardly depends on V."""
    samples = settings.batch * 2 // objective.views
    if samples < 2 or samples % world_size():
        raise ConfigError(
            f"A batch of {settings.batch} view pairs means {samples} samples of {objective.views} views per step. "
            f"It must be 2 or more, and divisible by the number of processes ({world_size()}). Change --batch."
        )
    return samples


def _load(modality: Modality, source: str | Path, terminal: Console | None) -> Dataset:
    with distributed.main_process_first(), progress_bar("reading", terminal if rank() == 0 else None) as on_progress:
        dataset = modality.load(source, on_progress)
    clash = sorted(set(dataset.metadata.column_names) & set(Embeddings.COLUMNS))
    if clash:
        raise DataError(f"{source}: the metadata column {clash[0]!r} has a name that embeddings reserve: rename it.")
    if len(dataset) < MIN_SAMPLES:
        raise EmptyDataError(f"{source} holds {len(dataset)} usable samples; training needs {MIN_SAMPLES} or more.")
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
    dataset = modality.training_samples(dataset).to(device)
    mode = modes.mode_of(settings.train, objective.encoder)
    if mode == "none":
        return _keep(run, settings, modality, objective, dataset, terminal)
    trained, stopping = np.arange(len(dataset)), None
    if mode == "adapt":
        trained, held_out = split_held_out(len(dataset), settings.seed)
        stopping = EarlyStopping(settings, modality, dataset, trained, held_out, device)
        stopping.load_state(load_stopping(run))
    batch = min(_samples_per_step(settings, objective), len(trained)) // world_size() * world_size()
    local_rows = distributed.local_rows(batch)
    labels = None if objective.label is None else _labels(dataset, objective.label).to(device)
    optimizer = optim.build(settings.optimiser, objective, modes.hold(objective, mode))
    start = load_checkpoint(run, objective, optimizer)
    module = distributed.distribute(objective, device)
    modes.set_training(objective, mode)
    generator = torch.Generator(device)
    schedule = Schedule.of(settings.budget, len(trained) // batch)
    clock = Clock(start.seconds, start.samples)
    # The number of threads changes the order of sums: with a budget in steps the result must not depend on the clock.
    threads = ThreadTuner(torch.get_num_threads()) if schedule.seconds and device.type == "cpu" else None
    step, samples, previous = start.step, start.samples, schedule.progress(max(0, start.step - 1), start.seconds)
    status, is_main = "interrupted", rank() == 0

    with MetricLogger(run.path if is_main else None, terminal if is_main else None, after=step) as logger:
        with stop_on_signal() as stop_requested:
            for drawn in _batches(len(trained), batch, settings.seed, step):
                rows = trained[drawn]
                progress = distributed.broadcast_scalar(schedule.progress(step, clock.seconds))
                if stopping is not None and stopping.is_due(progress):
                    stopping.check(objective, step)
                if progress >= 1 or (stopping is not None and stopping.should_stop):
                    status = "done"
                    break
                if distributed.broadcast_scalar(bool(stop_requested)):
                    break
                factor = learning_rate_factor(progress, settings.optimiser.warmup)
                learning_rate = settings.optimiser.learning_rate * factor
                optim.set_learning_rate(optimizer, learning_rate)
                if mode == "adapt":
                    modes.hold_encoder_at_first(optimizer, progress)
                # All randomness of a step follows from the seed and the step.
                generator.manual_seed(settings.seed * 1_000_003 + step)
                torch.manual_seed(settings.seed * 1_000_003 + step)

                with clock.waiting():
                    raw = dataset.batch(rows).to(device, non_blocking=True)
                views = modality.many_views(objective.views, raw, generator, local_rows)
                batch_labels = () if labels is None else (labels[rows[local_rows]],)
                objective.progress.fill_(progress)
                with devices.autocast(device, settings.precision):
                    loss = module(views, generator, *batch_labels)
                optimizer.zero_grad(set_to_none=True)
                loss.total.backward()
                optimizer.step()
                objective.update(progress - previous, progress)
                step, samples, previous = step + 1, samples + batch, progress
                if threads is not None:
                    threads.record(clock.lap())

                if step != 1 and step % LOG_STEPS:
                    continue
                logged = distributed.mean_over_processes(loss.total.detach() if loss.logged is None else loss.logged)
                _require_finite(run, logged, step)
                rates = {"learning_rate": learning_rate, **clock.rates(samples)}
                parts = {name: float(value) for name, value in loss.parts.items()}
                latents = latent_statistics(loss.latent, progress)
                logger.log(step, clock.seconds, progress, logged, latents, rates, parts)
                if is_main and clock.since_checkpoint > 60 * settings.checkpoint_minutes:
                    _require_finite_weights(run, objective, step)
                    _save(run, objective, optimizer, RunProgress(step, clock.seconds, samples), stopping)
                    clock.mark_checkpoint()

        if threads is not None:
            threads.restore()
        if step > start.step:
            _require_finite(run, distributed.mean_over_processes(loss.total.detach()), step)
        with distributed.main_process_first():
            if is_main:
                _require_finite_weights(run, objective, step)
                _save(run, objective, optimizer, RunProgress(step, clock.seconds, samples), stopping)
                health, gain = logger.health, None
                if stopping is not None and stopping.weights:
                    objective.load_state_dict(stopping.weights)
                if status == "done" and health == HEALTHY:
                    if stopping is None:
                        gain = training_gain(objective, settings, modality, dataset, samples, run)
                    else:
                        gain = stopping.gain()
                    health = HEALTHY if gain.helped else NO_GAIN
                discriminator = _complete(run, objective, settings, modality, dataset, terminal)
                run.update(
                    status=status,
                    progress={"step": step, "steps": schedule.steps, "seconds": clock.seconds, "samples": samples},
                    health=health,
                    training_gain=gain and asdict(gain),
                    weights=asdict(modes.TrainedWeights.of(objective, mode)),
                    early_stopping=stopping and stopping.summary(),
                    discriminator=discriminator and asdict(discriminator),
                )
    print_notes(run.info["source"], run.notes, run.info["broken"], terminal if is_main else None)
    return Run(run.path)


def _complete(
    run: Run, objective: Objective, settings: Settings, modality: Modality, dataset: Dataset, terminal: Console | None
) -> DiscriminatorFit | None:
    """Fit what belongs to the trained encoder, and write the model. A resumed run fits it again."""
    fit_patch_statistics(objective, settings, modality, dataset)
    fitted = fit_patch_discriminator(objective, settings, modality, dataset, terminal)
    save_model(run, objective.state_dict())
    return fitted


def _keep(
    run: Run, settings: Settings, modality: Modality, objective: Objective, dataset: Dataset, terminal: Console | None
) -> Run:
    """Finish a run without a step: the encoder keeps its initial weights."""
    with distributed.main_process_first():
        if rank() == 0:
            modes.hold(objective, "none")
            discriminator = _complete(run, objective, settings, modality, dataset, terminal)
            run.update(
                status="done",
                progress={"step": 0, "steps": 0, "seconds": 0.0, "samples": 0},
                health=NOT_TRAINED,
                training_gain=None,
                weights=asdict(modes.TrainedWeights.of(objective, "none")),
                early_stopping=None,
                discriminator=discriminator and asdict(discriminator),
            )
    print_notes(run.info["source"], run.notes, run.info["broken"], terminal if rank() == 0 else None)
    return Run(run.path)


def _save(
    run: Run, objective: Objective, optimizer: Optimizer, progress: RunProgress, stopping: EarlyStopping | None
) -> None:
    if stopping is None:
        save_checkpoint(run, objective, optimizer, progress)
    else:
        save_checkpoint(run, objective, optimizer, progress, stopping.state(), stopping.weights)


def _labels(dataset: Dataset, column: str) -> Tensor:
    """The class number of each sample, for objectives that read labels, as upper bounds do."""
    if column not in dataset.metadata.column_names:
        columns = ", ".join(dataset.metadata.column_names) or "none"
        raise DataError(
            f"This objective reads labels, and the data have no column {column!r}; their columns: {columns}. "
            "To use the names of folders as labels, give --label-from folder."
        )
    names = dataset.metadata[column].to_pylist()
    missing = [name for name, label in zip(dataset.ids, names, strict=True) if label in (None, "") or label != label]
    if missing:
        raise DataError(
            f"{len(missing)} samples have no {column!r}, the first is {missing[0]}; this objective needs all labels."
        )
    return torch.from_numpy(np.unique(names, return_inverse=True)[1])


def _batches(samples: int, batch: int, seed: int, step: int) -> Iterator[np.ndarray]:
    """The rows of each batch from `step` on: a new permutation per epoch, without an incomplete last batch."""
    per_epoch = samples // batch
    epoch, first = divmod(step, per_epoch)
    while True:
        permutation = np.random.default_rng([seed, epoch]).permutation(samples)
        for start in range(first, per_epoch):
            yield permutation[start * batch : (start + 1) * batch]
        epoch, first = epoch + 1, 0


def _require_finite_weights(run: Run, objective: Objective, step: int) -> None:
    """The step after a finite loss may still make weights that are not finite."""
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
