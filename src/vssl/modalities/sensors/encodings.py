"""Which encoding a text file is written in, told from its first bytes."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
HIGH = re.compile(rb"[\x80-\xff]+")
JAPANESE = re.compile("[\u3041-\u30ff\u4e00-\u9fff\uff61-\uff9f\uff10-\uff5a\u3000-\u3015℃㎜㎡㎏]+")
LETTERS = re.compile("[^\\W\\d_a-zA-Z]{3,}")


def is_known(encoding: str) -> bool:
    """Whether there is an encoding of this name."""
    try:
        codecs.lookup(encoding)
    except LookupError:
        return False
    return True


def recognise(sample: bytes) -> tuple[str, int] | None:
    """The encoding of a file by its first bytes, and how many of them are a byte order mark; None if it is unknown.

    Only the text of names and labels depends on it: digits are the same in all encodings but UTF-16 and UTF-32.
    """
    for mark, encoding in BOMS:
        if sample.startswith(mark):
            return encoding, len(mark)
    if wide := _without_mark(sample):
        return wide, 0
    if _decoded(sample, "utf-8") is not None:
        return "utf-8", 0
    return (found, 0) if (found := _national(sample)) else None


def _without_mark(sample: bytes) -> str | None:
    """UTF-16 by its zeros: the characters of a table are mostly digits."""
    even, odd = sample[0:2000:2], sample[1:2000:2]
    if not sample or b"\0" not in sample[:2000]:
        return None
    if odd.count(0) > 0.7 * len(odd) and even.count(0) == 0:
        return "utf-16-le"
    return "utf-16-be" if even.count(0) > 0.7 * len(even) and odd.count(0) == 0 else None


def _national(sample: bytes) -> str | None:
    runs = HIGH.findall(sample)
    # A run at the end may be cut.
    if all(len(run) % 2 == 0 for run in runs[:-1]) and _is_japanese(_decoded(sample, "euc_jp")):
        return "euc_jp"
    if _is_japanese(_decoded(sample, "cp932")):
        return "cp932"
    western = _decoded(sample, "cp1252")
    if western is not None and not LETTERS.search(western):
        return "cp1252"
    best = from_bytes(sample[:65536]).best()
    return best.encoding if best is not None else ("cp1252" if western is not None else None)


def _is_japanese(text: str | None) -> bool:
    """Whether most characters beyond ASCII stand in words of kana and kanji; those of Latin text stand alone."""
    if text is None:
        return False
    # The signs of a date stand alone, and in every row.
    text = re.sub("[年月日時分秒](?=[ 0-9,;])", "", text)
    others = sum(1 for character in text if not character.isascii())
    in_words = sum(len(word) for word in JAPANESE.findall(text) if len(word) > 1)
    return in_words > others / 2


def _decoded(sample: bytes, encoding: str) -> str | None:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, False)
    except UnicodeDecodeError:
        return None
