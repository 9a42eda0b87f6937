"""Decides with an exported model and its own policy: from raw samples to accept, review or reject."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from vssl.decisions.core import UNGROUPED, Decision, decide, decide_unreadable
from vssl.decisions.policy import Policy
from vssl.errors import BrokenFileError, ConfigError, ExportError
from vssl.modalities.wire import FileWire, Wire, build
from vssl.runtime.folder import GOLDEN, KNOWN, MODEL, POLICY, Export, read
from vssl.runtime.sessions import VERSION, outputs, relative_difference, session

KINDS = {"tensor(float)": "float32", "tensor(double)": "float64"}
PARITY_TOLERANCE = 1e-3
"""Largest accepted difference of another version of onnxruntime, relative to the largest value of each output."""


class Decider:
    """An exported model with its policy.

    Attributes:
        path: The export folder.
        about: The manifest of the folder.
        policy: The policy in force; None if the run had none, and then nothing can be decided.
        known: The policy's reference: scores of the calibration samples by group, `normal` and `defect`; ids of the
            bank, `bank`, and their coordinates on the map, `map`; and, with patches, the two limits of normal `heat`.
    """

    def __init__(self, export: Export, threads: int = 1) -> None:
        self.path, self.about = export.path, export.about
        try:
            # From the bytes that were checked: a model that keeps its weights in another file is refused.
            self._session = session(export.contents[MODEL], threads)
        except Exception as error:  # onnxruntime has no common class of its errors
            raise ExportError(f"{export.path}: the model cannot be loaded: {str(error).splitlines()[0]}") from error
        self._golden = export.contents[GOLDEN]
        self.policy = _read_policy(export)
        self.known: dict[str, Any] = json.loads(export.contents.get(KNOWN, b'{"normal": {}, "bank": []}'))
        self._calibration = {group: np.array(scores) for group, scores in self.known["normal"].items()}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a raw sample; images: channels, height, width."""
        return tuple(self._session.get_inputs()[0].shape[1:])

    def outputs(self, raw: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs of the model for a batch of raw samples, as the modality reads them.

        Images: uint8 [B, C, H, W]. Windows of series: float64 [B, C, T] in the units of the data, NaN for missing
        values; float32 is accepted, but cannot represent steps of 1 in a series of 1e9.

        Raises:
            ExportError: The samples have another shape or type than the model takes.
        """
        expected = self._session.get_inputs()[0]
        kind = KINDS.get(expected.type, expected.type.removeprefix("tensor(").removesuffix(")"))
        raw = raw.astype(kind) if raw.dtype.name in KINDS.values() and kind in KINDS.values() else raw
        if list(raw.shape[1:]) != list(expected.shape[1:]) or raw.dtype.name != kind:
            raise ExportError(
                f"The model takes samples {kind} {expected.shape[1:]}; these are {raw.dtype} {list(raw.shape[1:])}."
            )
        return outputs(self._session, raw)

    def check(self) -> dict[str, float]:
        """The difference of this computer's outputs from the exporter's on the golden samples.

        Returns:
            For each output the largest difference, relative to the largest value.
        """
        golden = dict(np.load(BytesIO(self._golden), allow_pickle=False))
        outputs = self.outputs(golden.pop("raw"))
        return {name: relative_difference(outputs[name], golden[name]) for name in golden.keys() - {"nearest"}}

    def decide(
        self, raw: np.ndarray, ids: Sequence[str] | None = None, groups: Sequence[str] | None = None
    ) -> list[Decision]:
        """Decide on raw samples.

        Args:
            ids: Name of each sample; by default its number.
            groups: Group of each sample, where the policy has thresholds by group.

        Raises:
            ExportError: As in `check_policy`, or the policy needs groups.
        """
        return self.decide_outputs(self.outputs(raw), ids, groups)

    def decide_outputs(
        self, outputs: Mapping[str, np.ndarray], ids: Sequence[str] | None = None, groups: Sequence[str] | None = None
    ) -> list[Decision]:
        """Decide by the outputs of the model for N samples; see `decide`."""
        policy, scores = self.check_policy(), outputs["score"].astype(np.float64)
        if policy.group is not None and groups is None:
            raise ExportError(f"The policy has thresholds by {policy.group}: name the group of each sample.")
        names = [str(row) for row in range(len(scores))] if ids is None else ids
        nearest = [[self.known["bank"][row] for row in rows] for rows in outputs["nearest"]]
        return decide(policy, self._calibration, names, groups or [UNGROUPED] * len(scores), scores, nearest)

    def decide_files(self, files: Iterable[Path], group: str = "") -> Iterator[Decision]:
        """Decide on the samples of files, in their order: on each image, and on each page of a TIFF file.

        A file that cannot be read is reviewed, and none is lost.

        Raises:
            ExportError: As `decide`; or the samples of this model do not come as files of their own.
        """
        wire = self.file_wire
        for file in files:
            try:
                samples = wire.split(file.read_bytes(), str(file))
            except OSError as error:
                yield decide_unreadable(str(file), str(error.strerror))
                continue
            for name, content in samples:
                try:
                    raw = wire.decode(content, name)[None]
                except BrokenFileError as error:
                    yield decide_unreadable(name, error.reason)
                else:
                    yield from self.decide(raw, [name], [group])

    @cached_property
    def wire(self) -> Wire:
        """Decodes single samples of the kind of data that the model takes."""
        return build(self.about["modality"], self.about["spec"])

    @property
    def file_wire(self) -> FileWire:
        """The same, where samples are files.

        Raises:
            ExportError: The samples of this model do not come as files of their own.
        """
        if not isinstance(self.wire, FileWire):
            kind = self.about["modality"]
            raise ExportError(f"This model takes {kind}, which do not come as one file per sample: give raw samples.")
        return self.wire

    def required_policy(self) -> Policy:
        """The policy, expired or not.

        Raises:
            ExportError: There is none.
        """
        if self.policy is None:
            raise ExportError(f"{self.path} has no policy: calibrate the run, then export it again.")
        return self.policy

    def check_policy(self) -> Policy:
        """The policy, if it may be used here and today.

        Raises:
            ExportError: There is no policy, it has expired, or this version of onnxruntime computes other numbers.
        """
        policy = self.required_policy()
        if expired := policy.expiry(date.today()):
            raise ExportError(f"{expired} Calibrate the run again with recent samples, then export it again.")
        if not self._backend_drift <= PARITY_TOLERANCE:  # NaN is not within the tolerance
            raise ExportError(
                f"The outputs of onnxruntime {VERSION} differ by {self._backend_drift:.2g}, relative to the largest "
                f"value, from those of {self.about['versions']['onnxruntime']}, which the policy was calibrated with. "
                "Install that version, or export the run again with this one."
            )
        return policy

    @cached_property
    def _backend_drift(self) -> float:
        """Difference of another version of onnxruntime from the exporter's outputs on the golden samples."""
        if self.about["versions"]["onnxruntime"].startswith(f"{VERSION}."):
            return 0.0
        return float(np.max(list(self.check().values())))


def _read_policy(export: Export) -> Policy | None:
    if POLICY not in export.contents:
        return None
    try:
        return Policy.from_dict(json.loads(export.contents[POLICY]))
    except ConfigError as error:
        raise ExportError(f"{export.path}: the policy cannot be read: {error} Export the run again.") from error


def load(path: str | Path, threads: int = 1) -> Decider:
    """Load an export folder; everything in it is checked before it is parsed.

    Args:
        threads: Number of threads per batch.

    Raises:
        ExportError: It is not an export folder, or was changed since the export.
    """
    return Decider(read(path), threads)
