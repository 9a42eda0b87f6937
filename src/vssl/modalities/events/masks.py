"""What varies within lines of one kind and can be recognised by its form: masked before templates are looked for."""

from __future__ import annotations

import re

# The first that fits at a place counts: a UUID is no number, and an address is neither a path nor several numbers.
MASKS: dict[str, str] = {
    "uuid": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "block": r"\bblk_-?\d+",
    "mac": r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b",
    "ip": r"/?(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.]*\w)",
    "path": r"(?<![\w/.:\\])(?:/[\w.@%+~-]+){2,}/?|\b[A-Za-z]:\\[^\s\"']+",
    "hex": r"\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{8,}\b",
    "node": r"\b(?=(?:[A-Za-z:_-]*\d){3})[A-Za-z]\w*(?:[-:]\w+){2,}\b",
    "number": r"(?<![A-Za-z0-9])[-+]?\d+(?:[.,:]\d+)*(?![A-Za-z0-9])",
}
"""Name and regular expression of each mask; in a template it stands as <name>."""

_ANY = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in MASKS.items()))
_MAY_VARY = re.compile(r"[\d/\\]")


def mask(text: str) -> str:
    """The text with all that the masks recognise replaced by the masks' names; blanks between words become one."""
    return " ".join(words(text))


def words(text: str) -> list[str]:
    """The words of a text, masked."""
    # No mask reaches across a blank, and most words are quickly seen to hold nothing for any.
    return [_ANY.sub(_named, word) if _MAY_VARY.search(word) else word for word in text.split()]


def _named(found: re.Match[str]) -> str:
    return f"<{found.lastgroup}>"
