"""`vssl calibrate`: from data and a run folder to the policy of the run."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console

from vssl.config import member
from vssl.decisions import policy_file
from vssl.decisions.calibrate import calibrate
from vssl.decisions.config import CalibrationConfig
from vssl.decisions.copies import CopyFinder
from vssl.decisions.policy import Policy
from vssl.decisions.samples import select, split_halves
from vssl.errors import NotEnoughDataError, PolicyError
from vssl.run import Run
from vssl.scores.base import pairs_of
from vssl.training.model import Model
from vssl.types import Embeddings

MAX_BANK = 20_000
"""Samples of the bank, at most: enough for neighbours and densities, and scoring does not slow down with the data."""


def calibrate_run(
    model: Model,
    normal: str | Path,
    defects: str | Path | None,
    bank: str | Path | None,
    config: CalibrationConfig,
    overwrite: bool = False,
    terminal: Console | None = None,
    caveats: Sequence[str] = (),
) -> Policy:
    """Make the policy of a run; see `vssl.api.calibrate`.

    Args:
        caveats: Sentences for the reader of the policy, in addition to those of the calibration.
    """
    run = model.run
    if (run.path / "policy.json").exists() and not overwrite:
        raise PolicyError(
            f"{run.path} already has a policy. Replace it: --overwrite. Use it: vssl decide {run.path} DATA"
        )
    pairs = pairs_of(member("scores", config.score))
    finder = CopyFinder.of(model)
    normal_set = finder.calibration_set(select(model, normal, terminal, pairs=pairs))
    defect_set = None if defects is None else finder.calibration_set(select(model, defects, terminal, pairs=pairs))
    hint, caveats = "", [*caveats, *finder.doubts]
    if bank is None:
        bank_set, normal_set = split_halves(normal_set, config.block)
        bank_samples = bank_set.samples
        hint = " Half of the normals are the bank; to use all, give another bank: --bank DATA, or --bank train."
    elif str(bank) == "policy":
        bank_samples = _bank_in_force(run)
    else:
        bank_samples = select(model, run.info["source"] if str(bank) == "train" else bank, terminal, pairs=pairs)
    for leaked_into in (None, bank_samples):
        normal_set = finder.drop_leaked(normal_set, leaked_into, "normal samples", caveats)
        if defect_set is not None:
            defect_set = finder.drop_leaked(defect_set, leaked_into, "defects", caveats)
    if len(bank_samples) > MAX_BANK:
        bank_samples = bank_samples.take(np.sort(np.random.default_rng(0).permutation(len(bank_samples))[:MAX_BANK]))
    try:
        policy, reference = calibrate(config, bank_samples, normal_set, defect_set, caveats, date.today())
    except NotEnoughDataError as error:
        raise NotEnoughDataError(error.given, error.needed, error.guarantee, hint, error.of) from error
    policy = replace(
        policy, binding=policy_file.binding_of(model), reference=policy_file.write_reference(run, reference)
    )
    policy_file.write(run, policy)
    return policy


def _bank_in_force(run: Run) -> Embeddings:
    bank = policy_file.read(run)[1].bank
    source = json.dumps({"source": bank.table["source"][0].as_py()})
    return Embeddings(bank.table.replace_schema_metadata({"vssl": source}))
