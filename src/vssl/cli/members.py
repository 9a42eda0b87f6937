"""Verbs whose options follow from their members: `--objective simclr` brings the options of simclr with it."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from collections.abc import Sequence
from typing import Any

from tyro.conf import OmitArgPrefixes

from vssl.config import MEMBER_FOLDERS, encoder_of, member, name_of

ROLES = MEMBER_FOLDERS | {"score": "scores"}


def with_members(verb: type, arguments: Sequence[str], roles: Sequence[str]) -> type:
    """The verb with the settings of those members that the arguments name, as further groups of options."""
    fields: list[tuple[str, Any, Any]] = []
    for role in roles:
        chosen = _chosen(verb, role, arguments)
        settings = _without_variant(chosen)
        # Only objectives keep their name before their settings: those of the others speak for themselves.
        kind = type(settings) if role == "objective" else OmitArgPrefixes[type(settings)]  # type: ignore[misc]
        if dataclasses.fields(settings):
            fields.append((_group(role, chosen), kind, dataclasses.field(default=settings)))
    namespace = {"__doc__": verb.__doc__}
    return dataclasses.make_dataclass(
        verb.__name__, fields, bases=(verb,), frozen=True, kw_only=True, namespace=namespace
    )


def _chosen(verb: type, role: str, arguments: Sequence[str]) -> Any:
    """The default configuration of the member that plays a role, looked up before the other options are read."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{role}", default=getattr(verb, role))
    choice = getattr(parser.parse_known_args(arguments)[0], role)
    if role == "encoder":
        return encoder_of(choice, _chosen(verb, "modality", arguments))
    return member(ROLES[role], choice)


def _group(role: str, config: Any) -> str:
    return name_of(config) if role == "objective" else f"{role}_settings"


def _without_variant(config: Any) -> Any:
    """The configuration without the field `variant`, which stands behind the member's name already."""
    kept = [field for field in dataclasses.fields(config) if field.name != "variant"]
    hints = typing.get_type_hints(type(config))
    values = {field.name: getattr(config, field.name) for field in kept}
    kind = dataclasses.make_dataclass(
        "Config",
        [(field.name, hints[field.name]) for field in kept],
        frozen=True,
        namespace={"__doc__": config.__doc__},
    )
    return kind(**values)


def configurations(asked: Any) -> dict[str, Any]:
    """The configurations of the chosen members, with the values that were asked for."""
    configurations: dict[str, Any] = {}
    for role, folder in ROLES.items():
        if hasattr(asked, role):
            choice = getattr(asked, role)
            chosen = encoder_of(choice, configurations["modality"]) if role == "encoder" else member(folder, choice)
            settings = getattr(asked, _group(role, chosen), None)
            values = {} if settings is None else vars(settings)
            configurations[role] = dataclasses.replace(chosen, **values)
    return configurations
