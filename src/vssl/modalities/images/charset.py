"""The encoding of a few short names or cells that do not say it: the one that gives words of one script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

ZIP = ("cp932", "gb18030", "cp949", "big5", "cp866", "cp437")
"""What tools write into zip files without saying so; the last is what the format asks for."""

TEXT = ("cp932", "gb18030", "cp949", "big5", "cp1251", "cp1252", "cp1250")
"""What spreadsheets save lists in, by the country of the computer."""

COMMON = {"cp932": (0x88, 0x98), "gb18030": (0xB0, 0xD7), "cp949": (0xB0, 0xC8), "big5": (0xA4, 0xC6)}
"""First bytes of the characters in everyday use, by the standards' own order."""

SYMBOLS = "°µ±²³€§–—“”‘’„«»×·½¼£"
"""Not letters, and usual in Western text all the same."""

NARROW = ("gb18030", "cp949")
"""Both bytes of an everyday character are 0xA1 or above."""


def guess(texts: Sequence[bytes], candidates: Sequence[str]) -> str:
    """The encoding in which all texts can be read and most of their characters are everyday ones of one script.

    UTF-8 wins where it can be: other text is hardly ever valid UTF-8. Of equals the earlier candidate wins.

    Args:
        candidates: Python's names of encodings. If no text can be read in any of them, the first is returned.
    """
    foreign = [text for text in dict.fromkeys(texts) if not text.isascii()]
    if all(_decoded(text, "utf-8") is not None for text in foreign):
        return "utf-8"
    scores = {name: _score(foreign, name) for name in candidates}
    return max(candidates, key=lambda name: scores[name])


def _decoded(text: bytes, encoding: str) -> str | None:
    try:
        return text.decode(encoding)
    except UnicodeDecodeError:
        return None


def _score(texts: Sequence[bytes], encoding: str) -> float:
    """How plausible an encoding is, 0..1 or below: the mean over the characters beyond ASCII."""
    values: list[float] = []
    for text in texts:
        decoded = _decoded(text, encoding)
        if decoded is None:
            return -1.0
        judge = _wide if encoding in COMMON else _cyrillic if encoding in ("cp866", "cp1251") else _western
        values += [
            judge(decoded, place, encoding) for place, character in enumerate(decoded) if not character.isascii()
        ]
    return sum(values) / len(values)


def _wide(text: str, place: int, encoding: str) -> float:
    character = text[place]
    data = character.encode(encoding)
    if 0x3041 <= ord(character) <= 0x30FE and encoding == "cp932":
        return 1.0
    if len(data) != 2:
        return 0.2
    low, high = COMMON[encoding]
    everyday = low <= data[0] <= high and (encoding not in NARROW or data[1] >= 0xA1)
    if not everyday or unicodedata.category(character) != "Lo":
        return 0.3 if unicodedata.category(character) == "Lo" else 0.1
    # A single one beside Latin letters is an accented letter that was read wrongly.
    sides = (place - 1, place + 1)
    alone = not any(0 <= side < len(text) and not text[side].isascii() for side in sides)
    if alone and any(_latin(text, side) for side in sides):
        return 0.3
    if encoding == "cp949":
        # The same bytes may be everyday Chinese, which then are any syllables and not the simple ones of most words.
        return 1.0 if _simple_syllable(character) else 0.7
    return 0.95


def _simple_syllable(character: str) -> bool:
    initial, final = divmod(ord(character) - 0xAC00, 588)[0], (ord(character) - 0xAC00) % 28
    vowel = (ord(character) - 0xAC00) % 588 // 28
    return initial not in (1, 4, 8, 10, 13) and vowel not in (3, 10, 12, 15) and final in (0, 1, 4, 8, 16, 17, 19, 21)


def _cyrillic(text: str, place: int, _encoding: str) -> float:
    if "CYRILLIC" not in unicodedata.name(text[place], ""):
        return 0.0
    start, end = place, place + 1
    while start and not text[start - 1].isascii():
        start -= 1
    while end < len(text) and not text[end].isascii():
        end += 1
    word = text[start:end]
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    # Bytes of other scripts that happen to be Cyrillic letters change their case anywhere, and stand beside anything.
    if any(character.isalpha() or character in "{}|~^@[]`\\" for character in beside):
        return 0.2
    if not (word.islower() or word.isupper() or word.istitle()):
        return 0.2
    return 0.97 if len(word) > 2 else 0.45


def _western(text: str, place: int, _encoding: str) -> float:
    if "LATIN" not in unicodedata.name(text[place], ""):
        return 0.6 if text[place] in SYMBOLS else 0.0
    letters = [character for character in text if character.isalpha()]
    accented = sum(not character.isascii() for character in letters)
    return 0.9 if 3 * accented <= len(letters) else 0.5


def _latin(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isascii() and text[place].isalpha()
