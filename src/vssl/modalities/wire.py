"""The part of a modality that works without torch: single samples as they are sent to the runtime or to the service.

The module `vssl.modalities.NAME.wire` has a function `build(spec)`, which returns a `Wire`. It may import numpy and
Pillow at its top and nothing else that has to be installed: the computers that decide by an export have no torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

import vssl.modalities
from vssl.config import from_dict
from vssl.errors import ConfigError

if TYPE_CHECKING:
    from PIL import Image

LONGEST_NAME = 1000


@dataclass(frozen=True, kw_only=True)
class JsonSample:
    """One sample of a JSON request; a modality adds its own fields.

    The `metadata` of each field is what the description of the interface (OpenAPI) says of it and what is checked.
    """

    id: str = field(default="", metadata={"description": "Name of the sample.", "max_length": LONGEST_NAME})
    group: str = field(
        default="",
        metadata={
            "description": "Group of the sample, where the policy has thresholds by group.",
            "max_length": LONGEST_NAME,
        },
    )


class Wire(ABC):
    """Decodes and shows single samples of one kind of data; samples come as files (`FileWire`) or in JSON (`JsonWire`).

    The content of a sample is a sequence of bytes: the file itself, or what `JsonWire.content` gives. Its SHA-256
    identifies the sample, the service keeps it for people to look at, and `decode` reads it.

    Attributes:
        request_help: What a request may hold, for the description of the interface.
        decoded_bytes: Bytes of a decoded sample, where they may be many times those that were sent.
        patches_in_time: Whether patches follow each other in time, from left to right, rather than in a picture.
    """

    request_help: str
    patches_in_time: bool = False
    decoded_bytes: int = 0

    @abstractmethod
    def decode(self, content: bytes, name: str) -> np.ndarray:
        """The raw sample, as the model takes it, without the axis of the batch.

        Raises:
            BrokenFileError: The content cannot be used.
        """

    def picture(self, content: bytes) -> Image.Image | None:
        """A picture of the sample for a person; None where `lines` shows it.

        Raises:
            BrokenFileError: The content cannot be used.
        """
        return None

    def closeup(self, content: bytes, centre: tuple[float, float]) -> Image.Image | None:
        """A part of the sample at full resolution; None where `picture` shows all there is to see.

        Args:
            centre: Its centre from the top and from the left, as shares of the height and the width, 0..1.

        Raises:
            BrokenFileError: The content cannot be used.
        """
        return None

    def lines(self, content: bytes) -> list[tuple[str, bool]] | None:
        """Lines of text, each with whether the training data had its kind; None where `picture` shows the sample."""
        return None


class FileWire(Wire):
    """Samples that are sent as files."""

    file_help: str
    """Formats of the files, for the description of the interface."""

    @abstractmethod
    def find_files(self, folder: Path) -> tuple[list[Path], list[str]]:
        """The files of samples in a folder, and notes for a person on what is left out.

        Raises:
            DataError: The folder cannot be read, or there is no such file.
        """

    @abstractmethod
    def split(self, data: bytes, name: str) -> Iterable[tuple[str, bytes]]:
        """The samples of one file: name and content of each."""


S = TypeVar("S", bound=JsonSample)


class JsonWire(Wire, Generic[S]):
    """Samples that are sent in JSON."""

    json_sample: type[S]
    """Type of one sample in a request."""

    @abstractmethod
    def content(self, sample: S) -> bytes:
        """The content of a sample."""

    @abstractmethod
    def size(self, sample: S) -> int:
        """Bytes that a sample takes while it waits."""

    def check(self, sample: S) -> None:
        """Refuse a sample that has another shape than those of the training data, before it waits.

        Raises:
            DataError: Says what is expected.
        """


def part_of(modality: str, part: str = "") -> ModuleType:
    """The package `vssl.modalities.NAME`, or a module of it such as `wire`; no other modality is imported.

    Raises:
        ConfigError: There is no such modality; the message lists those there are.
    """
    names = [info.name for info in pkgutil.iter_modules(vssl.modalities.__path__) if info.ispkg]
    if modality not in names:
        raise ConfigError(f"There is no {modality!r} among the modalities: {', '.join(sorted(names))}.")
    return importlib.import_module(f"vssl.modalities.{modality}" + (f".{part}" if part else ""))


def build(modality: str, spec: Mapping[str, Any]) -> Wire:
    """The wire of a modality, from what was measured on the training data, as JSON holds it.

    Raises:
        ConfigError: There is no such modality, or the measurements are not its own.
    """
    wire: Wire = part_of(modality, "wire").build(from_dict(part_of(modality).Spec, spec, "spec"))
    return wire
