"""The policy: thresholds, what they guarantee, for what, until when; RUN/policy.json, which a person can read.

Its reference (the bank, and the scored normals and defects) is a Parquet file beside it, named by its own hash. It is
written first and the policy last, so a kill between the two leaves the old policy with its old reference.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vssl.config import find, from_dict, name_of, to_dict
from vssl.decisions.costs import Expected
from vssl.decisions.exchangeability import worst_of_each
from vssl.decisions.guarantee import Costs, Guarantee
from vssl.decisions.measure import Rate
from vssl.decisions.thresholds import Thresholds
from vssl.errors import ConfigError, PolicyError
from vssl.files import atomic, write_json
from vssl.run import Run
from vssl.types import Embeddings

FORMAT = 1
EVERYTHING = ""
"""The name of the only group where samples are not divided into groups."""

BANK, NORMAL, DEFECT = "bank", "normal", "defect"
DIFFERENT, BLOCKS = "different", "blocks"


@dataclass(frozen=True)
class Binding:
    """What the guarantee was tested with; with anything else it is void.

    Attributes:
        model, preprocessing, backend: As in `embed.Identity`.
    """

    model: str
    preprocessing: str
    backend: str


@dataclass(frozen=True)
class Policy:
    """When to accept, review or reject, and what is guaranteed of it.

    Attributes:
        guarantee: What is guaranteed.
        guaranteed: Whether it is; if not, `caveats` say why.
        score: The configuration of the score.
        thresholds: By group; under `EVERYTHING` where there are no groups.
        group: The metadata column of the groups, or None.
        block: The metadata column of the blocks that were calibrated on instead of samples, or None.
        samples: How many there were: bank, normal, defect; with blocks also how many of those: normal blocks, ...; and
            where some are copies, how many the guarantee counts: normal different, ...
        expected: Shares among the calibration samples: normal accept, normal review, ..., defect reject.
        caveats: What a reader must know, in sentences.
        costs, expected_costs: As given, and what follows from them; None without costs.
        binding: What it may be used with.
        reference: SHA-256 of the file with bank and calibration samples.
        made, expires: ISO dates; from `expires` on the policy is refused.
    """

    guarantee: Guarantee
    guaranteed: bool
    score: Any
    thresholds: Mapping[str, Thresholds]
    group: str | None
    block: str | None
    samples: Mapping[str, int]
    expected: Mapping[str, Rate]
    caveats: tuple[str, ...]
    costs: Costs | None
    expected_costs: tuple[Expected, ...]
    binding: Binding
    reference: str
    made: str
    expires: str

    def check(self, binding: Binding, today: date) -> None:
        """Refuse to be used with anything but what the guarantee was tested with, or after its time.

        Raises:
            PolicyError: The model, the preprocessing or the back end is another, or the policy has expired.
        """
        meanings = {"model": "model file", "preprocessing": "preprocessing", "backend": "numeric back end"}
        for name, meaning in meanings.items():
            mine, other = getattr(self.binding, name), getattr(binding, name)
            if mine != other:
                raise PolicyError(
                    f"The policy belongs to another {meaning}: it was made with {mine:.60}, and this is {other:.60}. "
                    "Its guarantee does not hold here; calibrate again: vssl calibrate --overwrite."
                )
        if today >= date.fromisoformat(self.expires):
            raise PolicyError(
                f"The policy of {self.made} expired on {self.expires}: the process may have changed since. Calibrate "
                "again with fresh samples: vssl calibrate --overwrite."
            )


@dataclass(frozen=True)
class Reference:
    """The samples that a policy stands on: embeddings with the columns `role`, `source`, `group`, `score` and `unit`.

    Copies have one `unit`, and count once, by the worst of them.
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

    def normal_scores(self, group: str) -> np.ndarray:
        """The calibration scores of the normals of a group, copies counted once."""
        return _scores(self.normal, group)

    def defect_scores(self, group: str) -> np.ndarray:
        """The calibration scores of the known defects of a group, copies counted once."""
        return _scores(self.defects, group)


def _scores(samples: Embeddings, group: str) -> np.ndarray:
    if not len(samples):
        return np.empty(0)
    own = samples.numpy("group") == group
    return worst_of_each(samples.numpy("score")[own], samples.numpy("unit")[own])


def write(run: Run, policy: Policy, words: list[str]) -> None:
    """Make this the policy of the run; what belonged to the one before is removed last.

    Raises:
        StorageError: The folder cannot be written; the policy before is still in force.
    """
    write_json(run.path / "policy.json", sealed(policy, words))
    for path in (run.path / "calibration").glob("*.parquet"):
        if path != _reference_path(run, policy.reference):
            path.unlink()


def sealed(policy: Policy, words: list[str]) -> dict[str, Any]:
    """The policy as plain JSON data, with what it says in words and a seal over all of it."""
    data = {"format": FORMAT, "words": words, **_to_dict(policy)}
    return data | {"seal": _seal(data)}


def store(run: Run, reference: Reference) -> str:
    """Write the reference and return its hash."""
    sink = pa.BufferOutputStream()
    pq.write_table(reference.table, sink)
    data = sink.getvalue().to_pybytes()
    name = hashlib.sha256(data).hexdigest()
    with atomic(_reference_path(run, name)) as file:
        file.write(data)
    return name


def read(run: Run) -> tuple[Policy, Reference]:
    """The policy of a run and the samples that it stands on.

    Raises:
        PolicyError: There is none, or one of its files was changed or is missing.
    """
    path = run.path / "policy.json"
    try:
        data = json.loads(path.read_text())
        policy = _from_dict(data)
    except FileNotFoundError as error:
        raise PolicyError(f"{run.path} has no policy yet: vssl calibrate {run.path} --normal DATA") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PolicyError(f"{path} is no policy that this version can read: {error}. Calibrate again.") from error
    if _seal(data) != data.get("seal"):
        raise PolicyError(
            f"{path} was changed after the calibration, so it guarantees nothing. Calibrate again, with the rates that "
            f"are wanted: vssl calibrate {run.path} --overwrite."
        )
    file = _reference_path(run, policy.reference)
    found = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "missing"
    if found != policy.reference:
        raise PolicyError(
            f"{file} is {'missing' if found == 'missing' else 'not what it was'}: the policy cannot be used without "
            f"the samples that it stands on. Calibrate again: vssl calibrate {run.path} --overwrite."
        )
    return policy, Reference(pq.read_table(file))


def _seal(data: dict[str, Any]) -> str:
    """SHA-256 of all that a policy says: a threshold moved by hand keeps no guarantee."""
    said = {key: value for key, value in data.items() if key != "seal"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _reference_path(run: Run, name: str) -> Path:
    return run.path / "calibration" / f"{name[:16]}.parquet"


def _to_dict(policy: Policy) -> dict[str, Any]:
    return asdict(policy) | {"score": {"name": name_of(policy.score), **to_dict(policy.score)}}


def _from_dict(data: dict[str, Any]) -> Policy:
    if data["format"] != FORMAT:
        raise ConfigError(f"it has the format {data['format']}, and {FORMAT} is known")
    values = {key: value for key, value in data.items() if key not in ("format", "words", "seal")}
    score = dict(values["score"])
    values["score"] = from_dict(find("scores", score.pop("name")).Config, score, "score")
    for key, kind in (("thresholds", Thresholds), ("expected", Rate)):
        values[key] = {name: from_dict(kind, item, key) for name, item in values[key].items()}
    return from_dict(Policy, values, "policy")
