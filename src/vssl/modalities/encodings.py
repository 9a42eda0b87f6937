"""In which encoding a text is written: by its mark, its zeros, or the everyday words of one script that it gives."""

import codecs
import re
import unicodedata
from collections.abc import Sequence

TEXT_ENCODINGS = ("cp932", "gb18030", "euc_jp", "cp949", "big5", "cp1252", "cp1250", "cp1251", "latin_1")
"""What text is saved in, by the country of the computer; the last one reads any bytes, so it says that none fits."""

ZIP_ENCODINGS = ("cp932", "gb18030", "cp949", "big5", "cp866", "cp437")
"""What tools write into zip files without saying so; the last is what the format asks for, and reads any bytes."""

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
UTF_16_AND_32 = tuple(name for _, name in BYTE_ORDER_MARKS[1:])
FEW_ZEROS = 0.05
"""Share of zero bytes that a damaged text may hold; half of a digit or a line end is one in UTF-16."""
MAX_WORDS = 500
"""Words of a text, each once, that decide for all of it."""
TIE = 0.005
"""Scores that differ by less do so by a few rare words."""

COMMON_LEAD_BYTES = {
    "euc_jp": (0xB0, 0xCF),
    "cp932": (0x88, 0x97),
    "gb18030": (0xB0, 0xD7),
    "cp949": (0xB0, 0xC8),
    "big5": (0xA4, 0xC6),
}
"""First bytes of the characters in everyday use, by the standards' own order."""

NARROW = ("euc_jp", "gb18030", "cp949")
"""Both bytes of an everyday character are 0xA1 or above."""

_JAPANESE = (
    "日一人年大二本中長出三同時事自行見月分後前生連発間対上部者地合業内相方四定今回新場入選立開手力高実関動全目表経通外最"
    "現理調化当主下意法不来作性的要用度務強気小成期取機平総加体無数面工品番号名位水量電流圧温転速振軸止異常正警告検査測値"
    "良側像装置運始終起完原点戻待応答接続失敗認証差口率刻溶"
)
_CHINESE = (
    "的一是在不了有和人这中大为上个国以要时来用生到作地于出分对成会可主发年动同工能下过子产种面而方后多定行法所得进等部度电"
    "力水化高自二理起小物现实加量体制机当使点业本去性开合因其前外日事平相全表间关各重新线内数正反原第变条无系最通提直程位入"
    "常品式设管件长流路级图接组别运区回则取处温压转速振停止异报警检测格良备启完成败认证登错误复急器序号名"
    "文件据输选项法找默称户密码打保存消确删除修改添更示设参目录网络服务执内容读写请求连信息状态未已新将"
)
_TAIWANESE = (
    "的一是在不了有和人這中大為上個國以要時來用生到作地於出分對成會可主發年動同工能下過子產種面而方後多定行法所得進等部度電"
    "力水化高自二理起小物現實加量體制機當使點業本去性開合因其前外日事平相全表間關各重新線內數正反原第變條無系最通提直程位入"
    "常品式設管件長流路級圖接組別運區回則取處溫壓轉速振停止異報警檢測格良備啟完成敗認證登錯誤復急器序號名"
    "文件據輸選項法找預稱戶密碼打保存消確刪除修改添更示設參目錄網路服務執內容讀寫請求連信息狀態未已新將"
)
_KOREAN = (
    "이다에의는로하을가고지서한은기으년대사시를리도인스일해자부그어나수보정제아라전과장상공관유성조주계와여동비구소만원들용면"
    "었것있했안니중신연화실분진방내학업국경모개회생선위당결물발세체온압력속센터태불량합격검류번호오완료종처음파험작"
)
_RUSSIAN = "оеаинтсрвлкмдпуя"
_RARE = re.compile("[^а-яёіїєґў]")
FREQUENT_CHARACTERS = {
    "euc_jp": _JAPANESE,
    "cp932": _JAPANESE,
    "gb18030": _CHINESE,
    "cp949": _KOREAN,
    "big5": _TAIWANESE,
    "cp1251": _RUSSIAN,
    "cp866": _RUSSIAN,
    "cp1250": "ąęłśżźćńóäöüßéáíýúůčřšžěőâç",
    "cp1252": (_WESTERN := "éèêëàâäöüßçîïôûùñáíóúåøæœ"),
    "latin_1": _WESTERN,
    "cp437": _WESTERN,
}
"""The characters that make up about half of what people write beyond ASCII."""

HALF_WIDTH_RUN = re.compile("[\uff66-\uff9f]+")
HALF_WIDTH = re.compile("([ｳｶ-ﾄﾊ-ﾎ]ﾞ|[ﾊ-ﾎ]ﾟ|[ｦｱ-ﾝ]|(?<!^)[ｧ-ｰ])+")
"""Kana of half the width, where signs of voice and length follow what can have them."""

LATIN = re.compile("(?<!i)ê(?=[tmvlnrqg]|ch)|ñ(?=[aeiouáéíóú])|æ(?=[b-z])|œ(?=[iu])|[^êñæœ]")
"""Letters at places where they are not the Polish ones of the same bytes."""

SIMPLE_ENDS = (0, 1, 4, 8, 16, 17, 19, 21)
"""Final consonants of most Korean syllables, by Unicode's order."""

SYMBOLS = "\u00a0°µ§€©®¡–—…“”‘’„«»"
"""Not letters, and usual in Western text all the same."""

UNMISTAKABLE = re.compile(r"(?<=m)[²³](?![^\W\d_])|°(?=[CFK]?(?!\w))|µ(?=[AFSVWbglms])|¿(?=[A-ZÁÉÍÓÚ])")
"""Units, and the start of a Spanish question; Polish words and single Chinese characters have the same bytes."""

DOS = re.compile(rb"[A-Za-z][\x81\x82\x84\x87\x88\x94](?=[a-z])")
"""Letters of cp850, as DOS and its heirs write them, within words; in cp1252 these are quotation marks and daggers."""

NEVER_BEFORE_LETTERS = "²³±·½¼£×ªº"
"""Those behind which no letter stands."""


def is_known(name: str) -> bool:
    """Whether Python knows an encoding of text of this name."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return codecs.lookup(name)._is_text_encoding


def detect(data: bytes) -> tuple[str, int] | None:
    """The encoding of a text by its first bytes, and how many of them are a byte order mark; None if it is unknown."""
    if found := byte_order_mark(data):
        return found
    if wide := detect_wide(data[:4096]):
        return wide, 0
    name = guess(data.splitlines()) if _decoded(data, "utf-8") is None else "utf-8"
    return None if name == TEXT_ENCODINGS[-1] else (name, 0)


def byte_order_mark(data: bytes) -> tuple[str, int] | None:
    """The encoding that a byte order mark names, and the mark's length; None where there is no mark."""
    return next(((name, len(start)) for start, name in BYTE_ORDER_MARKS if data.startswith(start)), None)


def detect_wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark, recognised by its zero bytes; None for other text and for binary data."""
    if head.count(0) <= FEW_ZEROS * len(head):
        return None
    texts = {name: _decoded(head, name, cut=True) or "\0" for name in UTF_16_AND_32}
    plain = {
        name: sum(character.isascii() for character in text)
        for name, text in texts.items()
        if all(character >= " " or character in "\t\n\r\f\x1b" for character in text)
    }
    # Line ends and digits are ASCII in any language, and are not if their bytes are exchanged.
    return max(plain, key=lambda name: plain[name]) if any(plain.values()) else None


def not_utf_8(texts: Sequence[bytes]) -> list[bytes]:
    """Those that are no UTF-8; none if they are half of those beyond ASCII or less, which then are damaged UTF-8."""
    foreign = [text for text in texts if not text.isascii()]
    wrong = [text for text in foreign if _decoded(text, "utf-8") is None]
    return wrong if 2 * len(wrong) > len(foreign) else []


def readable_share(texts: Sequence[bytes], encoding: str) -> float:
    """The share of texts that can be read in an encoding, 0..1; 1 if there are none."""
    return sum(_decoded(text, encoding) is not None for text in texts) / len(texts) if texts else 1.0


def guess(texts: Sequence[bytes], candidates: Sequence[str] = TEXT_ENCODINGS) -> str:
    """The encoding in which texts can be read and most of their characters are everyday ones of one script.

    UTF-8 wins where it can be: other text is hardly ever valid UTF-8. Of those alike the earlier candidate wins.

    Args:
        candidates: Python's names of encodings. The last should read any bytes.
    """
    words = dict.fromkeys(word for text in not_utf_8(texts) for word in re.split(rb'[,;\s"]+', text))
    foreign = [word for word in words if not word.isascii()][:MAX_WORDS]
    if not foreign:
        return "utf-8"
    if candidates is TEXT_ENCODINGS and 2 * sum(DOS.search(word) is not None for word in foreign) > len(foreign):
        return "cp850"  # as one of the candidates it would read any bytes
    scores = {name: sum(_score(word, name) for word in foreign) / len(foreign) for name in candidates}
    return next(name for name in candidates if scores[name] >= max(scores.values()) - TIE)


def _decoded(text: bytes, encoding: str, cut: bool = False) -> str | None:
    """The text, without its last character where that may be cut; None if it cannot be read."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(text, not cut)
    except UnicodeDecodeError:
        return None


def _score(word: bytes, encoding: str) -> float:
    """How plausible an encoding is, 0..1 or -1: the mean over the characters beyond ASCII."""
    text = _decoded(word, encoding)
    if text is None:
        return -1.0
    judge = _asian if encoding in COMMON_LEAD_BYTES else _cyrillic if encoding in ("cp866", "cp1251") else _western
    values = [judge(text, place, encoding) for place, character in enumerate(text) if not character.isascii()]
    return sum(values) / len(values) if values else -1.0


def _asian(text: str, place: int, encoding: str) -> float:
    character = text[place]
    data = character.encode(encoding)
    if "\u3041" <= character <= "\u30fe" and encoding in ("euc_jp", "cp932"):
        return 1.0
    beside = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    if beside.isascii() and re.search("[A-Za-z]", beside):
        # An accented letter that was read wrongly, rather than a single character.
        return 0.65 if character in FREQUENT_CHARACTERS[encoding] else 0.35
    if "\uff66" <= character <= "\uff9f":
        return _half_width(text, place)
    if unicodedata.category(character) != "Lo":
        return 0.5 if data[0] in (0x81, 0x82, *range(0xA1, 0xA4)) and len(data) == 2 else 0.1
    low, high = COMMON_LEAD_BYTES[encoding]
    if len(data) != 2 or not low <= data[0] <= high or (encoding in NARROW and data[1] < 0xA1):
        return 0.3
    if character in FREQUENT_CHARACTERS[encoding]:
        return 1.0
    # The same bytes may be everyday Chinese, which then are any syllables and not the simple ones of most words.
    return 0.8 if encoding != "cp949" else 0.9 if _is_simple(character) else 0.7


def _is_simple(syllable: str) -> bool:
    initial, rest = divmod(ord(syllable) - 0xAC00, 588)
    return initial not in (1, 4, 8, 10, 13) and rest // 28 not in (3, 10, 12, 15) and rest % 28 in SIMPLE_ENDS


def _half_width(text: str, place: int) -> float:
    run = next(found for found in HALF_WIDTH_RUN.finditer(text) if found.start() <= place < found.end()).group()
    return (0.85 if re.search("[ﾞﾟｰ]", run) else 0.55) if HALF_WIDTH.fullmatch(run) else 0.3


def _cyrillic(text: str, place: int, encoding: str) -> float:
    if "CYRILLIC" not in unicodedata.name(text[place], ""):
        return 0.5 if text[place] in "№«»–—°" else 0.0
    word = next(found for found in re.finditer(r"[^\x00-\x7f]+", text) if found.start() <= place < found.end())
    beside = text[max(0, word.start() - 1) : word.start()] + text[word.end() : word.end() + 1]
    letters = re.sub("[№«»–—°]", "", word.group())
    # Bytes of other scripts that happen to be Cyrillic letters change their case anywhere, and occur next to anything.
    if re.search(r"[A-Za-z{}|~^@\[\]`\\]", beside) or not (letters.islower() or letters.isupper() or letters.istitle()):
        return 0.2
    if len(letters) < 3:
        return 0.45
    letter = text[place].lower()
    return 1.0 if letter in FREQUENT_CHARACTERS[encoding] else 0.6 if _RARE.match(letter) else 0.85


def _western(text: str, place: int, encoding: str) -> float:
    character, after = text[place], text[place + 1 : place + 2]
    if UNMISTAKABLE.match(text, place):
        return 1.0
    if "LATIN" not in unicodedata.name(character, ""):
        return 0.6 if character in SYMBOLS or (character in NEVER_BEFORE_LETTERS and not after.isalpha()) else 0.0
    letters = [character for character in text if character.isalpha()]
    is_usual = character.lower() in FREQUENT_CHARACTERS[encoding] and (
        encoding == "cp1250" or LATIN.match(text.lower(), place)
    )
    is_dense = 3 * sum(not character.isascii() for character in letters) > len(letters)
    return (1.0 if is_usual else 0.7) * (0.65 if is_dense else 1.0)
