"""What varies within lines of one kind and can be recognised by its form: masked before templates are looked for."""

import re
from functools import lru_cache

MAX_CACHED_CHARS = 64
"""Characters of a word that is not remembered."""

_WEEKDAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH = (
    "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|January|February|March|April|June|July|August|September"
    "|October|November|December)"
)
_DAY = rf"(?:{_MONTH} +\d{{1,2}}(?![\d.])|\d{{1,2}}[ /-]{_MONTH}(?![A-Za-z]))"
_YEAR = r"[ ,/-]+(?:19|20)\d\d(?![\d.])"
_CLOCK = r"[ ,:]+\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?[AaPp]\.?[Mm]\b)?"
_ZONE = r"(?: +[+-]\d\d:?\d\d\b| +\(?(?:UTC|GMT|[A-Z]{1,4}T)\b\)?)"
_UNIT = (
    "(?:[Bb]ytes?|[KkMGTP]?i?B(?:/s)?|[KkMG]?bps|%|[mun]?s|(?:milli|micro|nano)?sec(?:ond)?s?|min(?:ute)?s?"
    "|h(?:ou)?rs?|h|days?|weeks?)"
)

# The first that fits at a position counts: a UUID is no number, and an address is neither a path nor several numbers.
MASKS: dict[str, str] = {
    # A date in words, or what a recognised time stamp has left of one: a weekday, a zone, a year.
    "time": rf"\b(?:{_WEEKDAY}\b(?:,? +{_DAY})?|{_DAY})(?:{_YEAR})?(?:{_CLOCK})?(?:{_ZONE})?(?:{_YEAR})?",
    "uuid": r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
    "block": r"\bblk_-?\d+",
    "mac": r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b",
    "ip": r"/?(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.]*\w)",
    "path": r"(?<![\w/.:\\])(?:/[\w.@%+~-]+){2,}/?|\b[A-Za-z]:\\[^\s\"'\[\]]+",
    "hex": r"\b0[xX][0-9a-fA-F]+\b|\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{8,}\b",
    "node": r"\b(?=(?:[A-Za-z:_-]*\d){3})[A-Za-z]\w{0,5}(?:[-:]\w{1,6}){2,}\b",
    # With its unit, which grows with it: 950 B, 1.2 KB, 100%, 12ms. The unit may stand behind a blank.
    "number": rf"(?<![A-Za-z0-9])[-+]?\d+(?:[.,:/T+-]\d+)*(?:[A-Za-z]{{1,3}}|{_UNIT})?(?![A-Za-z0-9])",
}
"""Name and regular expression of each mask; in a template it stands as <name>."""

MASK = rf"<(?:{'|'.join(MASKS)}|session)>"
"""Regular expression of a mask in a template; the name of a session is masked where lines are read."""

_TIME = re.compile(MASKS["time"])
_IN_A_WORD = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in MASKS.items() if name != "time"))
_MAY_BE_TIME = re.compile("Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec")
_BEFORE_A_UNIT = re.compile(rf" (?<=\d )(?={_UNIT}(?![A-Za-z0-9]))")
_MAY_VARY = re.compile(r"[\d/\\]")
# What stands in brackets is one word: the name of a thread, a list. None of the alternatives starts like another.
_BRACKETED = re.compile(r"(?:[^\s\[]+|\[[^\[\]]*\]|\[)+")


def masked_words(text: str) -> list[str]:
    """The words of a text, masked."""
    if _MAY_BE_TIME.search(text):
        text = _TIME.sub("<time>", text)
    # Of the other masks none reaches across a blank.
    return [
        _masked(word) if len(word) < MAX_CACHED_CHARS else _mask(word)
        for word in split_words(_BEFORE_A_UNIT.sub("", text))
    ]


def _mask(word: str) -> str:
    # Most words are quickly seen to hold nothing for any, or to be a number.
    if word.isdecimal():
        return "<number>"
    return _IN_A_WORD.sub(lambda found: f"<{found.lastgroup}>", word) if _MAY_VARY.search(word) else word


_masked = lru_cache(maxsize=50_000)(_mask)


def split_words(text: str) -> list[str]:
    """The words of a text: what stands between blanks, and all of [...] as a part of one word."""
    if "[" not in text:
        return text.split()
    return [" ".join(word.split()) if "[" in word else word for word in _BRACKETED.findall(text)]
