"""A run's policy file, RUN/policy.json, and its reference: the bank and the scored calibration samples.

The reference is a Parquet file in RUN/calibration, named by its own hash. It is written first and the policy last, so
a kill between the two leaves the old policy with its old reference.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vssl.decisions.core import BANK, DEFECT, NORMAL, worst_of_each
from vssl.decisions.policy import Binding, Policy
from vssl.embedding import model_hash
from vssl.errors import PolicyError
from vssl.files import atomic, write_json
from vssl.run import Run
from vssl.training.model import Model
from vssl.types import Embeddings


@dataclass(frozen=True)
class Reference:
    """The bank and the calibration samples of a policy.

    Attributes:
        table: Embeddings with the columns `role` (bank, normal, defect), `source`, `group`, `score` and `unit`. Copies
            share a `unit`; a unit counts once, by its highest score.
    """

    table: pa.Table

    def role(self, name: str) -> Embeddings:
        return Embeddings(self.table.filter(pc.equal(self.table["role"], name)))

    @cached_property
    def bank(self) -> Embeddings:
        return self.role(BANK)

    @cached_property
    def normal(self) -> Embeddings:
        return self.role(NORMAL)

    @cached_property
    def defects(self) -> Embeddings:
        return self.role(DEFECT)

    def scores(self, role: str, group: str) -> np.ndarray:
        """The scores of a role's units in a group."""
        samples = self.role(role)
        if not len(samples):
            return np.empty(0)
        members = samples.numpy("group") == group
        return worst_of_each(samples.numpy("score")[members], samples.numpy("unit")[members])


def write(run: Run, policy: Policy) -> None:
    """Make this the policy of the run; the reference of the one before is removed last.

    Raises:
        StorageError: The folder cannot be written; the policy before is still in force.
    """
    write_json(run.path / "policy.json", sealed(policy))
    for path in (run.path / "calibration").glob("*.parquet"):
        if path != _reference_path(run, policy.reference):
            path.unlink()


def write_reference(run: Run, reference: Reference) -> str:
    """Write the reference and return its hash."""
    sink = pa.BufferOutputStream()
    pq.write_table(reference.table, sink)
    data = sink.getvalue().to_pybytes()
    name = hashlib.sha256(data).hexdigest()
    with atomic(_reference_path(run, name)) as file:
        file.write(data)
    return name


def read(run: Run) -> tuple[Policy, Reference]:
    """The policy of a run and its reference.

    Raises:
        PolicyError: There is none, or one of its files was changed or is missing.
    """
    path = run.path / "policy.json"
    try:
        data = json.loads(path.read_text())
        policy = Policy.from_dict(data)
    except FileNotFoundError as error:
        raise PolicyError(f"{run.path} has no policy yet: vssl calibrate {run.path} --normal DATA") from error
    except ValueError as error:  # no JSON, no UTF-8, or a ConfigError
        raise PolicyError(
            f"{path} cannot be read by this version: {error} Calibrate again: "
            f"vssl calibrate {run.path} --normal DATA --overwrite."
        ) from error
    if _seal(data) != data.get("seal"):
        raise PolicyError(
            f"{path} was changed after the calibration, so its guarantee is void. Calibrate again with the rates that "
            f"you want: vssl calibrate {run.path} --normal DATA --overwrite."
        )
    file = _reference_path(run, policy.reference)
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    if digest != policy.reference:
        raise PolicyError(
            f"{file} {'is missing' if digest is None else 'was changed'}: the policy needs its bank and its "
            f"calibration samples. Calibrate again: vssl calibrate {run.path} --normal DATA --overwrite."
        )
    return policy, Reference(pq.read_table(file))


def binding_of(model: Model) -> Binding:
    """The model file, the preprocessing and the back end that a policy of this model is bound to."""
    return Binding(model_hash(model), model.preprocessing, model.backend)


def sealed(policy: Policy) -> dict[str, Any]:
    """The policy as plain JSON data, with a seal over all of it."""
    data = policy.to_dict()
    return data | {"seal": _seal(data)}


def _seal(data: dict[str, Any]) -> str:
    """SHA-256 of everything else in the file: a threshold that was edited by hand has no guarantee."""
    content = {key: value for key, value in data.items() if key != "seal"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _reference_path(run: Run, name: str) -> Path:
    return run.path / "calibration" / f"{name[:16]}.parquet"
