"""Pretrained weights on this computer: where they are kept, and what is known of their origin and licence.

`vssl weights add` writes them (`vssl.encoders.weights_import`): a safetensors file each, the record in its header.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vssl.errors import ConfigError, StorageError

SUFFIX = ".safetensors"

CAUTION = (
    "Pretrained weights have a licence of their own. Most rest on ImageNet, whose pictures were licensed for "
    "non-commercial research: check that you may use them for your purpose."
)


@dataclass(frozen=True)
class Weights:
    """Where pretrained weights come from; kept with every run and export that uses them.

    Attributes:
        name: Their name on this computer, of a hub's the name of the network.
        architecture: The network of timm that they are of.
        sha256: SHA-256 of the file that they were read from; of a hub's, of their safetensors file.
        licence: Name or text of their licence; empty if it is not known.
        source: Where they come from, such as an address; empty if it is not known.
    """

    name: str
    architecture: str
    sha256: str
    licence: str = ""
    source: str = ""

    @property
    def note(self) -> str:
        """A sentence for a person on their licence."""
        licence = self.licence.strip().splitlines()[0] if self.licence.strip() else "not known"
        return f"The training starts from the weights {self.name!r} (licence: {licence}). {CAUTION}"


def weights_folder() -> Path:
    """The folder of added weights: $VSSL_WEIGHTS, else $XDG_DATA_HOME/vssl/weights or ~/.local/share/vssl/weights."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(os.environ.get("VSSL_WEIGHTS") or f"{base}/vssl/weights").expanduser().absolute()


def added_weights() -> list[Weights]:
    """The weights that were added, by name; files that are no such weights are left out."""
    records = (read_record(path) for path in sorted(weights_folder().glob(f"*{SUFFIX}")))
    return [record for record in records if record is not None]


def locate(pretrained: str, architecture: str) -> tuple[Path, Weights]:
    """The file of weights for a network, and what is known of them.

    Args:
        pretrained: A .safetensors file, or the name of added weights.
        architecture: The network of timm that they are for.

    Raises:
        ConfigError: There are no such weights, or they are of another network.
    """
    path = Path(pretrained)
    if path.suffix.lower() in (".pth", ".pt", ".bin", ".ckpt"):
        raise ConfigError(f"--pretrained {path}: convert this file once with: vssl weights add {path}")
    if path.suffix == SUFFIX:
        if not path.is_file():
            raise ConfigError(f"--pretrained {path}: there is no such file.")
        record = read_record(path) or Weights(path.stem, architecture, sha256_of(path), source=str(path.absolute()))
    else:
        path = weights_folder() / f"{pretrained}{SUFFIX}"
        found = read_record(path) if path.is_file() else None
        if found is None:
            names = ", ".join(weights.name for weights in added_weights()) or "none; add some: vssl weights add FILE"
            raise ConfigError(
                f"--pretrained {pretrained}: give none, hub, a .safetensors file or the name of added weights. "
                f"Added are: {names}."
            )
        record = found
    if record.architecture != architecture:
        raise ConfigError(
            f"--pretrained {pretrained}: these weights are of {record.architecture}. "
            f"Give --encoder timm/{record.architecture}."
        )
    return path, record


def read_record(path: Path) -> Weights | None:
    """The record in the header of a safetensors file; None where it has none."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except SafetensorError as error:
        raise ConfigError(f"{path} is damaged or no safetensors file: {error}. Get it again.") from error
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}. Get permission to read it.") from error
    known = {name: header[f"vssl.{name}"] for name in Weights.__dataclass_fields__ if f"vssl.{name}" in header}
    return Weights(**known) if {"name", "architecture", "sha256"} <= set(known) else None


def with_record(tensors: Mapping[str, Tensor], record: Weights) -> bytes:
    """The content of a safetensors file with these weights and their record."""
    header = {f"vssl.{name}": value for name, value in asdict(record).items()}
    return save({name: tensor.contiguous() for name, tensor in tensors.items()}, header)


def of_hub(architecture: str, about: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Weights:
    """The record of weights that timm downloaded.

    Args:
        about: Their `pretrained_cfg` in timm.
    """
    digest = hashlib.sha256(save({name: tensor.contiguous() for name, tensor in tensors.items()})).hexdigest()
    source = about.get("hf_hub_id") or about.get("url") or ""
    tag = about.get("tag") or ""
    name = f"{architecture}.{tag}" if tag else architecture
    return Weights(name, architecture, digest, about.get("license") or "", str(source))


def sha256_of(path: Path) -> str:
    """SHA-256 of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
