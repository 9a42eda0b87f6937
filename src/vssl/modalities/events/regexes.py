"""Regular expressions that a user typed."""

import re

from vssl.errors import ConfigError


def compile_setting(pattern: str, name: str) -> re.Pattern[str] | None:
    """The compiled setting; None where it is empty.

    Raises:
        ConfigError: It is no regular expression; names the setting.
    """
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        flag = name.replace("_", "-")
        raise ConfigError(f"--{flag} {pattern!r} is no regular expression: {error}.") from error


def first_group(found: re.Match[str]) -> int:
    """The number of the group that counts: the first, or 0, all that was matched, where there is none."""
    return 1 if found.re.groups else 0
