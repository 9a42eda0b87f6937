"""Parses a method of the command line: a name, a variant and changed settings."""

import json
from dataclasses import asdict
from typing import Any

from vssl.config import from_dict, member
from vssl.errors import ConfigError


def method(text: str) -> Any:
    """The configuration that `text` names, for example "vssl/paper" or "simclr:temperature=0.05,latent=256".

    Raises:
        ConfigError: There is no such method or setting, or a value does not fit.
    """
    name, _, changes = text.partition(":")
    config = member("objectives", name)
    values = asdict(config) | dict(_change(item, text) for item in changes.split(",") if item)
    return from_dict(type(config), values, name)


def family(text: str) -> str:
    """The method without its changed settings."""
    return text.partition(":")[0]


def _change(item: str, text: str) -> tuple[str, Any]:
    key, equals, value = item.partition("=")
    if not equals:
        raise ConfigError(f"{text!r}: {item!r} is not a setting; write METHOD:SETTING=VALUE,SETTING=VALUE.")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value
