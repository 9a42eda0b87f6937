"""`vssl weights add`: from a downloaded file of weights to a safetensors file with its record, once.

This is the only place that reads PyTorch's own format, by the loader that accepts tensors and plain containers alone.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from vssl.encoders.timm import create_backbone
from vssl.encoders.weights import SUFFIX, Weights, read_record, sha256_of, weights_folder, with_record
from vssl.errors import ConfigError
from vssl.files import atomic

State = dict[str, Tensor]

NESTED = ("state_dict_ema", "model_ema", "state_dict", "model", "teacher", "student", "backbone", "network")
"""Keys under which files keep the weights beside other things, such as the state of an optimiser."""

PREFIXES = ("module.", "_orig_mod.", "backbone.", "encoder.", "model.", "teacher.")

CLASSIFIER = re.compile(r"_?(head|heads|fc|classifier|head_dist|last_linear|logits)\b")

COMMON = (
    *("resnet18", "resnet34", "resnet50", "resnet101", "wide_resnet50_2", "resnext50_32x4d", "densenet121"),
    *("mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv3_large_100", "regnety_008", "regnety_032"),
    *("efficientnet_lite0", "tf_efficientnet_lite0", "efficientnet_b0", "tf_efficientnet_b0", "tf_efficientnetv2_s"),
    *("convnext_tiny", "convnext_small", "swin_tiny_patch4_window7_224"),
    *("vit_tiny_patch16_224", "vit_small_patch16_224", "vit_base_patch16_224", "vit_small_patch8_224"),
    *("vit_small_patch14_dinov2", "vit_small_patch14_reg4_dinov2", "vit_base_patch14_dinov2"),
)
"""The networks that a file is compared with when its name says nothing; to build all 1,200 of timm takes minutes."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def add(file: Path, name: str, architecture: str, licence: str, source: str) -> Weights:
    """Convert a file of weights and keep it under a name; see `vssl.api.weights`.

    Raises:
        ConfigError: The file cannot be read, or is of no network of timm that can be recognised.
        StorageError: The folder of the weights cannot be written.
    """
    name = name or file.name.removesuffix(file.suffix)
    if not NAME.fullmatch(name) or name in ("none", "hub") or name.endswith(SUFFIX):
        raise ConfigError(f"--name {name}: give a name of letters, digits, '.', '_' and '-', other than none and hub.")
    tensors = read_tensors(file)
    known = read_record(file) if file.suffix == SUFFIX else None
    architecture = architecture or (known.architecture if known else recognise(tensors, file.name))
    content = _converted(tensors, architecture, file)
    record = Weights(
        name,
        architecture,
        known.sha256 if known else sha256_of(file),
        _text(licence) or (known.licence if known else ""),
        source or (known.source if known else ""),
    )
    weights_folder().mkdir(parents=True, exist_ok=True)
    with atomic(weights_folder() / f"{name}{SUFFIX}") as target:
        target.write(with_record(content, record))
    return record


def read_tensors(file: Path) -> State:
    """The weights in a file by name, without what training wrapped around them.

    Raises:
        ConfigError: The file is missing or damaged, holds code, or holds no weights.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file of weights.")
    try:
        # Only tensors and plain containers are accepted: a file that would run code is refused.
        content = load_file(file) if file.suffix == SUFFIX else torch.load(file, "cpu", weights_only=True)
    except Exception as error:  # torch's readers raise whatever they stumble over
        raise ConfigError(
            f"{file} cannot be read as weights: it is damaged, or holds more than tensors, as a whole model that was "
            "saved does. Get it again, or get its state_dict alone; a file that could run code is never read."
        ) from error
    tensors = _unwrapped(content)
    if not tensors:
        raise ConfigError(f"{file} holds no weights: no tensors by name, also not under {', '.join(NESTED)}.")
    return tensors


def recognise(tensors: Mapping[str, Tensor], file_name: str) -> str:
    """The network of timm with these tensors: the one whose weights timm downloads by the file's name, or one of the
    networks that the name holds or of `COMMON` whose tensors have these names, or this order, and these shapes.

    Raises:
        ConfigError: No network fits, or several do.
    """
    import timm

    about = [each for name in timm.list_pretrained() if (each := timm.get_pretrained_cfg(name)) is not None]
    downloads = {each.architecture for each in about if str(each.url or "").rpartition("/")[2] == file_name}
    if len(downloads) == 1:
        return str(downloads.pop())
    plain = _plain(file_name)
    named = [name for name in timm.list_models() if _plain(name) in plain]
    longest = sorted(named, key=len, reverse=True)[:3]
    relatives = [name for each in longest for name in (each, f"tf_{each}") if timm.is_model(name)]
    tried = dict.fromkeys([*relatives, *COMMON])
    fitting = [name for name in tried if _assigned(tensors, _shapes(name)) is not None]
    if "_conv_stem.weight" in tensors:  # a port of TensorFlow's EfficientNet, with its padding
        fitting = [name for name in fitting if name.startswith("tf_")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(
            f"Several networks have tensors of these shapes: {', '.join(fitting)}. They compute different features; "
            "look up which one the weights are of, and give it with --architecture."
        )
    guesses = longest or difflib.get_close_matches(Path(file_name).stem.lower(), timm.list_models(), n=5, cutoff=0.3)
    raise ConfigError(
        f"{file_name} is of none of the usual networks. Give the network's name in timm with --architecture"
        f"{', for example ' + ', '.join(guesses) if guesses else ''}; timm.list_models() lists all names."
    )


def _shapes(network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a network but for counters; made without memory for their values."""
    try:
        with torch.device("meta"):
            backbone = create_backbone(network)
    except ConfigError:  # some cannot be made without values
        return {}
    return {name: tuple(tensor.shape) for name, tensor in backbone.state_dict().items() if not _is_counter(name)}


def _assigned(tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[int, ...]]) -> dict[str, str] | None:
    """For each name in a network the name of its tensor in the file; None where they do not fit.

    Tensors of other names are taken in their order if all shapes agree, the last parts of the names do (weight, bias,
    running_mean ...), and a module of the file corresponds to a module of the network.
    """
    given = [name for name in tensors if not _is_counter(name) and not CLASSIFIER.match(name)]
    if not wanted or len(given) != len(wanted):
        return None
    if all(name in tensors and tuple(tensors[name].shape) == shape for name, shape in wanted.items()):
        return {name: name for name in wanted}
    modules: dict[str, str] = {}
    for theirs, (ours, shape) in zip(given, wanted.items(), strict=True):
        (from_module, _, from_part), (module, _, part) = theirs.rpartition("."), ours.rpartition(".")
        if part != from_part or tuple(tensors[theirs].shape) != shape:
            return None
        if modules.setdefault(from_module, module) != module:
            return None
    return dict(zip(wanted, given, strict=True)) if len(set(modules.values())) == len(modules) else None


def _converted(tensors: State, architecture: str, file: Path) -> State:
    """The weights under timm's names."""
    backbone = create_backbone(architecture)
    shapes = {name: tuple(each.shape) for name, each in backbone.state_dict().items() if not _is_counter(name)}
    assigned = _assigned(tensors, shapes)
    # What timm knows of the names that the network's authors gave comes before the mere order.
    if any(name not in tensors for name in shapes):
        renamed = _renamed(tensors, backbone)
        assigned = {name: name for name in shapes} if shapes.keys() <= renamed.keys() else assigned
        tensors = renamed if shapes.keys() <= renamed.keys() else tensors
    chosen = tensors if assigned is None else {name: tensors[assigned[name]] for name in shapes}
    try:
        missing, _ = backbone.load_state_dict(chosen, strict=False)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ConfigError(f"{file} is not of {architecture}: {reason}") from error
    missing = [name for name in missing if not _is_counter(name)]
    if missing:
        raise ConfigError(f"{file} is not of {architecture}: it has no {missing[0]!r} and {len(missing) - 1} others.")
    return dict(backbone.state_dict())


def _renamed(tensors: State, backbone: Any) -> State:
    """The weights as timm renames those of the network's authors, where it knows how."""
    rename = getattr(importlib.import_module(type(backbone).__module__), "checkpoint_filter_fn", None)
    try:
        return tensors if rename is None else dict(rename(dict(tensors), backbone))
    except Exception:  # it expects the authors' names; loading says which ones are missing
        return tensors


def _unwrapped(content: Any) -> State:
    while isinstance(content, Mapping):
        inner = next((content[key] for key in NESTED if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    items = content.items() if isinstance(content, Mapping) else ()
    tensors = {str(name): value for name, value in items if isinstance(value, Tensor)}
    while (prefix := next((each for each in PREFIXES if _is_prefix(each, tensors)), None)) is not None:
        tensors = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    return tensors


def _is_prefix(prefix: str, tensors: State) -> bool:
    """Whether most tensors have it; others are then the head that a training added."""
    return sum(name.startswith(prefix) for name in tensors) > len(tensors) / 2


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _text(licence: str) -> str:
    """The licence itself, or the text in the file of that name."""
    try:
        is_file = bool(licence) and len(licence) < 1024 and Path(licence).is_file()
        return Path(licence).read_text(encoding="utf-8") if is_file else licence
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--licence {licence}: the file cannot be read as text ({error}).") from error
